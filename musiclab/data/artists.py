"""``artists.txt`` of a data set folder: who made which track, as far as it is known."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from musiclab.data.labels import read_table
from musiclab.errors import UserError, raise_first
from musiclab.files import stands_there

FILE = "artists.txt"


class Artists(NamedTuple):
    """Who made which track.

    Attributes:
        path: Their file.
        of: Artist of each track that it names, by track id.
    """

    path: Path
    of: Mapping[str, str]

    @property
    def otherwise(self) -> str:
        """What to do if artists do not allow a draw."""
        return f"correct {self.path}, or ignore it: --data.groups null"

    def require_any(self, ids: Sequence[str]) -> None:
        """Refuse to draw parts of tracks none of which has an artist.

        Raises:
            UserError: Naming a track, and one of those that the file names.
        """
        if not any(one in self.of for one in ids):
            raise UserError(
                f"{self.path}: names no track to train on, such as {ids[0]}, but {next(iter(self.of))} and others; "
                "write ids as in the label files, or ignore it: --data.groups null"
            )

    def numbers(self, ids: Sequence[str]) -> npt.NDArray[np.int64]:
        """Return the number of each track's artist, in the order in which they come first, ``(tracks,)``.

        A track whose artist is not known has a number of its own.
        """
        known: dict[tuple[str, bool], int] = {}
        keys = ((self.of[one], True) if one in self.of else (one, False) for one in ids)
        return np.array([known.setdefault(key, len(known)) for key in keys], np.int64)

    def known(self, ids: Sequence[str]) -> set[str]:
        """Return the artists of some tracks, as far as they are known."""
        return {self.of[one] for one in ids if one in self.of}

    def describe_part(self, part: Sequence[str], tracks: Sequence[str]) -> str:
        """Say how many of some tracks are in a part of them, by how many of their artists.

        Args:
            part: Ids of the part.
            tracks: Ids of all that it was drawn from.
        """
        said = f"{len(part)} of {len(tracks)} tracks by {len(self.known(part))} of {len(self.known(tracks))} artists"
        alone = sum(one not in self.of for one in tracks)
        more = f", and {sum(one not in self.of for one in part)} of {alone} without an artist" if alone else ""
        return f"{said}{more} ({self.path.name})"

    def describe_classes(
        self,
        part: Sequence[str],
        classes: Sequence[str],
        tracks: Sequence[str],
        classes_of_all: Sequence[str],
        folds: int | None,
    ) -> str:
        """Say how many artists of each genre are in a part; tracks without one count as one.

        Args:
            part: Ids of the part.
            classes: Genres of its tracks.
            tracks: Ids of all that it was drawn from.
            classes_of_all: Genres of these.
            folds: Number of folds that these were shared out to, if they were.
        """
        counts, everywhere = self._by_class(part, classes), self._by_class(tracks, classes_of_all)
        said = ", ".join(f"{genre} {counts.get(genre, 0)} of {everywhere[genre]}" for genre in sorted(everywhere))
        few = [genre for genre in sorted(everywhere) if everywhere[genre] < (folds or 2)]
        where = f"some of the {folds} folds have none" if folds else "one side has none"
        return f"artists a genre: {said}" + (f"; of {', '.join(few)}, {where}" if few else "")

    def _by_class(self, ids: Sequence[str], classes: Sequence[str]) -> dict[str, int]:
        found: dict[str, set[int]] = {}
        for genre, number in zip(classes, self.numbers(ids).tolist(), strict=True):
            found.setdefault(genre, set()).add(number)
        return {genre: len(numbers) for genre, numbers in found.items()}

    def shared(self, part: Sequence[str], others: Sequence[str]) -> list[str]:
        """Return the tracks of a part whose artists have tracks among others."""
        theirs = self.known(others)
        return [one for one in part if self.of.get(one) in theirs]


def read_artists(root: Path, name: str = FILE) -> dict[str, str]:
    """Return the artist of each track that the file names, by track id; nothing if there is no ``artists.txt``.

    The file is tab-separated, with the header ``Id<TAB>Artist``, and may name any of the folder's tracks.

    Args:
        root: Data set folder.
        name: Of the file. One of another name has to be there.

    Raises:
        UserError: If the file cannot be read, has another header, an id twice or no artist for one.
    """
    path = root / name
    if not stands_there(path) and name == FILE:
        return {}
    if not stands_there(path):
        raise UserError(f"{path}: no such file; name one of the data set folder that says who made which track")
    artists, problems = parse_artists(path)
    raise_first(problems, listed="")
    return artists


def parse_artists(path: Path) -> tuple[dict[str, str], list[str]]:
    """Return the artist of each track that a file names, by track id, and what is wrong with it."""
    table = read_table(path)
    if table.columns and (table.columns[0] != "Id" or "Artist" not in table.columns):
        return {}, [f"{path}: the header is {' | '.join(table.columns)!r}; expected 'Id<TAB>Artist'"]
    if not table.columns:
        return {}, table.problems
    column = table.columns.index("Artist")
    artists = {identifier: fields[column] for identifier, fields in table.rows}
    without = [
        f"{path}: track {identifier} has no artist; fill it in or remove the row"
        for identifier, artist in artists.items()
        if not artist
    ]
    return {identifier: artist for identifier, artist in artists.items() if artist}, table.problems + without
