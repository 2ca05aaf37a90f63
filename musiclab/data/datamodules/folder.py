"""From a data set folder to the batches of each stage."""

import os
from abc import abstractmethod
from pathlib import Path

import numpy as np
import torch
from lightning_utilities.core.rank_zero import rank_zero_info
from torch import Tensor
from torch.utils.data import DataLoader

from musiclab.batch import Batch
from musiclab.data.datamodules.base import Features, SpectrogramDataModule
from musiclab.data.datamodules.loaders import make_loader, open_tracks, share_out
from musiclab.data.datamodules.tracks import Part, join, limit_part, limit_parts, select
from musiclab.data.dataset import SpectrogramDataset
from musiclab.data.device import Placement
from musiclab.data.sampling import TrainingBatches, evaluation_order
from musiclab.data.splitting import Split, split_tracks
from musiclab.data.store import StoreDtype
from musiclab.demo.corpus import default_corpus
from musiclab.errors import UserError
from musiclab.spectrogram import FEATURE_ROWS, FRAME_SECONDS


class FolderDataModule(SpectrogramDataModule):
    """What the datamodules of data set folders share: stores, splits, loaders.

    A root may hold ``validation_labels.txt``, as ``train_labels.txt`` and of other tracks of ``train/``: then these
    are the validation part and nothing is held out. With ``folds``, the tracks of both files are pooled.

    Args:
        root: Data set folder; null for the demo corpus, which is made on first use.
        features: ``mel`` (128 values per frame), ``chroma`` (12) or ``fused`` (140).
        beat_synced: Whether a frame is a beat. It cannot be seen in the files.
        seconds: Duration of a frame in seconds, for frames that are no beats. It cannot be seen in the files.
        batch_size: Tracks per batch and process.
        val_fraction: Share of the training tracks held out for validation.
        folds: Number of folds of a cross-validation; null for a single split by ``val_fraction``.
        fold: Which of the folds, from 0, is held out.
        limit: At most so many tracks of ``train/`` and of ``test/``, for quick runs; parts that are given keep their
            proportion.
        seed: Seed of the split and of ``limit``; the order of training comes from ``seed_everything``.
        shuffle: Train in a new order each epoch; else in the same one, drawn once.
        by_length: Put tracks of similar length into a batch; null: for beat-synced tracks.
        store_dtype: Precision of the packed store.
        cache: Folder of the packed store; null: ``$MUSICLAB_CACHE``, else the user's cache folder.
        num_workers: Loading processes; null: none on a CPU, up to 4 beside a GPU.
        pin_memory: Load into pinned memory; null: beside a GPU.
        on_device: Keep the frames on the GPU and make batches there; null: if they take up to half of its free memory
            and neither ``num_workers`` nor ``pin_memory`` is given.
    """

    demo_folder: str

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
        on_device: bool | None = None,
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
        self._placement = Placement(on_device, num_workers, pin_memory)
        self._resumed_epoch = 0
        self._datasets: dict[str, SpectrogramDataset] = {}

    @abstractmethod
    def labelled_part(self, name: str) -> Part:
        """Return the tracks of the label file of a part: ``train``, ``validation`` or ``test``."""

    def train_part(self) -> Part:
        """Return the tracks to train on; some are held out for validation, unless ``validation_part`` has others.

        Raises:
            UserError: If a label file is wrong, or a track stands in two of them.
        """
        part = self.labelled_part("train")
        if not self.labels_path("validation").exists():
            return part
        given = self.labelled_part("validation")
        both = sorted(set(part.ids) & set(given.ids))
        if both:
            raise UserError(
                f"{self.labels_path('validation')}: track {both[0]} stands in train_labels.txt too"
                f"{f' (and {len(both) - 1} more)' if len(both) > 1 else ''}; remove it from one of them"
            )
        return part if self.folds is None else join(part, given)

    def validation_part(self) -> Part | None:
        """Return the tracks to validate on if the data set says which they are."""
        return self.labelled_part("validation") if self._is_given("validation") else None

    @abstractmethod
    def test_part(self) -> Part:
        """Return the labelled tracks to test on."""

    @abstractmethod
    def predict_part(self) -> Part:
        """Return all tracks of ``test/``, with targets as far as they are known."""

    @staticmethod
    @abstractmethod
    def unknown_targets(tracks: int, targets: int) -> Tensor:
        """Return what stands for the targets of so many tracks without labels; ``targets`` genres or axes."""

    def labels_path(self, part: str) -> Path:
        """Return where the label file of a part is, if it has one."""
        return self.root / f"{part}_labels.txt"

    def _keep_plain_paths(self) -> None:
        """Make the paths among the hyperparameters absolute strings, as a safely loaded checkpoint can hold them."""
        for name in ("root", "cache"):
            if self.hparams.get(name) is not None:
                self.hparams[name] = str(Path(self.hparams[name]).expanduser().absolute())

    def setup(self, stage: str) -> None:
        """Open the stores that a stage needs, building them if need be, and make its datasets."""
        if stage in ("fit", "validate") and "train" not in self._datasets:
            train, validation = self._train_and_validation()
            self._datasets |= {"train": self._dataset(train), "validation": self._dataset(validation)}
        if stage in ("test", "predict") and stage not in self._datasets:
            part = self.test_part() if stage == "test" else self.predict_part()
            self._datasets[stage] = self._dataset(limit_part(part, self.limit, self.seed))

    def track_counts(self) -> dict[str, int]:
        """Return the number of tracks of each part that has been set up."""
        return {part: len(dataset) for part, dataset in self._datasets.items()}

    def feature_statistics(self) -> tuple[Tensor, Tensor]:
        """Return mean and standard deviation of each feature over all frames of the training part, float32."""
        train = self._datasets["train"]
        mean, std = train.store.mean_and_std(train.positions, train.columns)
        return torch.from_numpy(mean).float(), torch.from_numpy(std).float()

    def track_frames(self) -> int:
        """Return the median length of the training tracks, in frames."""
        return int(np.median(self._datasets["train"].lengths))

    def train_targets(self) -> Tensor:
        """Return the targets of the training part."""
        return self._datasets["train"].targets

    def train_dataloader(self) -> DataLoader[Batch]:
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
        return make_loader(dataset, self.trainer, self.num_workers, self.pin_memory, batch_sampler=batches)

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

    def val_dataloader(self) -> DataLoader[Batch]:
        """Return the loader of the validation part."""
        return self._evaluation_loader("validation")

    def test_dataloader(self) -> DataLoader[Batch]:
        """Return the loader of the labelled test tracks."""
        return self._evaluation_loader("test")

    def predict_dataloader(self) -> DataLoader[Batch]:
        """Return the loader of all test tracks."""
        return self._evaluation_loader("predict")

    def _is_given(self, part: str) -> bool:
        """Tell whether the tracks of a part are those of a label file of its own."""
        return self.folds is None and self.labels_path(part).exists()

    def _train_and_validation(self) -> tuple[Part, Part]:
        part, given = self.train_part(), self.validation_part()
        if given is not None:
            rank_zero_info(
                f"Validation: the {len(given.ids)} tracks of {self.labels_path('validation')}, instead of val_fraction"
            )
            return limit_parts(part, given, self.limit, self.seed)
        part = limit_part(part, self.limit, self.seed)
        split = self._split(part)
        return select(part, split.train), select(part, split.held_out)

    def _split(self, part: Part) -> Split:
        return split_tracks(
            len(part.ids), part.classes, fraction=self.val_fraction, folds=self.folds, fold=self.fold, seed=self.seed
        )

    def _dataset(self, part: Part) -> SpectrogramDataset:
        store = open_tracks(self.root, part, self.columns.stop, self.features, self.store_dtype, self.cache)
        return SpectrogramDataset(store, part.ids, part.targets, self.columns)

    def _evaluation_loader(self, part: str) -> DataLoader[Batch]:
        dataset, rank, world_size = self._share(part)
        size = self.batch_size
        order = evaluation_order(dataset.lengths, size, by_length=self.by_length, rank=rank, world_size=world_size)
        return make_loader(dataset, self.trainer, self.num_workers, self.pin_memory, batch_size=size, sampler=order)

    def _share(self, part: str) -> tuple[SpectrogramDataset, int, int]:
        """Return the tracks of a part, and this process and the number of processes that share them."""
        rank, world_size = share_out(self.root, part, len(self._datasets[part]), self.trainer)
        return self._placement.place(self._datasets, part, self.trainer), rank, world_size
