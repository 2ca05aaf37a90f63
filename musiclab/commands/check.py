"""``musiclab check``: everything that is wrong with a data set folder, listed at once."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from musiclab.data.arrays import ArrayHeader, read_array
from musiclab.data.labels import GenreLabels
from musiclab.data.survey import ArrayFile, Labels, survey_dataset
from musiclab.errors import UserError
from musiclab.spectrogram import NUM_MELS

Range = tuple[float, float]


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
    ranges: dict[Path, list[Range]] = {}

    def read_values(path: Path) -> ArrayHeader:
        array = read_array(path)
        if np.abs(array).max() > np.finfo(np.float16).max:
            raise UserError(f"{path}: values up to {np.abs(array).max():.3g}; expected dB and chroma")
        kinds = (array[:NUM_MELS], array[NUM_MELS:])
        ranges[path] = [(float(values.min()), float(values.max())) for values in kinds if values.size]
        return ArrayHeader(array.shape[0], array.shape[1], array.dtype.name)

    survey = survey_dataset(root, read_values)
    summary: list[str] = []
    for folder, arrays in survey.arrays.items():
        labels = survey.labels[folder]
        summary.append(_describe_arrays(folder, list(arrays.values()), ranges))
        summary += [line for part, found in labels.items() for line in _describe_labels(part, found)]
        if not labels:
            summary.append("  without labels")
    return Report(survey.problems, summary)


def _describe_arrays(folder: str, sound: list[ArrayFile], ranges: Mapping[Path, list[Range]]) -> str:
    line = f"{folder}: {len(sound)} sound arrays"
    if not sound:
        return line
    frames = np.array([array.header.columns for array in sound])
    dtypes = ", ".join(sorted({array.header.dtype for array in sound}))
    rows = ", ".join(str(number) for number in sorted({array.header.rows for array in sound}))
    line += f", {rows} rows, {frames.min()} to {frames.max()} frames (median {np.median(frames):.0f}), {dtypes}"
    for index, name in enumerate(("dB", "chroma")):
        found = np.array([ranges[array.path][index] for array in sound if len(ranges[array.path]) > index])
        line += f", {name} {found.min():g}..{found.max():g}" if found.size else ""
    return line


def _describe_labels(part: str, labels: Labels) -> list[str]:
    if not labels.ids:
        return []
    prefix = f"  validation ({len(labels.ids)} tracks): " if part == "validation" else "  "
    if isinstance(labels, GenreLabels):
        counts = Counter(labels.genres)
        return [f"{prefix}{len(counts)} genres: " + ", ".join(f"{genre} {counts[genre]}" for genre in sorted(counts))]
    columns = zip(labels.axes, np.array(labels.values).T, strict=True)
    return [prefix + ", ".join(f"{axis} {values.min():g}..{values.max():g}" for axis, values in columns)]
