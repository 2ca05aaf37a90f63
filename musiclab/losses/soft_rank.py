"""Ranks that gradients can pass: soft ranks by projection onto the permutahedron, and tie-averaged hard ranks."""

from typing import Any

import numpy as np
import numpy.typing as npt
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
    way = _SoftRankOnHost if _is_for_host(values) else _SoftRankOnDevice
    ranks: Tensor = way.apply(values, float(strength))  # type: ignore[no-untyped-call]
    return ranks


def average_ranks(values: Tensor) -> Tensor:
    """Return the ranks along the last dimension of ``(..., n)``, from 1 to n; equal values share their mean rank."""
    values = values.contiguous()
    ordered = values.sort(dim=-1).values
    below = torch.searchsorted(ordered, values, right=False)
    up_to = torch.searchsorted(ordered, values, right=True)
    return (below + up_to + 1).to(values.dtype) / 2


def _is_for_host(values: Tensor) -> bool:
    return not values.is_cuda or values.numel() * values.shape[-1] > MAX_PAIRS


# Both ways compute in float64, from the steps between sorted neighbours. Neighbours that differ by the strength times
# n or more are in different pools however much they differ, so steps are capped there: with a tiny strength, or one
# outlier, ranks would else be small differences of numbers too large to hold them.


class _SoftRankOnHost(torch.autograd.Function):
    """Soft ranks by scipy's pool-adjacent-violators algorithm; in numpy, whose calls cost less than torch's."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, strength: float) -> Tensor:
        rows = values.detach().cpu().numpy().reshape(-1, values.shape[-1])
        order = rows.argsort(axis=1)
        climbed = np.zeros(rows.shape)
        with np.errstate(over="ignore", invalid="ignore"):  # a step may be too large for a float, or NaN
            steps = np.diff(np.take_along_axis(rows, order, axis=1).astype(np.float64), axis=1) / strength
            np.minimum(steps, rows.shape[1], out=steps).cumsum(axis=1, out=climbed[:, 1:])
        gaps = climbed - np.arange(1, rows.shape[1] + 1)
        starts = _pool_starts(gaps)
        ctx.kept = order, starts, strength
        return _put_back(climbed - _means_of_pools(gaps, starts), order, values)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradients: Tensor) -> tuple[Tensor, None]:
        order, starts, strength = ctx.kept
        ordered = np.take_along_axis(gradients.cpu().numpy().reshape(order.shape), order, axis=1).astype(np.float64)
        return _put_back((ordered - _means_of_pools(ordered, starts)) / strength, order, gradients), None


def _pool_starts(rows: npt.NDArray[np.float64]) -> npt.NDArray[np.intp]:
    """Return where in ``rows.ravel()`` the pools of the isotonic regression of each row begin.

    All rows are solved as one sequence, each lifted above the one before it, so that no pool spans two rows.
    """
    highest, lowest = rows.max(axis=1, keepdims=True), rows.min(axis=1, keepdims=True)
    heights = highest - lowest + 1
    if np.isnan(heights).any():  # NaN stays NaN in the means, and must not reach other rows
        rows = np.where(np.isnan(heights), 0, rows)
        lowest, heights = (np.nan_to_num(part) for part in (lowest, heights))
    lifted = rows - lowest + (heights.cumsum(axis=0) - heights)
    starts: npt.NDArray[np.intp] = isotonic_regression(lifted.ravel()).blocks[:-1]
    return starts


def _means_of_pools(rows: npt.NDArray[np.float64], starts: npt.NDArray[np.intp]) -> npt.NDArray[np.float64]:
    """Replace each element of ``(rows, n)`` by the mean of its pool."""
    sizes = np.diff(starts, append=rows.size)
    return np.repeat(np.add.reduceat(rows.ravel(), starts) / sizes, sizes).reshape(rows.shape)


def _put_back(ordered: npt.NDArray[np.float64], order: npt.NDArray[np.intp], like: Tensor) -> Tensor:
    """Return the elements in the order, shape, type and place that the values had."""
    rows = np.empty_like(ordered)
    np.put_along_axis(rows, order, ordered, axis=1)
    return torch.from_numpy(rows).view(like.shape).to(like.dtype).to(like.device)


class _SoftRankOnDevice(torch.autograd.Function):
    """Soft ranks without a loop and without leaving the device.

    The isotonic regression is ``v_i = max over j <= i of min over k >= i of mean(y_j, ..., y_k)``; neighbours of
    one pool have the very same maximising j and minimising k.

    Source: Barlow and Brunk 1972, "The Isotonic Regression Problem and Its Dual", the max-min formula.
    """

    @staticmethod
    def forward(ctx: Any, values: Tensor, strength: float) -> Tensor:
        count = values.shape[-1]
        ordered, order = values.sort(dim=-1)
        steps = (ordered.double().diff(dim=-1) / strength).clamp(max=count)
        climbed = torch.nn.functional.pad(steps, (1, 0)).cumsum(dim=-1)
        gaps = climbed - torch.arange(1, count + 1, device=values.device)
        pools = _pool_numbers(gaps.reshape(-1, count)).view_as(order)
        ctx.save_for_backward(order, pools)
        ctx.strength = strength
        ranks = climbed - _scattered_means(gaps, pools)
        return torch.empty_like(ranks).scatter_(-1, order, ranks).to(values.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradients: Tensor) -> tuple[Tensor, None]:
        order, pools = ctx.saved_tensors
        ordered = gradients.double().gather(-1, order)
        passed = (ordered - _scattered_means(ordered, pools)) / ctx.strength
        return torch.empty_like(passed).scatter_(-1, order, passed).to(gradients.dtype), None


def _pool_numbers(rows: Tensor) -> Tensor:
    """Return the number of the pool of each element of ``(rows, n)`` in the isotonic regression of its row."""
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


def _scattered_means(rows: Tensor, pools: Tensor) -> Tensor:
    """Replace each element of ``(..., n)`` by the mean of its pool."""
    sums = torch.zeros_like(rows).scatter_add_(-1, pools, rows)
    sizes = torch.zeros_like(rows).scatter_add_(-1, pools, torch.ones_like(rows))
    return (sums / sizes).gather(-1, pools)
