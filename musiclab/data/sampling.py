"""Which tracks make up which batch."""

from collections.abc import Callable, Iterator
from dataclasses import KW_ONLY, dataclass

import numpy as np
import numpy.typing as npt
from torch.utils.data import Sampler

CHUNK_BATCHES = 32
"""Batches that are drawn together and sorted by length when tracks of similar length are batched."""


@dataclass(eq=False)
class TrainingBatches(Sampler[list[int]]):
    """Batches of one training epoch, drawn from the seed and the epoch alone.

    Nothing is kept between epochs, so a run that is resumed draws the same batches as one that ran through.

    Args:
        lengths: Frames of each track, ``(tracks,)``.
        batch_size: Tracks per batch and process; the last batch may be smaller.
        shuffle: Draw a new order each epoch; else that of the first epoch serves them all.
        by_length: Batch tracks of similar length, for less padding. Tracks are shuffled, sorted by length within
            chunks of some batches, and the batches shuffled again, so that epochs still differ.
        seed: Seed of the run.
        epoch: Returns the number of the epoch that is about to start.
        rank: This process.
        world_size: Number of processes. Each draws its own tracks, all of them the same number: where the number
            of tracks is no multiple, an epoch leaves out up to ``world_size - 1`` tracks, others each time.
    """

    lengths: npt.NDArray[np.int64]
    batch_size: int
    _: KW_ONLY
    shuffle: bool = True
    by_length: bool = False
    seed: int = 0
    epoch: Callable[[], int] = lambda: 0
    rank: int = 0
    world_size: int = 1

    def __len__(self) -> int:
        return -(-(len(self.lengths) // self.world_size) // self.batch_size)

    def __iter__(self) -> Iterator[list[int]]:
        generator = np.random.default_rng((self.seed, self.epoch() if self.shuffle else 0))
        tracks = generator.permutation(len(self.lengths))
        # Processes take turns, so that each has tracks of every length.
        share = len(tracks) // self.world_size
        joint = self.batch_size * self.world_size
        tracks = tracks[: share * self.world_size]
        if self.by_length and share:
            chunks = _split(tracks, joint * CHUNK_BATCHES)
            tracks = np.concatenate([chunk[np.argsort(self.lengths[chunk], kind="stable")] for chunk in chunks])
        batches = _split(tracks, joint)
        if self.by_length:
            generator.shuffle(batches)
        for batch in batches:
            yield batch[self.rank :: self.world_size].tolist()


def _split(tracks: npt.NDArray[np.int64], size: int) -> list[npt.NDArray[np.int64]]:
    return [tracks[start : start + size] for start in range(0, len(tracks), size)]


def evaluation_order(
    lengths: npt.NDArray[np.int64], batch_size: int, *, by_length: bool = False, rank: int = 0, world_size: int = 1
) -> list[int]:
    """Return the tracks that a process evaluates: each track is evaluated exactly once, by one process.

    Args:
        lengths: Frames of each track, ``(tracks,)``.
        batch_size: Tracks per batch and process.
        by_length: Batch tracks of similar length, for less padding, in an order that depends on nothing else, so that
            the first batches stand for all; else the tracks in their own order.
        rank: This process.
        world_size: Number of processes; they take turns, so that each has tracks of every length.
    """
    tracks = np.argsort(lengths, kind="stable") if by_length else np.arange(len(lengths))
    batches = _split(tracks[rank::world_size], batch_size)
    if by_length:
        whole = len(batches) - 1  # the last one may be smaller
        batches = [batches[number] for number in (*np.random.default_rng(0).permutation(whole), whole)]
    return [int(track) for batch in batches for track in batch]
