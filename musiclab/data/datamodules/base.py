"""From a data set folder to the batches of each stage."""

import os
from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import torch
from pytorch_lightning import LightningDataModule
from torch import Tensor
from torch.utils.data import DataLoader

from musiclab.data.dataset import SpectrogramDataset, Track, collate
from musiclab.data.sampling import TrainingBatches, evaluation_order
from musiclab.data.splitting import Indices, Split, choose_subset, split_tracks
from musiclab.data.store import SpectrogramStore, StoreDtype, open_store
from musiclab.demo.corpus import default_corpus
from musiclab.errors import UserError
from musiclab.features import FEATURE_ROWS, FRAME_SECONDS

Features = Literal["mel", "chroma", "fused"]


class Part(NamedTuple):
    """Tracks of one folder: ids, a target for each, and a class for each to stratify by, if any."""

    folder: Literal["train", "test"]
    ids: list[str]
    targets: Tensor
    classes: list[str] | None


class SpectrogramDataModule(LightningDataModule):
    """What the datamodules of all tasks share: stores, splits, loaders.

    Args:
        root: Data set folder; null for the demo corpus, which is made on first use.
        features: ``mel`` (128 values per frame), ``chroma`` (12) or ``fused`` (140).
        beat_synced: Whether a frame is a beat. It cannot be seen in the files.
        seconds: Duration of a frame in seconds, for frames that are no beats. It cannot be seen in the files.
        batch_size: Tracks per batch and process.
        val_fraction: Share of the training tracks held out for validation.
        folds: Number of folds of a cross-validation; null for a single split by ``val_fraction``.
        fold: Which of the folds, from 0, is held out.
        limit: At most so many tracks of ``train/`` and of ``test/``, for quick runs.
        seed: Seed of the split and of ``limit``; the order of training comes from ``seed_everything``.
        shuffle: Train in a new order each epoch; else in the same one, drawn once.
        by_length: Put tracks of similar length into a training batch; null: for beat-synced tracks.
        store_dtype: Precision of the packed store.
        cache: Folder of the packed store; null: ``$MUSICLAB_CACHE``, else the user's cache folder.
        num_workers: Loading processes; null: none on a CPU, up to 4 beside a GPU.
        pin_memory: Load into pinned memory; null: beside a GPU.

    Attributes:
        num_features: Values per frame.
        target_names: Genres or axes, in the order of the model's outputs.
        has_test: Whether there are labelled tracks to test on.
    """

    demo_folder: str
    target_names: list[str]
    has_test = True

    def __init__(
        self,
        root: str | Path | None = None,
        features: Features = "mel",
        beat_synced: bool = False,
        seconds: float = FRAME_SECONDS,
        batch_size: int = 32,
        val_fraction: float = 0.1,
        folds: int | None = None,
        fold: int = 0,
        limit: int | None = None,
        seed: int = 0,
        shuffle: bool = True,
        by_length: bool | None = None,
        store_dtype: StoreDtype = "float16",
        cache: str | Path | None = None,
        num_workers: int | None = None,
        pin_memory: bool | None = None,
    ) -> None:
        super().__init__()
        if root is None:
            root = default_corpus() / (self.demo_folder + ("_beat" if beat_synced else ""))
        self.root = Path(root).expanduser()
        if not self.root.is_dir():
            raise UserError(f"{self.root}: no such folder; give the path of a data set with --data.root")
        for name, value, least in (("batch_size", batch_size, 1), ("seed", seed, 0), ("num_workers", num_workers, 0)):
            if value is not None and value < least:
                raise UserError(f"{name} is {value}; it must be at least {least}")
        self.features = features
        self.columns = FEATURE_ROWS[features]
        self.num_features = self.columns.stop - self.columns.start
        self.beat_synced = beat_synced
        self.seconds = seconds
        self.batch_size = batch_size
        self.val_fraction = val_fraction
        self.folds = folds
        self.fold = fold
        self.limit = limit
        self.seed = seed
        self.shuffle = shuffle
        self.by_length = beat_synced if by_length is None else by_length
        self.store_dtype: StoreDtype = store_dtype
        self.cache = cache
        self.num_workers = num_workers
        self.pin_memory = pin_memory
        self._resumed_epoch = 0
        self._datasets: dict[str, SpectrogramDataset] = {}

    @abstractmethod
    def train_part(self) -> Part:
        """Return the tracks to train on, of which some are held out for validation."""

    @abstractmethod
    def test_part(self) -> Part:
        """Return the labelled tracks to test on."""

    @abstractmethod
    def predict_part(self) -> Part:
        """Return all tracks of ``test/``, with targets as far as they are known."""

    def _keep_plain_paths(self) -> None:
        """Make the paths among the hyperparameters absolute strings, as a safely loaded checkpoint can hold them."""
        for name in ("root", "cache"):
            if self.hparams.get(name) is not None:
                self.hparams[name] = str(Path(self.hparams[name]).expanduser().absolute())

    def setup(self, stage: str) -> None:
        """Open the stores that a stage needs, building them if need be, and make its datasets."""
        if stage in ("fit", "validate") and "train" not in self._datasets:
            part = self._limited(self.train_part())
            for name, indices in zip(("train", "validation"), self._split(part), strict=True):
                self._datasets[name] = self._dataset(select(part, indices))
        if stage in ("test", "predict") and stage not in self._datasets:
            part = self.test_part() if stage == "test" else self.predict_part()
            self._datasets[stage] = self._dataset(self._limited(part))

    def track_counts(self) -> dict[str, int]:
        """Return the number of tracks of each part that has been set up."""
        return {part: len(dataset) for part, dataset in self._datasets.items()}

    def feature_statistics(self) -> tuple[Tensor, Tensor]:
        """Return mean and standard deviation of each feature over all frames of the training part, float32."""
        train = self._datasets["train"]
        mean, std = train.store.mean_and_std(train.positions, train.columns)
        return torch.from_numpy(mean).float(), torch.from_numpy(std).float()

    def train_targets(self) -> Tensor:
        """Return the targets of the training part."""
        return self._datasets["train"].targets

    def train_dataloader(self) -> DataLoader[Track]:
        """Return the loader of the training part; each epoch is drawn from the run's seed and its number."""
        dataset, rank, world_size = self._share("train")
        batches = TrainingBatches(
            dataset.lengths,
            self.batch_size,
            shuffle=self.shuffle,
            by_length=self.by_length,
            seed=int(os.environ.get("PL_GLOBAL_SEED", "0")),
            epoch=self._next_epoch,
            rank=rank,
            world_size=world_size,
        )
        return self._loader(dataset, batch_sampler=batches)

    def state_dict(self) -> dict[str, int]:
        """Return what a checkpoint keeps: the number of the next epoch."""
        return {"epoch": self._next_epoch()}

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        """Go on with the epoch that a checkpoint names."""
        self._resumed_epoch = state_dict["epoch"]

    def _next_epoch(self) -> int:
        # When workers begin to fetch for a resumed run, the trainer's own count has not been restored yet;
        # trainer.current_epoch is one short even later.
        if self.trainer is None:
            return self._resumed_epoch
        started: int = self.trainer.fit_loop.epoch_progress.current.processed  # type: ignore[attr-defined]
        return max(started, self._resumed_epoch)

    def val_dataloader(self) -> DataLoader[Track]:
        """Return the loader of the validation part."""
        return self._evaluation_loader("validation")

    def test_dataloader(self) -> DataLoader[Track]:
        """Return the loader of the labelled test tracks."""
        return self._evaluation_loader("test")

    def predict_dataloader(self) -> DataLoader[Track]:
        """Return the loader of all test tracks."""
        return self._evaluation_loader("predict")

    def _open(self, folder: str, ids: Sequence[str]) -> SpectrogramStore:
        store = open_store(self.root / folder, self.store_dtype, self.cache)
        if self.columns.stop > store.rows:
            raise UserError(
                f"{self.root / folder}: {self.features} features need {self.columns.stop} rows, but its arrays have "
                f"{store.rows} (no chroma); use --data.features mel"
            )
        missing = [identifier for identifier in ids if identifier not in store]
        if missing:
            raise UserError(
                f"{self.root / folder / missing[0]}.*.npy: listed in the label file but missing"
                f"{f' (and {len(missing) - 1} more)' if len(missing) > 1 else ''}; "
                f"restore the file or remove its row; `musiclab check {self.root}` lists all that is wrong"
            )
        return store

    def _limited(self, part: Part) -> Part:
        return select(part, choose_subset(len(part.ids), part.classes, self.limit, self.seed))

    def _split(self, part: Part) -> Split:
        return split_tracks(
            len(part.ids), part.classes, fraction=self.val_fraction, folds=self.folds, fold=self.fold, seed=self.seed
        )

    def _dataset(self, part: Part) -> SpectrogramDataset:
        return SpectrogramDataset(self._open(part.folder, part.ids), part.ids, part.targets, self.columns)

    def _evaluation_loader(self, part: str) -> DataLoader[Track]:
        dataset, rank, world_size = self._share(part)
        order = evaluation_order(len(dataset), rank, world_size)
        return self._loader(dataset, batch_size=self.batch_size, sampler=order)

    def _share(self, part: str) -> tuple[SpectrogramDataset, int, int]:
        """Return the tracks of a part, and this process and the number of processes that share them."""
        dataset = self._datasets[part]
        rank, world_size = (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)
        if len(dataset) < world_size:
            raise UserError(f"{self.root}: {len(dataset)} {part} tracks for {world_size} processes; use fewer devices")
        return dataset, rank, world_size

    def _loader(self, dataset: SpectrogramDataset, **sampling: object) -> DataLoader[Track]:
        on_gpu = self.trainer is not None and self.trainer.strategy.root_device.type == "cuda"
        workers = self.num_workers
        if workers is None:
            # Copying frames out of the store costs less than handing them from one process to another, unless
            # the processor would otherwise wait for a GPU.
            share = (os.cpu_count() or 1) // (self.trainer.num_devices if self.trainer else 1)
            workers = min(4, share) if on_gpu else 0
        return DataLoader(
            dataset,
            num_workers=workers,
            collate_fn=collate,
            pin_memory=on_gpu if self.pin_memory is None else self.pin_memory,
            persistent_workers=workers > 0,
            **sampling,  # type: ignore[arg-type]
        )


def select(part: Part, indices: Indices) -> Part:
    """Return the tracks of a part that ``indices`` name, in that order."""
    return Part(
        part.folder,
        [part.ids[index] for index in indices],
        part.targets[indices],
        None if part.classes is None else [part.classes[index] for index in indices],
    )
