"""Which tracks of a data set folder are trained, validated and tested on, and which are predicted."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from lightning_utilities.core.rank_zero import rank_zero_info

from musiclab.data.drawing import Draw, Part
from musiclab.data.leaving_out import read_left_out
from musiclab.data.targets import Targets, unknown_targets
from musiclab.errors import UserError
from musiclab.files import stands_there


class Parts:
    """The parts of a data set folder, as its label files name them or else as they are drawn.

    Args:
        root: The folder.
        targets: Reads its label files.
        draw: How tracks are drawn. Those of ``validation_labels.txt`` are validated on instead, unless ``folds``
            share out the tracks of both files.
        test_fraction: Share of the training tracks held out for the test, unless ``test_labels.txt`` names others and
            there are no ``folds``; 0 to test nothing; None: the test is always on the tracks of that file, or on
            nothing if there is none.
        leave_out: File of tracks, and of artists, to be neither trained nor validated on; None to leave out none.
    """

    def __init__(
        self,
        root: Path,
        targets: Targets,
        draw: Draw,
        test_fraction: float | None = None,
        leave_out: Path | None = None,
    ) -> None:
        self.root = root
        self.targets = targets
        self.draw = draw
        self.test_fraction = test_fraction
        self.leave_out = leave_out

    @property
    def has_test(self) -> bool:
        """Whether there are labelled tracks to test on."""
        return stands_there(self.labels_path("test")) if self.test_fraction is None else self.test_fraction != 0

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

    def train_and_validation(self) -> tuple[Part, Part]:
        """Return the tracks to train on and those to validate on, at most ``limit`` of them.

        Of artists, it is said how many each part has that is drawn.

        Raises:
            UserError: If a label file is wrong, or there are too few tracks, or artists, for the split.
        """
        part = pool = self._pool()
        if self._draws_test():
            part, test = self._hold_out_test(pool)
            self._tell("Test", test, pool, self.draw.folds)
        if self.is_given("validation"):
            path = self.labels_path("validation")
            part, given = self._left_in(part, self.labelled("validation"))
            rank_zero_info(f"Validation: the {len(given.ids)} tracks of {path}, instead of val_fraction")
            train, validation = self.draw.limited_both(part, given)
            return train.limit(self.draw.train_limit, self.draw.seed), validation
        folds = None if self._draws_test() else self.draw.folds
        (part,) = self._left_in(part)
        limited = part.limit(self.draw.limit, self.draw.seed)
        train, validation = self.draw.hold_out(limited, self.draw.val_fraction, folds, "val")
        self._tell("Validation", validation, limited, folds)
        return train.limit(self.draw.train_limit, self.draw.seed), validation

    def test(self) -> Part:
        """Return the labelled tracks to test on, all of them: those given, else those held out."""
        if self.test_fraction == 0:
            raise UserError("there is nothing to test on: test_fraction is 0; give a share, as in 0.2")
        if not self.has_test:
            raise UserError(
                f"{self.labels_path('test')}: no such label file, so there is nothing to test on; name tracks of test/ "
                "in it, or train with a share held out, as by --data.test_fraction 0.2"
            )
        return self._hold_out_test(self._pool())[1] if self._draws_test() else self.labelled("test")

    def tell_test(self, ids: Mapping[str, Sequence[str]]) -> None:
        """Say that the test part is none, given or the same for all folds, and which parts have artists of others.

        Args:
            ids: Tracks of each part of a training.
        """
        if not self.has_test and self.test_fraction is None:
            path = self.labels_path("test")
            rank_zero_info(f"Test: none, as there is no {path}; --data.test_fraction 0.2 would hold out a share")
        if self.test_fraction and self.is_given("test"):
            rank_zero_info(f"Test: the tracks of {self.labels_path('test')}, instead of test_fraction")
        if self.draw.folds and self.test_fraction is None and self.has_test:
            rank_zero_info(
                f"Test: the {len(ids['test'])} tracks of {self.labels_path('test')}, the same for all folds, which are "
                "validated on; --data.test_fraction 0.2 would test on the folds"
            )
        artists = self.draw.artists
        pairs = (("validation", "train"), ("test", "train"), ("test", "validation"))
        for name, other in pairs if artists else ():
            shared = artists.shared(ids.get(name, ()), ids[other]) if artists else []
            if shared:
                what = "training" if other == "train" else other
                rank_zero_info(
                    f"{self.root}: of {len(ids[name])} {name} tracks, {len(shared)} are by artists of the {what} "
                    f"part ({shared[0]} first); figures on them flatter"
                )

    def predict(self, ids: list[str]) -> Part:
        """Return tracks of ``test/``, with targets as far as ``test_labels.txt`` gives them."""
        targets = unknown_targets(self.targets.kind, len(ids), len(self.targets.names))
        known = self.targets.known(self.labels_path("test"))
        for row, identifier in enumerate(ids):
            if identifier in known:
                targets[row] = known[identifier]
        return Part("test", ids, targets, None)

    def _tell(self, name: str, part: Part, pool: Part, folds: int | None) -> None:
        """Say by how many artists the tracks of a part are that was drawn from some tracks, and those of each genre."""
        artists = self.draw.artists
        if artists is None:
            return
        said = f"{name}: {artists.describe_part(part.ids, pool.ids)}"
        if part.classes is not None and pool.classes is not None:
            said += "; " + artists.describe_classes(part.ids, part.classes, pool.ids, pool.classes, folds)
        rank_zero_info(said)

    def _left_in(self, *parts: Part) -> list[Part]:
        """Return the tracks of parts without those that ``leave_out`` names, and say how many these are.

        Raises:
            UserError: If its file is wrong, or leaves nothing of a part.
        """
        if self.leave_out is None:
            return list(parts)
        named, artists = read_left_out(self.leave_out), self.draw.artists
        if not named.ids and artists is None:
            raise UserError(f"{self.leave_out}: names artists alone, but those of {self.root} are not known; name ids")
        out = named.of([one for part in parts for one in part.ids], artists)
        kept = [part.select(np.array([n for n, i in enumerate(part.ids) if i not in out], np.int64)) for part in parts]
        if not all(part.ids for part in kept):
            raise UserError(f"{self.leave_out}: leaves no track of {self.root} to train or to validate on; name fewer")
        many = f"{len(out)} of {sum(len(part.ids) for part in parts)} tracks"
        unknown = "; by id alone, as artists are not known here" if named.artists and artists is None else ""
        if not out:
            unknown += f"; are its names written as in the files of {self.root}?"
        rank_zero_info(f"Left out of training and validation: {many}, by {self.leave_out}{unknown}")
        return kept

    def _pool(self) -> Part:
        """Return the labelled tracks of ``train/``, but for those that are given to validate on."""
        part = self._labelled_in_train()
        if self.draw.artists is not None and self.is_drawn("train"):
            self.draw.artists.require_any(part.ids)
        return part

    def _labelled_in_train(self) -> Part:
        """Return the tracks of ``train_labels.txt``, with those of ``validation_labels.txt`` for folds."""
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
