"""What all figures share: size, resolution, colours, and how they become files."""

import io
from pathlib import Path
from typing import Any

import numpy as np
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

VALUES = "viridis"
"""Colour map for values: ordered for every kind of sight, and in print."""

DPI = 110
TITLE = 10
GRID = "0.92"


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


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure as a picture, whole or not at all; the suffix gives the format."""
    with replacing(path) as partial:
        figure.savefig(partial)


def png_bytes(figure: Figure, colours: int | None = None) -> bytes:
    """Return a figure as the bytes of a PNG file.

    Args:
        figure: The figure.
        colours: Use at most so many, up to 256: charts of lines and dots take a third of the space with 64.
    """
    buffer = io.BytesIO()
    if colours is None:
        figure.savefig(buffer, format="png")
    else:
        canvas: Any = FigureCanvasAgg(figure)
        canvas.draw()
        picture = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
        picture.quantize(colours, dither=Image.Dither.NONE).save(buffer, format="png")
    return buffer.getvalue()
