"""Tracks of a store with their targets, and their collation into batches."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import Dataset

from musiclab.batch import Batch
from musiclab.data.store import SpectrogramStore


class Track(NamedTuple):
    """One item of a dataset: frames ``(time, features)`` in the store's dtype, target and id."""

    frames: npt.NDArray[np.floating]
    target: Tensor
    id: str


class SpectrogramDataset(Dataset[Track]):
    """Some tracks of a store, some columns of their frames, and a target for each track.

    Args:
        store: Where the frames are.
        ids: The tracks, all of them in the store.
        targets: One row per track.
        columns: Which values of a frame make up the features.
    """

    def __init__(self, store: SpectrogramStore, ids: Sequence[str], targets: Tensor, columns: slice) -> None:
        self.store = store
        self.ids = list(ids)
        self.targets = targets
        self.columns = columns
        self.positions = store.positions(self.ids)

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """Frames of each track, ``(tracks,)``."""
        return self.store.lengths[self.positions]

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: int) -> Track:
        frames = self.store[self.positions[index]][:, self.columns]
        return Track(frames, self.targets[index], self.ids[index])


def collate(tracks: Sequence[Track]) -> Batch:
    """Pad tracks with zeros to the longest of them and convert them to float32, with a single copy."""
    lengths = torch.tensor([len(track.frames) for track in tracks])
    features = tracks[0].frames.shape[1]
    spectrograms = torch.empty(len(tracks), int(lengths.max()), features)
    array = spectrograms.numpy()
    for row, track in zip(array, tracks, strict=True):
        row[: len(track.frames)] = track.frames
        row[len(track.frames) :] = 0
    targets = torch.stack([track.target for track in tracks])
    return Batch(spectrograms, lengths, targets, [track.id for track in tracks])
