"""What a data set folder holds, as label files and the headers of arrays tell: no values are read.

So a folder of any size is surveyed in seconds and in little memory; ``musiclab check`` reads the values too.
"""

from pathlib import Path
from typing import NamedTuple

from tqdm import tqdm

from musiclab.data.arrays import ArrayHeader, read_header, scan_arrays
from musiclab.data.labels import (
    EmotionLabels,
    GenreLabels,
    is_emotion,
    read_emotion_labels,
    read_genre_labels,
    read_table,
)
from musiclab.errors import UserError, raise_first

PARTS = ("train", "test")
NAMED = 5
"""So many tracks are named where a problem concerns several."""


class ArrayFile(NamedTuple):
    """An array file and what its header says."""

    path: Path
    header: ArrayHeader


class Part(NamedTuple):
    """Labels of a part, None where there are none, and its arrays by id."""

    labels: GenreLabels | EmotionLabels | None
    arrays: dict[str, ArrayFile]


class Survey(NamedTuple):
    """A data set folder.

    Attributes:
        root: The folder.
        axes: Names of the emotional axes, None for a data set of genres.
        parts: ``train``, and ``test`` if there is such a folder.
        problems: What is wrong, a line each.
    """

    root: Path
    axes: list[str] | None
    parts: dict[str, Part]
    problems: list[str]

    def find(self, identifier: str) -> tuple[str, ArrayFile] | None:
        """Return the part and the array of a track, train first; None if there is none."""
        for name, part in self.parts.items():
            if identifier in part.arrays:
                return name, part.arrays[identifier]
        return None


def survey_dataset(root: Path) -> Survey:
    """Read the label files and the headers of all arrays of a data set folder.

    Raises:
        UserError: If there is no such folder, a label file is missing or wrong, or no array can be used. A missing
            test part or single arrays that cannot be used are problems of the survey.
    """
    if not root.is_dir():
        raise UserError(f"{root}: no such folder; give the path of a data set")
    emotion = is_emotion(read_table(root / "train_labels.txt"))
    problems: list[str] = []
    parts: dict[str, Part] = {}
    axes: list[str] | None = None
    for name in PARTS:
        path = root / f"{name}_labels.txt"
        labels: GenreLabels | EmotionLabels | None = None
        if name == "train" or path.exists():
            labels = _read(path, emotion, axes)
        elif not emotion:  # the labels of an emotion test set are withheld
            problems.append(f"{path}: no such label file; genre data sets have one")
        if isinstance(labels, EmotionLabels):
            axes = labels.axes
        arrays = survey_arrays(root / name, problems)
        if arrays or labels is not None:
            parts[name] = Part(labels, arrays)
        if labels is not None:
            problems += _compare(root / name, labels.ids, arrays)
    if not any(part.arrays for part in parts.values()):
        raise_first(problems)
    return Survey(root, axes, parts, problems)


def _read(path: Path, emotion: bool, axes: list[str] | None) -> GenreLabels | EmotionLabels:
    """Return the labels of a file; those of ``train/`` with the tracks that the data set gives to validate on."""
    validation = path.with_name("validation_labels.txt")
    given = path.name == "train_labels.txt" and validation.exists()
    if emotion:
        values = read_emotion_labels(path, axes)
        more = read_emotion_labels(validation, values.axes) if given else EmotionLabels([], [], [])
        return EmotionLabels(values.ids + more.ids, values.axes, values.values + more.values)
    genres = read_genre_labels(path)
    others = read_genre_labels(validation) if given else GenreLabels([], [])
    return GenreLabels(genres.ids + others.ids, genres.genres + others.genres)


def survey_arrays(folder: Path, problems: list[str]) -> dict[str, ArrayFile]:
    """Return the arrays of a folder by id, and add to ``problems`` what is wrong with others."""
    files, wrong = scan_arrays(folder)
    problems += wrong
    arrays = {}
    for identifier, path in tqdm(files.items(), desc=f"Surveying {folder.name}", unit="track", delay=1):
        try:
            arrays[identifier] = ArrayFile(path, read_header(path))
        except UserError as error:
            problems.append(str(error))
    return arrays


def _compare(folder: Path, ids: list[str], arrays: dict[str, ArrayFile]) -> list[str]:
    labels = f"{folder.name}_labels.txt"
    missing = [identifier for identifier in ids if identifier not in arrays]
    unknown = sorted(arrays.keys() - set(ids))
    return [
        f"{folder}: {what} {labels}: {name_some(found)}"
        for found, what in ((missing, "no array that can be used for tracks of"), (unknown, "tracks that are not in"))
        if found
    ]


def name_some(ids: list[str]) -> str:
    """Return the first few ids, and how many more there are."""
    more = f" and {len(ids) - NAMED} more" if len(ids) > NAMED else ""
    return ", ".join(ids[:NAMED]) + more
