"""How the tracks of a data set folder are loaded: their store, their batches, and where these are made."""

import os
from collections.abc import Callable
from dataclasses import KW_ONLY, InitVar, dataclass, field
from pathlib import Path
from typing import Any

from pytorch_lightning import Trainer
from torch.utils.data import DataLoader

from musiclab.batch import Batch
from musiclab.data.arrays import find_arrays, read_header, require_lab_rows
from musiclab.data.dataset import SpectrogramDataset
from musiclab.data.device import DeviceDataset, Placement
from musiclab.data.drawing import Part
from musiclab.data.packing import open_store
from musiclab.data.sampling import TrainingBatches, evaluation_order
from musiclab.data.store import SpectrogramStore, StoreDtype
from musiclab.errors import UserError
from musiclab.files import stands_there
from musiclab.spectrogram import FEATURE_ROWS


@dataclass
class Loading:
    """Opens parts of a data set folder and makes their loaders.

    Attributes:
        root: The folder.
        features: Name of the features.
        batch_size: Tracks per batch and process.
        shuffle: Train in a new order each epoch.
        by_length: Put tracks of similar length into a batch.
        store_dtype: Precision of the packed store.
        cache: Folder of the packed store.
        num_workers: Loading processes; None: none on a CPU, up to 4 beside a GPU.
        pin_memory: Load into pinned memory; None: beside a GPU.
        on_device: Keep the frames on the GPU; None: if there is room and nothing is said of loading.
        datasets: The parts that were opened.
    """

    root: Path
    features: str
    _: KW_ONLY
    batch_size: int
    shuffle: bool
    by_length: bool
    store_dtype: StoreDtype
    cache: str | Path | None
    num_workers: int | None
    pin_memory: bool | None
    on_device: InitVar[bool | None]
    datasets: dict[str, SpectrogramDataset] = field(default_factory=dict, init=False)

    def __post_init__(self, on_device: bool | None) -> None:
        self.columns = FEATURE_ROWS.get(self.features) or slice(0, self._first_rows("train", "test"))
        self._placement = Placement(on_device, self.num_workers, self.pin_memory)

    def store(self, folder: str) -> SpectrogramStore:
        """Open the store of ``train`` or ``test``; build it first if need be.

        Raises:
            UserError: If it cannot be opened, or its arrays do not have the rows of the features.
        """
        if self.features in FEATURE_ROWS:
            self._first_rows(folder)  # before thousands of wrong ones are packed
        store = open_store(self.root / folder, self.store_dtype, self.cache)
        if self.features == "all" and store.rows != self.columns.stop:
            raise UserError(
                f"{self.root / folder}: arrays of {store.rows} rows, where those of train/ have {self.columns.stop}; "
                "keep arrays of one kind in a data set"
            )
        return store

    def _first_rows(self, *folders: str) -> int:
        """Return the number of rows of the first array of the first of some folders that is there.

        Raises:
            UserError: If there is none, or the features are the lab's and it is none of the lab's.
        """
        folder = next((self.root / name for name in folders if stands_there(self.root / name)), self.root / folders[0])
        path = next(iter(find_arrays(folder).values()), None)
        if path is None:
            raise UserError(f"{folder}: no array files (*.npy, *.npy.gz) in this folder")
        header = read_header(path)
        if self.features in FEATURE_ROWS:
            require_lab_rows(path, header)
        return header.rows

    def open(self, name: str, part: Part) -> None:
        """Make the dataset of a part.

        Raises:
            UserError: If its store cannot be opened, or lacks tracks of the part or rows of the features.
        """
        folder, store = self.root / part.folder, self.store(part.folder)
        if self.columns.stop > store.rows:
            raise UserError(
                f"{folder}: {self.features} features need {self.columns.stop} rows, but its arrays have "
                f"{store.rows} (no chroma); use --data.features mel"
            )
        missing = [identifier for identifier in part.ids if identifier not in store]
        if missing:
            raise UserError(
                f"{folder / missing[0]}.*.npy: listed in the label file but missing"
                f"{f' (and {len(missing) - 1} more)' if len(missing) > 1 else ''}; "
                f"restore the file or remove its row; `musiclab check {self.root}` lists all that is wrong"
            )
        self.datasets[name] = SpectrogramDataset(store, part.ids, part.targets, self.columns)

    def train_loader(self, trainer: Trainer | None, epoch: Callable[[], int]) -> DataLoader[Batch]:
        """Return the loader of the training part; each epoch is drawn from the run's seed and its number."""
        dataset, rank, world_size = self._share("train", trainer)
        batches = TrainingBatches(
            dataset.lengths,
            self.batch_size,
            shuffle=self.shuffle,
            by_length=self.by_length,
            seed=int(os.environ.get("PL_GLOBAL_SEED", "0")),
            epoch=epoch,
            rank=rank,
            world_size=world_size,
        )
        return self._loader(dataset, trainer, batch_sampler=batches)

    def loader(self, name: str, trainer: Trainer | None) -> DataLoader[Batch]:
        """Return the loader of a part to validate, to test or to predict, each track once."""
        dataset, rank, world_size = self._share(name, trainer)
        size = self.batch_size
        order = evaluation_order(dataset.lengths, size, by_length=self.by_length, rank=rank, world_size=world_size)
        return self._loader(dataset, trainer, batch_size=size, sampler=order)

    def _share(self, name: str, trainer: Trainer | None) -> tuple[SpectrogramDataset, int, int]:
        """Return the tracks of a part, and this process and the number of processes that share them."""
        rank, world_size = (trainer.global_rank, trainer.world_size) if trainer else (0, 1)
        tracks = len(self.datasets[name])
        if tracks < world_size:
            raise UserError(f"{self.root}: {tracks} {name} tracks for {world_size} processes; use fewer devices")
        return self._placement.place(self.datasets, name, trainer), rank, world_size

    def _loader(self, dataset: SpectrogramDataset, trainer: Trainer | None, **sampling: Any) -> DataLoader[Batch]:
        made_there = isinstance(dataset, DeviceDataset)  # so there is nothing to do for other processes
        on_gpu = trainer is not None and trainer.strategy.root_device.type == "cuda" and not made_there
        workers = self.num_workers
        if workers is None:
            # Copying frames out of the store costs less than handing them from one process to another, unless
            # the processor would otherwise wait for a GPU.
            share = (os.cpu_count() or 1) // (trainer.num_devices if trainer else 1)
            workers = min(4, share) if on_gpu else 0
        return DataLoader(
            dataset,
            num_workers=workers,
            collate_fn=as_it_is,
            pin_memory=on_gpu if self.pin_memory is None else self.pin_memory,
            persistent_workers=workers > 0,
            **sampling,
        )


def as_it_is(batch: Any) -> Any:
    """Return what a dataset gives, for those that make whole batches."""
    return batch
