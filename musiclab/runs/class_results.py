"""Result files of genre recognition."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from musiclab.files import write_csv, write_text
from musiclab.runs.comparison import intervals, scores
from musiclab.runs.predictions import Rows, as_predictions, write_class_predictions
from musiclab.runs.result_files import ResultFiles, drawn_of, print_predictions, with_intervals

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LIKELIEST = 3
"""Genres per track that are printed."""

WORDS = {"accuracy": "accuracy", "f1_macro": "macro F1"}
"""What metrics are called."""


class ClassResults(ResultFiles):
    """Writes what tests and predictions of genres give into a folder, that of a run or another.

    ``test`` leaves ``test_metrics.json``, ``classification_report.txt``, ``confusion_matrix.csv`` and ``.png`` and
    ``predictions.csv``, and prints the report; ``predict`` leaves ``predictions.csv``.

    Args:
        genres: Names of the classes, in the order of the outputs.
    """

    quantities = ("loss", "accuracy")
    test_summary = ("test_accuracy", "test_f1_macro")
    picture = "confusion_matrix"

    def __init__(self, genres: Sequence[str]) -> None:
        self.genres = list(genres)

    def draw(self, rows: Rows) -> "Figure":
        """Draw the confusion matrix."""
        from musiclab.figures import confusion_figure  # matplotlib is slow to import

        accuracy = float((rows.predictions.argmax(axis=1) == rows.targets).mean())
        return confusion_figure(self._confusion(rows), self.genres, accuracy)

    def write_predictions(self, folder: Path, rows: Rows) -> None:
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

    def scores(self, rows: Rows) -> dict[str, float]:
        """Return accuracy, and precision, recall and F1 of each genre, as macro and as micro averages."""
        from sklearn.metrics import precision_recall_fscore_support

        predicted = rows.predictions.argmax(axis=1)
        present = np.union1d(rows.targets, predicted)
        found = {f"test_{name}": value for name, value in scores(as_predictions(Path(), self.genres, rows)).items()}
        labels = range(len(self.genres))
        of_each = precision_recall_fscore_support(rows.targets, predicted, labels=labels, zero_division=0)
        for name, values in zip(("precision", "recall", "f1"), of_each, strict=False):
            found |= {f"test_{name}_{genre}": float(value) for genre, value in zip(self.genres, values, strict=True)}
            found[f"test_{name}_macro"] = float(values[present].mean())
            found[f"test_{name}_micro"] = found["test_accuracy"]
        return found

    def write_test(self, folder: Path, rows: Rows, metrics: Mapping[str, float]) -> "Figure":
        """Write all files of a test, print its report and return the confusion matrix."""
        # scikit-learn and matplotlib, which figures are drawn with, are slow to import.
        from sklearn.metrics import classification_report

        from musiclab.figures import save_figure

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
        predictions = as_predictions(folder / "predictions.csv", self.genres, rows)
        found = intervals(predictions)
        values = scores(predictions)
        lines = [
            f"{WORDS[name]} {values[name]:.3f}, 95 % interval {low:.3f} to {high:.3f} ({drawn_of(predictions)})\n"
            for name, (low, high) in found.items()
        ]
        report += "".join(["\n", *lines]) if lines else ""
        write_text(folder / "classification_report.txt", report)
        metrics = with_intervals(metrics, found, predictions)
        write_text(folder / "test_metrics.json", json.dumps(metrics, indent=2, sort_keys=True) + "\n")
        write_csv(
            folder / "confusion_matrix.csv",
            ["truth \\ prediction", *self.genres],
            ([name, *row] for name, row in zip(self.genres, self._confusion(rows).tolist(), strict=True)),
        )
        write_class_predictions(predictions.path, self.genres, rows)
        figure = self.draw(rows)
        save_figure(figure, folder / "confusion_matrix.png")
        print(report)
        print(f"Test results: {folder}")
        return figure
