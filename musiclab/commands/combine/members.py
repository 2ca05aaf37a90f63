"""The predictions that are combined: read, of the same tracks, and of one mind about the truth."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from musiclab.data.ids import id_order
from musiclab.errors import UserError
from musiclab.runs.predictions import PREDICTION, PROBABILITY, Predictions, first_doubled, read_predictions

FILE = "predictions.csv"

TOLERANCE = 1e-5
"""By how much the truth of a track may differ from file to file, as in digits."""


def read_members(given: Sequence[str]) -> list[Predictions]:
    """Read predictions of models of one task on the same tracks, of genres, of emotional axes or of tags.

    Genres, and tags, are put in the order of the first file. A truth that one file knows is known to all.

    Args:
        given: Folders of runs, or their files predictions.csv.

    Raises:
        UserError: If a file is missing or damaged, holds numbers that are not finite, or does not fit the others.
    """
    members = [_read(path) for path in find_files(given)]
    _check_tasks(members)
    _check_tracks(members)
    if members[0].genres:
        members = [_in_order(member, members[0].genres) for member in members]
        truth = _agreed(
            {member.path: np.where(member.truth < 0, np.nan, member.truth) for member in members},
            members[0],
            "genre",
        )
        return [member._replace(truth=np.where(np.isnan(truth), -1, truth).astype(np.int64)) for member in members]
    if members[0].of_tags:
        members = [_with_tags(member, members[0].axes) for member in members]
    axes = dict.fromkeys(axis for member in members for axis in member.axes)
    truths = {
        axis: _agreed({m.path: m.truth[:, m.axes.index(axis)] for m in members if axis in m.axes}, members[0], axis)
        for axis in axes
    }
    return [member._replace(truth=np.stack([truths[axis] for axis in member.axes], axis=1)) for member in members]


def find_files(given: Sequence[str]) -> list[Path]:
    """Return the predictions files of runs.

    Raises:
        UserError: If none is given, one is given twice, or a folder has none.
    """
    if not given:
        raise UserError("no predictions: give the folders of runs, or their predictions.csv")
    paths = [Path(name).expanduser() for name in given]
    paths = [path / FILE if path.is_dir() else path for path in paths]
    resolved = [path.resolve() for path in paths]
    doubled = first_doubled(resolved)
    if doubled is not None:
        raise UserError(f"{paths[resolved.index(doubled)]}: given twice; name each run once")
    for path in paths:
        if path.name == FILE and path.parent.is_dir() and not path.exists():
            raise UserError(f"{path.parent}: no {FILE}; {_advice(path.parent)}")
    return paths


def _advice(folder: Path) -> str:
    below = sorted(folder.glob(f"lightning_logs/*/{FILE}"))
    if below:
        return f"there is one in {below[-1].parent}: give that"
    best = folder / "checkpoints" / "best.ckpt"
    what = str(best) if best.exists() else "CKPT"
    return f"make it with `musiclab test --ckpt_path {what}` (or predict), and give the folder that this makes"


def _read(path: Path) -> Predictions:
    member = read_predictions(path)
    wrong = np.argwhere(~np.isfinite(member.predicted))
    if len(wrong):
        row, column = wrong[0]
        answer = PROBABILITY if member.of_tags else PREDICTION
        what = f"the {member.genres[column]}" if member.genres else f"{answer}{member.axes[column]}"
        raise UserError(
            f"{path}: track {member.ids[row]}: {what} is {member.predicted[row, column]}, not a finite number; leave "
            "this run out"
        )
    return member


def _check_tasks(members: Sequence[Predictions]) -> None:
    """Refuse genres, emotions and tags together, other genres and other tags."""
    first = members[0]
    for member in members:
        if member.subject != first.subject:
            kinds = [
                f"of {', '.join(file.axes)}" if file.axes and not file.of_tags else f"of {file.subject}"
                for file in (member, first)
            ]
            raise UserError(f"{member.path}: {kinds[0]}, but {first.path} {kinds[1]}; combine models of one task")
        for one, other in ((member, first), (first, member)):
            missing = [name for name in _names(other) if name not in _names(one)]
            if missing:
                raise UserError(
                    f"{one.path}: lacks the {first.subject[:-1]} {', '.join(missing)}, which {other.path} has; combine "
                    f"models of the same {first.subject}"
                )


def _names(member: Predictions) -> Sequence[str]:
    """Return what all models must have: genres or tags; axes may differ."""
    return member.axes if member.of_tags else member.genres


def _check_tracks(members: Sequence[Predictions]) -> None:
    """Refuse files that are not of the same tracks."""
    tracks = {identifier: member.path for member in members for identifier in member.ids}
    for member in members:
        missing = sorted(tracks.keys() - set(member.ids), key=id_order)
        if missing:
            more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
            raise UserError(
                f"{member.path}: lacks track {', '.join(missing[:3])}{more}, which {tracks[missing[0]]} has; "
                "combine predictions of the same tracks"
            )


def _in_order(member: Predictions, genres: list[str]) -> Predictions:
    order = [member.genres.index(genre) for genre in genres]
    place = np.argsort(order)  # of each of its own genres
    truth = np.where(member.truth < 0, -1, place[member.truth])
    predicted = member.predicted[:, order]
    return member._replace(genres=genres, truth=truth, predicted=predicted, answers=place[member.answers])


def _with_tags(member: Predictions, tags: list[str]) -> Predictions:
    order = [member.axes.index(tag) for tag in tags]
    return member._replace(axes=tags, truth=member.truth[:, order], predicted=member.predicted[:, order])


def _agreed(columns: Mapping[Path, npt.NDArray[np.float64]], first: Predictions, what: str) -> npt.NDArray[np.float64]:
    """Return the truth of each track as far as one file knows it, NaN else; refuse files that contradict."""
    agreed = np.full(len(first.ids), np.nan)
    by = np.full(len(first.ids), "", object)
    for path, column in columns.items():
        other = np.flatnonzero(np.abs(column - agreed) > TOLERANCE)
        if len(other):
            track = other[0]
            values = [first.genres[int(value)] if first.genres else value for value in (column[track], agreed[track])]
            raise UserError(
                f"{path}: the true {what} of track {first.ids[track]} is {values[0]}, but in {by[track]} {values[1]}; "
                "combine predictions of one data set"
            )
        new = np.isnan(agreed) & ~np.isnan(column)
        agreed[new], by[new] = column[new], str(path)
    return agreed
