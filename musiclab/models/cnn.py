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
        # Convolutions on a CPU are about 1.5 times as fast in this layout.
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, spectrograms: Tensor, lengths: Tensor) -> Tensor:
        """Return the embeddings ``(batch, embedding)``."""
        images = spectrograms[:, None].contiguous(memory_format=torch.channels_last)
        mask = frame_mask(lengths, images.shape[2])
        padded = not bool(mask.all())
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
        """Return the pooled maps, their lengths and their mask; ``padded`` is False if ``mask`` is all True."""
        if padded:
            images = images * mask[:, None, :, None]
        images = self.norm(self.convolution(images), mask, padded)
        if padded:
            images = images * mask[:, None, :, None]
        # ReLU and maximum may change places: same values, same gradients, on a fraction of the memory.
        images = F.relu(self.pool(images))
        lengths = -(-lengths // self.pool_size)
        return images, lengths, frame_mask(lengths, images.shape[2])


class MaskedBatchNorm2d(nn.BatchNorm2d):
    """Batch norm whose training statistics count a track's own frames only."""

    def forward(self, images: Tensor, mask: Tensor, padded: bool) -> Tensor:  # type: ignore[override]
        """Normalise ``(batch, maps, time, frequency)``; ``mask`` is ``(batch, time)``."""
        if not (padded and self.training):
            return super().forward(images)
        weights = mask[:, None, :, None].to(torch.float32)
        count = weights.sum() * images.shape[3]
        values = images.float()
        mean = (values * weights).sum(dim=(0, 2, 3)) / count
        centred = (values - mean[:, None, None]) * weights
        variance = centred.square().sum(dim=(0, 2, 3)) / count
        self._update_running(mean.detach(), variance.detach() * count / (count - 1).clamp(min=1))
        scale = self.weight * torch.rsqrt(variance + self.eps)
        return (centred * scale[:, None, None] + self.bias[:, None, None]).to(images.dtype)

    def _update_running(self, mean: Tensor, variance: Tensor) -> None:
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        assert self.momentum is not None
        self.num_batches_tracked.add_(1)
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance, self.momentum)
