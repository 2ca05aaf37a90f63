"""Result files of tagging."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from musiclab.files import write_text
from musiclab.runs.comparison import TAG_METRICS, intervals, scores
from musiclab.runs.predictions import Rows, as_predictions, write_tag_predictions
from musiclab.runs.result_files import ResultFiles, drawn_of, print_predictions, with_intervals

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STRONGEST = 5
"""Tags per track that are printed."""

CELL = 23
"""Width of a column with a score and its interval."""

WORDS = {"roc_auc": "ROC AUC", "average_precision": "average precision"}
"""What metrics are called."""


class TagResults(ResultFiles):
    """Writes what tests and predictions of tags give into a folder, that of a run or another.

    ``test`` leaves ``test_metrics.json``, ``predictions.csv`` and ``roc_auc.png``, and prints a table; ``predict``
    leaves ``predictions.csv``, which has a truth and a probability for each tag.

    Args:
        tags: Names of the tags, in the order of the outputs.
    """

    quantities = ("loss", *TAG_METRICS)
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
        """Return the area under the ROC curve and the average precision, of each tag that has them, and their means.

        The means are 0 where no tag has them.
        """
        found = scores(as_predictions(Path(), self.tags, rows, of_tags=True))
        return {f"test_{name}": value for name, value in (dict.fromkeys(TAG_METRICS, 0.0) | found).items()}

    def write_predictions(self, folder: Path, rows: Rows) -> None:
        """Write the predictions, and print the strongest tags of each track if they are few."""
        path = folder / "predictions.csv"
        write_tag_predictions(path, self.tags, rows)
        print_predictions(path, rows, self._strongest)

    def _strongest(self, probabilities: npt.NDArray[np.float64]) -> list[str]:
        best = (-probabilities).argsort(kind="stable")[:STRONGEST]
        return [f"{self.tags[index]} {probabilities[index]:.3f}" for index in best]

    def write_test(self, folder: Path, rows: Rows, metrics: Mapping[str, float]) -> "Figure":
        """Write all files of a test, print its table and return the picture of the areas."""
        from musiclab.figures import save_figure

        predictions = as_predictions(folder / "predictions.csv", self.tags, rows, of_tags=True)
        found = intervals(predictions)
        metrics = with_intervals(metrics, found, predictions)
        write_text(folder / "test_metrics.json", json.dumps(metrics, indent=2, sort_keys=True) + "\n")
        write_tag_predictions(predictions.path, self.tags, rows)
        figure = self.draw(rows)
        save_figure(figure, folder / "roc_auc.png")
        width = max(len(name) for name in (*self.tags, "all"))
        print(f"{'':{width}}  {'  '.join(f'{text:{CELL}}' for text in WORDS.values())}".rstrip())
        for name, suffix in [*((tag, f"_{tag}") for tag in self.tags), ("all", "")]:
            if f"test_roc_auc{suffix}" in metrics:
                cells = (_cell(metrics, f"test_{metric}{suffix}") for metric in TAG_METRICS)
                print(f"{name:{width}}  {'  '.join(f'{cell:{CELL}}' for cell in cells)}".rstrip())
        if found:
            print(f"95 % intervals: {drawn_of(predictions)}")
        print(f"Test results of {len(rows.ids)} tracks: {folder}")
        return figure


def _cell(metrics: Mapping[str, float], name: str) -> str:
    """Return a score, with its interval where it has one."""
    ends = [metrics.get(f"{name}_{end}") for end in ("low", "high")]
    return f"{metrics[name]:.4f}" + ("" if None in ends else f" ({ends[0]:.3f} to {ends[1]:.3f})")
