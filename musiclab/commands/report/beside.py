"""Which published figures stand beside which data of ours, and whether they compare."""

from collections.abc import Collection, Sequence
from pathlib import PurePath

from musiclab.commands.report.datasets import DataSet
from musiclab.commands.report.published import Published, PublishedSet
from musiclab.pages.document import Block, Table, Text
from musiclab.runs.comparison import AXIS_SCORE

COMPARES = "published, on this data"

HEADERS = {"f1_macro": "macro F1", "spearman": "mean"}
"""What tables call scores that are not named as here; those of an axis are called as this."""


def stands_beside(data: DataSet, published: PublishedSet) -> bool:
    """Tell whether figures are of a data set that we have, or of another part of it."""
    if published.kind != data.kind:
        return False
    if published.folder is None:
        return data.is_lab
    parts = PurePath(published.folder).parts
    return PurePath(data.place).parts[-len(parts) :] == parts


def comparison(data: DataSet, published: PublishedSet, tracks: Collection[int | None]) -> str:
    """Return in words whether figures beside a data set compare with ours; if so, :data:`COMPARES`.

    Args:
        data: The data set.
        published: The figures.
        tracks: How many test tracks our models have.
    """
    genres = len(data.targets) or None
    if published.genres != genres:
        return f"published, on {published.genres or 'no'} genres, ours {genres or 'none'}: does not compare"
    if data.limit is not None:
        return f"published, ours trained on {data.limit} tracks: does not compare"
    if published.test_tracks is None:
        return "published, on other test tracks of this data"
    if set(tracks) != {published.test_tracks}:
        ours = " or ".join("unknown" if number is None else str(number) for number in sorted(tracks, key=_number))
        return f"published, on {published.test_tracks} test tracks, ours {ours}: does not compare"
    return COMPARES


def published_table(figures: Sequence[Published], caption: str = "") -> Table:
    """Return published figures, a row for each."""
    scores = list(dict.fromkeys(name for figure in figures for name in figure.scores))
    scores.sort(key="spearman".__eq__)  # the mean stands after what it is of
    rows = [
        [
            figure.model,
            figure.source,
            *(figure.scores.get(name, "") for name in scores),
            figure.pretrained,
            figure.note,
        ]
        for figure in figures
    ]
    names = [HEADERS.get(name, name.removeprefix(AXIS_SCORE)) for name in scores]
    return Table(["published model", "source", *names, "pretrained on", "note"], rows, caption).without_empty()


def published_blocks(data: DataSet, sets: Sequence[PublishedSet], tracks: Collection[int | None]) -> list[Block]:
    """Return tables of those figures of a user's files that stand beside a data set."""
    blocks: list[Block] = []
    for published in sets:
        if stands_beside(data, published):
            said = comparison(data, published, tracks)
            about = f" {published.data}." if published.data else ""
            blocks.append(published_table(published.figures, f"{published.title}: {said}.{about}"))
            named = {figure.source for figure in published.figures}
            sources = [f"{name}: {full}" for name, full in published.sources.items() if name in named]
            blocks += [Text("; ".join([*sources, *([published.recipes] if published.recipes else [])]))]
    return blocks


def _number(count: int | None) -> int:
    return -1 if count is None else count
