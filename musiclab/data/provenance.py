"""Which tracks a training had in which part: what its checkpoint keeps of that, and how it differs from today's parts.

A part that is drawn follows the label files and the settings. Once one of these has changed, a test drawn anew would be
on tracks that the model has been trained on.
"""

from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
import xxhash
from torch import Tensor

from musiclab.data.dataset import SpectrogramDataset
from musiclab.data.store import SpectrogramStore

DONE = {"train": "trained", "validation": "validated", "test": "tested"}
"""What is done with the tracks of each part."""


class Shared(NamedTuple):
    """Tracks of a part of today that stood in another part of a training.

    Attributes:
        part: The part of today.
        tracks: How many tracks it has.
        before: Those of them that the training had elsewhere, by the name of that part, at least one.
    """

    part: str
    tracks: int
    before: dict[str, list[str]]

    def __str__(self) -> str:
        ids = {identifier: None for found in self.before.values() for identifier in found}
        done = " and ".join(f"{DONE[name]} on {len(found)}" for name, found in self.before.items())
        return f"of {self.tracks} {self.part} tracks, the checkpoint's training has {done} ({next(iter(ids))} first)"


def keep_parts(root: Path, datasets: Mapping[str, SpectrogramDataset], checksums: Mapping[str, str]) -> dict[str, Any]:
    """Return what a checkpoint keeps of the parts of a training, as plain values and tensors.

    Args:
        root: The data set folder.
        datasets: Parts by name.
        checksums: See :func:`folder_checksum`, by folder.

    Returns:
        ``folder``, the same for full and beat-synchronised forms; ``checksums``; and for each part two numbers a track,
        ``(tracks, 2)`` int64: a hash of its id and the checksum of its array.
    """
    parts = {
        name: torch.from_numpy(np.column_stack(_numbers(datasets[name])).view(np.int64))
        for name in DONE
        if name in datasets
    }
    return {"folder": _folder(root), "checksums": dict(checksums), **parts}


def tracks_of_other_parts(
    root: Path, datasets: Mapping[str, SpectrogramDataset], names: Sequence[str], kept: Mapping[str, Any]
) -> list[Shared]:
    """Return which tracks of some parts of today a training had in its other parts.

    Ids of different data sets collide, so a track is the same if its id is, and its array or the data set's folder too.

    Args:
        root: The data set folder of today.
        datasets: Its parts by name.
        names: Which of them to look at.
        kept: From :func:`keep_parts`.
    """
    same_folder = kept["folder"] == _folder(root)
    found = []
    for name in names:
        dataset = datasets[name]
        others = [other for other in DONE if other != name and other in kept]
        before = {other: ids for other in others if (ids := _common(dataset, kept[other], same_folder))}
        if before:
            found.append(Shared(name, len(dataset), before))
    return found


def count_trained(root: Path, dataset: SpectrogramDataset, kept: Mapping[str, Any]) -> int:
    """Return how many tracks of a part of today a training was trained on; ``kept`` is from :func:`keep_parts`."""
    return len(_common(dataset, kept["train"], kept["folder"] == _folder(root)))


def folder_checksum(store: SpectrogramStore, labels: Sequence[Path]) -> str:
    """Return a checksum of the arrays of a folder with their ids, and of the rows of its label files, in any order."""
    arrays = sorted(f"{identifier} {number}" for identifier, number in zip(store.ids, store.checksums, strict=True))
    rows = [sorted(path.read_text(encoding="utf-8-sig").splitlines()) for path in labels]
    return str(xxhash.xxh3_64_hexdigest("\n".join(chain(arrays, *rows)).encode()))


def _folder(root: Path) -> str:
    return str(root.resolve()).removesuffix("_beat")


def _numbers(dataset: SpectrogramDataset) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64]]:
    """Return a hash of the id of each track, and the checksum of its array."""
    ids = np.array([xxhash.xxh3_64_intdigest(identifier.encode()) for identifier in dataset.ids], np.uint64)
    return ids, dataset.store.checksums[dataset.positions]


def _common(dataset: SpectrogramDataset, kept: Tensor, same_folder: bool) -> list[str]:
    """Return the ids of the tracks of a dataset that a part of a training had."""
    ids, checksums = _numbers(dataset)
    theirs = kept.numpy().view(np.uint64)
    _, here, there = np.intersect1d(ids, theirs[:, 0], assume_unique=True, return_indices=True)
    if not same_folder:
        here = here[checksums[here] == theirs[there, 1]]
    return [dataset.ids[index] for index in np.sort(here)]
