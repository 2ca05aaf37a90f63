"""What label files say of tracks, as the targets of a model."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from musiclab.batch import OutputKind
from musiclab.data.labels import (
    EmotionLabels,
    GenreLabels,
    is_emotion,
    merge_genres,
    range_of,
    read_emotion_labels,
    read_genre_labels,
    read_table,
    read_tag_labels,
)
from musiclab.data.tables import as_list, one_form
from musiclab.errors import UserError
from musiclab.files import stands_there


class Labelled(NamedTuple):
    """Tracks of a label file: ids, a target for each, and a class for each to stratify by, if any."""

    ids: list[str]
    targets: Tensor
    classes: list[str] | None


class Targets(Protocol):
    """Targets of one kind.

    Attributes:
        kind: Classes, values or tags.
        names: Genres, axes or tags, in the order of the model's outputs.
    """

    kind: OutputKind
    names: list[str]

    def read(self, path: Path) -> Labelled:
        """Return the tracks of a label file.

        Raises:
            UserError: If the file is missing or wrong.
        """

    def known(self, path: Path) -> Mapping[str, Tensor]:
        """Return the target of each track of a label file, as far as there is one and it is of this kind."""


def unknown_targets(kind: OutputKind, tracks: int, targets: int) -> Tensor:
    """Return what stands for the targets of tracks without labels: -1 for a class, NaN for each value or tag."""
    return torch.full((tracks,), -1) if kind == "classes" else torch.full((tracks, targets), torch.nan)


class GenreTargets(Targets):
    """The number of each track's genre, among those of a model.

    Args:
        path: Label file whose genres the model's are, sorted, unless ``names`` are given.
        class_map: New name of each genre, null to drop its tracks.
        names: Genres in the order of the model's outputs, as a list or with commas between them.

    Raises:
        UserError: If a genre is named twice, or there are not two of them.
    """

    kind: OutputKind = "classes"

    def __init__(self, path: Path, class_map: Mapping[str, str | None] | None, names: str | list[str] | None) -> None:
        self.class_map = class_map and {one_form(genre): new and one_form(new) for genre, new in class_map.items()}
        self.names = as_list(names or "", lambda text: one_form(text) in self._read(path).genres)
        self.names = self.names or sorted(set(self._read(path).genres))
        if len(self._numbers()) < len(self.names):
            raise UserError(f"target_names are {', '.join(self.names)}; name each genre once")
        if len(self.names) < 2:
            raise UserError(f"{path}: the only genre is {self.names[0]}; a model needs two or more to tell apart")

    def read(self, path: Path) -> Labelled:
        """Return the tracks of a label file.

        Raises:
            UserError: If the file is missing or wrong, no track is left, or one has a genre that is none of the
                model's.
        """
        labels = self._read(path)
        numbers = self._numbers()
        unknown = sorted(set(labels.genres) - numbers.keys())
        if unknown:
            raise UserError(
                f"{path}: genre {', '.join(unknown)} is none of the model's "
                f"({', '.join(self.names)}); correct the labels or map it with --data.class_map"
            )
        return Labelled(labels.ids, torch.tensor([numbers[genre] for genre in labels.genres]), labels.genres)

    def known(self, path: Path) -> Mapping[str, Tensor]:
        """Return the target of each track that has one of the model's genres."""
        if not stands_there(path) or is_emotion(read_table(path)):
            return {}
        labels = merge_genres(read_genre_labels(path), self.class_map)
        pairs, numbers = zip(*labels, strict=True), self._numbers()
        return {identifier: torch.tensor(numbers[genre]) for identifier, genre in pairs if genre in numbers}

    def _numbers(self) -> dict[str, int]:
        return {one_form(name): number for number, name in enumerate(self.names)}

    def _read(self, path: Path) -> GenreLabels:
        labels = merge_genres(read_genre_labels(path), self.class_map)
        if not labels.ids:
            raise UserError(f"{path}: class_map drops every track; use --data.class_map null to keep all genres")
        return labels


class _ColumnTargets(Targets):
    """A number for each track in each of some columns of a label file.

    Args:
        read: Reads these columns, or all if None.
        path: Label file with the columns.
        names: Their name or names, as a list or with commas between them; None for all.
        said: What the names are, as the option says it; one of them; an example.

    Raises:
        UserError: If a column is named twice, or there are none.
    """

    def __init__(
        self,
        read: Callable[[Path, Sequence[str] | None], EmotionLabels],
        path: Path,
        names: str | list[str] | None,
        said: tuple[str, str, str],
    ) -> None:
        if names is None:
            found = read(path, None).axes
        else:
            found = list(map(one_form, as_list(names, lambda text: one_form(text) in read_table(path).columns)))
        if not found or len(set(found)) < len(found):
            several, one, example = said
            listed = ", ".join(found) or "none"
            raise UserError(f"{several} are {listed}; name each {one} once, as in --data.{several} {example}")
        self.names = found
        self._read = read

    def read(self, path: Path) -> Labelled:
        """Return the tracks of a label file.

        Raises:
            UserError: If the file is missing or wrong.
        """
        ids, _, values = self._read(path, self.names)
        return Labelled(ids, torch.tensor(values), None)

    def known(self, path: Path) -> Mapping[str, Tensor]:
        """Return the values of each track, of a file with all the columns."""
        table = read_table(path)
        if not is_emotion(table) or not set(self.names) <= set(table.columns):
            return {}
        labelled = self.read(path)
        return dict(zip(labelled.ids, labelled.targets, strict=True))


class EmotionTargets(_ColumnTargets):
    """The values of each track on some axes.

    Args:
        path: Label file with the axes.
        axes: Name or names of its columns, as a list or with commas between them; None for all.
        value_range: Lowest and highest value that a label can have.

    Raises:
        UserError: If an axis is named twice, or there are none.
    """

    kind: OutputKind = "values"

    def __init__(self, path: Path, axes: str | list[str] | None, value_range: tuple[float, float]) -> None:
        super().__init__(read_emotion_labels, path, axes, ("axes", "axis", "valence"))
        if not value_range[0] < value_range[1]:
            raise UserError(f"value_range is {list(value_range)}; give the lowest and the highest value, as in [1,9]")
        self.value_range = value_range

    def read(self, path: Path) -> Labelled:
        """Return the tracks of a label file.

        Raises:
            UserError: If the file is missing or wrong, or a value is out of range.
        """
        ids, _, values = read_emotion_labels(path, self.names)
        low, high = self.value_range
        found = [value for row in values for value in row]
        for identifier, row in zip(ids, values, strict=True):
            for axis, value in zip(self.names, row, strict=True):
                if not low <= value <= high:
                    raise UserError(
                        f"{path}: track {identifier}: {axis} is {value}, outside the range {low:g} to "
                        f"{high:g}; correct it, or declare the range of all: --data.value_range {range_of(found)}"
                    )
        return Labelled(ids, torch.tensor(values), None)

    def check_spread(self, values: Tensor, part: str, path: Path) -> None:
        """Refuse a part in which all tracks have the same value on an axis.

        Args:
            values: Of the tracks of the part, ``(tracks, axes)``.
            part: Its name.
            path: Its label file.

        Raises:
            UserError: Naming the axis.
        """
        for axis, column in zip(self.names, values.T, strict=True):
            if column.min() == column.max():
                tracks = "the only track" if len(column) == 1 else f"all {len(column)} tracks"
                raise UserError(
                    f"{path}: {axis} is {column[0]:g} for {tracks} of the {part} part, so that "
                    "Spearman's correlation is undefined; label more tracks, hold out more (val_fraction, "
                    "test_fraction), raise limit or leave the axis out (--data.axes)"
                )


class TagTargets(_ColumnTargets):
    """1 for those of some tags that each track has, 0 for the others.

    Args:
        path: Label file with a column for each tag.
        tags: Name or names of its columns, as a list or with commas between them; None for all.

    Raises:
        UserError: If a tag is named twice, there are none, or one is called as the end of an interval is.
    """

    kind: OutputKind = "tags"

    def __init__(self, path: Path, tags: str | list[str] | None) -> None:
        super().__init__(read_tag_labels, path, tags, ("tags", "tag", "rock,piano"))
        # Of the scores test_roc_auc and test_roc_auc_TAG, such are the names of the intervals' ends.
        ends = {end if name is None else f"{name}_{end}" for name in (None, *self.names) for end in ("low", "high")}
        if taken := sorted(ends.intersection(self.names)):
            raise UserError(
                f"{path}: a tag is called {taken[0]}, as the results of a test call the end of an interval; rename the "
                "column"
            )

    def untold(self, targets: Tensor) -> list[str]:
        """Return the tags that all of some tracks have, or none, so that nothing is to be learnt of them.

        Args:
            targets: Of the tracks, ``(tracks, tags)``.
        """
        return [name for name, column in zip(self.names, targets.T, strict=True) if column.min() == column.max()]
