"""What all figures share: size, resolution, colours, and how they become files."""

import io
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from musiclab.files import replacing

COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#000000", "#999999")
"""For things that have no order, told apart by the colour-blind too.

Source: Okabe and Ito, "Color Universal Design", 2008 (their yellow, hardly legible on white, is left out).
"""

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
"""A second way to tell things apart, once the colours have all been used."""

LINES = ("-", "--", ":", "-.")
"""Of lines, so that they can be told apart in print too."""

VALUES = "viridis"
"""Colour map for values: ordered for every kind of sight, and in print."""

DPI = 110
"""Pixels an inch on a page, where text of 10 points is then as large as the page's own."""

FINER = 1.2
"""So much finer than they are shown pictures are written: pages enlarge them to fill their width."""

TITLE = 10
GRID = "0.92"


def look(index: int, seconds: Sequence[str] = MARKERS) -> tuple[str, str]:
    """Return the colour and the marker, or the style of the line, of the thing of a number.

    Neighbours differ in both; each colour comes with another marker when the colours begin anew, so that no two things
    look the same until all have been used.
    """
    return COLOURS[index % len(COLOURS)], seconds[(index + index // len(COLOURS)) % len(seconds)]


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure of ``width`` by ``height`` inches."""
    figure = Figure(figsize=(width, height), layout="constrained", dpi=DPI)
    FigureCanvasAgg(figure)
    return figure


def new_chart(width: float, height: float, title: str = "", grid: bool = False, **labels: str) -> tuple[Figure, Axes]:
    """Return a figure of ``width`` by ``height`` inches with axes; ``labels`` are ``xlabel`` and ``ylabel``."""
    figure = new_figure(width, height)
    axes = figure.add_subplot(axisbelow=True, **labels)
    axes.set_title(title, fontsize=TITLE)
    axes.spines[["top", "right"]].set_visible(False)
    if grid:
        axes.grid(color=GRID)
    return figure, axes


def bare_figure(width: float, height: float) -> tuple[Figure, Axes]:
    """Return a figure of ``width`` by ``height`` inches that is filled by its axes, of which nothing is seen.

    A page that says in its own letters what lies where can show it in any size.
    """
    figure = Figure(figsize=(width, height), dpi=DPI)
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    return figure, axes


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure as a picture, whole or not at all; the suffix gives the format."""
    with replacing(path) as partial:
        figure.savefig(partial, dpi=FINER * DPI)


def png_bytes(figure: Figure, colours: int | None = None) -> bytes:
    """Return a figure as the bytes of a PNG file.

    Args:
        figure: The figure.
        colours: Use at most so many, up to 256: charts of lines and dots take a third of the space with 64.
    """
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", dpi=FINER * DPI)
    if colours is None:
        return drawn.getvalue()
    picture = Image.open(drawn)
    fewer = io.BytesIO()
    picture.convert("RGB").quantize(colours, dither=Image.Dither.NONE).save(fewer, "png", dpi=picture.info["dpi"])
    return fewer.getvalue()


def svg_bytes(figure: Figure) -> bytes:
    """Return a figure as the bytes of an SVG file that fills whatever it is shown in, with lines of the same width."""
    drawn = io.StringIO()
    with rc_context({"svg.hashsalt": "musiclab"}):  # the same figure gives the same bytes
        figure.savefig(drawn, format="svg", metadata={"Date": None, "Creator": None}, transparent=True)
    text = re.sub(r"<!DOCTYPE.*?>|<metadata>.*?</metadata>", "", drawn.getvalue(), flags=re.DOTALL)
    text = re.sub(r' (width|height)="[\d.]+pt"', "", text, count=2)  # of the picture itself
    text = text.replace("<svg ", '<svg preserveAspectRatio="none" ', 1)
    return text.replace("*{", "*{vector-effect: non-scaling-stroke; ", 1).encode()


def value_range(values: npt.NDArray[np.floating]) -> tuple[float, float]:
    """Return 0 and 1 if all finite values lie there, else their range, which is never empty."""
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    if low >= 0 and high <= 1:
        return 0.0, 1.0
    return (low, high) if low < high else (low - 0.5, high + 0.5)
