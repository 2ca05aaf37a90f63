"""Batch norm and max pooling of convolutional maps as one operation, blind to padding."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from musiclab.errors import UserError

Pool = int | tuple[int, int]
"""Windows that maxima are taken over: the side of square ones, or their length in time and in frequency."""


def both(pool: Pool) -> tuple[int, int]:
    """Return the length of windows in time and in frequency.

    Raises:
        UserError: If it is neither one length nor two.
    """
    if isinstance(pool, int):
        return pool, pool
    if len(pool) != 2:
        raise UserError(f"a pool is {pool}; give one length, or two: in time and in frequency")
    return pool[0], pool[1]


class PooledBatchNorm2d(nn.BatchNorm2d):
    """Batch norm that counts a track's own frames only, and max pooling of what it gives.

    A normalisation whose weight is not negative keeps the order of values: the maximum of normalised values is the
    normalised maximum. So the maps are pooled first, and only what is left of them is normalised. For a negative
    weight that holds of the minimum, which is the maximum of flipped maps: whoever makes the maps flips them, by
    :meth:`flips`.

    Args:
        maps: Number of maps.
        pool: The windows. Incomplete ones at the edges count.
    """

    def __init__(self, maps: int, pool: Pool) -> None:
        super().__init__(maps)
        self.pool_size = pool

    def flips(self) -> Tensor:
        """Return the sign that each map is expected with, ``(maps,)``: -1 where the weight is negative, else 1."""
        return torch.where(self.weight < 0, -1.0, 1.0).to(self.weight.dtype)

    # Its parts would be compiled for every size.
    @torch.compiler.disable  # type: ignore[untyped-decorator]
    def forward(self, flipped: Tensor, padding: Tensor | None, pooled_padding: Tensor | None) -> Tensor:
        """Return the pooled normalised maps, zero in padding.

        Args:
            flipped: ``(batch, maps, time, frequency)``, multiplied with ``flips``. What they hold in padding is
                overwritten, so nobody else may read it afterwards.
            padding: Track and time of the frames of padding, ``(2, frames)``; None for none.
            pooled_padding: The same for the pooled frames.
        """
        flips = self.flips()
        weight = self.weight * flips
        if self.training:
            pooled, mean, variance = _PooledBatchNorm.apply(  # type: ignore[no-untyped-call]
                flipped, weight, self.bias, padding, pooled_padding, self.pool_size, self.eps
            )
            self._update(mean * flips, variance, _count(flipped, padding))
            result: Tensor = pooled
            return result
        assert self.running_mean is not None
        pooled = _pool(_fill(flipped, padding, -torch.inf), self.pool_size)
        _fill(pooled, pooled_padding, 0.0)  # infinities would make the weight's gradient NaN
        pooled = F.batch_norm(pooled, self.running_mean * flips, self.running_var, weight, self.bias, eps=self.eps)
        return _fill(pooled, pooled_padding, 0.0)

    @torch.no_grad()
    def _update(self, mean: Tensor, variance: Tensor, count: int) -> None:
        """Let the running statistics follow those of a batch, as PyTorch's do."""
        assert self.num_batches_tracked is not None
        assert self.running_mean is not None
        assert self.running_var is not None
        self.num_batches_tracked.add_(1)
        momentum = 1 / int(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean.to(self.running_mean.dtype), momentum)
        sample_variance = variance * (count / max(count - 1, 1))
        self.running_var.lerp_(sample_variance.to(self.running_var.dtype), momentum)


class _PooledBatchNorm(torch.autograd.Function):
    """Batch norm by the statistics of a batch's own frames, and max pooling; no weight is negative.

    The maps are the one tensor of their size that the backward pass needs; batch norm and pooling one after the other
    keep two, and 64-bit indices. With ``z`` the maps, ``n`` own values of each, ``m`` and ``s`` their mean and standard
    deviation, ``p`` the pooled ``z`` and ``g`` the gradient of what is returned, ``w (p - m) / s + b``::

        db = sum g        dw = sum g (p - m) / s        dz = w / s (unpool(g) - db / n - (z - m) / s dw / n)

    Source:
        Ioffe and Szegedy 2015, "Batch Normalization", section 3, whose gradient is summed over pooled values here.
    """

    @staticmethod
    def forward(
        ctx: Any,
        maps: Tensor,
        weight: Tensor,
        bias: Tensor,
        padding: Tensor | None,
        pooled_padding: Tensor | None,
        pool: Pool,
        eps: float,
    ) -> tuple[Tensor, Tensor, Tensor]:
        mean, variance = _own_moments(maps, padding)
        deviation = (variance + eps).sqrt()
        pooled = _pool(_fill(maps, padding, -torch.inf), pool)
        ctx.save_for_backward(maps, weight, mean, deviation, padding, pooled_padding)
        ctx.pool = pool
        ctx.mark_non_differentiable(mean, variance)
        scale = weight / deviation
        normalised = pooled * _per_map(scale) + _per_map(bias - mean * scale)
        return _fill(normalised, pooled_padding, 0.0).to(maps.dtype), mean, variance

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor, *_: None) -> tuple[Tensor | None, ...]:
        maps, weight, mean, deviation, padding, pooled_padding = ctx.saved_tensors
        with torch.enable_grad():
            leaf = maps.detach().requires_grad_()
            pooled = _pool(leaf, ctx.pool)
        normalised = (pooled.detach() - _per_map(mean)).div_(_per_map(deviation))
        for_weight = _fill(normalised, pooled_padding, 0.0).mul_(gradient).sum(dim=(0, 2, 3))
        del normalised  # what follows takes the most memory of a training step
        for_bias = gradient.sum(dim=(0, 2, 3), dtype=mean.dtype)
        if pooled_padding is not None:
            for_bias -= _frames(gradient, pooled_padding).sum(dim=(0, 1), dtype=mean.dtype)
        scale = weight / deviation
        (for_maps,) = torch.autograd.grad(pooled, leaf, (gradient * _per_map(scale)).to(maps.dtype))
        count = _count(maps, padding)
        slope = scale * for_weight / deviation / count
        offset = scale * for_bias / count - slope * mean
        for_maps.addcmul_(maps, _per_map(slope).to(maps.dtype), value=-1).sub_(_per_map(offset).to(maps.dtype))
        return _fill(for_maps, padding, 0.0), for_weight, for_bias, None, None, None, None


def _own_moments(maps: Tensor, padding: Tensor | None) -> tuple[Tensor, Tensor]:
    """Return mean and variance of the own values of each map, ``(maps,)``, at least float32; overwrite padding.

    PyTorch's batch norm, by far the fastest way on a CPU, sums up millions of values one after the other in float32
    where maps lie as here, which changed variances by 0.2 %. So each frequency is summed up by itself, and on a CPU
    each track, which takes less memory; these moments are put together.
    """
    batch, channels, time, frequency = maps.shape
    precision = torch.promote_types(maps.dtype, torch.float32)
    if batch * time * frequency == 1:  # which PyTorch's refuses, as it has no variance
        return maps.flatten().to(precision), torch.zeros(channels, device=maps.device, dtype=precision)
    # Padding takes some own value of its map, so that counting it out loses no precision.
    centre = maps[0, :, 0].mean(dim=1)
    _fill(maps, padding, centre)
    parts = batch if maps.device.type == "cpu" and time > 1 else 1
    groups = frequency if batch * time > 1 else 1  # one value has no variance
    values = maps.permute(0, 2, 3, 1).reshape(parts, -1, groups * channels)
    means, variances = torch.zeros(2, parts, groups * channels, device=maps.device, dtype=precision)
    for part in zip(values, means, variances, strict=True):
        F.batch_norm(*part, training=True, momentum=1.0)
    variances *= 1 - 1 / values.shape[1]  # PyTorch's are the sample's
    means, variances = means.view(-1, channels), variances.view(-1, channels)
    mean = means.mean(dim=0)
    variance = (variances + (means - mean) ** 2).mean(dim=0)
    share = _count(maps, padding) / _count(maps, None)
    from_centre = (mean - centre) / share
    return centre + from_centre, (variance / share - from_centre**2 * (1 - share)).clamp(min=0)


def _count(maps: Tensor, padding: Tensor | None) -> int:
    """Return how many own values each map has."""
    frames = maps.shape[0] * maps.shape[2] - (0 if padding is None else padding.shape[1])
    return frames * maps.shape[3]


def _fill(maps: Tensor, padding: Tensor | None, value: float | Tensor) -> Tensor:
    """Overwrite padding by a value or one for each map, at a fraction of ``masked_fill``'s cost; return the maps."""
    if padding is not None:
        tracks, times = padding
        maps.permute(0, 2, 3, 1)[tracks, times] = value
    return maps


def _frames(maps: Tensor, chosen: Tensor) -> Tensor:
    """Return chosen frames, ``(frames, frequency, maps)``."""
    tracks, times = chosen
    return maps.permute(0, 2, 3, 1)[tracks, times]


def _pool(maps: Tensor, size: Pool) -> Tensor:
    return F.max_pool2d(maps, size, ceil_mode=True)


def _per_map(values: Tensor) -> Tensor:
    return values[:, None, None]
