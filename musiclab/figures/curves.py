"""How quantities change over a training."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from musiclab.figures.style import COLOURS, LINES, look, new_chart

Line = tuple[npt.NDArray[Any], npt.NDArray[np.floating]]
"""Epochs, counted from 1, and a value for each."""

SIZE = (3.3, 2.8)
"""Inches: three beside each other on a wide page, and as wide as a phone, where text keeps its size."""

LEGEND = {"handlelength": 1.7, "handletextpad": 0.5, "columnspacing": 1.2, "borderaxespad": 0.2}
ROW, HANDLE, LETTER = 0.2, 0.5, 0.07
"""Inches: height of a row of the legend, width of a line in it with the space around it, and of a letter."""


def curves_figure(
    lines: Mapping[str, Sequence[Line]], quantity: str, best: Sequence[tuple[float, float]] = ()
) -> Figure:
    """Draw a quantity over the epochs: of training and validation, or of each emotional axis; a line for each run.

    Args:
        lines: What the lines are of, and a line for each run.
        quantity: What the values are, with their unit.
        best: Epoch and value of the best of each run, to be marked in the colour of the first lines.
    """
    width, height = SIZE
    columns = _columns([*lines, *(["best"] if best else [])], width)
    more_rows = (len(lines) + bool(best) - 1) // columns
    figure, axes = new_chart(width, height + ROW * more_rows, grid=True, xlabel="epoch", ylabel=quantity)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    for index, (name, runs) in enumerate(lines.items()):
        colour, style = look(index, LINES)
        for number, (epochs, values) in enumerate(runs):
            axes.plot(
                epochs,
                values,
                style,
                color=colour,
                linewidth=1.8 if len(runs) == 1 else 1.1,
                label=name if number == 0 else None,
                marker="o" if len(epochs) == 1 else None,  # a line of a single epoch would not be seen
                markersize=4,
            )
    if best:
        best_epochs, best_values = zip(*best, strict=True)
        axes.plot(best_epochs, best_values, "o", color=COLOURS[0], markeredgecolor="white", markersize=7, label="best")
    if axes.lines:  # the legend lies above the chart, where it hides nothing
        figure.legend(loc="outside upper left", ncols=columns, frameon=False, fontsize=9, **LEGEND)
    return figure


def _columns(names: Sequence[str], width: float) -> int:
    """Return in how many columns a legend of some names fits into a width in inches, one at least."""
    lengths = sorted(map(len, names), reverse=True)
    return max((n for n in (1, 2, 3) if n * HANDLE + LETTER * sum(lengths[:n]) <= width), default=1)
