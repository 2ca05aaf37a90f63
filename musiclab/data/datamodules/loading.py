"""From the tracks of a part to a dataset and its loader."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pytorch_lightning import Trainer
from torch.utils.data import DataLoader

from musiclab.batch import Batch
from musiclab.data.dataset import SpectrogramDataset
from musiclab.data.store import SpectrogramStore, StoreDtype, open_store
from musiclab.errors import UserError


def open_tracks(
    root: Path, folder: str, ids: Sequence[str], rows: int, features: str, dtype: StoreDtype, cache: str | Path | None
) -> SpectrogramStore:
    """Open the store of a folder of a data set, and make sure that it has some tracks and the rows that are needed.

    Raises:
        UserError: If it has not, or cannot be opened.
    """
    store = open_store(root / folder, dtype, cache)
    if rows > store.rows:
        raise UserError(
            f"{root / folder}: {features} features need {rows} rows, but its arrays have "
            f"{store.rows} (no chroma); use --data.features mel"
        )
    missing = [identifier for identifier in ids if identifier not in store]
    if missing:
        raise UserError(
            f"{root / folder / missing[0]}.*.npy: listed in the label file but missing"
            f"{f' (and {len(missing) - 1} more)' if len(missing) > 1 else ''}; "
            f"restore the file or remove its row; `musiclab check {root}` lists all that is wrong"
        )
    return store


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
    on_gpu = trainer is not None and trainer.strategy.root_device.type == "cuda"
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
