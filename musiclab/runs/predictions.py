"""``predictions.csv``: what a model says of each track, written and read.

Of genres, a row holds id, truth, prediction and a probability for each genre; of emotional axes, id, then truth and
prediction on each axis. A truth that is not known is empty.
"""

import csv
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from musiclab.data.ids import id_order, track_id
from musiclab.data.tables import is_number, one_form
from musiclab.errors import UserError
from musiclab.files import is_special, write_csv

TRUTH, PREDICTION = "truth_", "prediction_"
"""How columns of axes begin; the axis follows."""

ADVICE = "write the file anew with `musiclab predict`"


class Rows(NamedTuple):
    """Targets and predictions of all tracks, in the order of their ids, numbers first."""

    ids: list[str]
    targets: npt.NDArray[Any]
    predictions: npt.NDArray[np.float64]


class Predictions(NamedTuple):
    """A predictions file, in the order of the ids, numbers first.

    Attributes:
        path: The file.
        ids: Track ids.
        axes: Emotional axes; none where the file is of genres.
        truth: ``(tracks, axes)``, NaN where it is not known.
        predicted: ``(tracks, axes)``; of a run that has diverged, values that are not finite.
    """

    path: Path
    ids: list[str]
    axes: list[str]
    truth: npt.NDArray[np.float64]
    predicted: npt.NDArray[np.float64]


def write_class_predictions(path: Path, genres: Sequence[str], rows: Rows) -> None:
    """Write id, truth, prediction and one probability per genre for each track.

    Args:
        path: File to write.
        genres: Names of the classes.
        rows: Classes ``(tracks,)``, -1 where it is not known, and probabilities ``(tracks, genres)``.
    """
    write_csv(
        path,
        ["id", "truth", "prediction", *genres],
        (
            [identifier, genres[target] if target >= 0 else "", genres[row.argmax()], *(f"{p:.6f}" for p in row)]
            for identifier, target, row in zip(*rows, strict=True)
        ),
    )


def write_value_predictions(path: Path, axes: Sequence[str], rows: Rows) -> None:
    """Write id, and truth and prediction on each axis, for each track.

    Args:
        path: File to write.
        axes: Names of the axes.
        rows: Values and predictions ``(tracks, axes)``.
    """
    write_csv(
        path,
        ["id", *(f"{kind}{axis}" for axis in axes for kind in (TRUTH, PREDICTION))],
        (
            [identifier, *(text for pair in zip(truths, values, strict=True) for text in map(_text, pair))]
            for identifier, truths, values in zip(*rows, strict=True)
        ),
    )


def read_predictions(path: Path) -> Predictions:
    """Read a predictions file, of genres or of emotional axes.

    Raises:
        UserError: If it is none, or anything is wrong with it.
    """
    lines = _read_lines(path)
    _, columns = next(lines, (0, []))
    if not columns:
        raise UserError(f"{path}: the file is empty; {ADVICE}")
    axes = [column.removeprefix(PREDICTION) for column in columns if column.startswith(PREDICTION)]
    if "id" not in columns or not (axes or "prediction" in columns):
        raise UserError(f"{path}: not a model's predictions: the header is {','.join(columns)!r}; {ADVICE}")
    doubled = first_doubled(columns)
    if doubled is not None:
        raise UserError(f"{path}: column {doubled} stands twice in the header; keep one of them")
    values: dict[str, list[float]] = {}
    for number, fields in lines:
        where = f"{path}: line {number}"
        if len(fields) != len(columns):
            raise UserError(f"{where} has {len(fields)} fields where the header has {len(columns)}; {ADVICE}")
        row = dict(zip(columns, fields, strict=True))
        try:
            identifier = track_id(row["id"])
        except UserError as error:
            raise UserError(f"{where}: {error}") from None
        if identifier in values:
            raise UserError(f"{where}: track {identifier} stands there twice; keep one row per track")
        names = [f"{kind}{axis}" for kind in (TRUTH, PREDICTION) for axis in axes]
        values[identifier] = [_number(row.get(name, ""), f"{where}: track {identifier}: {name}") for name in names]
    if not values:
        raise UserError(f"{path}: the file has a header but no tracks; {ADVICE}")
    ids = sorted(values, key=id_order)
    truth, predicted = np.array([values[i] for i in ids]).reshape(len(ids), 2, len(axes)).transpose(1, 0, 2)
    return Predictions(path, ids, axes, truth, predicted)


def first_doubled(items: Sequence[Any]) -> Any:
    """Return the first item that stands there more than once, None if there is none."""
    return next((item for item, count in Counter(items).items() if count > 1), None)


def _read_lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield line number and fields of all lines that are not blank."""
    advice = "give the predictions.csv of a run"
    if path.is_dir():
        raise UserError(f"{path}: a folder; {advice}")
    try:
        if is_special(path):  # to open a pipe would wait for ever
            raise UserError(f"{path}: not a regular file but a pipe, socket or device; {advice}")
        with path.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.reader(stream)
            for fields in reader:
                if fields:
                    yield reader.line_num, list(map(one_form, fields))
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; {advice}") from None
    except (UnicodeDecodeError, csv.Error):
        raise UserError(f"{path}: not a csv file; {advice}") from None


def _text(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.6f}"


def _number(text: str, where: str) -> float:
    if text and not is_number(text):
        raise UserError(f"{where} is {text!r}, not a number; {ADVICE}")
    return float(text or "nan")
