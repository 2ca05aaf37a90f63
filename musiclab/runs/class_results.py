"""Result files of genre recognition."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pytorch_lightning import Trainer

from musiclab.files import write_csv, write_text
from musiclab.runs.predictions import Rows, write_class_predictions
from musiclab.runs.result_files import ResultFiles, print_predictions
from musiclab.runs.tensorboard import show_figure

LIKELIEST = 3
"""Genres per track that are printed."""


class ClassResults(ResultFiles):
    """Writes what tests and predictions of genres give into the run's folder.

    ``test`` leaves ``test_metrics.json``, ``classification_report.txt``, ``confusion_matrix.csv`` and ``.png`` and
    ``predictions.csv``, prints the report and shows the confusion matrix in TensorBoard; ``predict`` leaves
    ``predictions.csv``.

    Args:
        genres: Names of the classes, in the order of the outputs.
    """

    quantities = ("loss", "accuracy")
    test_summary = ("test_accuracy", "test_f1_macro")

    def __init__(self, genres: Sequence[str]) -> None:
        self.genres = list(genres)

    def show_validation(self, rows: Rows, step: int, trainer: Trainer) -> None:
        """Show the confusion matrix."""
        from musiclab.figures import confusion_figure

        accuracy = float((rows.predictions.argmax(axis=1) == rows.targets).mean())
        show_figure(
            trainer, "val_confusion_matrix", confusion_figure(self._confusion(rows), self.genres, accuracy), step
        )

    def write_predictions(self, folder: Path, rows: Rows, trainer: Trainer) -> None:
        """Write the predictions, and print the likeliest genres of each track if they are few."""
        path = folder / "predictions.csv"
        write_class_predictions(path, self.genres, rows)
        print_predictions(path, rows, self._likeliest)

    def _confusion(self, rows: Rows) -> npt.NDArray[np.int64]:
        from sklearn.metrics import confusion_matrix  # slow to import

        predicted = rows.predictions.argmax(axis=1)
        matrix: npt.NDArray[np.int64] = confusion_matrix(rows.targets, predicted, labels=range(len(self.genres)))
        return matrix

    def _likeliest(self, probabilities: npt.NDArray[np.float64]) -> list[str]:
        best = (-probabilities).argsort(kind="stable")[:LIKELIEST]
        return [f"{self.genres[index]} {probabilities[index]:.3f}" for index in best]

    def write_test(self, folder: Path, rows: Rows, metrics: dict[str, float], trainer: Trainer) -> None:
        """Write all files of a test and print its report."""
        # scikit-learn and matplotlib, which figures are drawn with, are slow to import.
        from sklearn.metrics import classification_report

        from musiclab.figures import confusion_figure, save_figure

        predicted = rows.predictions.argmax(axis=1)
        present = np.union1d(rows.targets, predicted)
        report = classification_report(
            rows.targets,
            predicted,
            labels=present,
            target_names=[self.genres[index] for index in present],
            digits=4,
            zero_division=0,
        )
        matrix = self._confusion(rows)
        write_text(folder / "classification_report.txt", report)
        write_text(folder / "test_metrics.json", json.dumps(metrics, indent=2, sort_keys=True) + "\n")
        write_csv(
            folder / "confusion_matrix.csv",
            ["truth \\ prediction", *self.genres],
            ([name, *row] for name, row in zip(self.genres, matrix.tolist(), strict=True)),
        )
        write_class_predictions(folder / "predictions.csv", self.genres, rows)
        figure = confusion_figure(matrix, self.genres, metrics["test_accuracy"])
        save_figure(figure, folder / "confusion_matrix.png")
        show_figure(trainer, "test_confusion_matrix", figure, trainer.global_step)
        print(report)
        print(f"Test results: {folder}")
