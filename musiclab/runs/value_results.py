"""Result files of emotion regression."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from pytorch_lightning import Trainer

from musiclab.files import write_text
from musiclab.runs.predictions import Rows, write_value_predictions
from musiclab.runs.result_files import ResultFiles, print_predictions
from musiclab.runs.tensorboard import show_figure
from musiclab.tasks.metrics import spearman


class ValueResults(ResultFiles):
    """Writes what tests and predictions of emotional axes give into the run's folder.

    ``test`` leaves ``test_metrics.json``, ``predictions.csv`` and ``scatter.png``, prints a table and shows the
    scatter plots in TensorBoard; ``predict`` leaves ``predictions.csv``.

    Args:
        axes: Names of the axes, in the order of the outputs.
    """

    def __init__(self, axes: Sequence[str]) -> None:
        self.axes = list(axes)
        per_axis = [f"{quantity}_{axis}" for quantity in ("loss", "spearman") for axis in self.axes]
        self.quantities = ["loss", "spearman", *per_axis]
        self.test_summary = ("test_spearman", "test_mse", *(f"test_spearman_{axis}" for axis in self.axes))

    def show_validation(self, rows: Rows, step: int, trainer: Trainer) -> None:
        """Show the scatter plots."""
        from musiclab.figures import scatter_figure

        pairs = zip(torch.from_numpy(rows.predictions.T), torch.from_numpy(rows.targets.T), self.axes, strict=True)
        figure = scatter_figure(rows.targets, rows.predictions, self.axes, [spearman(*pair) for pair in pairs])
        show_figure(trainer, "val_scatter", figure, step)

    def write_predictions(self, folder: Path, rows: Rows, trainer: Trainer) -> None:
        """Write the predictions, and print them if the tracks are few."""
        path = folder / "predictions.csv"
        write_value_predictions(path, self.axes, rows)
        print_predictions(path, rows, self._values)

    def _values(self, row: npt.NDArray[np.float64]) -> list[str]:
        return [f"{axis} {value:.3f}" for axis, value in zip(self.axes, row, strict=True)]

    def write_test(self, folder: Path, rows: Rows, metrics: dict[str, float], trainer: Trainer) -> None:
        """Write all files of a test and print its table."""
        # Figures are drawn with matplotlib, which is slow to import.
        from musiclab.figures import save_figure, scatter_figure

        write_text(folder / "test_metrics.json", json.dumps(metrics, indent=2, sort_keys=True) + "\n")
        write_value_predictions(folder / "predictions.csv", self.axes, rows)
        correlations = [metrics[f"test_spearman_{axis}"] for axis in self.axes]
        figure = scatter_figure(rows.targets, rows.predictions, self.axes, correlations)
        save_figure(figure, folder / "scatter.png")
        show_figure(trainer, "test_scatter", figure, trainer.global_step)
        width = max(len(name) for name in (*self.axes, "all"))
        print(f"{'':{width}}  Spearman     MSE")
        for name, suffix in [*((axis, f"_{axis}") for axis in self.axes), ("all", "")]:
            print(f"{name:{width}}  {metrics[f'test_spearman{suffix}']:8.4f}  {metrics[f'test_mse{suffix}']:.4f}")
        print(f"Test results of {len(rows.ids)} tracks: {folder}")
