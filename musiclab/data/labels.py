"""Label files: which tracks there are, and their genre, their emotional dimensions or their tags.

Genre files are tab-separated with the header ``Id<TAB>Genre``; emotion files are comma-separated with the header
``Id,valence,energy,danceability``, and so are files of tags, of which each column holds 0 or 1. Either separator
serves for all, and fields may be quoted, as in csv. Names vary from file to file (``1043.fused.full.npy.gz``,
``1043.beatsync.fused.npy.gz``, ``1043``): the id is always what stands before the first dot.
"""

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from musiclab.data.ids import track_id
from musiclab.data.tables import is_number, read_rows
from musiclab.errors import UserError, raise_first

LAB_CLASS_MAP: Mapping[str, str | None] = {
    "Rock": "Rock", "Psych-Rock": "Rock", "Post-Rock": "Rock",
    "Folk": "Folk", "Psych-Folk": "Folk",
    "Metal": "Metal", "Punk": "Metal",
    "Electronic": "Electronic", "Chiptune": "Electronic",
    "Trip-Hop": "Trip-Hop", "Pop": "Pop", "Hip-Hop": "Hip-Hop",
    "Classical": "Classical", "Blues": "Blues", "Jazz": "Jazz",
    "Indie-Rock": None, "Post-Punk": None, "Soundtrack": None, "International": None, "Old-Time": None,
}  # fmt: skip
"""The lab's 20 genres merged into 10; tracks of a genre mapped to None are dropped."""


KNOWN = {"id": "Id", "genre": "Genre", "artist": "Artist"}
"""Columns that are found however they are capitalised."""

MOSTLY = 0.9
"""A file is taken for one of tags where such a share of its values is 0 or 1; those of emotions hardly ever are."""


class GenreLabels(NamedTuple):
    """Track ids of a genre label file and the genre of each, in the file's order."""

    ids: list[str]
    genres: list[str]


class EmotionLabels(NamedTuple):
    """Track ids of a file of emotions or tags, the axes or tags asked for, and one row of values per track."""

    ids: list[str]
    axes: list[str]
    values: list[list[float]]


class LabelTable(NamedTuple):
    """A label file as read: column names, ``(id, fields)`` rows, and everything that is wrong with it."""

    columns: list[str]
    rows: list[tuple[str, list[str]]]
    problems: list[str]


def read_table(path: Path) -> LabelTable:
    """Read a label file of either kind and collect every problem found, instead of stopping at the first.

    A file that cannot be read as a table at all comes back without rows.
    """
    if not path.exists():
        below = sorted(path.parent.glob(f"*/{path.name}"))
        hint = f"did you mean {below[0].parent}?" if below else "check the path of the data set"
        return LabelTable([], [], [f"{path}: no such label file; {hint}"])
    try:
        columns, lines, problems = read_rows(path)
    except UserError as error:
        return LabelTable([], [], [str(error)])
    folded = [column.casefold() for column in columns]
    columns = [
        KNOWN.get(name, column) if folded.count(name) == 1 else column
        for name, column in zip(folded, columns, strict=True)
    ]
    if not any(columns) and not lines:
        return LabelTable([], [], [f"{path}: the label file is empty; it needs a header and a row per track"])
    rows: list[tuple[str, list[str]]] = []
    for number, fields in lines:
        try:
            rows.append((track_id(fields[0]), fields))
        except UserError as error:
            problems.append(f"{path}: line {number}: {error}")
    counts = Counter(identifier for identifier, _ in rows)
    problems += [
        f"{path}: id {identifier} stands there {count} times; keep one row per track"
        for identifier, count in counts.items()
        if count > 1
    ]
    if not rows and not problems:
        problems.append(f"{path}: the label file has a header but no tracks")
    return LabelTable(columns, rows, problems)


def is_emotion(table: LabelTable) -> bool:
    """Whether a table is of values on axes; of two columns, the second may also be genres under a wrong name."""
    if "Genre" in table.columns or len(table.columns) < 2:
        return False
    return len(table.columns) > 2 or any(is_number(fields[1]) for _, fields in table.rows)


def looks_like_tags(table: LabelTable) -> bool:
    """Whether a table of values is, as far as these tell, one of tags: nearly all of them are 0 or 1."""
    if not is_emotion(table):
        return False
    values = [parse_number(field) for _, fields in table.rows for field in fields[1:]]
    return bool(values) and sum(value in (0, 1) for value in values) >= MOSTLY * len(values)


def say_tags(tags: Sequence[str], values: Sequence[float]) -> str:
    """Return the tags that a track has, in words, from its values for all of them."""
    return ", ".join(tag for tag, value in zip(tags, values, strict=True) if value == 1) or "no tag"


def parse_genres(table: LabelTable, path: Path) -> tuple[GenreLabels, list[str]]:
    """Return the genre of each track of ``table`` and what is wrong, the table's own problems included."""
    problems = list(table.problems)
    if table.columns[:1] != ["Id"] or "Genre" not in table.columns:
        hint = "; values on axes are for an emotion model, as in -c emotion_cnn.yaml" if is_emotion(table) else ""
        return GenreLabels([], []), problems + _header_problems(path, table.columns, "Id<TAB>Genre", hint)
    column = table.columns.index("Genre")
    ids = [identifier for identifier, _ in table.rows]
    genres = [fields[column] for _, fields in table.rows]
    problems += [
        f"{path}: track {identifier} has no genre; fill it in or remove the row"
        for identifier, genre in zip(ids, genres, strict=True)
        if not genre
    ]
    return GenreLabels(ids, genres), problems


def parse_emotions(table: LabelTable, path: Path, axes: Sequence[str] | None = None) -> tuple[EmotionLabels, list[str]]:
    """Return the values of each track on ``axes`` (all columns if None) and what is wrong."""
    return _parse_columns(table, path, axes, math.isfinite, "not a finite number", "Id,valence,energy,...")


def parse_tags(table: LabelTable, path: Path, tags: Sequence[str] | None = None) -> tuple[EmotionLabels, list[str]]:
    """Return 1 for the ``tags`` (all columns if None) that each track has, 0 for the others, and what is wrong."""
    said = "neither 0 nor 1; write 1 where a track has the tag, else 0"
    return _parse_columns(table, path, tags, lambda value: value in (0, 1), said, "Id,rock,piano,...")


def _parse_columns(
    table: LabelTable,
    path: Path,
    names: Sequence[str] | None,
    is_sound: Callable[[float], bool],
    otherwise: str,
    header: str,
) -> tuple[EmotionLabels, list[str]]:
    """Return the values in some columns of a table, all if None, and what is wrong.

    Args:
        table: The table.
        path: Its file.
        names: Names of the columns.
        is_sound: Whether a value can be; of what is no number it is asked about NaN.
        otherwise: What is said of one that cannot.
        header: That which is expected.
    """
    problems = list(table.problems)
    available = table.columns[1:]
    if table.columns[:1] != ["Id"] or not available or "Genre" in available:
        hint = "; genres are for a genre model, as in -c genre_cnn.yaml" if "Genre" in available else ""
        return EmotionLabels([], [], []), problems + _header_problems(path, table.columns, header, hint)
    chosen = list(names) if names is not None else available
    missing = [axis for axis in chosen if axis not in available]
    if missing:
        problems.append(f"{path}: no column {', '.join(missing)}; it has {', '.join(available)}")
        return EmotionLabels([], [], []), problems
    columns = [table.columns.index(axis) for axis in chosen]
    values = []
    for identifier, fields in table.rows:
        row = [parse_number(fields[column]) for column in columns]
        problems += [
            f"{path}: track {identifier}: {axis} is {fields[column]!r}, {otherwise}"
            for axis, column, value in zip(chosen, columns, row, strict=True)
            if not is_sound(value)
        ]
        values.append(row)
    return EmotionLabels([identifier for identifier, _ in table.rows], chosen, values), problems


def read_genre_labels(path: Path) -> GenreLabels:
    """Read a genre label file.

    Raises:
        UserError: Naming the file and the first problem, and how many more there are.
    """
    labels, problems = parse_genres(read_table(path), path)
    raise_first(problems)
    return labels


def read_emotion_labels(path: Path, axes: Sequence[str] | None = None) -> EmotionLabels:
    """Read an emotion label file; columns are found by name.

    Args:
        path: The label file.
        axes: Names of the wanted columns, in the wanted order; None for all of them.

    Raises:
        UserError: Naming the file and the first problem, and how many more there are.
    """
    labels, problems = parse_emotions(read_table(path), path, axes)
    raise_first(problems)
    return labels


def read_tag_labels(path: Path, tags: Sequence[str] | None = None) -> EmotionLabels:
    """Read a label file of tags; columns are found by name.

    Args:
        path: The label file.
        tags: Names of the wanted columns, in the wanted order; None for all of them.

    Raises:
        UserError: Naming the file and the first problem, and how many more there are.
    """
    labels, problems = parse_tags(read_table(path), path, tags)
    raise_first(problems)
    return labels


def lab_map(labels: Iterable[GenreLabels]) -> Mapping[str, str | None] | None:
    """Return the lab's merging of genres for a data set all of whose genres are the lab's, None for any other.

    Args:
        labels: Of all parts of the set.
    """
    genres = {genre for part in labels for genre in part.genres}
    return LAB_CLASS_MAP if genres and genres <= LAB_CLASS_MAP.keys() else None


def merge_genres(labels: GenreLabels, class_map: Mapping[str, str | None] | None) -> GenreLabels:
    """Rename genres by ``class_map`` and drop the tracks whose genre maps to None.

    A genre outside the map keeps its name; a map of None changes nothing.
    """
    merged = [(i, (class_map or {}).get(genre, genre)) for i, genre in zip(*labels, strict=True)]
    kept = [(i, genre) for i, genre in merged if genre is not None]
    return GenreLabels([i for i, _ in kept], [genre for _, genre in kept])


def describe_merge(labels: GenreLabels, class_map: Mapping[str, str | None] | None) -> str | None:
    """Say in one line which genres ``class_map`` merges and drops, with track counts; None if it does neither."""
    counts = Counter(labels.genres)
    sources: dict[str | None, list[str]] = {}
    for genre in sorted(counts):
        sources.setdefault((class_map or {}).get(genre, genre), []).append(genre)
    dropped = sources.pop(None, [])
    parts = [
        " + ".join(f"{genre} ({counts[genre]})" for genre in genres) + f" -> {target}"
        for target, genres in sources.items()
        if genres != [target]
    ]
    if dropped:
        parts.append("dropped " + ", ".join(f"{genre} ({counts[genre]})" for genre in dropped))
    return "; ".join(parts) or None


def similar_genres(counts: Mapping[str, int]) -> list[str]:
    """Say of genres that differ only in case, spaces, hyphens or underscores that they do, a line each.

    Args:
        counts: Number of tracks of each genre.
    """
    spellings: dict[str, list[str]] = {}
    for genre in sorted(counts):
        spellings.setdefault(re.sub(r"[\s_-]+", "", genre.casefold()), []).append(genre)
    return [
        f"genres {' and '.join(f'{genre!r} ({counts[genre]})' for genre in genres)} differ only in case or spaces; "
        "if they are one, write them alike, or merge them by --data.class_map"
        for genres in spellings.values()
        if len(genres) > 1
    ]


def range_of(values: Sequence[float]) -> str:
    """Return the range that some values lie in, in whole numbers, as options take it."""
    return f"[{math.floor(min(values))},{math.ceil(max(values))}]"


def parse_number(text: str) -> float:
    """Return the number that a text stands for, NaN if it is none."""
    return float(text) if is_number(text) else math.nan


def _header_problems(path: Path, columns: list[str], expected: str, hint: str) -> list[str]:
    """Say what was expected; a file without any columns could not be read, which has been said already."""
    return [f"{path}: the header is {' | '.join(columns)!r}; expected {expected!r}{hint}"] if columns else []
