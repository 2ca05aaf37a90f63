"""Tracks with values on emotional axes, such as valence, energy and danceability."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from musiclab.data.datamodules.base import FolderDataModule, Part, select
from musiclab.data.labels import read_emotion_labels
from musiclab.data.splitting import Split, split_tracks
from musiclab.data.store import open_store
from musiclab.errors import UserError


class EmotionDataModule(FolderDataModule):
    """Tracks with a value on each of some axes.

    The root holds ``train/`` with ``train_labels.txt``, and ``test/`` whose labels are withheld. So the tracks to
    train, validate and test on all come from ``train/``; predictions are for ``test/``.

    With ``folds``, the tracks of number ``fold`` are the test part, and ``val_fraction`` of the others the
    validation part; if ``test_fraction`` is 0, they are the validation part, and nothing is tested.

    Args:
        axes: Name of a column of ``train_labels.txt``, or names in the order of the model's outputs; null for all.
        test_fraction: Share of the labelled tracks held out for the test. They are drawn first, by ``seed`` alone:
            they stay the same for any ``val_fraction`` and ``limit``. 0 to test nothing.
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
        self.labels_path = self.root / "train_labels.txt"
        self.target_names = _names(axes, self.labels_path)
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
            super().setup("test")  # what is wrong with it would otherwise come to light after hours of training
        for part, dataset in self._datasets.items():
            if part != "predict":
                self._check_spread(dataset.targets, part)

    def train_part(self) -> Part:
        """Return the labelled tracks that are not held out for the test."""
        part, split = self._labelled()
        return select(part, split.train)

    def test_part(self) -> Part:
        """Return the labelled tracks that are held out for the test."""
        if not self.has_test:
            raise UserError("there is nothing to test on: test_fraction is 0; give a share, as in 0.2")
        part, split = self._labelled()
        return select(part, split.held_out)

    def predict_part(self) -> Part:
        """Return all tracks of ``test/``, whose values are not known."""
        ids = open_store(self.root / "test", self.store_dtype, self.cache).ids
        return Part("test", ids, self.unknown_targets(len(ids), len(self.target_names)), None)

    @staticmethod
    def unknown_targets(tracks: int, targets: int) -> Tensor:
        """Return NaN for each track and axis."""
        return torch.full((tracks, targets), torch.nan)

    def _labelled(self) -> tuple[Part, Split]:
        ids, _, values = read_emotion_labels(self.labels_path, self.target_names)
        low, high = self.value_range
        for identifier, row in zip(ids, values, strict=True):
            for axis, value in zip(self.target_names, row, strict=True):
                if not low <= value <= high:
                    raise UserError(
                        f"{self.labels_path}: track {identifier}: {axis} is {value}, outside the range {low:g} to "
                        f"{high:g}; correct it, or declare another range, as in --data.value_range [1,9]"
                    )
        part = Part("train", ids, torch.tensor(values), None)
        if not self.has_test:
            return part, Split(np.arange(len(ids)), np.arange(0))
        split = split_tracks(
            len(ids),
            None,
            fraction=self.test_fraction,
            folds=self.folds,
            fold=self.fold,
            seed=self.seed,
            purpose="test",
        )
        return part, split

    def _split(self, part: Part) -> Split:
        folds = None if self.has_test else self.folds
        return split_tracks(
            len(part.ids), None, fraction=self.val_fraction, folds=folds, fold=self.fold, seed=self.seed
        )

    def _check_spread(self, targets: Tensor, part: str) -> None:
        for axis, values in zip(self.target_names, targets.T, strict=True):
            if values.min() == values.max():
                raise UserError(
                    f"{self.labels_path}: {axis} is {values[0]:g} for {_all(len(values))} of the {part} part, so that "
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
