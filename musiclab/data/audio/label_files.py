"""Label files of data sets that are made of audio."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from musiclab.data.audio.extraction import ARRAY_ENDING, is_whole
from musiclab.files import write_text

GENRE_HEADER = "Id\tGenre"


def track_name(part: str, identifier: str) -> str:
    """Return what a track of a part (train, validation or test) is called below the data set folder."""
    return f"{'test' if part == 'test' else 'train'}/{identifier}"


def genre_rows(genres: Mapping[str, str]) -> dict[str, str]:
    """Return the rows of a genre label file by id; tracks are called as on disk."""
    return {identifier: f"{identifier}{ARRAY_ENDING}\t{genre}" for identifier, genre in genres.items()}


def emotion_header(axes: Sequence[str]) -> str:
    """Return the first line of an emotion label file."""
    return ",".join(["Id", *axes])


def emotion_rows(values: Mapping[str, Sequence[float]]) -> dict[str, str]:
    """Return the rows of an emotion label file by id."""
    return {identifier: ",".join([identifier, *map(str, row)]) for identifier, row in values.items()}


def write_labels(folder: Path, part: str, header: str, rows: Mapping[str, str]) -> list[str]:
    """Write the label file of a part: those tracks whose array is there; return their ids.

    A validation part without any tracks has no label file: it is then drawn, as if none had been given.
    """
    listed = [identifier for identifier in rows if is_whole(folder / (track_name(part, identifier) + ARRAY_ENDING))]
    path = folder / f"{part}_labels.txt"
    if part == "validation" and not listed:
        path.unlink(missing_ok=True)
    else:
        write_text(path, "\n".join([header, *(rows[identifier] for identifier in listed)]) + "\n")
    return listed
