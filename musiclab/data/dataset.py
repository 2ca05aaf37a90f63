"""Tracks of a store with their targets, made into batches."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import Dataset

from musiclab.batch import Batch
from musiclab.data.store import SpectrogramStore


class Track(NamedTuple):
    """A track by itself: frames ``(time, features)``, target and id."""

    frames: npt.NDArray[np.floating]
    target: Tensor
    id: str


class SpectrogramDataset(Dataset[Batch]):
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

    def __getitem__(self, index: int) -> Batch:
        return self.__getitems__([index])

    def __getitems__(self, indices: Sequence[int]) -> Batch:
        """Return a batch of tracks, which a loader asks for at once; one is read at a time."""
        positions = self.positions[indices]
        frames = (self.store[position][:, self.columns] for position in positions)
        lengths = torch.from_numpy(self.store.lengths[positions])
        spectrograms = pad(frames, lengths, self.columns.stop - self.columns.start)
        return Batch(spectrograms, lengths, self.targets[indices], [self.ids[index] for index in indices])


def collate(tracks: Sequence[Track]) -> Batch:
    """Make a batch of tracks."""
    lengths = torch.tensor([len(track.frames) for track in tracks])
    spectrograms = pad((track.frames for track in tracks), lengths, tracks[0].frames.shape[1])
    targets = torch.stack([track.target for track in tracks])
    return Batch(spectrograms, lengths, targets, [track.id for track in tracks])


def pad(tracks: Iterable[npt.NDArray[np.floating]], lengths: Tensor, features: int) -> Tensor:
    """Pad frames of tracks with zeros to the longest and convert them to float32, with a single copy.

    Returns:
        ``(batch, time, features)``.
    """
    spectrograms = torch.empty(len(lengths), int(lengths.max()), features)
    for row, frames in zip(spectrograms, tracks, strict=True):
        row[: len(frames)] = torch.from_numpy(frames)  # from float16, NumPy would take ten times as long
        row[len(frames) :] = 0
    return spectrograms
