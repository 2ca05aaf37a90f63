"""How well predictions agree with the truth."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from musiclab.report.figures.style import new_figure


def confusion_figure(matrix: npt.NDArray[np.int64], names: Sequence[str]) -> Figure:
    """Draw a confusion matrix ``(truth, prediction)``: counts as text, shares of each row as colour."""
    count = len(names)
    size = 2.4 + 0.55 * count
    figure = new_figure(size, size)
    axes = figure.add_subplot()
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (row, column), tracks in np.ndenumerate(matrix):
        colour = "white" if shares[row, column] > 0.5 else "black"
        axes.text(column, row, str(tracks), ha="center", va="center", color=colour, fontsize=9)
    axes.set_xticks(range(count), names, rotation=45, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(count), names)
    axes.set_xlabel("prediction")
    axes.set_ylabel("truth")
    accuracy = np.trace(matrix) / max(matrix.sum(), 1)
    axes.set_title(f"{matrix.sum()} tracks, accuracy {accuracy:.3f}")
    figure.colorbar(image, ax=axes, shrink=0.7, label="share of the genre's tracks")
    return figure


def scatter_figure(
    truth: npt.NDArray[np.floating],
    predictions: npt.NDArray[np.floating],
    axes: Sequence[str],
    correlations: Sequence[float],
) -> Figure:
    """Draw prediction against truth, a panel for each axis.

    Args:
        truth: ``(tracks, axes)``.
        predictions: ``(tracks, axes)``.
        axes: Names of the axes.
        correlations: Spearman's correlation on each axis.
    """
    count = len(axes)
    figure = new_figure(3.6 * count + 0.4, 4.0)
    panels = figure.subplots(1, count, squeeze=False)[0]
    for panel, name, true, predicted, correlation in zip(
        panels, axes, truth.T, predictions.T, correlations, strict=True
    ):
        values = np.concatenate([true, predicted])
        values = values[np.isfinite(values)]  # a run that has diverged shall still end with its other results
        low, high = values.min(), values.max()
        margin = 0.03 * (high - low)
        limits = (low - margin, high + margin)
        panel.plot(limits, limits, color="0.6", linewidth=1, linestyle="--", zorder=1)
        panel.scatter(true, predicted, s=14, alpha=0.6, linewidths=0, zorder=2)
        panel.set(xlim=limits, ylim=limits, aspect="equal", xlabel="truth", ylabel="prediction")
        panel.set_title(f"{name}: Spearman {correlation:.3f}")
        panel.grid(color="0.92")
    return figure
