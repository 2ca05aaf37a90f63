"""How far a score can be trusted: percentile intervals by bootstrap over tracks, or over groups of them.

A resample is told by how often it holds each track, so that scores are computed for many resamples at once. Counts are
``(tracks, resamples)``.

Source: Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

RESAMPLES = 2000
"""Enough for two digits of an interval."""

LEVEL = 0.95

SEED = 0

CHUNK = 60_000
"""Counts that are computed with at once, as many as a processor's cache holds."""

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


class Interval(NamedTuple):
    """A 95 % interval; of a single track or group, which say nothing of others, NaN."""

    low: float
    high: float


def bootstrap(
    statistic: Callable[[Floats], Floats],
    groups: Integers,
    resamples: int = RESAMPLES,
    rng: np.random.Generator | None = None,
) -> Floats:
    """Return a statistic of resamples: groups drawn with replacement, as many as there are, with all their tracks.

    Args:
        statistic: Returns the values ``(resamples, ...)`` for counts ``(tracks, resamples)``.
        groups: Number of each track's group, from 0 on, ``(tracks,)``; each track's own to draw tracks.
        resamples: How many.
        rng: What to draw by; by default one that is always the same.

    Returns:
        ``(resamples, ...)``.
    """
    rng = rng or np.random.default_rng(SEED)
    count = int(groups.max()) + 1
    single = count == len(groups) and (groups == np.arange(count)).all()
    rows = max(1, CHUNK // len(groups))
    values = []
    for start in range(0, resamples, rows):
        size = min(rows, resamples - start)
        drawn = rng.integers(0, count, (size, count)) * size + np.arange(size)[:, None]
        counts = np.bincount(drawn.ravel(), minlength=count * size).reshape(count, size).astype(float)
        values.append(statistic(counts if single else counts[groups]))
    return np.concatenate(values)


def percentiles(values: Floats) -> Interval:
    """Return the interval that the middle 95 % of the values ``(resamples,)`` of a bootstrap span.

    Resamples of which there is no value, NaN, do not count.
    """
    there = values[~np.isnan(values)]
    if not there.size:
        return Interval(np.nan, np.nan)
    low, high = np.quantile(there, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(low), float(high))


def accuracy(counts: Floats, truth: Integers, answers: Integers) -> Floats:
    """Return the share of tracks ``(resamples,)`` whose class is told right."""
    right: Floats = (truth == answers).astype(float) @ counts
    shares: Floats = right / np.maximum(counts.sum(axis=0), 1)
    return shares


def f1_macro(counts: Floats, truth: Integers, answers: Integers) -> Floats:
    """Return the mean F1 ``(resamples,)`` of the classes that are there, as truth or as answer.

    So does torchmetrics, which the tests of a task are scored by.
    """
    classes = np.arange(max(truth.max(), answers.max()) + 1)[:, None]
    true, told = truth == classes, answers == classes
    hits, both = (true & told).astype(float) @ counts, np.add(true, told, dtype=float) @ counts
    f1 = 2 * hits / np.maximum(both, 1)
    means: Floats = f1.sum(axis=0) / np.maximum((both > 0).sum(axis=0), 1)
    return means


def spearman(counts: Floats, truth: Floats, predicted: Floats) -> Floats:
    """Return Spearman's correlation ``(resamples,)``; 0 where it is undefined, as where all values are equal."""
    if np.isnan(truth).any() or np.isnan(predicted).any():
        return np.zeros(counts.shape[1])
    true, told = _ranks(counts, truth), _ranks(counts, predicted)
    weighted = counts * true
    product = np.einsum("tr,tr->r", weighted, told)
    norm = np.einsum("tr,tr->r", weighted, true) * np.einsum("tr,tr,tr->r", counts, told, told)
    correlations: Floats = product / np.sqrt(np.where(norm > 0, norm, 1))
    return correlations


def tag_scores(truth: Floats, predicted: Floats) -> Callable[[Floats], Floats]:
    """Return what gives area under the ROC curve and average precision of a tag, ``(2, resamples)``.

    It takes counts, ``(tracks, resamples)``. A score is NaN where all tracks of a resample have the tag, or none.
    Predictions that are NaN count as 0.5, as what has diverged tells nothing apart.

    Args:
        truth: 1 for tracks that have the tag, else 0, ``(tracks,)``.
        predicted: Anything that grows with the probability, ``(tracks,)``.
    """
    from scipy.sparse import csr_array  # slow to import

    descending = -np.nan_to_num(predicted, nan=0.5)
    tracks, having = np.arange(len(truth)), truth == 1
    if having.all() or not having.any():
        return lambda counts: np.full((2, counts.shape[1]), np.nan)
    # Both scores are sums over the values that tracks with the tag have, which are few, as most tags are rare. Of each
    # counts how many tracks lie above it, how many at it, and how many of these have the tag.
    values = np.unique(descending[having])
    number = len(values)
    after, up_to = (np.searchsorted(values, descending, side) for side in ("right", "left"))
    steps = after + up_to  # 2 v for a track between values v - 1 and v, 2 v + 1 for one at value v
    shape = (2 * number + 1, len(truth))
    between = csr_array((np.ones(len(truth)), (steps, tracks)), shape)
    of_tag = csr_array((np.ones(having.sum()), (up_to[having], tracks[having])), (number, len(truth)))

    def scores(counts: Floats) -> Floats:
        of_value = of_tag @ counts
        hits = np.cumsum(of_value, axis=0)
        sums = np.cumsum(between @ counts, axis=0)
        above, up_to = sums[:-1:2], sums[1::2]
        with_tag, others = hits[-1], sums[-1] - hits[-1]
        # Of the tracks without the tag, those above a value, and half of those at it, are ranked before it.
        before = (above + up_to - 2 * hits + of_value) / 2
        with np.errstate(invalid="ignore", divide="ignore"):
            area = 1 - np.einsum("vr,vr->r", of_value, before) / (with_tag * others)
            precision = (of_value * hits / np.maximum(up_to, 1)).sum(axis=0) / with_tag
        return np.stack([area, np.where(np.isnan(area), np.nan, precision)])

    return scores


def _ranks(counts: Floats, values: Floats) -> Floats:
    """Return the rank of each track in each resample less the mean rank, ``(tracks, resamples)``; ties share theirs."""
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    last = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True))  # of each value
    up_to = np.cumsum(counts[order], axis=0)[last]
    middle = up_to.copy()
    middle[1:] += up_to[:-1]
    ranks: Floats = (middle - up_to[-1]) / 2
    return ranks[np.searchsorted(ordered[last], values)]
