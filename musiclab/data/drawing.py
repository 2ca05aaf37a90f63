"""Some tracks of a folder, and how parts of them are drawn."""

from typing import Literal, NamedTuple

import numpy as np
from torch import Tensor, cat

from musiclab.data.artists import Artists
from musiclab.data.grouping import split_groups
from musiclab.data.splitting import Indices, choose_subset, split_tracks
from musiclab.errors import UserError


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
        artists: Who made which track: tracks of one artist are on one side; None to draw each track by itself.
        train_limit: At most so many tracks to train on, of those that are left once all else is drawn.
    """

    val_fraction: float
    folds: int | None
    fold: int
    limit: int | None
    seed: int
    artists: Artists | None = None
    train_limit: int | None = None

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
        """Return the tracks of a part that stay and those that are held out.

        Raises:
            UserError: If there are too few tracks, or artists, for that.
        """
        option = f"--data.{purpose}_fraction"
        ids, classes, fold, seed = part.ids, part.classes, self.fold, self.seed
        try:
            if self.artists is None:
                split = split_tracks(
                    len(ids), classes, fraction=fraction, folds=folds, fold=fold, seed=seed, option=option
                )
            else:
                split = split_groups(
                    self.artists.numbers(ids), classes, fraction=fraction, folds=folds, fold=fold, seed=seed,
                    option=option, otherwise=self.artists.otherwise,
                )  # fmt: skip
        except UserError as error:
            if self.limit is None:
                raise
            raise UserError(f"{error} (with --data.limit {self.limit}; raise it)") from None
        return part.select(split.train), part.select(split.held_out)
