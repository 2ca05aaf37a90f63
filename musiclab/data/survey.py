"""What a data set folder holds and everything that is wrong with it, as label files and arrays tell.

By default no more than the headers of arrays is read, so that a folder of any size is surveyed in seconds and in little
memory; ``musiclab check`` reads the values too.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

from tqdm import tqdm

from musiclab.data.arrays import ROW_COUNTS, ArrayHeader, read_header, scan_arrays
from musiclab.data.labels import (
    EmotionLabels,
    GenreLabels,
    is_emotion,
    lab_map,
    looks_like_tags,
    merge_genres,
    parse_emotions,
    parse_genres,
    parse_tags,
    read_table,
    similar_genres,
)
from musiclab.data.recipe import find_recipe
from musiclab.errors import UserError, raise_first
from musiclab.files import stands_there
from musiclab.spectrogram import TRANSPOSED, Recipe

FOLDERS = ("train", "test")
Labels = GenreLabels | EmotionLabels
Problems = defaultdict[str, list[str]]
"""What is wrong, a line each, by kind."""


class ArrayFile(NamedTuple):
    """An array file and what its header says."""

    path: Path
    header: ArrayHeader


class Part(NamedTuple):
    """Labels of a folder, None where there are none, and its arrays by id."""

    labels: Labels | None
    arrays: dict[str, ArrayFile]


@dataclass(frozen=True)
class Survey:
    """A data set folder.

    Attributes:
        root: The folder.
        labels: Those of each part that has a label file, by the folder that its tracks lie in.
        arrays: Those of ``train`` and of ``test`` that can be used, by id.
        problems: What is wrong.
        recipe: How the arrays were made; None if no ``features.json`` says it.
        of_tags: Whether the values are tags: 0 or 1.
    """

    root: Path
    labels: dict[str, dict[str, Labels]]
    arrays: dict[str, dict[str, ArrayFile]]
    problems: Problems
    recipe: Recipe | None = None
    of_tags: bool = False

    @property
    def axes(self) -> list[str] | None:
        """Names of the emotional axes, or of the tags, None for a data set of genres."""
        train = self.labels["train"]["train"]
        return train.axes if isinstance(train, EmotionLabels) else None

    @cached_property
    def parts(self) -> dict[str, Part]:
        """``train``, with the labels of validation tracks, and ``test`` if there is anything of it."""
        parts = {}
        for folder, arrays in self.arrays.items():
            labels = _join(list(self.labels[folder].values()), self.axes)
            if labels or arrays:
                parts[folder] = Part(labels, arrays)
        return parts

    def find(self, identifier: str) -> tuple[str, ArrayFile] | None:
        """Return the folder and the array of a track, train first; None if there is none."""
        found = ((name, arrays[identifier]) for name, arrays in self.arrays.items() if identifier in arrays)
        return next(found, None)

    def all_problems(self) -> list[str]:
        """Return what is wrong, of all kinds."""
        return [problem for found in self.problems.values() for problem in found]

    def require_use(self) -> None:
        """Make sure that there is something to show.

        Raises:
            UserError: If a label file is wrong or no array can be used.
        """
        raise_first(self.problems["Label files"] + self.problems["Axes"])
        if not any(self.arrays.values()):
            raise_first(self.all_problems())


def survey_dataset(root: Path, read: Callable[[Path], ArrayHeader] = read_header, tags: bool | None = None) -> Survey:
    """Read the label files and all arrays of a data set folder.

    Args:
        root: The folder.
        read: Reads an array, as far as it is to be read, and raises a UserError if it cannot be used.
        tags: Whether the labels are tags; None to go by the values of ``train_labels.txt``.

    Raises:
        UserError: If there is no such folder; all else that is wrong is a problem of the survey.
    """
    if not root.is_dir():
        raise UserError(f"{root}: no such folder; give the path of a data set")
    problems: Problems = defaultdict(list)
    recipe = known_recipe(root, problems)
    if tags is None:
        tags = looks_like_tags(read_table(root / "train_labels.txt"))
    labels = _read_labels(root, problems, tags)
    arrays: dict[str, dict[str, ArrayFile]] = {folder: {} for folder in FOLDERS}
    for folder in FOLDERS:
        if folder == "test" and not labels["test"] and not stands_there(root / folder):
            continue  # a training draws its test part from train/, or tests nothing
        files, arrays[folder] = survey_arrays(root / folder, problems, read)
        _compare(root / folder, labels[folder], files, problems)
    _compare_rows(root, arrays, recipe, problems)
    _compare_parts(root, labels["train"] | labels["test"], problems)
    wrong = defaultdict(list, {kind: found for kind, found in problems.items() if found})
    return Survey(root, labels, arrays, wrong, recipe, tags)


def survey_arrays(
    folder: Path, problems: Problems, read: Callable[[Path], ArrayHeader] = read_header
) -> tuple[dict[str, Path], dict[str, ArrayFile]]:
    """Return the array files of a folder by id, and those that can be used; add what is wrong to ``problems``."""
    files, wrong = scan_arrays(folder)
    problems["Folders and file names"] += wrong
    arrays = {}
    for identifier, path in tqdm(files.items(), desc=f"Reading {folder.name}", unit="track", delay=1):
        try:
            arrays[identifier] = ArrayFile(path, read(path))
        except UserError as error:
            problems["Arrays"].append(str(error))
    return files, arrays


def _join(labels: list[Labels], axes: list[str] | None) -> Labels | None:
    """Return labels of one kind together, values in the order of the axes; None if there are none."""
    if not labels:
        return None
    ids = [identifier for found in labels for identifier in found.ids]
    if axes is None:
        return GenreLabels(ids, [genre for found in labels if isinstance(found, GenreLabels) for genre in found.genres])
    values = []
    for found in labels:
        if isinstance(found, EmotionLabels):
            columns = [found.axes.index(axis) for axis in axes]
            values += [[row[column] for column in columns] for row in found.values]
    return EmotionLabels(ids, axes, values)


def _read_labels(root: Path, problems: Problems, tags: bool) -> dict[str, dict[str, Labels]]:
    """Return the labels of each part that has a label file or must have one to train on, by folder."""
    labels: dict[str, dict[str, Labels]] = {folder: {} for folder in FOLDERS}
    for folder, part in (("train", "train"), ("train", "validation"), ("test", "test")):
        path = root / f"{part}_labels.txt"
        if part == "train" or stands_there(path):
            table = read_table(path)
            found: Labels
            if tags:
                found, wrong = parse_tags(table, path)
            else:
                found, wrong = parse_emotions(table, path) if is_emotion(table) else parse_genres(table, path)
            labels[folder][part] = found
            problems["Label files"] += wrong
    return labels


def known_recipe(root: Path, problems: Problems | None = None) -> Recipe | None:
    """Return the recipe of a data set folder, None if it has none; what is wrong with it goes to ``problems``."""
    try:
        found = find_recipe(root)
    except UserError as error:
        if problems is not None:
            problems["Features"].append(str(error))
        return None
    return found and found[1]


def _compare_rows(
    root: Path, arrays: Mapping[str, dict[str, ArrayFile]], recipe: Recipe | None, problems: Problems
) -> None:
    """Look for arrays of other rows than the rest; those that are neither the lab's nor like most cannot be used."""
    headers = [array.header for found in arrays.values() for array in found.values()]
    counts = Counter(header.rows for header in headers)
    if not counts:
        return
    usual = counts.most_common(1)[0][0]
    if recipe is not None and recipe.rows not in (None, usual):
        problems["Features"].append(f"{root}: features.json says {recipe.rows} rows, but its arrays have {usual}")
    columns = {header.columns for header in headers}
    turned = recipe is None and len(columns) == 1 and columns <= {*ROW_COUNTS} and not counts.keys() & {*ROW_COUNTS}
    if turned and (len(counts) > 1 or usual > max(columns)):
        problems["Rows"].append(
            f"{root}: arrays of {min(counts)} to {max(counts)} rows and {max(columns)} columns each, likely "
            f"transposed; {TRANSPOSED}"
        )
        return
    for found in arrays.values():
        for identifier, (path, header) in list(found.items()):
            if header.rows not in (usual, *ROW_COUNTS):
                problems["Arrays"].append(f"{path}: {header.rows} rows, where most arrays have {usual}")
                del found[identifier]
    kept = Counter(array.header.rows for found in arrays.values() for array in found.values())
    if len(kept) > 1:
        said = " and ".join(f"{count} with {number}" for number, count in sorted(kept.items()))
        problems["Rows"].append(f"{root}: arrays of different rows: {said}; a data set needs one kind")


def _compare(folder: Path, labels: Mapping[str, Labels], files: Mapping[str, Path], problems: Problems) -> None:
    """Compare the files of a folder with the label files of its parts."""
    if not labels or not all(found.ids for found in labels.values()):
        return  # what is wrong is the label file
    for part, found in labels.items():
        missing = sorted(set(found.ids) - files.keys())
        problems["Missing files"] += [f"{folder}: no file for track {i} of {part}_labels.txt" for i in missing]
    listed = {identifier for found in labels.values() for identifier in found.ids}
    named = " or ".join(f"{part}_labels.txt" for part in labels)
    problems["Files without a label"] += [f"{path}: not in {named}" for i, path in files.items() if i not in listed]


def _compare_parts(root: Path, labels: Mapping[str, Labels], problems: Problems) -> None:
    """Look for tracks that stand in two parts, and for labels that those of training do not have."""
    sound = {part: found for part, found in labels.items() if found.ids}
    for (one, first), (other, second) in combinations(sound.items(), 2):
        both = sorted(set(first.ids) & set(second.ids))
        problems["Tracks in two parts"] += [f"{root}: track {i} is both in {one} and in {other}" for i in both]
    genres = Counter(genre for found in sound.values() if isinstance(found, GenreLabels) for genre in found.genres)
    problems["Genres"] += [f"{root}: {similar}" for similar in similar_genres(genres)]
    train = sound.pop("train", None)
    for part, found in sound.items() if train is not None else ():
        path = root / f"{part}_labels.txt"
        if isinstance(train, GenreLabels) and isinstance(found, GenreLabels):
            # A genre that only this part has is fine if the lab's map merges it into one that training has.
            merging = lab_map([train, found]) or {}
            trained = {*train.genres, *merge_genres(train, merging).genres}
            unknown = sorted(genre for genre in set(found.genres) if not {genre, merging.get(genre)} & trained)
            problems["Genres"] += [f"{path}: genre {genre} does not occur in train_labels.txt" for genre in unknown]
        elif isinstance(train, EmotionLabels) and isinstance(found, EmotionLabels):
            absent = [axis for axis in train.axes if axis not in found.axes]
            problems["Axes"] += [f"{path}: no column {axis}, which train_labels.txt has" for axis in absent]
        else:
            problems["Label files"].append(f"{path}: not the kind of labels that train_labels.txt has")
