"""Tracks as points in two dimensions."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from musiclab.figures.style import COLOURS, MARKERS, VALUES, new_figure

WIDTH = 4.7  # inches: two pictures beside each other on a screen, and legible on a phone
POINT = 24  # square points
SIZES = dict(zip(MARKERS, (1.0, 0.9, 1.2, 0.8, 1.2, 1.4, 1.4, 2.2), strict=True))
"""How much larger to draw a marker than a circle, for all to weigh the same."""

UNKNOWN = "0.75"

Points = npt.NDArray[np.floating[Any]]


def class_points_figure(
    points: Points, classes: npt.NDArray[np.int64], names: Sequence[str], title: str, labels: tuple[str, str]
) -> Figure:
    """Draw points in the colour and with the marker of their class; no two classes share both.

    Args:
        points: ``(tracks, 2)``.
        classes: ``(tracks,)``, -1 where the class is not known.
        names: Names of the classes; those without tracks are not in the legend.
        title: Title.
        labels: What the two directions are.
    """
    shown = [index for index in range(len(names)) if (classes == index).any()]
    unknown = classes < 0
    columns = 3 if max(map(len, names)) < 14 else 2
    rows = -(-(len(shown) + unknown.any()) // columns)
    figure = new_figure(WIDTH, WIDTH + 0.22 * rows)
    axes = _empty_axes(figure, title, labels)
    for index in shown:
        marker = MARKERS[(index + index // len(COLOURS)) % len(MARKERS)]
        axes.scatter(
            points[classes == index, 0],
            points[classes == index, 1],
            s=POINT * SIZES[marker],
            c=COLOURS[index % len(COLOURS)],
            marker=marker,
            alpha=0.75,  # the class that is drawn last shall not hide the others
            linewidths=0,
            label=names[index],
        )
    if unknown.any():
        axes.scatter(
            points[unknown, 0], points[unknown, 1], s=POINT, c=UNKNOWN, marker=".", label="not known", zorder=0
        )
    figure.legend(loc="outside lower center", ncols=columns, frameon=False, fontsize=9, handletextpad=0.2)
    return figure


def value_points_figure(points: Points, values: Points, name: str, title: str, labels: tuple[str, str]) -> Figure:
    """Draw points in the colour of their value.

    Args:
        points: ``(tracks, 2)``.
        values: ``(tracks,)``, NaN where the value is not known.
        name: What the values are of, for the colour bar.
        title: Title.
        labels: What the two directions are.
    """
    figure = new_figure(WIDTH, WIDTH + 0.55)
    axes = _empty_axes(figure, title, labels)
    known = np.isfinite(values)
    if not known.all():
        axes.scatter(points[~known, 0], points[~known, 1], s=POINT, c=UNKNOWN, marker=".")
    coloured = axes.scatter(
        points[known, 0], points[known, 1], s=POINT, c=values[known], cmap=VALUES, linewidths=0, alpha=0.9
    )
    label = name if known.all() else f"{name} (grey: not known)"
    figure.colorbar(coloured, ax=axes, location="bottom", fraction=0.06, aspect=30, label=label)
    return figure


def _empty_axes(figure: Figure, title: str, labels: tuple[str, str]) -> Axes:
    axes = figure.add_subplot()
    axes.set_title(title, fontsize=10)
    axes.set_xlabel(labels[0])
    axes.set_ylabel(labels[1])
    axes.set_aspect("equal", adjustable="datalim")
    axes.grid(color="0.92")
    axes.set_axisbelow(True)
    return axes
