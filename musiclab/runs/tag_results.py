"""Result files of tagging."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from musiclab.files import write_text
from musiclab.runs.predictions import Rows, write_value_predictions
from musiclab.runs.result_files import ResultFiles, print_predictions

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STRONGEST = 5
"""Tags per track that are printed."""

METRICS = {"roc_auc": "ROC AUC", "average_precision": "average precision"}


class TagResults(ResultFiles):
    """Writes what tests and predictions of tags give into a folder, that of a run or another.

    ``test`` leaves ``test_metrics.json``, ``predictions.csv`` and ``roc_auc.png``, and prints a table; ``predict``
    leaves ``predictions.csv``, which has a truth and a probability for each tag, as that of emotional axes.

    Args:
        tags: Names of the tags, in the order of the outputs.
    """

    quantities = ("loss", *METRICS)
    test_summary = ("test_roc_auc", "test_average_precision")
    picture = "roc_auc"

    def __init__(self, tags: Sequence[str]) -> None:
        self.tags = list(tags)

    def draw(self, rows: Rows) -> "Figure":
        """Draw the area under the ROC curve of each tag that has one as a bar."""
        from musiclab.figures import f1_figure  # matplotlib is slow to import

        found = self.scores(rows)
        scored = [tag for tag in self.tags if f"test_roc_auc_{tag}" in found]
        values = np.array([[found[f"test_roc_auc_{tag}"] for tag in scored]])
        return f1_figure(scored, values, f"area under the ROC curve, {len(rows.ids)} tracks")

    def scores(self, rows: Rows) -> dict[str, float]:
        """Return the area under the ROC curve and the average precision, of each tag that has them, and their means."""
        from sklearn.metrics import average_precision_score, roc_auc_score  # slow to import

        found: dict[str, float] = {}
        for name, metric in (("roc_auc", roc_auc_score), ("average_precision", average_precision_score)):
            own = {
                f"test_{name}_{tag}": float(metric(truth, np.nan_to_num(values, nan=0.5)))
                for tag, truth, values in zip(self.tags, rows.targets.T, rows.predictions.T, strict=True)
                if {0.0, 1.0} == set(truth)
            }
            found |= {f"test_{name}": sum(own.values()) / max(1, len(own)), **own}
        return found

    def write_predictions(self, folder: Path, rows: Rows) -> None:
        """Write the predictions, and print the strongest tags of each track if they are few."""
        path = folder / "predictions.csv"
        write_value_predictions(path, self.tags, rows)
        print_predictions(path, rows, self._strongest)

    def _strongest(self, probabilities: npt.NDArray[np.float64]) -> list[str]:
        best = (-probabilities).argsort(kind="stable")[:STRONGEST]
        return [f"{self.tags[index]} {probabilities[index]:.3f}" for index in best]

    def write_test(self, folder: Path, rows: Rows, metrics: Mapping[str, float]) -> "Figure":
        """Write all files of a test, print its table and return the picture of the areas."""
        from musiclab.figures import save_figure

        write_text(folder / "test_metrics.json", json.dumps(dict(metrics), indent=2, sort_keys=True) + "\n")
        write_value_predictions(folder / "predictions.csv", self.tags, rows)
        figure = self.draw(rows)
        save_figure(figure, folder / "roc_auc.png")
        width = max(len(name) for name in (*self.tags, "all"))
        print(f"{'':{width}}  {'  '.join(METRICS.values())}")
        for name, suffix in [*((tag, f"_{tag}") for tag in self.tags), ("all", "")]:
            if f"test_roc_auc{suffix}" in metrics:
                cells = (f"{metrics[f'test_{metric}{suffix}']:{len(text)}.4f}" for metric, text in METRICS.items())
                print(f"{name:{width}}  {'  '.join(cells)}")
        print(f"Test results of {len(rows.ids)} tracks: {folder}")
        return figure
