"""Result files of emotion regression."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from musiclab.files import write_text
from musiclab.runs.comparison import intervals, scores
from musiclab.runs.predictions import Rows, as_predictions, write_value_predictions
from musiclab.runs.result_files import ResultFiles, drawn_of, print_predictions, with_intervals

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class ValueResults(ResultFiles):
    """Writes what tests and predictions of emotional axes give into a folder, that of a run or another.

    ``test`` leaves ``test_metrics.json``, ``predictions.csv`` and ``scatter.png``, and prints a table; ``predict``
    leaves ``predictions.csv``.

    Args:
        axes: Names of the axes, in the order of the outputs.
    """

    picture = "scatter"

    def __init__(self, axes: Sequence[str]) -> None:
        self.axes = list(axes)
        per_axis = [f"{quantity}_{axis}" for quantity in ("loss", "spearman") for axis in self.axes]
        self.quantities = ["loss", "spearman", *per_axis]
        self.test_summary = ("test_spearman", "test_mse", *(f"test_spearman_{axis}" for axis in self.axes))

    def draw(self, rows: Rows) -> "Figure":
        """Draw the scatter plots."""
        from musiclab.figures import scatter_figure  # matplotlib is slow to import

        found = scores(as_predictions(Path(), self.axes, rows))
        correlations = [found.get(f"spearman_{axis}", 0.0) for axis in self.axes]  # none where no truth is known
        return scatter_figure(rows.targets, rows.predictions, self.axes, correlations)

    def write_predictions(self, folder: Path, rows: Rows) -> None:
        """Write the predictions, and print them if the tracks are few."""
        path = folder / "predictions.csv"
        write_value_predictions(path, self.axes, rows)
        print_predictions(path, rows, self._values)

    def _values(self, row: npt.NDArray[np.float64]) -> list[str]:
        return [f"{axis} {value:.3f}" for axis, value in zip(self.axes, row, strict=True)]

    def scores(self, rows: Rows) -> dict[str, float]:
        """Return Spearman's correlation and the mean squared error, of each axis and their means."""
        found = {f"test_{name}": value for name, value in scores(as_predictions(Path(), self.axes, rows)).items()}
        squared = np.square(rows.predictions - rows.targets).mean(axis=0)
        found |= {f"test_mse_{axis}": float(value) for axis, value in zip(self.axes, squared, strict=True)}
        return {**found, "test_mse": float(squared.mean())}

    def write_test(self, folder: Path, rows: Rows, metrics: Mapping[str, float]) -> "Figure":
        """Write all files of a test, print its table and return the scatter plots."""
        from musiclab.figures import save_figure

        predictions = as_predictions(folder / "predictions.csv", self.axes, rows)
        found = intervals(predictions)
        metrics = with_intervals(metrics, found, predictions)
        write_text(folder / "test_metrics.json", json.dumps(metrics, indent=2, sort_keys=True) + "\n")
        write_value_predictions(predictions.path, self.axes, rows)
        figure = self.draw(rows)
        save_figure(figure, folder / "scatter.png")
        width = max(len(name) for name in (*self.axes, "all"))
        print(f"{'':{width}}  Spearman  {'95 % interval    ' if found else ''}   MSE")
        for name, suffix in [*((axis, f"_{axis}") for axis in self.axes), ("all", "")]:
            ends = found.get(f"spearman{suffix}")
            words = f"  {f'{ends.low:.3f} to {ends.high:.3f}':15}" if ends else ""
            print(
                f"{name:{width}}  {metrics[f'test_spearman{suffix}']:8.4f}{words}  {metrics[f'test_mse{suffix}']:6.4f}"
            )
        if found:
            print(f"Intervals: {drawn_of(predictions)}")
        print(f"Test results of {len(rows.ids)} tracks: {folder}")
        return figure
