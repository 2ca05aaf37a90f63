"""Label files of data sets that are made of audio."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from musiclab.data.artists import FILE as ARTISTS
from musiclab.data.audio.extraction import ARRAY_ENDING, is_whole
from musiclab.files import write_text

GENRE_FOLDER, EMOTION_FOLDER = "fma_genre_spectrograms", "multitask_dataset"  # what the lab calls its data sets
AXES = ("valence", "energy", "danceability")
GENRE_HEADER, EMOTION_HEADER = "Id\tGenre", ",".join(["Id", *AXES])


def track_name(part: str, identifier: str) -> str:
    """Return what a track of a part (train, validation or test) is called below the data set folder."""
    return f"{'test' if part == 'test' else 'train'}/{identifier}"


def genre_row(identifier: str | int, genre: str) -> str:
    """Return the row of a track in a genre label file, where it is called as on disk."""
    return f"{identifier}{ARRAY_ENDING}\t{genre}"


def emotion_row(identifier: str | int, values: Sequence[float]) -> str:
    """Return the row of a track in an emotion label file."""
    return ",".join(map(str, [identifier, *values]))


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


def write_artists(folder: Path, artists: Mapping[str, str]) -> None:
    """Write who made which track, by id, as far as it is known."""
    rows = [f"{identifier}\t{artist}" for identifier, artist in artists.items() if artist]
    write_text(folder / ARTISTS, "\n".join(["Id\tArtist", *rows]) + "\n")
