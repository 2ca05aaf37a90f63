"""The convolutional network of MusiCNN, whose filters are shaped by what music is."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from musiclab.errors import UserError
from musiclab.models.backbone import Backbone, frame_mask, masked_max, masked_mean

FRAMES_AT_A_TIME = 2048
"""Frames that are evaluated together on a CPU: the maps of so many, of 96 features, take 99 MB in float32."""

EPS, MOMENTUM = 1e-3, 0.01
"""Of all batch norms, as the original has them."""

TIMBRAL = 7
"""Frames that the timbral filters, and the layers behind them, see at once."""

TEMPORAL = (128, 64, 32)
"""Frames that the temporal filters see."""

HEIGHTS = (0.4, 0.7)
"""Share of the features that the timbral filters see."""


class MusiCNN(Backbone):
    """Timbral and temporal filters, three layers of convolutions over time, maximum and mean over time, a dense layer.

    Timbral filters are tall and short, those of two heights each find a timbre at any pitch; temporal ones are a
    feature tall and up to 128 frames long, and find a rhythm. The maximum over the features is taken of both. The
    second and third layer add what they find to what they get; all layers and the filters together are pooled.

    Batch norms stand behind the ReLU, and one before everything. What is beyond a track's own frames is zero to every
    convolution, as what is beyond the spectrogram's edges, and is not counted by batch norms, maxima and means: a track
    is mapped to the same embedding whatever it is padded to. Any length will do; the original is for 187 frames, 3 s.

    Args:
        num_features: Values per frame.
        timbral: Timbral filters of each height.
        temporal: Temporal filters of each length.
        layer: Maps of each of the three layers.
        embedding_size: Units of the dense layer.
        dropout: Probability of dropping a value before the dense layer, and in the embedding.
        patch: Frames of the patches that a track is cut into, whose embeddings are averaged, each by how many of its
            frames are the track's; null to embed the track as a whole. The original's answer about a song is the mean
            over patches of 187 frames.

    Source:
        Pons and Serra 2019, "musicnn: Pre-trained convolutional neural networks for music audio tagging", arXiv
        1909.06654; the filters as in Pons et al. 2018, "End-to-end learning for music audio tagging at scale", arXiv
        1711.02520. The sizes by default are those of ``MSD_musicnn`` and ``MTT_musicnn``.
    """

    def __init__(
        self,
        num_features: int,
        timbral: int = 204,
        temporal: int = 51,
        layer: int = 64,
        embedding_size: int = 200,
        dropout: float = 0.5,
        patch: int | None = None,
    ) -> None:
        super().__init__()
        heights = [max(1, int(share * num_features)) for share in HEIGHTS]
        for name, size in (
            ("timbral", timbral),
            ("temporal", temporal),
            ("layer", layer),
            ("embedding_size", embedding_size),
            ("patch", patch or (1 if patch is None else 0)),
        ):
            if size < 1:
                raise UserError(f"{name} is {size}; it must be at least 1")
        if not 0 <= dropout < 1:
            raise UserError(f"dropout is {dropout}; it must be 0 or more and below 1")
        self.input_norm = FrameNorm(1)
        self.timbral = nn.ModuleList(Filters(timbral, TIMBRAL, height) for height in heights)
        self.temporal = nn.ModuleList(Filters(temporal, length, 1) for length in TEMPORAL)
        front = len(HEIGHTS) * timbral + len(TEMPORAL) * temporal
        self.layers = nn.ModuleList(Layer(inputs, layer) for inputs in (front, layer, layer))
        pooled = 2 * (front + 3 * layer)
        self.pooled_norm = TrackNorm(pooled)
        self.dense = nn.Linear(pooled, embedding_size)
        self.dense_norm = TrackNorm(embedding_size)
        self.dropout = nn.Dropout(dropout)
        self.embedding_size = embedding_size
        self.patch = patch

    def forward(self, spectrograms: Tensor, lengths: Tensor) -> Tensor:
        """Return the embeddings ``(batch, embedding)``."""
        if self.training or torch.is_grad_enabled() or spectrograms.device.type != "cpu":
            return self._embed(spectrograms, lengths)
        # Tracks that nothing is learnt from need not be in memory together.
        tracks = max(1, FRAMES_AT_A_TIME // spectrograms.shape[1])
        parts = zip(torch.split(spectrograms, tracks), torch.split(lengths, tracks), strict=True)
        return torch.cat([self._embed(*part) for part in parts])

    def masked(self, spectrograms: Tensor, lengths: Tensor) -> Tensor:
        """Return the embeddings in evaluation, by operations whose shapes and course depend on no value."""
        if self.patch is None:
            mask = frame_mask(lengths, spectrograms.shape[1])
            return self._by_masks(spectrograms, mask, mask)
        # A patch of padding alone has no weight, but must be something.
        own_frames = frame_mask(lengths, spectrograms.shape[1])
        patches, own = _patches(spectrograms.masked_fill(~own_frames[:, :, None], 0.0), lengths, self.patch)
        mask = frame_mask(own.flatten().clamp(min=1), self.patch)
        return _mean_of_patches(self._by_masks(patches.flatten(0, 1), mask, mask).view(*own.shape, -1), own)

    def _embed(self, spectrograms: Tensor, lengths: Tensor) -> Tensor:
        if self.patch is None:
            return self._whole(spectrograms, lengths)
        patches, own = _patches(spectrograms, lengths, self.patch)
        with_frames = own > 0
        found = self._whole(patches[with_frames], own[with_frames])
        embeddings = found.new_zeros(*own.shape, found.shape[1])
        return _mean_of_patches(embeddings.index_put((with_frames,), found), own)

    def _whole(self, spectrograms: Tensor, lengths: Tensor) -> Tensor:
        mask = frame_mask(lengths, spectrograms.shape[1])
        return self._by_masks(spectrograms, mask, None if bool(mask.all()) else mask)

    def _by_masks(self, spectrograms: Tensor, mask: Tensor, padded: Tensor | None) -> Tensor:
        """Return the embeddings, given which frames are a track's own; ``padded`` is None to say that all are."""
        if padded is not None:
            spectrograms = spectrograms.masked_fill(~padded[:, :, None], 0.0)
        images = self.input_norm(spectrograms[:, None], padded)
        found = torch.cat([filters(images, padded) for filters in (*self.timbral, *self.temporal)], dim=1)
        first, second, third = self.layers
        maps = [found, first(found, padded)]
        maps.append(maps[-1] + second(maps[-1], padded))
        maps.append(maps[-1] + third(maps[-1], padded))
        frames = torch.cat(maps, dim=1).transpose(1, 2)
        # Maximum and mean of a map stand side by side, as in the original.
        pooled = torch.stack([masked_max(frames, mask), masked_mean(frames, mask)], dim=2).flatten(1)
        dense = F.relu(self.dense(self.dropout(self.pooled_norm(pooled))))
        embedding: Tensor = self.dropout(self.dense_norm(dense))
        return embedding


def _patches(spectrograms: Tensor, lengths: Tensor, patch: int) -> tuple[Tensor, Tensor]:
    """Return patches ``(batch, patches, patch, features)``, and how many frames of each are the track's."""
    count = (spectrograms.shape[1] + patch - 1) // patch
    padded = F.pad(spectrograms, (0, 0, 0, count * patch - spectrograms.shape[1]))
    begins = patch * torch.arange(count, device=lengths.device)
    return padded.view(len(padded), count, patch, -1), (lengths[:, None] - begins).clamp(min=0, max=patch)


def _mean_of_patches(embeddings: Tensor, own: Tensor) -> Tensor:
    """Return the mean of embeddings ``(batch, patches, embedding)`` over a track's patches, by their own frames."""
    shares = own / own.sum(dim=1, keepdim=True)
    return (embeddings * shares[:, :, None]).sum(dim=1)


class Filters(nn.Module):
    """Filters of one shape, ReLU, batch norm, and the maximum over the features.

    Args:
        maps: Number of filters.
        length: Frames that they see; of an even number, one more that comes than that has been.
        height: Features that they see.
    """

    def __init__(self, maps: int, length: int, height: int) -> None:
        super().__init__()
        self.padding = (0, 0, (length - 1) // 2, length // 2)
        self.convolution = nn.Conv2d(1, maps, (length, height))
        self.norm = FrameNorm(maps)

    def forward(self, images: Tensor, mask: Tensor | None) -> Tensor:
        """Return the maps of ``(batch, 1, time, features)``, ``(batch, maps, time)``, zero in padding.

        Args:
            images: Zero in padding.
            mask: Which frames are a track's own, ``(batch, time)``; None if all are.
        """
        images = F.pad(images, self.padding)
        if self.norm.training:  # which has to see all that it is to count
            return self.norm(F.relu(self.convolution(images)), mask).amax(dim=3)  # type: ignore[no-any-return]
        # What norms do is then known: the maximum can come first, of filters whose norm has a negative weight by
        # turning them round. The values are the same, from a fraction of the memory and time.
        turns = torch.where(self.norm.weight < 0, -1.0, 1.0)
        highest = F.conv2d(images, self.convolution.weight * turns[:, None, None, None]).amax(dim=3)
        highest = highest * turns[:, None] + self.convolution.bias[:, None]  # type: ignore[index]
        return self.norm(F.relu(highest)[..., None], mask)[..., 0]  # type: ignore[no-any-return]


class Layer(nn.Module):
    """Convolution over time, ReLU and batch norm of ``(batch, maps, time)``."""

    def __init__(self, inputs: int, maps: int) -> None:
        super().__init__()
        self.convolution = nn.Conv1d(inputs, maps, TIMBRAL, padding=TIMBRAL // 2)
        self.norm = FrameNorm(maps)

    def forward(self, maps: Tensor, mask: Tensor | None) -> Tensor:
        """Return the maps of the layer, zero in padding."""
        found = F.relu(self.convolution(maps))
        return self.norm(found[..., None], mask)[..., 0]  # type: ignore[no-any-return]


class FrameNorm(nn.BatchNorm2d):
    """Batch norm of ``(batch, maps, time, features)`` that counts a track's own frames only."""

    def __init__(self, maps: int) -> None:
        super().__init__(maps, eps=EPS, momentum=MOMENTUM)

    def forward(self, maps: Tensor, mask: Tensor | None) -> Tensor:  # type: ignore[override]
        """Return the normalised maps, zero in padding.

        Args:
            maps: Anything in padding.
            mask: Which frames are a track's own, ``(batch, time)``; None if all are.
        """
        if mask is None:
            return super().forward(maps)
        if not self.training:
            return super().forward(maps).masked_fill(~mask[:, None, :, None], 0.0)
        frames = maps.transpose(1, 2)  # (batch, time, maps, features)
        own = super().forward(frames[mask][..., None])[..., 0]
        return frames.new_zeros(frames.shape, dtype=own.dtype).index_put((mask,), own).transpose(1, 2)


class TrackNorm(nn.BatchNorm1d):
    """Batch norm of ``(batch, values)``; of a single track, which does not vary, by the running statistics."""

    def __init__(self, values: int) -> None:
        super().__init__(values, eps=EPS, momentum=MOMENTUM)

    def forward(self, values: Tensor) -> Tensor:
        """Return the normalised values."""
        if len(values) > 1 or not self.training:
            return super().forward(values)
        return F.batch_norm(values, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)
