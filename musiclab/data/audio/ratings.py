"""A table of ratings: which song, its value on each axis, and who made it if that is said."""

import math
import re
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from musiclab.data.ids import track_id
from musiclab.data.labels import parse_number
from musiclab.data.tables import is_number, one_form, read_rows
from musiclab.errors import UserError, raise_first

SONG_COLUMNS = ("id", "songid", "trackid", "song", "track", "file", "filename", "path", "name", "title")
"""What the column that names the songs may be called, but for case and what is no letter; the first of these counts."""

ARTIST_COLUMN = "artist"

ENDING = re.compile(r"(\.[a-zA-Z]\w*)+$|^\d+\.0+$")
"""What the name of a song may end in, for what stands before its first dot to be meant."""


class Rating(NamedTuple):
    """A row of the table: how it names the song, its values in the order of the axes, the artist or nothing."""

    song: str
    values: list[float]
    artist: str


class Ratings(NamedTuple):
    """A table as read.

    Attributes:
        axes: Names of the axes.
        rows: A row for each song.
        others: Columns that were not taken for axes.
    """

    axes: list[str]
    rows: list[Rating]
    others: list[str]


def read_ratings(path: Path, axes: Sequence[str] | None, value_range: tuple[float, float]) -> Ratings:
    """Read a table of ratings, separated by commas or tabs.

    Args:
        path: The table.
        axes: Names of the columns that are axes; None for all that hold numbers.
        value_range: Lowest and highest value.

    Raises:
        UserError: If the table cannot be used, naming the first row that is wrong.
    """
    low, high = value_range
    if not low < high:
        raise UserError(f"value_range is {list(value_range)}; give the lowest and the highest value, as in [1,9]")
    columns, lines, problems = read_rows(path, partial(_song_column, path))
    raise_first(problems, listed="")
    if not lines:
        raise UserError(f"{path}: no rows; a table of ratings has a header and a row for each song")
    song = _song_column(path, columns)
    artist = next((number for number, name in enumerate(columns) if _plain(name) == ARTIST_COLUMN), None)
    fields = [row for _, row in lines]
    chosen = _axes(path, columns, fields, {song, artist}, axes)
    rows = []
    for line, row in lines:
        values = [parse_number(row[columns.index(axis)]) for axis in chosen]
        for axis, value in zip(chosen, values, strict=True):
            text = row[columns.index(axis)]
            if not row[song]:
                problems.append(f"{path}: line {line} names no song; fill in {columns[song]} or remove the row")
            elif not math.isfinite(value):
                problems.append(
                    f"{path}: line {line}, {row[song]}: {axis} is {text!r}, not a number; correct it, remove the row, "
                    "or name other columns with --axes"
                )
            elif not low <= value <= high:
                problems.append(
                    f"{path}: line {line}, {row[song]}: {axis} is {text}, outside the range {low:g} to {high:g}; "
                    "correct it, declare another range, as in --value_range [1,9], or name other columns with --axes"
                )
        rows.append(Rating(row[song], values, "" if artist is None else row[artist]))
    raise_first(problems, listed="")
    others = [name for number, name in enumerate(columns) if name not in chosen and number not in (song, artist)]
    return Ratings(chosen, rows, others)


def match_ratings(path: Path, ratings: Sequence[Rating], known: Mapping[str, set[str]]) -> dict[str, Rating]:
    """Return the row of each song that has one, by id.

    Args:
        path: The table.
        ratings: Its rows.
        known: The ids that each way to name a song may mean.

    Raises:
        UserError: If a row may be of several songs, two are of one song, or none of any.
    """
    matched: dict[str, Rating] = {}
    for rating in ratings:
        meant = meaning(rating.song, known)
        if len(meant) > 1:
            raise UserError(
                f"{path}: {rating.song} may be any of {', '.join(sorted(meant))}; give the path of the file"
            )
        for identifier in meant:
            if identifier in matched:
                raise UserError(
                    f"{path}: {matched[identifier].song} and {rating.song} are both song {identifier}; keep one row a "
                    "song, as with the mean of its ratings"
                )
            matched[identifier] = rating
    if not matched:
        example = min(set().union(*known.values()))
        raise UserError(
            f"{path}: no row is of any song: it names {ratings[0].song}, where the songs are {example} and others; "
            "name songs by their files, with or without endings"
        )
    return matched


def meaning(song: str, known: Mapping[str, set[str]]) -> set[str]:
    """Return the ids that the name of a song in a table may mean: as it is, else without its endings.

    Those are what files are called after their first dot (``10.fused.full.npy``), or the zeros of a number that a
    spreadsheet has written as ``10.0``.
    """
    exactly = known.get(one_form(str(Path(song))))
    if exactly is not None:
        return exactly
    if not ENDING.search(song):
        return set()
    try:
        return known.get(track_id(song), set())
    except UserError:
        return set()


def _axes(
    path: Path,
    columns: list[str],
    rows: list[list[str]],
    taken: set[int | None],
    wanted: Sequence[str] | None,
) -> list[str]:
    """Return the columns that are axes: those wanted, else all of which half of the fields or more are numbers."""
    if wanted is not None:
        missing = [axis for axis in wanted if one_form(axis) not in columns]
        if missing:
            raise UserError(f"{path}: no column {', '.join(missing)}; there are {', '.join(columns)}")
        return [one_form(axis) for axis in wanted]
    shares = {
        name: sum(is_number(row[number]) for row in rows) / len(rows)
        for number, name in enumerate(columns)
        if number not in taken
    }
    found = [name for name, share in shares.items() if share >= 0.5]
    if not found:
        raise UserError(f"{path}: no column of numbers beside the songs; there are {', '.join(columns)}")
    return found


def _song_column(path: Path, columns: list[str]) -> int:
    plain = [_plain(name) for name in columns]
    found = next((plain.index(name) for name in SONG_COLUMNS if name in plain), None)
    if found is None:
        raise UserError(
            f"{path}: no column that names the songs; call it id, song, track or file (there are {', '.join(columns)})"
        )
    return found


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", "", name.casefold())
