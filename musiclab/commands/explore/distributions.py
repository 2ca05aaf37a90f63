"""What a data set is made of, in pictures and tables: genres, values on emotional axes, lengths."""

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from musiclab.commands.explore.tracks import Beats
from musiclab.data.labels import EmotionLabels, GenreLabels, merge_genres
from musiclab.data.survey import Survey
from musiclab.figures import axis_figure, class_figure, length_figure, pair_figure, png_bytes
from musiclab.pages.document import Block, Heading, Picture, Pictures, SideBySide, Table, Text

EXTREMES = (0, 0.5, 1)
"""Quantiles: lowest, median, highest."""


def genre_blocks(survey: Survey, class_map: Mapping[str, str | None] | None) -> list[Block]:
    """Return the number of tracks of each genre, before and after merging."""
    before = {name: part.labels for name, part in survey.parts.items() if isinstance(part.labels, GenreLabels)}
    after = {name: merge_genres(labels, class_map) for name, labels in before.items()}
    names, counts = _count(before)
    becomes = {name: (class_map or {}).get(name, name) for name in names}
    blocks: list[Block] = [Heading("Genres")]
    if all(becomes[name] == name for name in names):
        said = "There is no merging." if class_map is None else "Merging by class_map changes nothing here."
        blocks.append(Text(f"{said} Of {_genres(names)}, the largest has {_share(counts)} of the tracks."))
        figure = class_figure(names, counts, f"{_genres(names)}, {_total(counts)} tracks")
        pictures = [_picture("genres", figure, "Tracks of each genre.")]
        table = Table(["genre", *counts], _rows(names, counts))
        return [*blocks, SideBySide([[Pictures(pictures)], [table]])]
    merged, kept = _count(after)
    dropped = [name for name in names if becomes[name] is None]
    lost = _total(counts) - _total(kept)
    said = f"Merging by class_map makes {_genres(merged)} of {len(names)}"
    said += f" and drops {lost} of {_total(counts)} tracks" if lost else " and drops no track"
    blocks.append(Text(f"{said}. The largest then has {_share(kept)} of the tracks."))
    first = class_figure(names, counts, f"before merging: {_genres(names)}, {_total(counts)} tracks", dropped)
    pictures = [_picture("genres_before", first, f"Tracks of each genre before merging; {_listed(dropped)} dropped.")]
    if merged:
        second = class_figure(merged, kept, f"after merging: {_genres(merged)}, {_total(kept)} tracks")
        pictures.append(_picture("genres_after", second, "Tracks of each genre after merging."))
    rows = [[name, becomes[name] or "dropped", *tracks] for name, *tracks in _rows(names, counts)]
    return [*blocks, Pictures(pictures), Table(["genre", "becomes", *counts], rows)]


def emotion_blocks(survey: Survey) -> list[Block]:
    """Return the distribution of the values on each axis, and how each pair of axes relates."""
    labels = survey.parts["train"].labels
    if not isinstance(labels, EmotionLabels):
        return []
    values = dict(zip(labels.axes, np.array(labels.values).T, strict=True))
    distributions = [
        _picture(
            f"axis_{number}",
            axis_figure(column, axis, float(np.median(column))),
            f"Tracks by {axis}; the dashed line is the median.",
        )
        for number, (axis, column) in enumerate(values.items(), start=1)
    ]
    spreads = {axis: (c.min(), np.median(c), c.mean(), c.max(), c.std()) for axis, c in values.items()}
    rows = [[axis, *(f"{value:.3g}" for value in spread)] for axis, spread in spreads.items()]
    blocks: list[Block] = [
        Heading("Values on each axis"),
        Text(f"Of the {len(labels.ids)} labelled tracks of train/."),
        Pictures(distributions),
        Table(["axis", "lowest", "median", "mean", "highest", "standard deviation"], rows),
    ]
    if len(values) == 1:
        return blocks
    blocks += [
        Heading("Relations between axes"),
        Text(
            "Each point is a track. Spearman's correlation is 1 where both axes put the tracks in the same order, -1 "
            "where they put them in opposite orders."
        ),
    ]
    pictures, rows = [], []
    for number, (first, second) in enumerate(itertools.combinations(values, 2), start=1):
        correlation = _spearman(values[first], values[second])
        figure = pair_figure(values[first], values[second], (first, second), correlation)
        pictures.append(_picture(f"pair_{number}", figure, f"{second} against {first}."))
        rows.append([first, second, "undefined" if np.isnan(correlation) else f"{correlation:.3f}"])
    return [*blocks, Pictures(pictures), Table(["axis", "axis", "Spearman"], rows)]


def tag_blocks(survey: Survey) -> list[Block]:
    """Return how many tracks have each tag, the most frequent first, and how many tags a track has."""
    labels = {name: part.labels for name, part in survey.parts.items() if isinstance(part.labels, EmotionLabels)}
    values = {name: np.array(of_part.values) for name, of_part in labels.items()}
    every = np.concatenate(list(values.values()))
    order = np.argsort(-every.sum(axis=0), kind="stable")
    names = [survey.axes[index] for index in order] if survey.axes else []
    counts = {name: of_part.sum(axis=0).astype(np.int64)[order] for name, of_part in values.items()}
    a_track = every.sum(axis=1)
    said = f"{len(names)} tags of {len(every)} labelled tracks; a track has {a_track.mean():.2g} in the mean, "
    said += f"{a_track.min():.0f} to {a_track.max():.0f}."
    figure = class_figure(names, counts, f"{len(names)} tags, {len(every)} tracks")
    rows = [[*row, f"{share:.3f}"] for row, share in zip(_rows(names, counts), every.mean(axis=0)[order], strict=True)]
    table = Table(["tag", *counts, "share"], rows)
    pictures = [_picture("tags", figure, "Tracks that have each tag.")]
    return [Heading("Tags"), Text(said), SideBySide([[Pictures(pictures)], [table]])]


def length_blocks(survey: Survey, beats: Beats, seconds: float | None) -> list[Block]:
    """Return how long the arrays are, and how much shorter beats make them."""
    full = {name: {i: a.header.columns for i, a in part.arrays.items()} for name, part in survey.parts.items()}
    synced = {name: {i: a.header.columns for i, a in arrays.items()} for name, arrays in beats.items()}
    rows, pictures = [], []
    for lengths, kind, duration in ((full, "beats" if seconds is None else "frames", seconds), (synced, "beats", None)):
        drawn = {name: np.array(list(found.values())) for name, found in lengths.items() if found}
        if drawn:
            figure = length_figure(drawn, f"{sum(map(len, drawn.values()))} tracks", duration)
            pictures.append(_picture(f"lengths_{kind}", figure, f"Tracks by their number of {kind}."))
        for name, columns in drawn.items():
            three = np.quantile(columns, EXTREMES)
            times = [""] * 3 if duration is None else [f"{value * duration:.2f} s" for value in three]
            rows.append([name, kind, str(len(columns)), *(f"{value:.10g}" for value in three), *times])
    extremes = ["shortest", "median", "longest"]
    table = Table(["part", "columns", "tracks", *extremes, *extremes], rows).without_empty()
    blocks: list[Block] = [Heading("Lengths"), Pictures(pictures), table]
    if not beats:
        return blocks
    both = []
    for name, found in full.items():
        ratios = np.array([found[i] / synced[name][i] for i in found.keys() & synced[name].keys()])
        if len(ratios):
            both.append([name, str(len(ratios)), *(f"{value:.1f}x" for value in np.quantile(ratios, EXTREMES))])
    said = "Compression by beat-synchronisation, of the tracks that are there in both forms: frames over beats."
    return [*blocks, Text(said), Table(["part", "tracks", "lowest", "median", "highest"], both)]


def _picture(name: str, figure: Figure, caption: str) -> Picture:
    return Picture(f"pictures/{name}.png", png_bytes(figure), caption)


def _count(labels: Mapping[str, GenreLabels]) -> tuple[list[str], dict[str, npt.NDArray[np.int64]]]:
    """Return the genres, the most frequent first, and the number of tracks of each, by part."""
    counts = {part: Counter(of_part.genres) for part, of_part in labels.items()}
    total = sum(counts.values(), Counter[str]())
    names = sorted(total, key=lambda name: (-total[name], name))
    return names, {part: np.array([of_part[name] for name in names], np.int64) for part, of_part in counts.items()}


def _genres(names: Sequence[str]) -> str:
    return f"{len(names)} {'genre' if len(names) == 1 else 'genres'}"


def _total(counts: Mapping[str, npt.NDArray[np.int64]]) -> int:
    return int(sum(tracks.sum() for tracks in counts.values()))


def _share(counts: Mapping[str, npt.NDArray[np.int64]]) -> str:
    largest = max(sum(tracks) for tracks in zip(*counts.values(), strict=True)) if _total(counts) else 0
    return f"{largest / max(_total(counts), 1):.3f}"


def _rows(names: Sequence[str], counts: Mapping[str, npt.NDArray[np.int64]]) -> list[list[str]]:
    return [[name, *map(str, tracks)] for name, *tracks in zip(names, *counts.values(), strict=True)]


def _listed(names: Sequence[str]) -> str:
    return f"{', '.join(names)} {'is' if len(names) == 1 else 'are'}" if names else "none is"


def _spearman(first: npt.NDArray[np.floating], second: npt.NDArray[np.floating]) -> float:
    """Return Spearman's correlation, NaN where all values of an axis are equal."""
    from scipy.stats import spearmanr

    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return float("nan")
    return float(spearmanr(first, second).statistic)
