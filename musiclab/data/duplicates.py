"""The same music twice in a data set: arrays that are identical, and those that are likely the same recording."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from musiclab.data.arrays import checksum
from musiclab.data.fingerprints import (
    BANDS,
    CELLS,
    Fingerprints,
    coarse_grid,
    join_fingerprints,
    likeness,
    take_fingerprints,
)
from musiclab.spectrogram import NUM_MELS

LIKELY = 0.7
"""From that likeness on, two clips are likely the same recording. Copies as mp3 or at -12 dB are at 0.92 or more; any
two of 7140 tracks of FMA that are no copies of each other below 0.6."""

BLOCK = 256
"""Clips whose fingerprints are taken at a time, and pairs, times this, that are compared at a time."""

HASHES, TABLES = 32, 32
FEW, MANY = 1000, 20_000
CROWD = 16
"""In a table, a clip is compared with so many at most, and one for which four times as many hits were found with none
any more, so that a crowd of copies takes no quadratic time."""


class Pair(NamedTuple):
    """Positions of two clips, the first one first, how alike they are, from 0 to 1, and whether they are identical."""

    first: int
    second: int
    alike: float
    identical: bool = False


class MusicIndex:
    """Clips, by what tells them from others; they are counted in the order that they are added in."""

    def __init__(self) -> None:
        self._checksums: dict[str, int] = {}
        self._first: list[int] = []
        self._grids: list[npt.NDArray[np.float32]] = []
        self._prints: list[Fingerprints] = []
        self._printed: list[int] = []

    def __len__(self) -> int:
        return len(self._first)

    def add(self, array: npt.NDArray[np.float32], mels: int = NUM_MELS) -> None:
        """Add a clip.

        Args:
            array: ``(rows, time)``, with mel rows first.
            mels: Number of these; only of a multiple of 32, other recordings are found that are likely the same.
        """
        position = len(self)
        first = self._checksums.setdefault(checksum(array), position)
        self._first.append(first)
        # Of identical clips, one stands for all.
        if mels == 0 or mels % BANDS:
            return
        if first == position and (grid := coarse_grid(array[:mels])) is not None:
            self._grids.append(grid)
            self._printed.append(position)
            if len(self._grids) == BLOCK:
                self._take()

    def identical(self) -> list[list[int]]:
        """Return the clips of which there are several, the first of each first."""
        groups: dict[int, list[int]] = {}
        for position, first in enumerate(self._first):
            if position != first:
                groups.setdefault(first, [first]).append(position)
        return [groups[first] for first in sorted(groups)]

    def likely(self) -> list[Pair]:
        """Return pairs of clips that are likely the same recording, the most alike first.

        Of identical clips, only the first is compared. All are found in time that grows hardly faster than the number
        of clips; pairs that are less alike may be missed, about one in fifty of those at 0.9.
        """
        self._take()
        if len(self._printed) < 2:
            return []
        prints = join_fingerprints(self._prints)
        found: dict[tuple[int, int], float] = {}
        partners = np.zeros(len(self._printed), np.int64)
        for first, second in _candidates(prints.strongest, partners):
            for start in range(0, len(first), BLOCK**2):
                one, other = first[start : start + BLOCK**2], second[start : start + BLOCK**2]
                alike = likeness(prints, one, other)
                hits = np.flatnonzero(alike >= LIKELY)
                np.add.at(partners, np.concatenate([one[hits], other[hits]]), 1)
                for index in hits:
                    one_of, other_of = sorted((int(one[index]), int(other[index])))
                    found[self._printed[one_of], self._printed[other_of]] = float(alike[index])
        return sorted((Pair(*pair, alike) for pair, alike in found.items()), key=lambda pair: (-pair.alike, pair))

    def _take(self) -> None:
        if self._grids:
            self._prints.append(take_fingerprints(np.stack(self._grids)))
            self._grids = []


def _candidates(
    strongest: npt.NDArray[np.uint16], partners: npt.NDArray[np.int64]
) -> Iterator[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
    """Yield pairs of clips that share several of their strongest cells, some of them repeatedly.

    Each hash draws a cell of every clip: one that two clips both have, with the probability that goes with what they
    have in common. Clips that agree in all hashes of a table are compared.

    Args:
        strongest: The strongest cells of each clip, ``(clips, cells)``.
        partners: How many clips like it were found of each, kept up to date by the caller; pairs found again count.

    Source: Broder, "On the resemblance and containment of documents", SEQUENCES 1997 (MinHash).
    """
    rng = np.random.default_rng(0)
    ranks = np.stack([rng.permutation(2 * CELLS).astype(np.uint16) for _ in range(HASHES)], axis=1)
    hashes = np.empty((len(strongest), HASHES), np.uint64)
    for start in range(0, len(strongest), BLOCK):
        hashes[start : start + BLOCK] = ranks[strongest[start : start + BLOCK]].min(axis=1)
    # The more clips there are, the more agree by chance.
    agreeing = 2 if len(strongest) < FEW else 3 if len(strongest) < MANY else 4
    for _ in range(TABLES):
        lonely = np.flatnonzero(partners < 4 * CROWD)
        keys = np.zeros(len(lonely), np.uint64)
        for column in rng.choice(HASHES, agreeing, replace=False):
            keys = keys << np.uint64(11) | hashes[lonely, column]
        order = np.argsort(keys, kind="stable")
        keys, positions = keys[order], lonely[order]
        for offset in range(1, min(CROWD, len(keys) - 1) + 1):
            same = np.flatnonzero(keys[offset:] == keys[:-offset])
            if not len(same):
                break
            yield positions[same], positions[same + offset]
