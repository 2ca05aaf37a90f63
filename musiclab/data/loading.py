"""From the tracks of a part to a dataset and its loader."""

import os
from pathlib import Path
from typing import Any

from pytorch_lightning import Trainer
from torch.utils.data import DataLoader

from musiclab.batch import Batch
from musiclab.data.datamodules.tracks import Part
from musiclab.data.dataset import SpectrogramDataset
from musiclab.data.device import DeviceDataset
from musiclab.data.store import SpectrogramStore, StoreDtype, open_store
from musiclab.errors import UserError


def open_tracks(
    root: Path, part: Part, rows: int, features: str, dtype: StoreDtype, cache: str | Path | None
) -> SpectrogramStore:
    """Open the store of a part of a data set, and make sure that it has its tracks and the rows that are needed.

    Raises:
        UserError: If it has not, or cannot be opened.
    """
    folder = root / part.folder
    store = open_store(folder, dtype, cache)
    if rows > store.rows:
        raise UserError(
            f"{folder}: {features} features need {rows} rows, but its arrays have "
            f"{store.rows} (no chroma); use --data.features mel"
        )
    missing = [identifier for identifier in part.ids if identifier not in store]
    if missing:
        raise UserError(
            f"{folder / missing[0]}.*.npy: listed in the label file but missing"
            f"{f' (and {len(missing) - 1} more)' if len(missing) > 1 else ''}; "
            f"restore the file or remove its row; `musiclab check {root}` lists all that is wrong"
        )
    return store


def share_out(root: Path, part: str, tracks: int, trainer: Trainer | None) -> tuple[int, int]:
    """Return this process and the number of processes that share the tracks of a part.

    Raises:
        UserError: If there are fewer tracks than processes.
    """
    rank, world_size = (trainer.global_rank, trainer.world_size) if trainer else (0, 1)
    if tracks < world_size:
        raise UserError(f"{root}: {tracks} {part} tracks for {world_size} processes; use fewer devices")
    return rank, world_size


def as_it_is(batch: Any) -> Any:
    """Return what a dataset gives, for those that make whole batches."""
    return batch


def make_loader(
    dataset: SpectrogramDataset,
    trainer: Trainer | None,
    num_workers: int | None,
    pin_memory: bool | None,
    **sampling: object,
) -> DataLoader[Batch]:
    """Return a loader of batches, with as many workers and as much pinning as the hardware wants if None."""
    made_there = isinstance(dataset, DeviceDataset)  # so there is nothing to do for other processes
    on_gpu = trainer is not None and trainer.strategy.root_device.type == "cuda" and not made_there
    workers = num_workers
    if workers is None:
        # Copying frames out of the store costs less than handing them from one process to another, unless
        # the processor would otherwise wait for a GPU.
        share = (os.cpu_count() or 1) // (trainer.num_devices if trainer else 1)
        workers = min(4, share) if on_gpu else 0
    return DataLoader(
        dataset,
        num_workers=workers,
        collate_fn=as_it_is,
        pin_memory=on_gpu if pin_memory is None else pin_memory,
        persistent_workers=workers > 0,
        **sampling,  # type: ignore[arg-type]
    )
