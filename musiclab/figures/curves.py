"""How quantities change over a training."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from musiclab.figures.style import COLOURS, new_figure

Line = tuple[npt.NDArray[np.floating], npt.NDArray[np.floating]]
"""Epochs, counted from 1, and a value for each."""

SIZE = (3.3, 2.8)
"""Inches: three beside each other on a wide page, and as wide as a phone, where text keeps its size."""

TEXT = 10
LEGEND = {"handlelength": 1.7, "handletextpad": 0.5, "columnspacing": 1.2, "borderaxespad": 0.2}

STYLES = ("-", "--", ":", "-.")
"""Of lines, so that they can be told apart in print too."""


def learning_figure(
    training: Sequence[Line],
    validation: Sequence[Line],
    quantity: str,
    best: Sequence[tuple[float, float]] = (),
) -> Figure:
    """Draw a quantity of training and validation over the epochs, a line for each run.

    Args:
        training: A line for each run.
        validation: A line for each run.
        quantity: What the values are, with their unit.
        best: Epoch and value of the best validation of each run, to be marked.
    """
    figure, axes = _epochs_chart(quantity)
    for colour, style, lines, label in (
        (COLOURS[1], "--", training, "training"),
        (COLOURS[0], "-", validation, "validation"),
    ):
        _draw(axes, lines, label, colour, style)
    if best:
        epochs, values = zip(*best, strict=True)
        axes.plot(
            epochs, values, "o", color=COLOURS[0], markeredgecolor="white", markersize=7, label="best", linestyle=""
        )
    _finish(figure, axes)
    return figure


def axis_curves_figure(lines: Mapping[str, Sequence[Line]], quantity: str) -> Figure:
    """Draw a quantity of each emotional axis over the epochs, such as the weight of its loss; a line for each run.

    Args:
        lines: Name of each axis, and its line in each run.
        quantity: What the values are, with their unit.
    """
    figure, chart = _epochs_chart(quantity)
    for index, (name, runs) in enumerate(lines.items()):
        _draw(chart, runs, name, COLOURS[index % len(COLOURS)], STYLES[index % len(STYLES)])
    _finish(figure, chart)
    return figure


def _epochs_chart(quantity: str) -> tuple[Figure, Axes]:
    figure = new_figure(*SIZE)
    axes = figure.add_subplot()
    axes.set_xlabel("epoch", fontsize=TEXT)
    axes.set_ylabel(quantity, fontsize=TEXT)
    axes.tick_params(labelsize=TEXT)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    axes.grid(color="0.9")
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    return figure, axes


def _draw(axes: Axes, lines: Sequence[Line], label: str, colour: str, style: str) -> None:
    width = 1.8 if len(lines) == 1 else 1.1
    for number, (epochs, values) in enumerate(lines):
        # A line of a single epoch would not be seen.
        marker = "o" if len(epochs) == 1 else None
        name = label if number == 0 else None
        axes.plot(epochs, values, style, color=colour, linewidth=width, label=name, marker=marker, markersize=4)


def _finish(figure: Figure, axes: Axes) -> None:
    """Put the legend above the chart, where it hides nothing."""
    handles, labels = axes.get_legend_handles_labels()
    if handles:
        figure.legend(handles, labels, loc="outside upper left", ncols=3, frameon=False, fontsize=9, **LEGEND)
