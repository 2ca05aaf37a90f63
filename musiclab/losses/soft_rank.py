"""Ranks that gradients can pass: soft ranks by projection onto the permutahedron, and tie-averaged hard ranks."""

from typing import Any

import numpy as np
import torch
from scipy.optimize import isotonic_regression
from torch import Tensor
from torch.autograd.function import once_differentiable

from musiclab.errors import UserError

MAX_PAIRS = 2**24
"""Most pairs of elements, over all rows, whose means are held at once on a GPU: 128 MiB each of a few tensors."""


def soft_rank(values: Tensor, strength: float = 1.0) -> Tensor:
    """Return soft ranks along the last dimension, ascending from about 1 to about n.

    The ranks are the Euclidean projection of ``values / strength`` onto the permutahedron, the convex hull of all
    permutations of (1, ..., n). A small strength gives the hard ranks, a large one an affine map of the values:
    from a strength of spread / n on, the order of the values hardly counts any more.

    Each row is sorted to ``s``; with ``w = (1, ..., n)`` and ``v`` the non-decreasing sequence nearest to ``s - w``
    (isotonic regression), the sorted ranks are ``s - v``. As ``v`` is constant on pools of neighbours, the backward
    pass subtracts from each gradient the mean of its pool.

    Args:
        values: ``(..., n)``, float32 or float64 (all else is raised to float32), on any device. On a CUDA device
            nothing is copied to the host unless all rows together have more than ``MAX_PAIRS`` pairs of elements.
        strength: Regularisation strength, above 0.

    Returns:
        ``(..., n)``; each row sums to n (n + 1) / 2. NaN where a row holds NaN.

    Raises:
        UserError: If the strength is not above 0.

    Source:
        Blondel, Teboul, Berthet and Djolonga 2020, "Fast Differentiable Sorting and Ranking", arXiv 2002.08871,
        sections 4 and 5, with quadratic regularisation.
    """
    if not strength > 0:
        raise UserError(f"the strength of soft ranks is {strength}; it must be above 0")
    if values.dtype not in (torch.float32, torch.float64):
        values = values.float()
    if not values.numel():
        return values.clone()
    ranks: Tensor = _SoftRank.apply(values, float(strength))  # type: ignore[no-untyped-call]
    return ranks


def average_ranks(values: Tensor) -> Tensor:
    """Return the ranks along the last dimension of ``(..., n)``, from 1 to n; equal values share their mean rank."""
    values = values.contiguous()
    ordered = values.sort(dim=-1).values
    below = torch.searchsorted(ordered, values, right=False)
    up_to = torch.searchsorted(ordered, values, right=True)
    return (below + up_to + 1).to(values.dtype) / 2


class _SoftRank(torch.autograd.Function):
    """Soft ranks with their analytic gradient.

    Neighbours whose sorted values differ by the strength times n or more are in different pools however much they
    differ, so steps are capped there: with a tiny strength, or one outlier, ranks would else be small differences of
    numbers too large to hold them, even in float64.
    """

    @staticmethod
    def forward(ctx: Any, values: Tensor, strength: float) -> Tensor:
        count = values.shape[-1]
        ordered, order = _sorted(values)
        steps = (ordered.double().diff(dim=-1) / strength).clamp(max=count)
        climbed = torch.nn.functional.pad(steps, (1, 0)).cumsum(dim=-1)
        positions = torch.arange(1, count + 1, device=order.device)
        gaps = (climbed - positions).reshape(values.shape[:-1].numel(), count)
        pools = _pools_on_device(gaps) if order.is_cuda else _pools_on_host(gaps)
        ranks = climbed - _pool_means(gaps, pools).view_as(climbed)
        ctx.save_for_backward(order, pools)
        ctx.strength = strength
        return _restored(ranks, order, values)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradients: Tensor) -> tuple[Tensor, None]:
        order, pools = ctx.saved_tensors
        ordered = gradients.to(order.device).double().gather(-1, order)
        means = _pool_means(ordered.reshape(pools.shape), pools).view_as(ordered)
        return _restored((ordered - means) / ctx.strength, order, gradients), None


def _sorted(values: Tensor) -> tuple[Tensor, Tensor]:
    """Return the values in order, and their indices: on a CUDA device if what follows fits there, else on the host."""
    if values.is_cuda and values.numel() * values.shape[-1] <= MAX_PAIRS:
        return values.sort(dim=-1)
    values = values.cpu()
    order = torch.from_numpy(values.numpy().argsort(axis=-1))  # faster than torch's where rows are long
    return values.gather(-1, order), order


def _restored(ordered: Tensor, order: Tensor, values: Tensor) -> Tensor:
    """Return the elements in the order, type and place that the values had."""
    return torch.empty_like(ordered).scatter_(-1, order, ordered).to(values.dtype).to(values.device)


def _pool_means(rows: Tensor, pools: Tensor) -> Tensor:
    """Replace each element of ``(rows, n)`` by the mean of its pool."""
    sums = torch.zeros_like(rows).scatter_add_(1, pools, rows)
    sizes = torch.zeros_like(rows).scatter_add_(1, pools, torch.ones_like(rows))
    return (sums / sizes).gather(1, pools)


def _pools_on_host(rows: Tensor) -> Tensor:
    """Return the number of the pool of each element of ``(rows, n)``, by the pool-adjacent-violators algorithm.

    All rows are solved as one sequence, each lifted above the one before it, so that no pool spans two rows.
    """
    values = rows.cpu().numpy()
    values = np.where(np.isfinite(values).all(axis=1, keepdims=True), values, 0)  # NaN stays NaN in the means
    lowest = values.min(axis=1, keepdims=True)
    heights = np.ptp(values, axis=1, keepdims=True) + 1
    lifted = values - lowest + np.cumsum(heights, axis=0) - heights
    blocks = isotonic_regression(lifted.ravel()).blocks
    starts = np.zeros(values.size, dtype=np.int64)
    starts[blocks[:-1]] = 1
    pools = np.cumsum(starts.reshape(values.shape), axis=1) - 1
    return torch.from_numpy(pools).to(rows.device)


def _pools_on_device(rows: Tensor) -> Tensor:
    """Return the number of the pool of each element of ``(rows, n)``, without a loop and without leaving the device.

    The isotonic regression is ``v_i = max over j <= i of min over k >= i of mean(y_j, ..., y_k)``; neighbours of
    one pool have the very same maximising j and minimising k.

    Source: Barlow and Brunk 1972, "The Isotonic Regression Problem and Its Dual", the max-min formula.
    """
    count = rows.shape[1]
    sums = torch.nn.functional.pad(rows.cumsum(dim=1), (1, 0))
    index = torch.arange(count, device=rows.device)
    sizes = index[None, :] - index[:, None] + 1  # of the run from j (rows) to k (columns)
    means = (sums[:, None, 1:] - sums[:, :-1, None]) / sizes.clamp(min=1)
    means = means.masked_fill(sizes < 1, torch.inf)
    lowest = means.flip(2).cummin(dim=2).values.flip(2)
    fitted = lowest.masked_fill(sizes < 1, -torch.inf).amax(dim=1)
    starts = torch.nn.functional.pad((fitted[:, 1:] > fitted[:, :-1]).long(), (1, 0))
    return starts.cumsum(dim=1)
