"""``musiclab check``: everything that is wrong with a data set folder, listed at once."""

from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from musiclab.data.arrays import read_array, scan_arrays
from musiclab.data.labels import (
    LAB_CLASS_MAP,
    EmotionLabels,
    GenreLabels,
    is_emotion,
    merge_genres,
    parse_emotions,
    parse_genres,
    read_table,
)
from musiclab.errors import UserError
from musiclab.spectrogram import NUM_MELS

FOLDERS = ("train", "test")
PARTS = ("train", "validation", "test")
"""Parts that a label file may name the tracks of; those of validation lie in train/."""

Labels = GenreLabels | EmotionLabels


class ArraySummary(NamedTuple):
    """What one sound array is like: rows, frames, dtype, and the ranges of its dB and chroma."""

    rows: int
    frames: int
    dtype: str
    decibels: tuple[float, float]
    chroma: tuple[float, float] | None


class Report(NamedTuple):
    """Problems by kind, and lines that describe what is sound."""

    problems: dict[str, list[str]]
    summary: list[str]


def check(root: str, most: int = 10) -> None:
    """List everything that is wrong with a data set folder, or sum up what it holds.

    Exits with code 1 if anything is wrong.

    Args:
        root: Data set folder with train/, test/, train_labels.txt and, for genres, test_labels.txt; there may be
            validation_labels.txt and, for emotions, test_labels.txt too.
        most: List at most so many problems of a kind; the counts are of all.
    """
    folder = Path(root).expanduser()
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; give the path of a data set")
    problems, summary = inspect_dataset(folder)
    for line in summary:
        print(line)
    for kind, found in problems.items():
        print(f"\n{kind}: {len(found)}")
        for problem in found[:most]:
            print(f"  {problem}")
        if len(found) > most:
            print(f"  and {len(found) - most} more; --most {len(found)} lists them all")
    if problems:
        count = sum(map(len, problems.values()))
        print(f"\n{folder}: {count} {'problem' if count == 1 else 'problems'}")
        raise SystemExit(1)
    print(f"{folder}: nothing is wrong")


def inspect_dataset(root: Path) -> Report:
    """Read a whole data set folder and return what is wrong with it and what it holds."""
    problems: dict[str, list[str]] = {}
    summary: list[str] = []
    labels = _read_labels(root, problems)
    rows: Counter[int] = Counter()
    for folder in FOLDERS:
        files, wrong = scan_arrays(root / folder)
        _add(problems, "Folders and file names", wrong)
        sound = _read_arrays(files.values(), folder, problems)
        rows.update(array.rows for array in sound)
        summary += _describe_arrays(folder, sound)
        listed = {part: found for part, found in labels.items() if (part == "test") == (folder == "test")}
        if not listed:
            summary.append("  without labels")
        for part, found in listed.items():
            summary += _describe_labels(part, found)
        _compare(root / folder, listed, files, problems)
    if len(rows) > 1:
        counts = " and ".join(f"{count} with {number}" for number, count in sorted(rows.items()))
        _add(problems, "Rows", [f"{root}: arrays of different rows: {counts}; a data set needs one kind"])
    _compare_parts(root, labels, problems)
    return Report({kind: found for kind, found in problems.items() if found}, summary)


def _read_labels(root: Path, problems: dict[str, list[str]]) -> dict[str, Labels]:
    """Return the labels of each part that has a label file or must have one."""
    labels: dict[str, Labels] = {}
    emotion = is_emotion(read_table(root / "train_labels.txt"))
    for part in PARTS:
        path = root / f"{part}_labels.txt"
        if not path.exists() and (part == "validation" or (part == "test" and emotion)):
            continue  # none need be given; the labels of an emotion test set may be withheld
        table = read_table(path)
        labels[part], wrong = parse_emotions(table, path) if is_emotion(table) else parse_genres(table, path)
        _add(problems, "Label files", wrong)
    return labels


def _read_arrays(files: Iterable[Path], part: str, problems: dict[str, list[str]]) -> list[ArraySummary]:
    sound = []
    for path in tqdm(list(files), desc=f"Reading {part}", unit="track", delay=1):
        try:
            array = read_array(path)
        except UserError as error:
            _add(problems, "Arrays", [str(error)])
            continue
        if np.abs(array).max() > np.finfo(np.float16).max:
            _add(problems, "Arrays", [f"{path}: values up to {np.abs(array).max():.3g}; expected dB and chroma"])
            continue
        mel, chroma = array[:NUM_MELS], array[NUM_MELS:]
        ranges = [(float(values.min()), float(values.max())) for values in (mel, chroma) if values.size]
        rows, frames = array.shape
        sound.append(ArraySummary(rows, frames, array.dtype.name, ranges[0], ranges[1] if len(ranges) == 2 else None))
    return sound


def _compare(
    folder: Path, labels: Mapping[str, Labels], files: Mapping[str, Path], problems: dict[str, list[str]]
) -> None:
    """Compare the arrays of a folder with the label files of its parts."""
    label_files = " or ".join(f"{part}_labels.txt" for part in labels)
    listed = {identifier for found in labels.values() for identifier in found.ids}
    if not all(found.ids for found in labels.values()) or not labels:
        return  # what is wrong is the label file
    _add(
        problems,
        "Missing files",
        [
            f"{folder}: no file for track {identifier} of {part}_labels.txt"
            for part, found in labels.items()
            for identifier in sorted(set(found.ids) - files.keys())
        ],
    )
    _add(
        problems,
        "Files without a label",
        [f"{path}: not in {label_files}" for identifier, path in files.items() if identifier not in listed],
    )


def _compare_parts(root: Path, labels: Mapping[str, Labels], problems: dict[str, list[str]]) -> None:
    """Look for tracks that stand in two parts, and for labels that those of training do not have."""
    sound = {part: found for part, found in labels.items() if found.ids}
    for (one, first), (other, second) in combinations(sound.items(), 2):
        _add(
            problems,
            "Tracks in two parts",
            [f"{root}: track {i} is both in {one} and in {other}" for i in sorted(set(first.ids) & set(second.ids))],
        )
    train = sound.pop("train", None)
    for part, found in sound.items() if train is not None else ():
        path = root / f"{part}_labels.txt"
        if isinstance(train, GenreLabels) and isinstance(found, GenreLabels):
            # A genre that only this part has is fine if the lab's map merges it into one that training has.
            trained = {*train.genres, *merge_genres(train, LAB_CLASS_MAP).genres}
            unknown = sorted(genre for genre in set(found.genres) if not {genre, LAB_CLASS_MAP.get(genre)} & trained)
            wrong = [f"{path}: genre {genre} does not occur in train_labels.txt" for genre in unknown]
            _add(problems, "Genres", wrong)
        elif isinstance(train, EmotionLabels) and isinstance(found, EmotionLabels):
            absent = [axis for axis in train.axes if axis not in found.axes]
            _add(problems, "Axes", [f"{path}: no column {axis}, which train_labels.txt has" for axis in absent])
        else:
            _add(problems, "Label files", [f"{path}: not the kind of labels that train_labels.txt has"])


def _describe_arrays(folder: str, sound: list[ArraySummary]) -> list[str]:
    line = f"{folder}: {len(sound)} sound arrays"
    if sound:
        frames = np.array([array.frames for array in sound])
        dtypes = ", ".join(sorted({array.dtype for array in sound}))
        rows = ", ".join(str(number) for number in sorted({array.rows for array in sound}))
        line += (
            f", {rows} rows, {frames.min()} to {frames.max()} frames (median {np.median(frames):.0f}), {dtypes}, "
            f"dB {_range(array.decibels for array in sound)}"
        )
        chroma = [array.chroma for array in sound if array.chroma]
        if chroma:
            line += f", chroma {_range(chroma)}"
    return [line]


def _describe_labels(part: str, labels: Labels) -> list[str]:
    prefix = f"  validation ({len(labels.ids)} tracks): " if part == "validation" else "  "
    if isinstance(labels, GenreLabels) and labels.ids:
        counts = Counter(labels.genres)
        return [f"{prefix}{len(counts)} genres: " + ", ".join(f"{genre} {counts[genre]}" for genre in sorted(counts))]
    if isinstance(labels, EmotionLabels) and labels.ids:
        columns = zip(labels.axes, np.array(labels.values).T, strict=True)
        return [prefix + ", ".join(f"{axis} {values.min():g}..{values.max():g}" for axis, values in columns)]
    return []


def _range(ranges: Iterable[tuple[float, float]]) -> str:
    low, high = np.array(list(ranges)).T
    return f"{low.min():g}..{high.max():g}"


def _add(problems: dict[str, list[str]], kind: str, found: list[str]) -> None:
    problems.setdefault(kind, []).extend(found)
