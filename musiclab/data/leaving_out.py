"""Tracks that a model must not have heard: those that a file names, and all by the artists that it names."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from musiclab.data.artists import Artists
from musiclab.data.ids import track_id
from musiclab.data.tables import read_rows
from musiclab.errors import UserError, raise_first
from musiclab.files import stands_there

CHECKPOINT = ".ckpt"

FORMS = "give an id a line, or a table with a column Id or Artist, such as predictions.csv"


class LeftOut(NamedTuple):
    """What a file names: ids of tracks, and artists."""

    ids: set[str]
    artists: set[str]

    def of(self, ids: Sequence[str], artists: Artists | None) -> set[str]:
        """Return those of some tracks that are named, or whose artists are."""
        known = {} if artists is None else artists.of
        return {one for one in ids if one in self.ids or known.get(one) in self.artists}


def read_left_out(path: Path) -> LeftOut:
    """Read which tracks and artists a file names; of a checkpoint, those that its run was tested on.

    It is a list with an id a line, or a table with a column ``Id`` or ``Artist``, or both, capitalised or not.
    Names of tracks may have endings, as in label files, and stand there several times; artists may be missing.

    Raises:
        UserError: If it cannot be read, or is neither.
    """
    path = tested_by(path) if path.suffix == CHECKPOINT else path
    columns, rows, problems = read_rows(path)
    raise_first(problems, listed="")
    if not any(columns):
        raise UserError(f"{path}: empty; {FORMS}")
    names = [column.casefold() for column in columns]
    found = [name for name in ("id", "artist") if name in names]
    if not found and len(columns) > 1:
        raise UserError(f"{path}: the header is {' | '.join(columns)!r}; {FORMS}")
    lines = rows if found else [(1, columns), *rows]
    ids, artists = set(), set()
    for number, fields in lines:
        if "artist" in found and (artist := fields[names.index("artist")]):
            artists.add(artist)
        if found != ["artist"]:
            try:
                ids.add(track_id(fields[names.index("id") if found else 0]))
            except UserError as error:
                raise UserError(f"{path}: line {number}: {error}") from None
    return LeftOut(ids, artists)


def tested_by(checkpoint: Path) -> Path:
    """Return the file that names the tracks that the run of a checkpoint, ``RUN/checkpoints/best.ckpt``, was tested on.

    Raises:
        UserError: If it is not there.
    """
    path = checkpoint.parent.parent / "predictions.csv"
    if not stands_there(path):
        raise UserError(
            f"{checkpoint}: {path}, which would name what its run was tested on, is not there; give that of another "
            "run, or a list of tracks"
        )
    return path
