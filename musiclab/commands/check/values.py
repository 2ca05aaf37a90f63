"""The values of a data set's arrays: in which range they lie, and whether they can be what they should be."""

from collections import Counter
from pathlib import Path

import numpy as np
import numpy.typing as npt

from musiclab.data.arrays import ArrayHeader, read_float32, require_finite
from musiclab.data.duplicates import MusicIndex
from musiclab.data.survey import ArrayFile, Survey
from musiclab.spectrogram import NARROW, TRANSPOSED, Recipe, chroma_fault, falls, mel_fault, row_kinds

Range = tuple[float, float]

ENOUGH = 100
"""So many square arrays of a folder tell whether bands and frames have changed places."""


class Values:
    """What is found while arrays are read.

    Args:
        recipe: How they were made, if it is said.

    Attributes:
        ranges: Lowest and highest value of each array's mel rows and, if there are any, of its chroma rows; or of
            other values.
        faults: What is wrong with mel and with chroma rows, by array.
        rises: Whether bands and frames of a square array look as if they had changed places, for some of each folder.
        music: The clips, to tell which are the same.
        paths: The file of each of these.
    """

    def __init__(self, recipe: Recipe | None = None) -> None:
        self.recipe = recipe
        self.ranges: dict[Path, dict[str, Range]] = {}
        self.faults: dict[str, dict[Path, str]] = {"mel": {}, "chroma": {}}
        self.rises: dict[Path, list[bool]] = {}
        self.music = MusicIndex()
        self.paths: list[Path] = []

    def read(self, path: Path) -> ArrayHeader:
        """Read an array.

        Raises:
            UserError: If it cannot be used.
        """
        header, array = read_float32(path)
        kinds = {kind: array[rows] for kind, rows in row_kinds(len(array), self.recipe).items()}
        ranges = {kind: (float(rows.min()), float(rows.max())) for kind, rows in kinds.items() if rows.size}
        require_finite(path, *(value for extremes in ranges.values() for value in extremes))
        self.ranges[path] = ranges
        if "mel" in ranges and (fault := mel_fault(kinds["mel"], *ranges["mel"])):
            self.faults["mel"][path] = fault
        if "chroma" in ranges and (fault := chroma_fault(*ranges["chroma"])):
            self.faults["chroma"][path] = fault
        if array.shape[0] == array.shape[1] and "mel" in kinds:
            self._look_at_square(path, kinds["mel"][:, : len(kinds["mel"])])
        self.music.add(array, len(kinds.get("mel", ())))
        self.paths.append(path)
        return header

    def _look_at_square(self, path: Path, mel: npt.NDArray[np.float32]) -> None:
        votes = self.rises.setdefault(path.parent, [])
        if len(votes) < ENOUGH:
            votes.append(falls(mel.mean(axis=0)) and not falls(mel.mean(axis=1)))


def scale_problems(survey: Survey, values: Values) -> list[str]:
    """Return what is wrong with the scale of arrays: a line for a folder if most of its arrays have a fault."""
    problems = []
    for folder, arrays in survey.arrays.items():
        votes = values.rises.get(survey.root / folder, [])
        if sum(votes) > len(votes) / 2:
            problems.append(f"{survey.root / folder}: bands and frames are likely transposed; {TRANSPOSED}")
        for kind in values.faults:
            problems += _rows_problems(survey.root / folder, kind, list(arrays.values()), values)
    return problems


def _rows_problems(folder: Path, kind: str, arrays: list[ArrayFile], values: Values) -> list[str]:
    known = values.faults[kind]
    faults = {path: known[path] for path, _ in arrays if path in known} if known else {}
    counts = Counter(faults.values())
    if counts[NARROW] <= len(arrays) / 2:  # of single tracks, beats of mere noise are such
        faults = {path: fault for path, fault in faults.items() if fault != NARROW}
    if len(faults) <= max(1, len(arrays) / 2):
        return [f"{path}: {kind} rows {_span([path], kind, values)}: {fault}" for path, fault in faults.items()]
    problems = []
    for fault in dict.fromkeys(faults.values()):
        paths = [path for path, own in faults.items() if own == fault]
        count = f"all {len(paths)}" if len(paths) == len(arrays) else f"{len(paths)} of {len(arrays)}"
        span = _span(paths, kind, values)
        problems.append(f"{folder}: {kind} rows of {count} arrays, such as {paths[0].name}, {span}: {fault}")
    return problems


def _span(paths: list[Path], kind: str, values: Values) -> str:
    ranges = [values.ranges[path][kind] for path in paths]
    return f"{min(lowest for lowest, _ in ranges):.3g}..{max(highest for _, highest in ranges):.3g}"
