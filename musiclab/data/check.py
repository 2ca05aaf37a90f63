"""``musiclab check``: everything that is wrong with a data set folder, listed at once."""

from collections import Counter
from collections.abc import Iterable
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
from musiclab.features import NUM_MELS

PARTS = ("train", "test")


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
        root: Data set folder with train/, test/, train_labels.txt and, for genres, test_labels.txt.
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
    labels = {part: _read_labels(root, part, problems) for part in PARTS}
    rows: Counter[int] = Counter()
    for part in PARTS:
        files, wrong = scan_arrays(root / part)
        _add(problems, "Folders and file names", wrong)
        sound = _read_arrays(files.values(), part, problems)
        rows.update(array.rows for array in sound)
        summary += _describe(part, labels[part], sound)
        listed = labels[part]
        if listed is not None and listed.ids:
            _compare(root / part, listed.ids, files, problems)
    if len(rows) > 1:
        counts = " and ".join(f"{count} with {number}" for number, count in sorted(rows.items()))
        _add(problems, "Rows", [f"{root}: arrays of different rows: {counts}; a data set needs one kind"])
    _compare_genres(root, labels["train"], labels["test"], problems)
    return Report({kind: found for kind, found in problems.items() if found}, summary)


def _read_labels(root: Path, part: str, problems: dict[str, list[str]]) -> GenreLabels | EmotionLabels | None:
    path = root / f"{part}_labels.txt"
    if part == "test" and not path.exists() and is_emotion(read_table(root / "train_labels.txt")):
        return None  # the labels of an emotion test set are withheld
    table = read_table(path)
    labels: GenreLabels | EmotionLabels
    labels, wrong = parse_emotions(table, path) if is_emotion(table) else parse_genres(table, path)
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


def _compare(folder: Path, ids: list[str], files: dict[str, Path], problems: dict[str, list[str]]) -> None:
    label_file = folder.with_name(f"{folder.name}_labels.txt")
    listed = set(ids)
    _add(
        problems,
        "Missing files",
        [
            f"{folder}: no file for track {identifier} of {label_file.name}"
            for identifier in sorted(listed - files.keys())
        ],
    )
    _add(
        problems,
        "Files without a label",
        [f"{path}: not in {label_file.name}" for identifier, path in files.items() if identifier not in listed],
    )


def _compare_genres(
    root: Path,
    train: GenreLabels | EmotionLabels | None,
    test: GenreLabels | EmotionLabels | None,
    problems: dict[str, list[str]],
) -> None:
    if not isinstance(train, GenreLabels) or not isinstance(test, GenreLabels) or not train.ids:
        return
    # A genre that only the test set has is fine if the lab's map merges it into one that training has.
    trained = {*train.genres, *merge_genres(train, LAB_CLASS_MAP).genres}
    unknown = sorted(genre for genre in set(test.genres) if not {genre, LAB_CLASS_MAP.get(genre)} & trained)
    _add(
        problems,
        "Genres",
        [f"{root / 'test_labels.txt'}: genre {genre} does not occur in train_labels.txt" for genre in unknown],
    )
    both = sorted(set(train.ids) & set(test.ids))
    _add(
        problems,
        "Genres",
        [f"{root}: track {identifier} is both in train and in test" for identifier in both],
    )


def _describe(part: str, labels: GenreLabels | EmotionLabels | None, sound: list[ArraySummary]) -> list[str]:
    lines = [f"{part}: {len(sound)} sound arrays"]
    if sound:
        frames = np.array([array.frames for array in sound])
        dtypes = ", ".join(sorted({array.dtype for array in sound}))
        rows = ", ".join(str(number) for number in sorted({array.rows for array in sound}))
        lines[0] += (
            f", {rows} rows, {frames.min()} to {frames.max()} frames (median {np.median(frames):.0f}), {dtypes}, "
            f"dB {_range(array.decibels for array in sound)}"
        )
        chroma = [array.chroma for array in sound if array.chroma]
        if chroma:
            lines[0] += f", chroma {_range(chroma)}"
    if isinstance(labels, GenreLabels) and labels.ids:
        counts = Counter(labels.genres)
        lines.append(f"  {len(counts)} genres: " + ", ".join(f"{genre} {counts[genre]}" for genre in sorted(counts)))
    elif isinstance(labels, EmotionLabels) and labels.ids:
        columns = zip(labels.axes, np.array(labels.values).T, strict=True)
        lines.append("  " + ", ".join(f"{axis} {values.min():g}..{values.max():g}" for axis, values in columns))
    elif labels is None:
        lines.append("  without labels")
    return lines


def _range(ranges: Iterable[tuple[float, float]]) -> str:
    low, high = np.array(list(ranges)).T
    return f"{low.min():g}..{high.max():g}"


def _add(problems: dict[str, list[str]], kind: str, found: list[str]) -> None:
    problems.setdefault(kind, []).extend(found)
