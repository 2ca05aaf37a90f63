"""Label files of data sets that are made of audio."""

import csv
import io
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

    A validation part without any tracks has no label file: it is then drawn, as if none had been given. Nor has a test
    part that was not asked for.
    """
    listed = [identifier for identifier in rows if is_whole(folder / (track_name(part, identifier) + ARRAY_ENDING))]
    path = folder / f"{part}_labels.txt"
    if (part == "validation" and not listed) or (part == "test" and not rows):
        path.unlink(missing_ok=True)
    else:
        write_text(path, "\n".join([header, *(rows[identifier] for identifier in listed)]) + "\n")
    return listed


def write_artists(folder: Path, artists: Mapping[str, str]) -> None:
    """Write who made which track, by id, as far as it is known of any."""
    if not any(artists.values()):
        return
    rows = io.StringIO()
    writer = csv.writer(rows, delimiter="\t", lineterminator="\n")  # quotes in names are doubled
    writer.writerow(("Id", "Artist"))
    writer.writerows(pair for pair in artists.items() if pair[1])
    write_text(folder / ARTISTS, rows.getvalue())
