"""The tables that come with the Free Music Archive's data set, as ``fma_metadata.zip`` has them.

They were written by pandas with up to three header rows; the first column is the id of a track or genre, and a row
that holds only its name may stand below the header.

Source: Defferrard et al. 2017, FMA: A Dataset for Music Analysis (arXiv 1612.01840).
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from musiclab.data.audio.label_files import AXES
from musiclab.data.labels import parse_number
from musiclab.errors import UserError

Subset = Literal["small", "medium", "large", "full"]

SUBSETS: tuple[Subset, ...] = ("small", "medium", "large", "full")
"""Each holds those before it."""

PARTS = {"training": "train", "validation": "validation", "test": "test"}
"""What FMA calls the parts of its split, which keeps each artist in one of them, and what we do."""


class FmaTrack(NamedTuple):
    """A row of ``tracks.csv``.

    Attributes:
        part: ``train``, ``validation`` or ``test``.
        top_genre: One of FMA's 16 top genres; empty if it has none or several.
        genres: Ids of all its genres, as text: ``[26, 12]``.
        artist: Id of its artist, as text; empty if it is not known.
    """

    part: str
    top_genre: str
    genres: str
    artist: str = ""


class FmaGenre(NamedTuple):
    """A row of ``genres.csv``: the genre's title, and the id of the genre above it, 0 for a top genre."""

    title: str
    parent: int


def read_tracks(path: Path, subset: Subset) -> dict[int, FmaTrack]:
    """Return the tracks of a subset by id, in the order of the ids.

    Raises:
        UserError: If ``tracks.csv`` cannot be read, is another table, or has none of the subset's tracks.
    """
    columns = [("set", "subset"), ("set", "split"), ("track", "genre_top"), ("track", "genres"), ("artist", "id")]
    tracks = {}
    for identifier, (smallest, split, top_genre, genres, artist) in sorted(read_columns(path, columns).items()):
        if (smallest or "full") not in SUBSETS:
            expected = ", ".join(SUBSETS)
            raise UserError(f"{path}: track {identifier}: subset is {smallest!r}; expected one of {expected}")
        if SUBSETS.index(smallest or "full") > SUBSETS.index(subset):
            continue
        if split not in PARTS:
            raise UserError(f"{path}: track {identifier}: split is {split!r}; expected one of {', '.join(PARTS)}")
        tracks[identifier] = FmaTrack(PARTS[split], " ".join(top_genre.split()), genres, artist)
    if not tracks:
        raise UserError(f"{path}: has no track of the subset {subset}; check that it is FMA's own table")
    return tracks


def read_genres(path: Path) -> dict[int, FmaGenre]:
    """Return the genres by id.

    Raises:
        UserError: If ``genres.csv`` cannot be read or is another table.
    """
    genres = {}
    for identifier, (title, parent) in read_columns(path, [("title",), ("parent",)]).items():
        if parent and not _is_id(parent):
            raise UserError(f"{path}: genre {identifier}: parent is {parent!r}; expected the id of a genre, or 0")
        genres[identifier] = FmaGenre(" ".join(title.split()), int(parent or 0))
    return genres


def read_emotions(path: Path) -> dict[int, list[float] | None]:
    """Return valence, energy and danceability by track id; None for a track without all three of them.

    Raises:
        UserError: If ``echonest.csv`` cannot be read or is another table.
    """
    columns = [("echonest", "audio_features", axis) for axis in AXES]
    emotions: dict[int, list[float] | None] = {}
    for identifier, texts in read_columns(path, columns).items():
        values = list(map(parse_number, texts))
        emotions[identifier] = values if all(map(math.isfinite, values)) else None
    return emotions


def read_columns(path: Path, columns: Sequence[tuple[str, ...]]) -> dict[int, tuple[str, ...]]:
    """Return some columns of a table as text, by the id in its first column.

    Args:
        path: The table, as csv.
        columns: Name of each column on each of the header's levels; as many levels as the table has header rows.

    Raises:
        UserError: If the table cannot be read, lacks a column, or an id is none or stands there twice.
    """
    table = _read_csv(path, nrows=len(columns[0]))
    header = [tuple(map(str.strip, names)) for names in zip(*table.to_numpy().tolist(), strict=True)]
    missing = [column for column in columns if column not in header]
    if missing:
        raise UserError(f"{path}: has no column {' / '.join(missing[0])}; give the file of that name from FMA's own")
    positions = [header.index(column) for column in columns]
    table = _read_csv(path, skiprows=len(columns[0]), usecols=[0, *positions])
    rows: dict[int, tuple[str, ...]] = {}
    for identifier, *values in zip(*(table[position].tolist() for position in [0, *positions]), strict=True):
        if not _is_id(identifier):
            if identifier in ("track_id", "genre_id") and not rows:
                continue  # the row below the header
            raise UserError(
                f"{path}: row {len(rows) + 1} begins with {identifier[:40]!r}, which is no id; copy it again"
            )
        if int(identifier) in rows:
            raise UserError(f"{path}: id {int(identifier)} stands there twice; copy the file again")
        rows[int(identifier)] = tuple(value.strip() for value in values)
    return rows


def _read_csv(path: Path, **options: Any) -> Any:
    """Read a table without its header rows being taken for anything; all cells as text, empty ones too."""
    try:
        import pandas
    except ImportError:
        raise UserError("reading FMA's tables needs pandas; install it: pip install 'musiclab[fma]'") from None
    try:
        table = pandas.read_csv(
            path, header=None, dtype=str, keep_default_na=False, encoding="utf-8-sig", index_col=False, **options
        )
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; give the folder of the unpacked fma_metadata.zip") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error})") from None
    except ValueError as error:  # all that pandas says of a table, and of its encoding
        detail = str(error).strip().splitlines()[0].strip(" .")
        raise UserError(f"{path}: not a csv table, or damaged ({detail}); copy it again") from None
    return table.fillna("")  # of rows that end early


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 10
