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
LEGEND_COLUMNS = 3
LEGEND_ROW = 0.2  # inches


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
    more_rows = (len(lines) + bool(best) - 1) // LEGEND_COLUMNS
    figure, axes = new_chart(width, height + LEGEND_ROW * more_rows, grid=True, xlabel="epoch", ylabel=quantity)
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
        figure.legend(loc="outside upper left", ncols=LEGEND_COLUMNS, frameon=False, fontsize=9, **LEGEND)
    return figure
