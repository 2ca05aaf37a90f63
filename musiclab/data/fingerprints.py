"""Fingerprints of spectrograms: what tells a recording in spite of another gain or encoding.

A clip is laid over a coarse grid of 32 bands by 32 spans of time. Of each two neighbouring bands it is noted where
their difference lies clearly above and clearly below its own median over time: the gain is not in it, nor is the
balance of low and high. Recordings that have nothing to do with each other agree as often as they disagree.
"""

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from musiclab.spectrogram import NUM_MELS

BANDS, SPANS = 32, 32
CLEARLY = 1.0
"""From that difference on, in dB, a cell says something."""

LEAST_COMMON = 150
"""Of so many cells at least, two fingerprints both have to say something."""

STRONGEST = 128
"""So many cells of a fingerprint, those of the largest differences, say where to look for others like it."""

SHORT = 512
"""Columns."""

CELLS = (BANDS - 1) * SPANS
WORDS = -(-CELLS // 64)

Array = npt.NDArray[Any]

_ONES = np.unpackbits(np.arange(1 << 16, dtype=np.uint16).view(np.uint8).reshape(-1, 2), axis=1).sum(1, dtype=np.uint8)
"""Number of ones in each word."""


class Fingerprints(NamedTuple):
    """Fingerprints of several clips.

    Attributes:
        above: Cells that are clearly above the median, ``(clips, words)``, a bit each.
        below: Likewise below.
        strongest: The cells of the largest differences, ``(clips, 128)``: twice the number, plus one if above.
    """

    above: npt.NDArray[np.uint64]
    below: npt.NDArray[np.uint64]
    strongest: npt.NDArray[np.uint16]


def coarse_grid(mel: npt.NDArray[np.float32]) -> npt.NDArray[np.float32] | None:
    """Return the mean of each cell, ``(32, 32)``; None for a clip of fewer columns than spans, which tell too little.

    Args:
        mel: ``(rows, time)``, in dB; 128 rows, or another multiple of 32.
    """
    columns = mel.shape[1]
    if columns < SPANS:
        return None
    bands = mel.reshape(BANDS, -1, columns).sum(axis=1)
    if len(mel) != NUM_MELS:
        bands *= NUM_MELS / len(mel)
    starts, shares = _spans(columns)
    grid: npt.NDArray[np.float32]
    if columns <= SHORT:  # many short sums take longer than a product of matrices
        grid = bands @ shares
    else:
        grid = np.add.reduceat(bands, starts, axis=1)
        grid *= shares
    return grid


@lru_cache(maxsize=SHORT)
def _spans(columns: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """Return where spans begin, and what a value counts in a cell: of each span, for short clips of each column too."""
    bounds = np.arange(SPANS + 1) * columns // SPANS
    sizes = np.diff(bounds)
    shares = (1 / (NUM_MELS // BANDS * sizes)).astype(np.float32)
    if columns <= SHORT:
        shares = np.repeat(np.diag(shares), sizes, axis=0)
    return bounds[:-1], shares


def take_fingerprints(grids: npt.NDArray[np.float32]) -> Fingerprints:
    """Return the fingerprints of clips, given their grids, ``(clips, 32, 32)``."""
    steps = grids[:, :-1] - grids[:, 1:]
    steps -= np.partition(steps, SPANS // 2, axis=2)[:, :, SPANS // 2, None]
    steps = steps.reshape(len(grids), CELLS)
    strongest = np.argpartition(-np.abs(steps), STRONGEST, axis=1)[:, :STRONGEST]
    rising = np.take_along_axis(steps, strongest, axis=1) > 0
    return Fingerprints(_pack(steps > CLEARLY), _pack(steps < -CLEARLY), (2 * strongest + rising).astype(np.uint16))


def join_fingerprints(several: list[Fingerprints]) -> Fingerprints:
    """Return fingerprints that were taken in several goes together."""
    return Fingerprints(*(np.concatenate(parts) for parts in zip(*several, strict=True)))


def likeness(prints: Fingerprints, first: Array, second: Array) -> npt.NDArray[np.float64]:
    """Return how alike pairs of clips are, ``(pairs,)``: 1 for the same recording, about 0 for any two.

    Of the cells in which both say something, the share in which they agree less that in which they do not; 0 if there
    are too few.

    Args:
        prints: Of all clips.
        first: Position of the one clip of each pair, ``(pairs,)``.
        second: Position of the other.
    """
    above, below, _ = prints
    agree = _count(above[first] & above[second]) + _count(below[first] & below[second])
    differ = _count(above[first] & below[second]) + _count(below[first] & above[second])
    common = agree + differ
    return np.where(common >= LEAST_COMMON, (agree - differ) / np.maximum(common, 1), 0.0)


def _pack(cells: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint64]:
    packed = np.zeros((len(cells), 8 * WORDS), np.uint8)
    bits = np.packbits(cells, axis=1)
    packed[:, : bits.shape[1]] = bits
    return packed.view(np.uint64)


def _count(words: npt.NDArray[np.uint64]) -> npt.NDArray[np.int64]:
    """Return the number of ones in each row."""
    ones = np.bitwise_count(words) if hasattr(np, "bitwise_count") else _ONES[words.view(np.uint16)]  # since NumPy 2
    return np.asarray(ones.sum(axis=1, dtype=np.int64))
