"""Which tracks of a data set folder are trained, validated and tested on, and which are predicted."""

from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from lightning_utilities.core.rank_zero import rank_zero_info
from torch import Tensor, cat

from musiclab.data.splitting import Indices, choose_subset, split_tracks
from musiclab.data.targets import Targets, unknown_targets
from musiclab.errors import UserError
from musiclab.files import stands_there


class Part(NamedTuple):
    """Tracks of one folder: ids, a target for each, and a class for each to stratify by, if any."""

    folder: Literal["train", "test"]
    ids: list[str]
    targets: Tensor
    classes: list[str] | None

    def select(self, indices: Indices) -> "Part":
        """Return the tracks that ``indices`` name, in that order."""
        classes = None if self.classes is None else [self.classes[index] for index in indices]
        return Part(self.folder, [self.ids[index] for index in indices], self.targets[indices], classes)

    def join(self, other: "Part") -> "Part":
        """Return the tracks of two parts of the same folder."""
        classes = None if self.classes is None or other.classes is None else self.classes + other.classes
        return Part(self.folder, self.ids + other.ids, cat([self.targets, other.targets]), classes)

    def by_id(self) -> "Part":
        """Return the tracks in the order of their ids, whatever that of rows and files: what is drawn goes by it."""
        return self.select(np.array(sorted(range(len(self.ids)), key=self.ids.__getitem__), np.int64))

    def limit(self, limit: int | None, seed: int) -> "Part":
        """Return at most ``limit`` tracks, drawn by ``seed``, an equal number per class as far as there are.

        Raises:
            UserError: If ``limit`` leaves no track.
        """
        return self.select(choose_subset(len(self.ids), self.classes, limit, seed))


class Draw(NamedTuple):
    """How tracks are drawn where no label file names them.

    Attributes:
        val_fraction: Share of the training tracks held out for validation.
        folds: Number of folds, of which ``fold`` is held out: for the test if that is drawn, else for validation.
        fold: See ``folds``.
        limit: At most so many tracks of each folder.
        seed: Of all that is drawn.
    """

    val_fraction: float
    folds: int | None
    fold: int
    limit: int | None
    seed: int

    def limited_both(self, train: Part, validation: Part) -> tuple[Part, Part]:
        """Return at most ``limit`` tracks of two parts together, in the proportion of their sizes, and some of each.

        Raises:
            UserError: If ``limit`` leaves no track to one of them.
        """
        if self.limit is None:
            return train, validation
        if self.limit < 2:
            raise UserError(f"limit is {self.limit}; it must be 2 or more, for a track to train and one to validate on")
        share = len(validation.ids) / (len(train.ids) + len(validation.ids))
        for_validation = min(max(1, round(self.limit * share)), self.limit - 1)
        return train.limit(self.limit - for_validation, self.seed), validation.limit(for_validation, self.seed)

    def hold_out(self, part: Part, fraction: float, folds: int | None, purpose: str) -> tuple[Part, Part]:
        """Return the tracks of a part that stay and those that are held out."""
        option = f"--data.{purpose}_fraction"
        ids, classes, fold, seed = part.ids, part.classes, self.fold, self.seed
        try:
            split = split_tracks(len(ids), classes, fraction=fraction, folds=folds, fold=fold, seed=seed, option=option)
        except UserError as error:
            if self.limit is None:
                raise
            raise UserError(f"{error} (with --data.limit {self.limit}; raise it)") from None
        return part.select(split.train), part.select(split.held_out)


class Parts:
    """The parts of a data set folder, as its label files name them or else as they are drawn.

    Args:
        root: The folder.
        targets: Reads its label files.
        draw: How tracks are drawn. Those of ``validation_labels.txt`` are validated on instead, unless ``folds``
            share out the tracks of both files.
        test_fraction: Share of the training tracks held out for the test, unless ``test_labels.txt`` names others and
            there are no ``folds``; 0 to test nothing; None: the test is always on the tracks of that file.
    """

    def __init__(self, root: Path, targets: Targets, draw: Draw, test_fraction: float | None = None) -> None:
        self.root = root
        self.targets = targets
        self.draw = draw
        self.test_fraction = test_fraction

    @property
    def has_test(self) -> bool:
        """Whether there are labelled tracks to test on."""
        return self.test_fraction != 0

    def labels_path(self, name: str) -> Path:
        """Return where the label file of a part is, if it has one."""
        return self.root / f"{name}_labels.txt"

    def is_given(self, name: str) -> bool:
        """Tell whether the tracks of a part are those of a label file of its own."""
        return self.draw.folds is None and stands_there(self.labels_path(name))

    def is_drawn(self, name: str) -> bool:
        """Tell whether the tracks of a part depend on a draw."""
        if name == "train":
            return self.is_drawn("validation") or self.is_drawn("test")
        return self._draws_test() if name == "test" else not self.is_given(name)

    def labelled(self, name: str) -> Part:
        """Return the tracks of the label file of a part: ``train``, ``validation`` or ``test``."""
        return Part("test" if name == "test" else "train", *self.targets.read(self.labels_path(name))).by_id()

    def folder(self, name: str) -> str:
        """Return the folder that the tracks of a part lie in."""
        return "test" if name == "predict" or (name == "test" and not self._draws_test()) else "train"

    def label_files(self, folder: str) -> list[Path]:
        """Return the label files of the tracks of ``train`` or ``test``, as far as there are any."""
        names = ("test",) if folder == "test" else ("train", "validation")
        return [path for path in map(self.labels_path, names) if stands_there(path)]

    def train(self) -> Part:
        """Return the tracks that are not tested on; validation tracks are among them unless they are given.

        Raises:
            UserError: If a label file is wrong, or a track stands in two of them.
        """
        part = self._pool()
        return self._hold_out_test(part)[0] if self._draws_test() else part

    def train_and_validation(self) -> tuple[Part, Part]:
        """Return the tracks to train on and those to validate on, at most ``limit`` of them."""
        part = self.train()
        if self.is_given("validation"):
            path, given = self.labels_path("validation"), self.labelled("validation")
            rank_zero_info(f"Validation: the {len(given.ids)} tracks of {path}, instead of val_fraction")
            return self.draw.limited_both(part, given)
        folds = None if self._draws_test() else self.draw.folds
        limited = part.limit(self.draw.limit, self.draw.seed)
        return self.draw.hold_out(limited, self.draw.val_fraction, folds, "val")

    def test(self) -> Part:
        """Return the labelled tracks to test on, all of them: those given, else those held out."""
        if not self.has_test:
            raise UserError("there is nothing to test on: test_fraction is 0; give a share, as in 0.2")
        return self._hold_out_test(self._pool())[1] if self._draws_test() else self.labelled("test")

    def predict(self, ids: list[str]) -> Part:
        """Return tracks of ``test/``, with targets as far as ``test_labels.txt`` gives them."""
        targets = unknown_targets(self.targets.kind, len(ids), len(self.targets.names))
        known = self.targets.known(self.labels_path("test"))
        for row, identifier in enumerate(ids):
            if identifier in known:
                targets[row] = known[identifier]
        return Part("test", ids, targets, None)

    def _pool(self) -> Part:
        """Return the labelled tracks of ``train/``, but for those that are given to validate on."""
        part = self.labelled("train")
        if not stands_there(self.labels_path("validation")):
            return part
        given = self.labelled("validation")
        both = sorted(set(part.ids) & set(given.ids))
        if both:
            raise UserError(
                f"{self.labels_path('validation')}: track {both[0]} stands in train_labels.txt too"
                f"{f' (and {len(both) - 1} more)' if len(both) > 1 else ''}; remove it from one of them"
            )
        return part if self.draw.folds is None else part.join(given).by_id()

    def _draws_test(self) -> bool:
        return bool(self.test_fraction) and not self.is_given("test")

    def _hold_out_test(self, part: Part) -> tuple[Part, Part]:
        return self.draw.hold_out(part, self.test_fraction or 0.0, self.draw.folds, "test")
