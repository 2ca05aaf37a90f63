"""Tracks as points in two dimensions."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from musiclab.figures.style import MARKERS, VALUES, look, new_chart

WIDTH = 4.7  # inches: two pictures beside each other on a screen, and legible on a phone
POINT = 28  # square points
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
        names: Names of the classes; the legend says how many tracks each has, and leaves out those without any.
        title: Title.
        labels: What the two directions are.
    """
    shown = [index for index in range(len(names)) if (classes == index).any()]
    unknown = classes < 0
    columns = 3 if max((len(names[index]) for index in shown), default=0) < 11 else 2
    rows = -(-(len(shown) + unknown.any()) // columns)
    figure, axes = _empty_chart(points, 0.22 * rows, title, labels)
    x, y = points.T
    for index in shown:
        colour, marker = look(index)
        axes.scatter(
            x[classes == index],
            y[classes == index],
            s=POINT * SIZES[marker],
            c=colour,
            marker=marker,
            alpha=0.75,  # the class that is drawn last shall not hide the others
            linewidths=0,
            label=f"{names[index]} ({(classes == index).sum()})",
        )
    if unknown.any():
        axes.scatter(
            x[unknown], y[unknown], s=POINT, c=UNKNOWN, marker=".", label=f"not known ({unknown.sum()})", zorder=0
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
    figure, axes = _empty_chart(points, 0.55, title, labels)
    known = np.isfinite(values)
    x, y = points.T
    if not known.all():
        axes.scatter(x[~known], y[~known], s=POINT, c=UNKNOWN, marker=".")
    coloured = axes.scatter(x[known], y[known], s=POINT, c=values[known], cmap=VALUES, linewidths=0, alpha=0.9)
    label = name if known.all() else f"{name} (grey: not known)"
    figure.colorbar(coloured, ax=axes, location="bottom", fraction=0.06, aspect=30, label=label)
    return figure


def _empty_chart(points: Points, legend: float, title: str, labels: tuple[str, str]) -> tuple[Figure, Axes]:
    """Return a square chart for some points, of one scale; with room for a legend below, in inches."""
    title = f"{title} of {len(points)} tracks" if title else f"{len(points)} tracks"
    figure, axes = new_chart(WIDTH, WIDTH + 0.2 + legend, title, grid=True, xlabel=labels[0], ylabel=labels[1])
    low, high = points.min(axis=0), points.max(axis=0)
    reach = 0.54 * (float((high - low).max()) or 1.0)
    x, y = ((low + high) / 2).tolist()
    axes.set(xlim=(x - reach, x + reach), ylim=(y - reach, y + reach))
    axes.set_box_aspect(1)
    return figure, axes
