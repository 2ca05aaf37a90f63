"""From a data set folder to the batches of each stage."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import torch
from lightning_utilities.core.rank_zero import rank_zero_info
from torch import Tensor
from torch.utils.data import DataLoader

from musiclab.batch import Batch, KnownParts, ScaledData, TrainingData
from musiclab.data.artists import Artists, read_artists
from musiclab.data.datamodules.base import Features, SpectrogramDataModule
from musiclab.data.drawing import Draw, Part
from musiclab.data.loading import Loading
from musiclab.data.parts import Parts
from musiclab.data.provenance import DONE, count_trained, folder_checksum, keep_parts, tracks_of_other_parts
from musiclab.data.recipe import settle_recipe
from musiclab.data.store import StoreDtype, default_dtype
from musiclab.data.targets import Targets
from musiclab.errors import UserError
from musiclab.files import stands_there

JUDGED = {"fit": tuple(DONE), "validate": ("validation",), "test": ("test",), "pretrained": ("validation", "test")}
"""Parts whose tracks matter to a command that goes on from a checkpoint."""


class FolderDataModule(SpectrogramDataModule, TrainingData, KnownParts, ScaledData):
    """Tracks of a data set folder: some parts of it, loaded in some way.

    A root may hold ``validation_labels.txt``, as ``train_labels.txt`` and of other tracks of ``train/``: then these
    are the validation part and nothing is held out. With ``folds``, the tracks of both files are pooled.

    It may hold ``artists.txt``, with the columns ``Id`` and ``Artist``: then all that is drawn keeps the tracks of an
    artist in one part. A part that is drawn by ``val_fraction`` is then chosen from folds, see
    :func:`musiclab.data.grouping.split_groups`.

    Args:
        root: Data set folder; null for the demo corpus, which the command line makes on first use.
        features: ``mel`` (128 values per frame), ``chroma`` (12) or ``fused`` (140) of the lab's arrays; ``all`` for
            the rows as they are, of any number: other mel bands, MFCC, another model's embeddings.
        beat_synced: Whether a frame is a beat. It cannot be seen in the files.
        seconds: Duration of a frame in seconds, for frames that are no beats. It cannot be seen in the files; null:
            what ``features.json`` beside the arrays says, else that of the lab's, 23 ms.
        batch_size: Tracks per batch and process.
        val_fraction: Share of the training tracks held out for validation.
        folds: Number of folds of a cross-validation; null for a single split by ``val_fraction``.
        fold: Which of the folds, from 0, is held out.
        groups: File of the data set folder that says which tracks belong together, as ``artists.txt`` does; null to
            draw each track by itself.
        leave_out: File of tracks to be neither trained nor validated on, as those that another model is tested on: an
            id a line, or a table with a column ``Id`` or ``Artist``, which stands for all tracks by these artists; or
            the checkpoint of a run, for what that was tested on.
        limit: At most so many tracks of ``train/`` and of ``test/``, for quick runs; parts that are given keep their
            proportion.
        train_limit: At most so many tracks to train on, while those to validate and to test on stay what they are: a
            larger number adds tracks to those of a smaller one, an equal number per genre as far as there are.
        validate_on: ``train`` has ``validate`` say how well a model knows its training part.
        seed: Seed of the split and of the limits; the order of training comes from ``seed_everything``.
        shuffle: Train in a new order each epoch; else in the same one, drawn once.
        by_length: Put tracks of similar length into a batch; null: for beat-synced tracks.
        store_dtype: Precision of the packed store; null: float16, and float32 for ``all``, whose values may be any.
        cache: Folder of the packed store; null: ``$MUSICLAB_CACHE``, else the user's cache folder.
        num_workers: Loading processes; null: none on a CPU, up to 4 beside a GPU.
        pin_memory: Load into pinned memory; null: beside a GPU.
        on_device: Keep the frames on the GPU and make batches there; null: if they take up to half of its free memory
            and neither ``num_workers`` nor ``pin_memory`` is given.
        any_scale: Take arrays of another scale than those that a model was trained on, which are refused otherwise.

    Attributes:
        draw: How tracks are drawn.
        parts: Which tracks; see :meth:`use_targets`.
        loading: How they are loaded.
    """

    root: Path
    parts: Parts

    def __init__(
        self,
        root: str | Path | None = None,
        features: Features = "mel",
        beat_synced: bool = False,
        seconds: float | None = None,
        batch_size: int = 32,
        val_fraction: float = 0.1,
        folds: int | None = None,
        fold: int = 0,
        groups: str | None = "artists.txt",
        leave_out: str | Path | None = None,
        limit: int | None = None,
        train_limit: int | None = None,
        validate_on: Literal["validation", "train"] = "validation",
        seed: int = 0,
        shuffle: bool = True,
        by_length: bool | None = None,
        store_dtype: StoreDtype | None = None,
        cache: str | Path | None = None,
        num_workers: int | None = None,
        pin_memory: bool | None = None,
        on_device: bool | None = None,
        any_scale: bool = False,
    ) -> None:
        super().__init__()
        if root is None:
            if self.folder_name is None:
                raise UserError(
                    f"root is null, and the demo corpus has nothing for {type(self).__name__}; give a data set "
                    "folder: --data.root ROOT"
                )
            raise UserError(
                "root is null; give the folder of a data set, or for the demo corpus musiclab.demo."
                f'demo_folder("{self.folder_name}", beat_synced={beat_synced})'
            )
        self.root = Path(root).expanduser()
        if not self.root.is_dir():
            raise UserError(f"{self.root}: no such folder; give the path of a data set with --data.root")
        for name, value, least in (
            ("batch_size", batch_size, 1),
            ("seed", seed, 0),
            ("num_workers", num_workers, 0),
            ("train_limit", train_limit, 1),
        ):
            if value is not None and value < least:
                raise UserError(f"{name} is {value}; it must be at least {least}")
        words = {
            "features": (features, get_args(Features)),
            "store_dtype": (store_dtype, (*get_args(StoreDtype), None)),
            "validate_on": (validate_on, ("validation", "train")),
        }
        for name, (word, known) in words.items():
            if word not in known:
                raise UserError(f"{name} is {word!r}; it must be {', '.join(filter(None, known))}")
        self._groups_file = groups
        self.groups = {} if groups is None else read_artists(self.root, groups)
        artists = Artists(self.root / groups, self.groups) if groups and self.groups else None
        self.draw = Draw(val_fraction, folds, fold, limit, seed, artists, train_limit)
        self._validate_on = validate_on
        self._leave_out = None if leave_out is None else Path(leave_out).expanduser().absolute()
        self.loading = Loading(
            self.root,
            features,
            batch_size=batch_size,
            shuffle=shuffle,
            by_length=beat_synced if by_length is None else by_length,
            store_dtype=store_dtype or default_dtype(features),
            cache=cache,
            num_workers=num_workers,
            pin_memory=pin_memory,
            on_device=on_device,
        )
        self.features = features
        self.num_features = self.loading.columns.stop - self.loading.columns.start
        self.beat_synced = beat_synced
        self.seconds, recipe = settle_recipe(self.root, features, self.num_features, seconds)
        self.recipe = None if recipe is None else recipe.plain()
        self.any_scale = any_scale
        self._resumed_epoch = 0
        self._checksums: dict[str, str] = {}

    def use_targets(self, targets: Targets, test_fraction: float | None = None) -> None:
        """Make the parts; constructors end with it, after the hyperparameters were saved.

        Args:
            targets: Reads the label files.
            test_fraction: See :class:`musiclab.data.parts.Parts`.
        """
        self.parts = Parts(self.root, targets, self.draw, test_fraction, self._leave_out)
        self.target_names, self.has_test = targets.names, self.parts.has_test
        self.hparams["groups"] = self._groups_file  # also where it is not given: earlier checkpoints had no groups
        for name in ("root", "cache", "leave_out"):  # absolute, and plain, as a safely loaded checkpoint can hold them
            if self.hparams.get(name) is not None:
                self.hparams[name] = str(Path(self.hparams[name]).expanduser().absolute())

    def setup(self, stage: str) -> None:
        """Open the stores that a stage needs, building them if need be, and make its datasets.

        The test part is among those of ``fit``: what is wrong with it would otherwise come to light after hours of
        training, and a checkpoint keeps which tracks are in it.

        Raises:
            UserError: If a training is to be validated on its own tracks.
        """
        if stage == "fit" and self._validate_on == "train":
            raise UserError("validate_on is train, which is for `musiclab validate`; a training needs other tracks")
        if stage in ("fit", "validate") and "train" not in self.loading.datasets:
            for name, part in zip(("train", "validation"), self.parts.train_and_validation(), strict=True):
                self.loading.open(name, part)
        if stage == "predict" and not stands_there(self.root / "test"):
            raise UserError(
                f"{self.root / 'test'}: no such folder; put the arrays to predict there, or ask about songs: --data "
                "AudioDataModule --data.paths SONGS"
            )
        wanted = "test" if stage == "fit" and self.has_test else stage
        if wanted in ("test", "predict") and wanted not in self.loading.datasets:
            part = self.parts.test() if wanted == "test" else self.predict_part()
            self.loading.open(wanted, part.limit(self.draw.limit, self.draw.seed))
        if stage == "fit":
            self.parts.tell_test({name: dataset.ids for name, dataset in self.loading.datasets.items()})

    def predict_part(self) -> Part:
        """Return all tracks of ``test/``, with targets as far as they are known."""
        return self.parts.predict(self.loading.store("test").ids)

    def track_counts(self) -> dict[str, int]:
        """Return the number of tracks of each part that has been set up."""
        return {part: len(dataset) for part, dataset in self.loading.datasets.items()}

    def checksums(self) -> dict[str, str]:
        """Return a checksum of each folder that has been opened: of arrays, ids and labels, in whatever order."""
        for name, dataset in self.loading.datasets.items():
            folder = self.parts.folder(name)
            if folder not in self._checksums:
                self._checksums[folder] = folder_checksum(dataset.store, self.parts.label_files(folder))
        return dict(self._checksums)

    def keep_parts(self) -> dict[str, Any]:
        """Return which tracks are in which part, for a checkpoint."""
        return keep_parts(self.root, self.loading.datasets, self.checksums())

    def compare_parts(self, kept: Mapping[str, Any] | None, command: str, *, same_draw: bool = True) -> None:
        """Refuse parts that are drawn and hold tracks of other parts of a training; say it of those that are given.

        Where training tracks are validated on, say how many of them the training had.

        Args:
            kept: What the training's checkpoint keeps; None if it keeps nothing.
            command: ``fit`` for a training that goes on, ``validate``, ``test``, or ``pretrained`` if no more than the
                backbone comes from there.
            same_draw: Whether the training's parts have been drawn like these. If not, nothing is refused.

        Raises:
            UserError: Saying how many tracks there are, and what to do.
        """
        if command == "validate" and self._validate_on == "train":
            train = self.loading.datasets["train"]
            known = "it does not say which" if kept is None else count_trained(self.root, train, kept)
            rank_zero_info(
                f"Validation: {len(train)} tracks of train/; of these, the checkpoint was trained on: {known}"
            )
            return
        names = [name for name in JUDGED[command] if name in self.loading.datasets]
        drawn = [name for name in names if same_draw and self.parts.is_drawn(name)]
        if kept is None:
            if drawn:
                raise UserError(
                    f"{self.root}: the checkpoint does not say which tracks it was trained on, as earlier versions did "
                    f"not, so that the {drawn[-1]} part, which is drawn, may hold some of them; name its tracks in "
                    f"{self.parts.labels_path(drawn[-1]).name}"
                )
            rank_zero_info("The checkpoint does not say which tracks it was trained on; make sure that they are others")
            return
        changed = [name for name, now in self.checksums().items() if kept["checksums"].get(name, now) != now]
        if changed and command != "pretrained":
            folders = " and ".join(f"{name}/" for name in changed)
            rank_zero_info(f"{self.root}: {folders} with labels is not what the checkpoint was trained with")
        for shared in tracks_of_other_parts(self.root, self.loading.datasets, names, kept):
            if shared.part in drawn:
                raise UserError(
                    f"{self.root}: {shared}; draw the parts as then (data.seed, folds, fold, val_fraction, "
                    "test_fraction, groups, leave_out, limit, class_map), with the rows of then, or name tracks that "
                    f"it has not had in {self.parts.labels_path(shared.part).name}"
                )
            flatter = "may flatter, as the backbone comes from there" if command == "pretrained" else "flatter"
            rank_zero_info(f"{self.root}: {shared}; figures on them {flatter}")

    def feature_statistics(self) -> tuple[Tensor, Tensor]:
        """Return mean and standard deviation of each feature over all frames of the training part, float32."""
        train = self.loading.datasets["train"]
        mean, std = train.store.mean_and_std(train.positions, train.columns)
        return torch.from_numpy(mean).float(), torch.from_numpy(std).float()

    def part_mean(self, part: str) -> tuple[Tensor, int]:
        """Return the mean of each feature over all frames of a part that is set up, and its number of tracks."""
        dataset = self.loading.datasets[part]
        mean, _ = dataset.store.mean_and_std(dataset.positions, dataset.columns)
        return torch.from_numpy(mean).float(), len(dataset)

    def track_frames(self) -> int:
        """Return the median length of the training tracks, in frames."""
        return int(np.median(self.loading.datasets["train"].lengths))

    def train_targets(self) -> Tensor:
        """Return the targets of the training part."""
        return self.loading.datasets["train"].targets

    def train_dataloader(self) -> DataLoader[Batch]:
        """Return the loader of the training part; each epoch is drawn from the run's seed and its number."""
        return self.loading.train_loader(self.trainer, self._next_epoch)

    def val_dataloader(self) -> DataLoader[Batch]:
        """Return the loader of the part that is validated on."""
        return self.loading.loader(self._validate_on, self.trainer)

    def test_dataloader(self) -> DataLoader[Batch]:
        """Return the loader of the labelled test tracks."""
        return self.loading.loader("test", self.trainer)

    def predict_dataloader(self) -> DataLoader[Batch]:
        """Return the loader of all test tracks."""
        return self.loading.loader("predict", self.trainer)

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
