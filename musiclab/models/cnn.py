"""Convolutional backbone."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from musiclab.errors import UserError
from musiclab.models.backbone import Backbone, frame_mask, masked_max, masked_mean


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
        pools: Pooling of each block, over time and frequency alike. Incomplete windows at the edges count.
        dropout: Probability of dropping a value of the embedding.
    """

    def __init__(
        self,
        num_features: int,
        channels: Sequence[int] = (32, 64, 128, 256),
        kernel_size: int = 3,
        pools: Sequence[int] = (2, 2, 2, 2),
        dropout: float = 0.3,
    ) -> None:
        super().__init__()
        if not 0 <= dropout < 1:
            raise UserError(f"dropout is {dropout}; it must be 0 or more and below 1")
        if len(channels) != len(pools) or not channels:
            raise UserError(f"{len(channels)} channels and {len(pools)} pools; give one of each per block")
        if min(*channels, *pools) < 1:
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
        images = spectrograms[:, None].contiguous(memory_format=torch.channels_last)
        mask = frame_mask(lengths, images.shape[2])
        padded = not bool(mask.all())
        if padded:
            images = images.masked_fill(~mask[:, None, :, None], 0)
        for block in self.blocks:
            images, lengths, mask = block(images, lengths, mask, padded)
        frames = images.mean(dim=3).transpose(1, 2)
        pooled = torch.cat([masked_mean(frames, mask), masked_max(frames, mask)], dim=1)
        embedding: Tensor = self.dropout(pooled)
        return embedding


class Block(nn.Module):
    """Convolution, batch norm, ReLU and max pooling of ``(batch, maps, time, frequency)``, blind to padding."""

    def __init__(self, inputs: int, maps: int, kernel_size: int, pool: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(inputs, maps, kernel_size, padding=kernel_size // 2, bias=False)
        self.norm = MaskedBatchNorm2d(maps)
        self.pool_size = pool
        self.pool = nn.MaxPool2d(pool, ceil_mode=True)

    def forward(self, images: Tensor, lengths: Tensor, mask: Tensor, padded: bool) -> tuple[Tensor, Tensor, Tensor]:
        """Return the pooled maps, their lengths and their mask.

        Args:
            images: ``(batch, maps, time, frequency)``, zero in padding; so is what is returned.
            lengths: Frames of each track, ``(batch,)``.
            mask: True for a track's own frames, ``(batch, time)``.
            padded: False if ``mask`` is all True.
        """
        images = self.norm(self.convolution(images), mask, padded)
        # ReLU and maximum may change places: same values, same gradients, on a fraction of the memory.
        images = F.relu(self.pool(images))
        lengths = -(-lengths // self.pool_size)
        return images, lengths, frame_mask(lengths, images.shape[2])


class MaskedBatchNorm2d(nn.BatchNorm2d):
    """Batch norm that counts a track's own frames only, and sets padding to zero."""

    def forward(self, images: Tensor, mask: Tensor, padded: bool) -> Tensor:  # type: ignore[override]
        """Normalise ``(batch, maps, time, frequency)``; ``mask`` is ``(batch, time)``."""
        if not padded:
            return super().forward(images)
        if not self.training:
            return super().forward(images).masked_fill(~mask[:, None, :, None], 0)
        # Own frames are put side by side, normalised as one long image, and put back.
        batch, maps, time, frequency = images.shape
        frames = images.permute(0, 2, 3, 1).reshape(batch * time, frequency, maps)
        own = mask.flatten().nonzero().squeeze(1)
        image = frames.index_select(0, own)[None].permute(0, 3, 1, 2)
        normalised = super().forward(image).permute(0, 2, 3, 1)[0]
        frames = torch.zeros_like(frames).index_copy(0, own, normalised)
        return frames.view(batch, time, frequency, maps).permute(0, 3, 1, 2)
