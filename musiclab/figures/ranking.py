"""Models beside each other: what each reached, and how far that can be trusted."""

import textwrap
from collections.abc import Sequence
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import MaxNLocator

from musiclab.figures.style import COLOURS, GRID, TITLE, new_figure

WIDTH = 3.3  # inches: three beside each other on a wide page, and as wide as a phone, where text keeps its size
ROW = 0.42  # inches: a line of text and below it the marks
LINE = 0.2  # inches: of the title
TITLE_LETTERS, LETTERS = 37, 44
"""In a line of the title, and of other text."""

HEAD, HEAD_LINE = 0.3, 0.45
"""Rows that what stands apart begins with: the space around its words, and each line of them."""

ABOVE, BELOW = -0.36, 0.17
"""Where a row's text stands, and where its runs do, in rows from the middle of its marks."""

WIDEST = 15
"""Pixels that no letter of a name is wider than."""

GREY = "0.45"
SMALL = 9


class Place(NamedTuple):
    """A model in a ranking.

    Attributes:
        name: What it is called; cut if it is too long.
        score: Its score, the mean over its runs.
        said: The score in words, with the digits that it has.
        interval: Where its interval begins and ends; None if it has none.
        runs: The score of each run, if there are several.
        is_lower: Whether it shows that it is below the best.
        end: What follows the name, and is never cut.
    """

    name: str
    score: float
    said: str
    interval: tuple[float, float] | None = None
    runs: Sequence[float] = ()
    is_lower: bool = False
    end: str = ""


class Apart(NamedTuple):
    """Models of others, below a rule: what they are, and the models."""

    said: str
    places: Sequence[Place]


def ranking_figure(
    places: Sequence[Place],
    title: str,
    quantity: str,
    others: Sequence[Apart] = (),
    floor: tuple[str, float] | None = None,
) -> Figure:
    """Draw each model as a dot on a scale, with its interval as a line and its runs as small dots below it.

    A model that shows to be below the best is drawn hollow, those of others in grey.

    Args:
        places: From top to bottom.
        title: Of what they are.
        quantity: What the scale is of.
        others: What stands apart, below.
        floor: A score that needs no model, with its name, drawn as a line.
    """
    titles, labels = textwrap.wrap(title, TITLE_LETTERS), textwrap.wrap(quantity, LETTERS)
    heads = [textwrap.wrap(apart.said, LETTERS) for apart in others]
    rows = len(places) + sum(HEAD + HEAD_LINE * len(head) for head in heads)
    rows += sum(len(apart.places) for apart in others)
    figure = new_figure(WIDTH, ROW * (rows + 0.3) + LINE * (len(titles) + len(labels)) + 0.35)
    axes = figure.add_subplot(axisbelow=True, xlabel="\n".join(labels))
    axes.set_title("\n".join(titles), fontsize=TITLE, loc="left")
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.set_yticks([])
    axes.grid(axis="x", color=GRID)
    everything = [*places, *(place for apart in others for place in apart.places)]
    _set_limits(axes, everything, floor)
    axes.set_ylim(rows - 0.35, -0.65)
    row = 0.0
    named: list[tuple[Place, Text, Text]] = []
    for place in places:
        named.append((place, *_draw(axes, row, place, COLOURS[0])))
        row += 1
    for apart, head in zip(others, heads, strict=True):
        axes.axhline(row - 0.55, color="0.7", linewidth=0.8)
        for line in head:
            _write(axes, row - 0.25, line, color=GREY, style="italic")
            row += HEAD_LINE
        row += HEAD
        for place in apart.places:
            named.append((place, *_draw(axes, row, place, GREY)))
            row += 1
    if floor is not None:
        axes.axvline(floor[1], color=GREY, linewidth=1, linestyle=":")
        right = floor[1] < sum(axes.get_xlim()) / 2
        axes.annotate(
            floor[0],
            (floor[1], 0),
            (4 if right else -4, 3),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            ha="left" if right else "right",
            va="bottom",
            fontsize=8,
            color=GREY,
        )
    _shorten(figure, axes, named)
    return figure


def _draw(axes: Axes, row: float, place: Place, colour: str) -> tuple[Text, Text]:
    """Draw a model in a row; return its name and its score as they stand there."""
    if place.interval is not None:
        axes.plot(place.interval, [row, row], color=colour, linewidth=2, solid_capstyle="butt")
    axes.plot(
        [place.score],
        [row],
        "o" if colour == COLOURS[0] else "D",
        color=colour,
        markersize=7 if colour == COLOURS[0] else 5,
        markerfacecolor="white" if place.is_lower else colour,
        markeredgewidth=1.5,
    )
    runs = list(place.runs) if len(place.runs) > 1 else []
    axes.plot(runs, [row + BELOW] * len(runs), "o", color="black", markersize=2.6, linestyle="none")
    score = _write(axes, row + ABOVE, place.said, right=True, color=colour, weight="bold")
    name = f"{place.name}{place.end}"
    return _write(axes, row + ABOVE, name, color="black" if colour == COLOURS[0] else GREY), score


def _write(axes: Axes, row: float, text: str, right: bool = False, **look: Any) -> Text:
    """Write a text at one end of a row."""
    across, side = axes.get_yaxis_transform(), "right" if right else "left"
    written = axes.text(float(right), row, text, transform=across, ha=side, va="center", fontsize=SMALL, **look)
    written.set_bbox({"facecolor": "white", "edgecolor": "none", "pad": 0.8})  # before lines of the scale
    written.set_in_layout(False)  # else a long one would leave no place for the axes
    return written


def _set_limits(axes: Axes, places: Sequence[Place], floor: tuple[str, float] | None) -> None:
    values = [value for place in places for value in (place.score, *(place.interval or ()), *place.runs)]
    values += [floor[1]] if floor else []
    low, high = min(values), max(values)
    margin = 0.05 * (high - low) or 0.02
    axes.set_xlim(low - margin, high + margin)
    axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))


def _shorten(figure: Figure, axes: Axes, named: Sequence[tuple[Place, Text, Text]]) -> None:
    """Cut names that would reach into their scores."""
    figure.draw_without_rendering()  # for the axes to have their place
    for place, written, score in named:
        room, kept = score.get_window_extent().x0 - 8, place.name
        while (excess := written.get_window_extent().x1 - room) > 0 and kept:
            kept = kept[: -max(1, int(excess / WIDEST))].rstrip()
            written.set_text(f"{kept}…{place.end}")
