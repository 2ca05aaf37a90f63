"""Small folders shaped as the Free Music Archive's audio and metadata."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import soundfile
from data.audio.sounds import RATE, clicks

GENRES = {
    2: (0, "International"),
    3: (0, "Blues"),
    4: (0, "Jazz"),
    5: (0, "Classical"),
    8: (0, "Old-Time / Historic"),
    10: (0, "Pop"),
    12: (0, "Rock"),
    15: (0, "Electronic"),
    17: (0, "Folk"),
    18: (1235, "Soundtrack"),
    21: (0, "Hip-Hop"),
    25: (12, "Punk"),
    26: (12, "Post-Rock"),
    31: (12, "Metal"),
    58: (12, "Psych-Rock"),
    66: (12, "Indie-Rock"),
    70: (25, "Post-Punk"),
    94: (17, "Psych-Folk"),
    183: (15, "Trip-Hop"),
    267: (297, "Chiptune"),
    297: (15, "Chip Music"),
    1235: (0, "Instrumental"),
}
"""Parent and title by id: a part of FMA's tree."""

ECHONEST = ("acousticness", "danceability", "energy", "valence")


class Row(NamedTuple):
    """A track: what tracks.csv says of it, and its valence, energy and danceability, if echonest.csv has it."""

    split: str = "training"
    top: str = "Rock"
    genres: str = "[12]"
    subset: str = "small"
    emotions: Sequence[object] | None = None


def write_metadata(folder: Path, tracks: Mapping[int, Row]) -> Path:
    """Write the three tables with headers as the real ones have them; an artist has two tracks."""
    folder.mkdir(parents=True, exist_ok=True)
    write_table(
        folder / "tracks.csv",
        [
            ["", "album", "artist", "artist", "set", "set", "track", "track", "track"],
            ["", "comments", "bio", "id", "split", "subset", "genre_top", "genres", "title"],
            ["track_id", *[""] * 8],
            *(
                [key, 0, 'Born,\nraised and so on: "é"', key // 2, row.split, row.subset, row.top, row.genres, "NA"]
                for key, row in tracks.items()
            ),
        ],
    )
    titles = [[key, 99, parent, title, key] for key, (parent, title) in GENRES.items()]
    write_table(folder / "genres.csv", [["genre_id", "#tracks", "parent", "title", "top_level"], *titles])
    values = [
        [key, 0.1, row.emotions[2], row.emotions[1], row.emotions[0], "Album", 1.5]
        for key, row in tracks.items()
        if row.emotions is not None
    ]
    write_table(
        folder / "echonest.csv",
        [
            ["", *["echonest"] * 6],
            ["", *["audio_features"] * 4, "metadata", "temporal_features"],
            ["", *ECHONEST, "album_name", "000"],
            ["track_id", *[""] * 6],
            *values,
        ],
    )
    return folder


def write_table(path: Path, rows: Sequence[Sequence[object]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows(rows)


def mp3_path(audio: Path, identifier: int) -> Path:
    return audio / f"{identifier // 1000:03}" / f"{identifier:06}.mp3"


def write_clip(audio: Path, identifier: int, seconds: float = 1.1, kind: str = "WAV") -> Path:
    """Write a clip of its own; most are wav files under another name, which are quicker to write."""
    path = mp3_path(audio, identifier)
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, clicks(seconds, seed=identifier, pitch=110 + identifier % 400), RATE, format=kind)
    return path
