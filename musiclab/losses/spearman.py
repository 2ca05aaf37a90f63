"""Spearman's rank correlation as a loss."""

import math
from typing import Any

import torch
import torch.distributed
from pytorch_lightning.utilities import rank_zero_warn
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from musiclab.errors import UserError
from musiclab.losses.soft_rank import average_ranks, soft_rank

UNIFORM_SPREAD = math.sqrt(12)
"""Spread (largest minus smallest) of a uniform distribution with standard deviation 1."""

FLOOR = 0.01
"""Predictions that vary less than this share of the targets' standard deviation count as nearly constant, and so do
soft ranks that vary less than this share of the hard ranks'; gradients no longer grow below."""


class SpearmanLoss(nn.Module):
    """``1 - rho`` for each axis: rho is the correlation of soft ranks of predictions with ranks of targets.

    Soft ranks know the order of the values only while their strength is small against spread / n; above, they are
    an affine map of the values, which is what Pearson's correlation looks at. So the predictions are standardised,
    and the strength is given as a multiple of spread / n, for any batch size and any scale of the outputs. Tied
    targets share their mean rank. The loss lies between 0 and 2.

    In training on several processes, ranks are taken over the batches of all processes, with gradients for each.
    In evaluation mode the loss is that of the tracks that it is given.

    Where all targets are equal, Spearman's correlation is undefined: a warning says so, and rho counts as 0.

    Args:
        strength: Strength of the soft ranks in multiples of spread / n, the spread being that of uniformly
            distributed predictions with the same standard deviation. Towards 0, rho becomes Spearman's, but ever
            more tracks lie too far from their neighbours to pass a gradient. At 0.5, rho is nearly Spearman's, but
            descent on the predictions of some ten tracks ends in a wrong order. At 1, and for skewed predictions, rho
            is off by some 0.4 of what Pearson's is off by. Adam (rate 0.02, 2000 steps) took predictions of 8 tracks
            to the right order from 19 of 20 random starts and to 0.976 from the other one, those of 32, 256 and 4096 to
            0.9996 and more from all. Plain gradient descent (rate 0.5) ended between 0.64 and 1 with 8 tracks, between
            0.87 and 1 with 32, and at 0.12 in 1000 steps with 4096 (tests/benchmarks/bench_spearman_descent.py).
    """

    def __init__(self, strength: float = 1.0) -> None:
        super().__init__()
        if not strength > 0:
            raise UserError(f"strength is {strength}; it must be above 0, as in 1.0")
        self.strength = strength

    def forward(self, predictions: Tensor, targets: Tensor) -> Tensor:
        """Return the loss of each axis, ``(axes,)``, for predictions and targets ``(tracks, axes)``."""
        if self.training:
            predictions, targets = gathered(predictions), gathered(targets)
        rho = soft_spearman(predictions.float().T, targets.float().T, self.strength)
        undefined = is_constant(targets.T)
        if undefined.any():
            rank_zero_warn(
                "Spearman's correlation is undefined for a batch whose targets are all equal; it counts as 0 there. "
                "If this happens often, use a larger batch_size"
            )
        # Rounding must not make the loss negative: learned loss weights rely on it.
        return 1 - rho.clamp(max=1)


def soft_spearman(predictions: Tensor, targets: Tensor, strength: float) -> Tensor:
    """Return the correlation of soft ranks of predictions with ranks of targets, ``(...)`` for ``(..., n)``.

    0 where all targets are equal. Gradients are finite everywhere, also for constant predictions.

    Args:
        predictions: ``(..., n)``, of any scale.
        targets: ``(..., n)``.
        strength: See :class:`SpearmanLoss`.
    """
    count = predictions.shape[-1]
    deviation = targets.std(dim=-1, correction=0, keepdim=True)
    floor = (FLOOR * deviation).clamp(min=torch.finfo(deviation.dtype).tiny ** 0.5)
    standardised = _centred(predictions) / _root_mean_square(_centred(predictions), floor)
    ranks = _centred(soft_rank(standardised, strength * UNIFORM_SPREAD / count))
    truth = _centred(average_ranks(targets))
    hard = torch.full_like(floor, math.sqrt((count**2 - 1) / 12))  # standard deviation of 1, ..., n
    scale = _root_mean_square(ranks, (FLOOR * hard).clamp(min=1e-6)) * truth.square().mean(-1, True).sqrt()
    return ((ranks * truth).mean(-1, True) / scale.clamp(min=1e-12)).squeeze(-1)


def is_constant(values: Tensor) -> Tensor:
    """Return whether all values along the last dimension are equal."""
    return values.amax(dim=-1) == values.amin(dim=-1)


def gathered(tensor: Tensor) -> Tensor:
    """Return the rows of all processes, with gradients: each process gets those that its rows have in all losses.

    Under DistributedDataParallel, which averages over processes, the gradients of the weights become those of one
    process with all rows.
    """
    if not torch.distributed.is_available() or not torch.distributed.is_initialized():
        return tensor
    rows: Tensor = _Gather.apply(tensor)  # type: ignore[no-untyped-call]
    return rows


class _Gather(torch.autograd.Function):
    """The rows of all processes; backward, the sum of all processes' gradients of the own rows."""

    @staticmethod
    def forward(ctx: Any, tensor: Tensor) -> Tensor:
        parts = [
            torch.empty_like(tensor, memory_format=torch.contiguous_format)
            for _ in range(torch.distributed.get_world_size())
        ]
        torch.distributed.all_gather(parts, tensor.contiguous())
        return torch.cat(parts)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradients: Tensor) -> Tensor:
        total = gradients.clone(memory_format=torch.contiguous_format)
        torch.distributed.all_reduce(total)
        return total.chunk(torch.distributed.get_world_size())[torch.distributed.get_rank()]


def _centred(values: Tensor) -> Tensor:
    return values - values.mean(dim=-1, keepdim=True)


def _root_mean_square(centred: Tensor, floor: Tensor) -> Tensor:
    return centred.square().mean(dim=-1, keepdim=True).maximum(floor.square()).sqrt()
