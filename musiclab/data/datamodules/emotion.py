"""Tracks with values on emotional axes, such as valence, energy and danceability."""

from pathlib import Path
from typing import Any

import torch
from lightning_utilities.core.rank_zero import rank_zero_info
from torch import Tensor

from musiclab.data.datamodules.folder import FolderDataModule
from musiclab.data.datamodules.tracks import Part, select
from musiclab.data.labels import is_emotion, read_emotion_labels, read_table
from musiclab.data.splitting import Split, split_tracks
from musiclab.data.store import open_store
from musiclab.errors import UserError


class EmotionDataModule(FolderDataModule):
    """Tracks with a value on each of some axes.

    The root holds ``train/`` with ``train_labels.txt``, and ``test/`` whose labels are withheld. So the tracks to
    train, validate and test on all come from ``train/``; predictions are for ``test/``.

    A root whose ``test/`` has labels says so by ``test_labels.txt``, as ``train_labels.txt``: then these tracks are
    the test part and nothing is drawn. So are those of ``validation_labels.txt`` the validation part. With ``folds``,
    the tracks of the training and validation files are pooled, and those of ``test/`` are for predictions alone.

    With ``folds``, the tracks of number ``fold`` are the test part, and ``val_fraction`` of the others the
    validation part; if ``test_fraction`` is 0, they are the validation part, and nothing is tested.

    Args:
        axes: Name of a column of ``train_labels.txt``, or names in the order of the model's outputs; null for all.
        test_fraction: Share of the labelled tracks held out for the test. They are drawn first, by ``seed`` alone:
            they stay the same for any ``val_fraction`` and ``limit``. 0 to test nothing, not even given tracks.
        value_range: Lowest and highest value that a label can have.
        kwargs: See :class:`FolderDataModule`.
    """

    demo_folder = "multitask_dataset"

    def __init__(
        self,
        *,
        axes: str | list[str] | None = None,
        test_fraction: float = 0.2,
        value_range: tuple[float, float] = (0.0, 1.0),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.save_hyperparameters(logger=False)
        self._keep_plain_paths()
        self.target_names = _names(axes, self.labels_path("train"))
        self.hparams["axes"] = self.target_names  # another data set may have more columns
        if not value_range[0] < value_range[1]:
            raise UserError(f"value_range is {list(value_range)}; give the lowest and the highest value, as in [1,9]")
        self.value_range = value_range
        self.hparams["value_range"] = list(value_range)
        self.test_fraction = test_fraction
        self.has_test = test_fraction != 0

    def setup(self, stage: str) -> None:
        """Open the stores that a stage needs and make its datasets.

        Raises:
            UserError: If a value is missing or out of range, there are too few tracks for the split, or all tracks
                of a part have the same value on an axis.
        """
        super().setup(stage)
        if stage == "fit" and self.has_test:
            if self._is_given("test"):
                rank_zero_info(f"Test: the tracks of {self.labels_path('test')}, instead of test_fraction")
            super().setup("test")  # what is wrong with it would otherwise come to light after hours of training
        for part, dataset in self._datasets.items():
            if part != "predict":
                self._check_spread(dataset.targets, part)

    def train_part(self) -> Part:
        """Return the labelled tracks that are not held out for the test."""
        part = super().train_part()
        if not self.has_test or self._is_given("test"):
            return part
        return select(part, self._draw_test(part).train)

    def test_part(self) -> Part:
        """Return the labelled tracks to test on: those given, else those held out."""
        if not self.has_test:
            raise UserError("there is nothing to test on: test_fraction is 0; give a share, as in 0.2")
        if self._is_given("test"):
            return self.labelled_part("test")
        part = super().train_part()
        return select(part, self._draw_test(part).held_out)

    def predict_part(self) -> Part:
        """Return all tracks of ``test/``, with their values as far as ``test_labels.txt`` gives them."""
        ids = open_store(self.root / "test", self.store_dtype, self.cache).ids
        targets = self.unknown_targets(len(ids), len(self.target_names))
        table = read_table(self.labels_path("test"))
        if is_emotion(table) and set(self.target_names) <= set(table.columns):
            known = self.labelled_part("test")
            rows = {identifier: row for row, identifier in enumerate(ids)}
            for identifier, values in zip(known.ids, known.targets, strict=True):
                if identifier in rows:
                    targets[rows[identifier]] = values
        return Part("test", ids, targets, None)

    @staticmethod
    def unknown_targets(tracks: int, targets: int) -> Tensor:
        """Return NaN for each track and axis."""
        return torch.full((tracks, targets), torch.nan)

    def labelled_part(self, name: str) -> Part:
        """Return the tracks of the label file of a part, with their values.

        Raises:
            UserError: If the file is wrong or a value is out of range.
        """
        path = self.labels_path(name)
        ids, _, values = read_emotion_labels(path, self.target_names)
        low, high = self.value_range
        for identifier, row in zip(ids, values, strict=True):
            for axis, value in zip(self.target_names, row, strict=True):
                if not low <= value <= high:
                    raise UserError(
                        f"{path}: track {identifier}: {axis} is {value}, outside the range {low:g} to "
                        f"{high:g}; correct it, or declare another range, as in --data.value_range [1,9]"
                    )
        return Part("test" if name == "test" else "train", ids, torch.tensor(values), None)

    def _draw_test(self, part: Part) -> Split:
        return split_tracks(
            len(part.ids),
            None,
            fraction=self.test_fraction,
            folds=self.folds,
            fold=self.fold,
            seed=self.seed,
            purpose="test",
        )

    def _split(self, part: Part) -> Split:
        folds = None if self.has_test else self.folds
        return split_tracks(
            len(part.ids), None, fraction=self.val_fraction, folds=folds, fold=self.fold, seed=self.seed
        )

    def _check_spread(self, targets: Tensor, part: str) -> None:
        given = part != "train" and self._is_given(part)
        path = self.labels_path(part if given else "train")
        for axis, values in zip(self.target_names, targets.T, strict=True):
            if values.min() == values.max():
                raise UserError(
                    f"{path}: {axis} is {values[0]:g} for {_all(len(values))} of the {part} part, so that "
                    "Spearman's correlation is undefined; label more tracks, hold out more (val_fraction, "
                    "test_fraction), raise limit or leave the axis out (--data.axes)"
                )


def _all(tracks: int) -> str:
    return "the only track" if tracks == 1 else f"all {tracks} tracks"


def _names(axes: str | list[str] | None, path: Path) -> list[str]:
    names = [axes] if isinstance(axes, str) else read_emotion_labels(path).axes if axes is None else list(axes)
    if not names or len(set(names)) < len(names):
        raise UserError(f"axes are {', '.join(names) or 'none'}; name each axis once, as in --data.axes valence")
    return names
