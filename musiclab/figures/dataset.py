"""What a data set is made of: classes, lengths, values on emotional axes."""

from collections.abc import Collection, Mapping, Sequence
from functools import partial

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from musiclab.figures.style import COLOURS, new_chart, value_range

WIDTH = 4.8  # inches; two stand side by side on a page, and one can be read on a phone
SMALL = 3.3  # inches; three side by side
MAX_BINS = 30
DROPPED = "0.8"


def class_figure(
    names: Sequence[str], counts: Mapping[str, npt.NDArray[np.int64]], title: str, dropped: Collection[str] = ()
) -> Figure:
    """Draw a bar for each class, its parts end to end, with the numbers beside it.

    Args:
        names: Classes, from top to bottom.
        counts: Tracks of each class, ``(classes,)``, of each part, such as train and test.
        title: What is shown.
        dropped: Classes that are not used, which are drawn in grey.
    """
    figure, axes = new_chart(WIDTH, 1.3 + 0.26 * len(names), title, xlabel="tracks")
    used = np.array([name not in dropped for name in names])
    start = np.zeros(len(names), dtype=np.int64)
    for tracks, colour in zip(counts.values(), COLOURS, strict=False):
        colours = [colour if use else DROPPED for use in used]
        axes.barh(range(len(names)), tracks, left=start, color=colours, edgecolor="white", linewidth=0.7)
        start += tracks
    for row, of_class in enumerate(zip(*counts.values(), strict=True)):
        said = " + ".join(map(str, of_class))
        axes.annotate(said, (start[row], row), (4, 0), textcoords="offset points", va="center", fontsize=9)
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.set_xlim(0, max(start.max(initial=1), 1) * 1.2)  # room for the numbers
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    kinds = [*zip(counts, COLOURS, strict=False), *([] if used.all() else [("dropped", DROPPED)])]
    patches = [Patch(color=colour, label=label) for label, colour in kinds]
    figure.legend(handles=patches, loc="outside lower center", ncols=3, frameon=False)
    return figure


def length_figure(lengths: Mapping[str, npt.NDArray[np.int64]], title: str, seconds: float | None) -> Figure:
    """Draw how many tracks there are of each length, the parts on top of each other.

    Args:
        lengths: Columns of each array, ``(tracks,)``, of each part, such as train and test.
        title: What is shown.
        seconds: Duration of a column in s, which gets an axis of its own; None for a column a beat.
    """
    figure, axes = new_chart(
        WIDTH, 3.2, title, xlabel=f"length ({'beats' if seconds is None else 'frames'})", ylabel="tracks"
    )
    bins = _whole_bins(np.concatenate(list(lengths.values())))
    axes.hist(
        list(lengths.values()),
        bins=bins,  # type: ignore[arg-type]  # edges as an array
        stacked=True,
        color=list(COLOURS[: len(lengths)]),
        label=list(lengths),
        edgecolor="white",
        linewidth=0.5,
    )
    margin = max(1.5, 0.03 * (bins[-1] - bins[0]))  # a single length gets whole numbers beside it
    axes.set_xlim(bins[0] - margin, bins[-1] + margin)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(6, integer=True))
    if seconds is not None:
        functions = (partial(np.multiply, seconds), partial(np.multiply, 1 / seconds))  # to seconds and back
        above = axes.secondary_xaxis("top", functions=functions)
        above.set_xlabel("length (s)")
    figure.legend(loc="outside lower center", ncols=3, frameon=False)
    return figure


def axis_figure(values: npt.NDArray[np.floating], name: str, median: float) -> Figure:
    """Draw how the values on an emotional axis are distributed, in 20 bins.

    Args:
        values: ``(tracks,)``; the bins are of 0..1 if all values are, else of their range.
        name: Name of the axis.
        median: Of the values.
    """
    title = f"{len(values)} tracks, median {median:.3g}"
    figure, axes = new_chart(SMALL, 2.7, title, xlabel=name, ylabel="tracks")
    low, high = value_range(values)
    axes.hist(values, bins=20, range=(low, high), color=COLOURS[0], edgecolor="white", linewidth=0.5)
    axes.axvline(median, color=COLOURS[5], linestyle="--", linewidth=1.5)
    axes.set_xlim(low, high)
    axes.yaxis.set_major_locator(MaxNLocator(6, integer=True))
    return figure


def pair_figure(
    first: npt.NDArray[np.floating], second: npt.NDArray[np.floating], names: tuple[str, str], correlation: float
) -> Figure:
    """Draw each track by its values on two emotional axes.

    Args:
        first: ``(tracks,)``, drawn to the right.
        second: ``(tracks,)``, drawn upwards.
        names: Names of the two axes.
        correlation: Spearman's, NaN where it is undefined.
    """
    said = "undefined" if np.isnan(correlation) else f"{correlation:.3f}"
    title = f"{len(first)} tracks, Spearman {said}"
    figure, axes = new_chart(SMALL, 3.4, title, grid=True, xlabel=names[0], ylabel=names[1])
    axes.scatter(first, second, s=12, alpha=0.4, linewidths=0, color=COLOURS[0])
    for values, limit in ((first, axes.set_xlim), (second, axes.set_ylim)):
        low, high = value_range(values)
        margin = 0.03 * (high - low)
        limit(low - margin, high + margin)
    return figure


def _whole_bins(values: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Return edges of bins that all hold the same number of whole values."""
    low, high = int(values.min()), int(values.max())
    width = -(-(high - low + 1) // MAX_BINS)
    return np.arange(low, high + width + 1, width, dtype=np.float64) - 0.5
