"""``predictions.csv``: what a model says of each track, written and read.

Of genres, a row holds id, truth, prediction and a probability for each genre; of emotional axes, id, then truth and
prediction on each axis; of tags, id, then truth and probability of each tag. So the header says what a file is of. A
truth that is not known is empty. Where artists are known, a track's stands after its id.
"""

import csv
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from musiclab.data.ids import id_order, track_id
from musiclab.data.tables import is_number, one_form
from musiclab.errors import UserError
from musiclab.files import is_special, write_csv

TRUTH, PREDICTION, PROBABILITY = "truth_", "prediction_", "probability_"
"""How columns of axes begin, with truth and prediction, or of tags, with truth and probability; the name follows."""

TRUE_GENRE, ANSWER = "truth", "prediction"
"""Columns of genres; those of the probabilities follow."""

ARTIST = "artist"
"""Column after the id, where artists are known."""

ADVICE = "write the file anew with `musiclab predict`"


class Rows(NamedTuple):
    """Targets and predictions of all tracks, in the order of their ids, numbers first.

    Attributes:
        ids: Track ids.
        targets: Classes ``(tracks,)``, -1 where they are not known, or values ``(tracks, axes)``, NaN there; of tags,
            1 for those that a track has, else 0.
        predictions: Probabilities ``(tracks, genres)`` or ``(tracks, tags)``, or values ``(tracks, axes)``.
        artists: Of each track, empty where it is not known; none at all where no track's is.
    """

    ids: list[str]
    targets: npt.NDArray[Any]
    predictions: npt.NDArray[np.float64]
    artists: Sequence[str] = ()


class Predictions(NamedTuple):
    """A predictions file, in the order of the ids, numbers first.

    Attributes:
        path: The file.
        ids: Track ids.
        axes: Emotional axes, or tags; none where the file is of genres.
        truth: ``(tracks, axes)``, NaN where it is not known; of genres ``(tracks,)``, -1 where it is not known.
        predicted: ``(tracks, axes)``, or probabilities ``(tracks, genres)``; of a run that has diverged, values that
            are not finite.
        genres: Genres; none where the file is of axes or tags.
        answers: The genre that is predicted, ``(tracks,)``.
        artists: Of each track, empty where it is not known.
        of_tags: Whether the axes are tags.
    """

    path: Path
    ids: list[str]
    axes: list[str]
    truth: npt.NDArray[Any]
    predicted: npt.NDArray[np.float64]
    genres: list[str]
    answers: npt.NDArray[np.int64]
    artists: list[str]
    of_tags: bool = False

    @property
    def subject(self) -> str:
        """What they are of, in words."""
        return "genres" if self.genres else "tags" if self.of_tags else "emotional axes"

    @property
    def known(self) -> npt.NDArray[np.bool_]:
        """Of which tracks the whole truth is known, ``(tracks,)``."""
        mask: npt.NDArray[np.bool_] = self.truth >= 0 if self.genres else ~np.isnan(self.truth).any(axis=1)
        return mask


def as_predictions(path: Path, names: Sequence[str], rows: Rows, of_tags: bool = False) -> Predictions:
    """Return rows as they are read back from a file, but that their numbers are not rounded.

    Args:
        path: The file that they are written to.
        names: Of genres, axes or tags, in the order of the outputs.
        rows: The rows; they are of genres if each has a single target.
        of_tags: Whether they are of tags.
    """
    genres = list(names) if rows.targets.ndim == 1 else []
    axes = [] if genres else list(names)
    answers = rows.predictions.argmax(axis=1) if genres else np.empty(0, np.int64)
    artists = list(rows.artists or [""] * len(rows.ids))
    return Predictions(path, rows.ids, axes, rows.targets, rows.predictions, genres, answers, artists, of_tags)


def write_class_predictions(path: Path, genres: Sequence[str], rows: Rows) -> None:
    """Write id, artist if any is known, truth, prediction and one probability per genre for each track."""
    texts = (
        [genres[target] if target >= 0 else "", genres[row.argmax()], *(f"{p:.6f}" for p in row)]
        for target, row in zip(rows.targets, rows.predictions, strict=True)
    )
    _write(path, ["truth", "prediction", *genres], rows, texts)


def write_value_predictions(path: Path, axes: Sequence[str], rows: Rows) -> None:
    """Write id, artist if any is known, and truth and prediction on each axis, for each track."""
    _write_pairs(path, axes, rows, PREDICTION)


def write_tag_predictions(path: Path, tags: Sequence[str], rows: Rows) -> None:
    """Write id, artist if any is known, and truth and probability of each tag, for each track."""
    _write_pairs(path, tags, rows, PROBABILITY)


def _write_pairs(path: Path, names: Sequence[str], rows: Rows, answer: str) -> None:
    texts = (
        [text for pair in zip(truths, values, strict=True) for text in map(_text, pair)]
        for truths, values in zip(rows.targets, rows.predictions, strict=True)
    )
    _write(path, [f"{kind}{name}" for name in names for kind in (TRUTH, answer)], rows, texts)


def _write(path: Path, columns: Sequence[str], rows: Rows, texts: Iterable[Sequence[str]]) -> None:
    artists = [[artist] for artist in rows.artists] or [[]] * len(rows.ids)
    write_csv(
        path,
        ["id", *([ARTIST] if rows.artists else []), *columns],
        ([identifier, *artist, *text] for identifier, artist, text in zip(rows.ids, artists, texts, strict=True)),
    )


def read_predictions(path: Path) -> Predictions:
    """Read a predictions file, of genres, of emotional axes or of tags.

    Raises:
        UserError: If it is none, or anything is wrong with it.
    """
    lines = _read_lines(path)
    _, columns = next(lines, (0, []))
    if not columns:
        raise UserError(f"{path}: the file is empty; {ADVICE}")
    genres = columns[columns.index(ANSWER) + 1 :] if ANSWER in columns else []
    answer = PREDICTION if any(name.startswith(PREDICTION) for name in columns) else PROBABILITY
    axes = [] if genres else [name.removeprefix(answer) for name in columns if name.startswith(answer)]
    if "id" not in columns or not (genres or axes):
        raise UserError(f"{path}: not a model's predictions: the header is {','.join(columns)!r}; {ADVICE}")
    doubled = first_doubled(columns)
    if doubled is not None:
        raise UserError(f"{path}: column {doubled} stands twice in the header; keep one of them")
    values: dict[str, tuple[str, list[float]]] = {}
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
        where = f"{where}: track {identifier}"
        names = genres or [f"{kind}{axis}" for kind in (TRUTH, answer) for axis in axes]
        numbers = [_number(row.get(name, ""), f"{where}: {name}") for name in names]
        if genres:
            classes = [_class_of(row.get(name, ""), genres, f"{where}: {name}") for name in (TRUE_GENRE, ANSWER)]
            numbers = [*map(float, classes), *numbers]
        artist = "" if ARTIST in genres else row.get(ARTIST, "").strip()
        values[identifier] = artist, numbers
    if not values:
        raise UserError(f"{path}: the file has a header but no tracks; {ADVICE}")
    ids = sorted(values, key=id_order)
    artists = [values[identifier][0] for identifier in ids]
    table = np.array([values[identifier][1] for identifier in ids])
    if genres:
        truth, answers = table[:, :2].T.astype(np.int64)
        if (answers < 0).any():
            raise UserError(f"{path}: track {ids[int(answers.argmin())]}: {ANSWER} is empty; {ADVICE}")
        return Predictions(path, ids, [], truth, table[:, 2:], genres, answers, artists)
    truth, predicted = table.reshape(len(ids), 2, len(axes)).transpose(1, 0, 2)
    if answer == PROBABILITY and (wrong := np.argwhere(~np.isnan(truth) & (truth != 0) & (truth != 1))).size:
        row, column = wrong[0]
        where = f"{path}: track {ids[row]}: {TRUTH}{axes[column]}"
        raise UserError(f"{where} is {truth[row, column]:g}, and a tag is 0 or 1; {ADVICE}")
    return Predictions(path, ids, axes, truth, predicted, [], np.empty(0, np.int64), artists, answer == PROBABILITY)


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


def _class_of(text: str, genres: Sequence[str], where: str) -> int:
    """Return the number of a genre, -1 of none."""
    if text and text not in genres:
        raise UserError(f"{where} is {text!r}, which has no column of its own; {ADVICE}")
    return genres.index(text) if text else -1
