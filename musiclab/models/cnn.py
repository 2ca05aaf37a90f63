"""Convolutional backbone."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from musiclab.errors import UserError
from musiclab.models.backbone import Backbone, frame_mask, masked_max, masked_mean
from musiclab.models.pooled_norm import Pool, PooledBatchNorm2d, both

FRAMES_AT_A_TIME = 8192
"""Frames that are evaluated together on a CPU: 32 maps of so many, of 128 features, take 134 MB in float32."""


class CNN(Backbone):
    """Blocks of convolution, batch norm, ReLU and max pooling on the spectrogram as a one-channel image.

    Padding is set to zero before each convolution, which is what the convolution itself assumes beyond the image's
    edges; it is not counted in the batch norm's statistics; and zero is neutral for the maximum after a ReLU. So a
    track is mapped to the same embedding whatever it is padded to. The last maps are averaged over frequency; mean
    and maximum over time make up the embedding, so any length and any number of features will do.

    Args:
        num_features: Values per frame. Any number fits: the network does not depend on it.
        channels: Maps of each block.
        kernel_size: Height and width of the convolutions; odd.
        pools: Pooling of each block, over time and frequency alike, or a pair, over time and over frequency. Incomplete
            windows at the edges count.
        dropout: Probability of dropping a value of the embedding.
    """

    def __init__(
        self,
        num_features: int,
        channels: Sequence[int] = (32, 64, 128, 256),
        kernel_size: int = 3,
        pools: Sequence[Pool] = (2, 2, 2, 2),
        dropout: float = 0.3,
    ) -> None:
        super().__init__()
        if not 0 <= dropout < 1:
            raise UserError(f"dropout is {dropout}; it must be 0 or more and below 1")
        if len(channels) != len(pools) or not channels:
            raise UserError(f"{len(channels)} channels and {len(pools)} pools; give one of each per block")
        if min(*channels, *(min(both(pool)) for pool in pools)) < 1:
            raise UserError(f"channels are {channels} and pools {pools}; they must be at least 1")
        if kernel_size < 1 or kernel_size % 2 == 0:
            raise UserError(f"kernel_size is {kernel_size}; it must be odd, so that a frame stays where it is")
        sizes = zip([1, *channels[:-1]], channels, pools, strict=True)
        self.blocks = nn.ModuleList(Block(inputs, maps, kernel_size, pool) for inputs, maps, pool in sizes)
        self.dropout = nn.Dropout(dropout)
        self.embedding_size = 2 * channels[-1]
        # Convolutions on a CPU are faster in this layout.
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, spectrograms: Tensor, lengths: Tensor) -> Tensor:
        """Return the embeddings ``(batch, embedding)``."""
        if self.training or torch.is_grad_enabled() or spectrograms.device.type != "cpu":
            return self._embed(spectrograms, lengths)
        # Tracks that nothing is learnt from need not be in memory together.
        widths = max(1, spectrograms.shape[2] // 128)  # of features that are many more than mel bands
        tracks = max(1, FRAMES_AT_A_TIME // (spectrograms.shape[1] * widths))
        parts = zip(torch.split(spectrograms, tracks), torch.split(lengths, tracks), strict=True)
        return torch.cat([self._embed(*part) for part in parts])

    def images(self, spectrograms: Tensor) -> Tensor:
        """Return what the first block sees of ``(batch, time, features)``: ``(batch, maps, time, features)``."""
        return spectrograms[:, None].contiguous(memory_format=torch.channels_last)

    def _embed(self, spectrograms: Tensor, lengths: Tensor) -> Tensor:
        lengths = lengths.cpu()  # the one time that a GPU is waited for
        padding = find_padding(lengths, spectrograms.shape[1], spectrograms.device)
        images = self.images(spectrograms)
        if padding is not None:
            tracks, times = padding
            images = images.transpose(1, 2).index_put((tracks, times), images.new_zeros(())).transpose(1, 2)
        for block in self.blocks:
            images, lengths, padding = block(images, lengths, padding)
        return self._pooled(images, lengths.to(images.device))

    def masked(self, spectrograms: Tensor, lengths: Tensor) -> Tensor:
        """Return the embeddings in evaluation, by operations whose shapes and course depend on no value."""
        images = zeroed(self.images(spectrograms), lengths)
        for block in self.blocks:
            images, lengths = block.masked(images, lengths)  # type: ignore[operator]
        return self._pooled(images, lengths)

    def _pooled(self, images: Tensor, lengths: Tensor) -> Tensor:
        frames = images.mean(dim=3).transpose(1, 2)
        mask = frame_mask(lengths, frames.shape[1])
        pooled = torch.cat([masked_mean(frames, mask), masked_max(frames, mask)], dim=1)
        embedding: Tensor = self.dropout(pooled)
        return embedding


class Block(nn.Module):
    """Convolution, batch norm, ReLU and max pooling of ``(batch, maps, time, frequency)``, blind to padding.

    Hooks on ``convolution`` see nothing where maps are pooled first: its weights are used, with flipped signs, but it
    is not called.

    Args:
        inputs: Maps that it gets.
        maps: Maps that it gives.
        kernel_size: Height and width of the convolution; odd.
        pool: Side of the windows whose maximum is taken; 1 for no pooling.
        rectified: Whether there is a ReLU.
    """

    def __init__(self, inputs: int, maps: int, kernel_size: int, pool: Pool, rectified: bool = True) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(inputs, maps, kernel_size, padding=kernel_size // 2, bias=False)
        self.norm = PooledBatchNorm2d(maps, pool)
        self.pool_size = pool
        self.rectified = rectified
        self.time_pool, _ = both(pool)

    def forward(self, images: Tensor, lengths: Tensor, padding: Tensor | None) -> tuple[Tensor, Tensor, Tensor | None]:
        """Return the pooled maps, the lengths of their tracks and where their padding is.

        Args:
            images: ``(batch, maps, time, frequency)``, zero in padding; so is what is returned.
            lengths: Frames of each track, ``(batch,)``, on the CPU.
            padding: Track and time of the frames of padding, ``(2, frames)``; None for none.
        """
        lengths = -(-lengths // self.time_pool)
        one_value = images.shape[0] * images.shape[2] * images.shape[3] == 1  # whose statistics PyTorch refuses to take
        if padding is None and not one_value and (images.device.type == "cuda" or self.pool_size == 1):
            return self.normalise_first(images), lengths, None
        frames = -(-images.shape[2] // self.time_pool)
        pooled_padding = None if padding is None else find_padding(lengths, frames, images.device)
        return self.pool_first(images, padding, pooled_padding), lengths, pooled_padding

    def masked(self, images: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Return the pooled maps and the lengths of their tracks, zero in padding, by PyTorch's own layers."""
        maps = self._rectify(nn.BatchNorm2d.forward(self.norm, self.convolution(images)))
        # After a ReLU, zero is neutral for the maximum.
        pooled = self._pool(zeroed(maps, lengths))
        lengths = (lengths + self.time_pool - 1) // self.time_pool
        return zeroed(pooled, lengths), lengths

    def pool_first(self, images: Tensor, padding: Tensor | None, pooled_padding: Tensor | None) -> Tensor:
        """Return the pooled maps, by far the faster way on a CPU, and the one that is blind to padding."""
        weight = self.convolution.weight * self.norm.flips()[:, None, None, None]
        maps = F.conv2d(images, weight, padding=self.convolution.padding)
        # ReLU and maximum may change places: same values, same gradients, on a fraction of the memory.
        return self._rectify(self.norm(maps, padding, pooled_padding))

    def normalise_first(self, images: Tensor) -> Tensor:
        """Return the pooled maps of images without padding by PyTorch's own layers, the faster way on a GPU.

        And where nothing is pooled.
        """
        return self._rectify(self._pool(nn.BatchNorm2d.forward(self.norm, self.convolution(images))))

    def _pool(self, maps: Tensor) -> Tensor:
        return maps if self.pool_size == 1 else F.max_pool2d(maps, self.pool_size, ceil_mode=True)

    def _rectify(self, maps: Tensor) -> Tensor:
        return F.relu(maps) if self.rectified else maps


def zeroed(images: Tensor, lengths: Tensor) -> Tensor:
    """Return images ``(batch, maps, time, frequency)`` with zeros in padding."""
    return images.masked_fill(~frame_mask(lengths, images.shape[2])[:, None, :, None], 0.0)


@torch.compiler.disable  # type: ignore[untyped-decorator]
def find_padding(lengths: Tensor, frames: int, device: torch.device) -> Tensor | None:
    """Return track and time of the frames of padding, ``(2, n)``, on a device; None if there are none.

    Args:
        lengths: Frames of each track, ``(batch,)``, on the CPU: a GPU would have to be waited for.
        frames: Frames of each track with its padding.
        device: Where to use them.
    """
    padding = (~frame_mask(lengths, frames)).nonzero().T
    return padding.to(device, non_blocking=True) if padding.shape[1] else None
