"""How well predictions agree with the truth."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from musiclab.figures.style import COLOURS, GRID, TITLE, new_chart, new_figure, value_range

FAINT = "0.7"
"""Of zeros, so that the other numbers stand out."""


def confusion_figure(
    matrix: npt.NDArray[np.int64], names: Sequence[str], accuracy: float, cell: float = 0.55, bar: bool = True
) -> Figure:
    """Draw a confusion matrix ``(truth, prediction)``: counts as text, shares of each row as colour.

    Args:
        matrix: Numbers of tracks.
        names: Of the genres.
        accuracy: Of the same tracks.
        cell: Size of a cell in inches.
        bar: Whether to explain the colours by a bar.
    """
    count = len(names)
    figure = new_figure(max(3.0, (2.4 if bar else 1.6) + cell * count), 1.95 + cell * count)
    axes = figure.add_subplot(xlabel="prediction", ylabel="truth")
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (row, column), tracks in np.ndenumerate(matrix):
        colour = "white" if shares[row, column] > 0.5 else "black" if tracks else FAINT
        axes.text(column, row, str(tracks), ha="center", va="center", color=colour, fontsize=9)
    axes.set_xticks(range(count), names, rotation=45, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(count), names)
    axes.set_title(f"{matrix.sum()} tracks, accuracy {accuracy:.3f}")
    if bar:
        figure.colorbar(image, ax=axes, shrink=0.7, label="share of the genre's tracks")
    return figure


def scatter_figure(
    truth: npt.NDArray[np.floating],
    predictions: npt.NDArray[np.floating],
    axes: Sequence[str],
    correlations: Sequence[float],
    panel_size: float = 3.6,
) -> Figure:
    """Draw prediction against truth, a panel for each axis.

    Args:
        truth: ``(tracks, axes)``.
        predictions: ``(tracks, axes)``.
        axes: Names of the axes.
        correlations: Spearman's correlation on each axis.
        panel_size: Of one axis, in inches.
    """
    count = len(axes)
    figure = new_figure(panel_size * count + 0.4, panel_size + 0.6)
    panels = figure.subplots(1, count, squeeze=False)[0]
    columns = zip(panels, axes, truth.T, predictions.T, correlations, strict=True)
    for panel, name, true, predicted, correlation in columns:
        # A run that has diverged shall still end with its other results.
        low, high = value_range(np.concatenate([true, predicted]))
        margin = 0.03 * (high - low)
        limits = (low - margin, high + margin)
        panel.plot(limits, limits, color="0.6", linewidth=1, linestyle="--", zorder=1)
        panel.scatter(true, predicted, s=14, alpha=0.6, linewidths=0, zorder=2)
        panel.set(xlim=limits, ylim=limits, aspect="equal", xlabel="truth", ylabel="prediction")
        panel.set_title(f"{name}\n{len(truth)} tracks, Spearman {correlation:.3f}", fontsize=TITLE)
        panel.grid(color=GRID)
    return figure


def f1_figure(names: Sequence[str], scores: npt.NDArray[np.floating], quantity: str = "F1 on the test set") -> Figure:
    """Draw the F1 of each genre as a bar: the mean over runs, and a dot for each run if there are several.

    Args:
        names: Of the genres.
        scores: ``(runs, genres)``.
        quantity: What the scores are; others than F1, from 0 to 1, look alike.
    """
    figure, axes = new_chart(3.3, max(2.8, 1.0 + 0.24 * len(names)), xlabel=quantity)
    means = scores.mean(axis=0)
    places = np.arange(len(names))
    axes.barh(places, means, height=0.7, color=COLOURS[4])
    if len(scores) > 1:
        for run in scores:
            axes.plot(run, places, "o", color="black", markersize=3.5)
    for place, mean, furthest in zip(places, means, scores.max(axis=0), strict=True):
        axes.text(max(furthest, 0) + 0.02, float(place), f"{mean:.3f}", va="center", fontsize=9)
    axes.set_yticks(places, names)
    axes.invert_yaxis()
    axes.set_xlim(0, 1.18)
    axes.set_xticks(np.linspace(0, 1, 6))
    return figure
