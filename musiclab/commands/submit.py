"""``musiclab submit``: predictions of emotion models as the solution file of a competition."""

import csv
import math
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from musiclab.data.ids import id_order, track_id
from musiclab.errors import UserError
from musiclab.files import replacing

HEADER = "Id.fused.full.npy.gz,valence,energy,danceability"
"""First line of a solution of the lab's competition."""

SUFFIX = ".fused.full.npy.gz"
"""What a row of the lab's competition adds to the id of its track."""

TRUTH, PREDICTION = "truth_", "prediction_"
"""How columns of an emotion model's predictions.csv begin; the axis follows."""


class Predictions(NamedTuple):
    """A predictions file: ids in their order, values of each axis, and how many of the tracks are labelled."""

    path: Path
    ids: list[str]
    axes: dict[str, npt.NDArray[np.float64]]
    labelled: int


def submit(predictions: list[str], out: str = "solution.txt", header: str = HEADER, suffix: str = SUFFIX) -> None:
    """Join predictions of emotion models into the solution file of a competition.

    Give one predictions.csv with all axes, or one for each axis; where several have an axis, their mean is taken.

    Args:
        predictions: Files predictions.csv that `musiclab predict` left in the run folders of emotion models.
        out: Solution file to write.
        header: First line of the solution: the column of the ids, then the axes in the order wanted.
        suffix: What to add to each id; "" for bare ids.
    """
    path = Path(out).expanduser()
    paths = [Path(name).expanduser() for name in predictions]
    _check_paths(paths, path)
    wanted = solution_axes(header)
    files = [read_predictions(file) for file in paths]
    _check_tracks(files)
    names = list(dict.fromkeys(axis for file in files for axis in file.axes))
    sources = {axis: [file.axes[axis] for file in files if axis in file.axes] for axis in names}
    means = np.stack([np.mean(source, axis=0) for source in sources.values()], axis=1)
    write_solution(path, files[0].ids, names, means, header, suffix)
    _warn_of_labels(files)
    print(f"Solution for {len(files[0].ids)} tracks: {path}")
    for axis in wanted:
        count = len(sources[axis])
        print(f"  {axis}: " + ("1 file" if count == 1 else f"mean of {count} files"))
    unused = [axis for axis in names if axis not in wanted]
    if unused:
        print(f"  left out, not being in the header: {', '.join(unused)}")


def solution_axes(header: str) -> list[str]:
    """Return the axes that the header of a solution names: its columns after the first.

    Raises:
        UserError: If there is none, or one is empty or doubled.
    """
    axes = [column.strip() for column in header.split(",")[1:]]
    if not axes or not all(axes) or len(header.splitlines()) > 1:
        raise UserError(f"header {header!r}: expected one line, a column of ids and then axes: 'Id,valence,energy'")
    doubled = _first_doubled(axes)
    if doubled is not None:
        raise UserError(f"header {header!r}: {doubled} stands there twice; name each axis once")
    return axes


def write_solution(
    path: Path,
    ids: Sequence[str],
    axes: Sequence[str],
    values: npt.NDArray[np.floating[Any]],
    header: str = HEADER,
    suffix: str = SUFFIX,
) -> None:
    """Write the solution file of a competition, in the order of the ids; whole or not at all.

    Args:
        path: File to write.
        ids: Ids of the tracks, in any order.
        axes: Axes of the values; those that the header does not name are left out.
        values: One row per track, one column per axis.
        header: First line: the column of the ids, then the axes.
        suffix: What to add to each id.

    Raises:
        UserError: If the header names an axis that is not there, or a value is not finite.
    """
    wanted = solution_axes(header)
    missing = [axis for axis in wanted if axis not in axes]
    if missing:
        raise UserError(
            f"{path}: not written: the header {header!r} names {', '.join(missing)}, but the predictions are of "
            f"{', '.join(axes)}; add predictions of what is missing, or give another header"
        )
    columns = values[:, [axes.index(axis) for axis in wanted]]
    wrong = np.argwhere(~np.isfinite(columns))
    if len(wrong):
        row, column = wrong[0]
        raise UserError(
            f"{path}: not written: {wanted[column]} of track {ids[row]} is {columns[row, column]}, "
            "not a finite number; train the model anew"
        )
    order = sorted(range(len(ids)), key=lambda index: id_order(ids[index]))
    with replacing(path) as partial, partial.open("w", newline="", encoding="utf-8") as stream:
        stream.write(f"{header}\n")
        csv.writer(stream, lineterminator="\n").writerows(
            [ids[index] + suffix, *(f"{value:.6f}" for value in columns[index])] for index in order
        )


def read_predictions(path: Path) -> Predictions:
    """Read the predictions file of an emotion model.

    Raises:
        UserError: If it is none, or anything is wrong with it.
    """
    lines = _read_lines(path)
    _, columns = next(lines, (0, []))
    if not columns:
        raise UserError(f"{path}: the file is empty; write it anew with `musiclab predict`")
    _check_columns(path, columns)
    names = [column for column in columns if column.startswith(PREDICTION)]
    values: dict[str, list[float]] = {}
    labelled = 0
    for number, fields in lines:
        where = f"{path}: line {number}"
        identifier, row = _parse_row(columns, fields, where)
        if identifier in values:
            raise UserError(f"{where}: track {identifier} stands there twice; keep one row per track")
        values[identifier] = [_finite(row[name], f"{where}: track {identifier}: {name}") for name in names]
        labelled += any(row[name] for name in columns if name.startswith(TRUTH))
    if not values:
        raise UserError(f"{path}: the file has a header but no tracks; write it anew with `musiclab predict`")
    ids = sorted(values, key=id_order)
    array = np.array([values[identifier] for identifier in ids])
    axes = {name.removeprefix(PREDICTION): array[:, index] for index, name in enumerate(names)}
    return Predictions(path, ids, axes, labelled)


def _read_lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield line number and fields of all lines that are not blank."""
    advice = "give the predictions.csv of an emotion model's run"
    if path.is_dir():
        raise UserError(f"{path}: a folder; {advice}")
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.reader(stream)
            for fields in reader:
                if fields:
                    yield reader.line_num, fields
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; {advice}") from None
    except (UnicodeDecodeError, csv.Error):
        raise UserError(f"{path}: not a csv file; {advice}") from None


def _parse_row(columns: list[str], fields: list[str], where: str) -> tuple[str, dict[str, str]]:
    """Return the id of a row, and its fields by column."""
    if len(fields) != len(columns):
        raise UserError(
            f"{where} has {len(fields)} fields where the header has {len(columns)}; "
            "write the file anew with `musiclab predict`"
        )
    row = dict(zip(columns, fields, strict=True))
    try:
        return track_id(row["id"]), row
    except UserError as error:
        raise UserError(f"{where}: {error}") from None


def _check_paths(paths: list[Path], out: Path) -> None:
    if not paths:
        raise UserError("no predictions: give the predictions.csv of an emotion model's run")
    resolved = [path.resolve() for path in paths]
    doubled = _first_doubled(resolved)
    if doubled is not None:
        raise UserError(f"{paths[resolved.index(doubled)]}: given twice; name each predictions file once")
    if out.resolve() in resolved:
        raise UserError(f"{out}: this is one of the predictions files; give another file to --out")
    if out.is_dir():
        raise UserError(f"{out}: this is a folder; give a file in it to --out")


def _check_columns(path: Path, columns: list[str]) -> None:
    header = ",".join(columns)
    if "id" not in columns or not any(column.startswith(PREDICTION) for column in columns):
        raise UserError(
            f"{path}: not the predictions of an emotion model: the header is {header!r}; "
            "expected 'id,truth_valence,prediction_valence,...'"
        )
    doubled = _first_doubled(columns)
    if doubled is not None:
        raise UserError(f"{path}: column {doubled} stands twice in the header {header!r}; keep one of them")


def _check_tracks(files: list[Predictions]) -> None:
    """Refuse files that are not of the same tracks."""
    tracks = {identifier: file.path for file in files for identifier in file.ids}
    for file in files:
        missing = sorted(tracks.keys() - set(file.ids), key=id_order)
        if missing:
            more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
            raise UserError(
                f"{file.path}: lacks track {', '.join(missing[:3])}{more}, which {tracks[missing[0]]} has; "
                "give predictions of the same test folder"
            )


def _warn_of_labels(files: list[Predictions]) -> None:
    """Warn of files with known truths, which a competition withholds.

    They are not refused: with a labelled test folder a submission is rehearsed, and scored at home.
    """
    for file in files:
        if file.labelled:
            print(
                f"musiclab: warning: {file.path}: the truth is known for {file.labelled} of {len(file.ids)} tracks; "
                "are these the unlabelled tracks of the competition?",
                file=sys.stderr,
            )


def _first_doubled(items: Sequence[Any]) -> Any:
    return next((item for item, count in Counter(items).items() if count > 1), None)


def _finite(text: str, where: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise UserError(f"{where} is {text!r}, not a finite number; leave this file out")
    return value
