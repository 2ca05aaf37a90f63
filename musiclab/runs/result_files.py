"""What the files of a kind of results are, and what all kinds print alike."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
from pytorch_lightning import Trainer

from musiclab.files import shown
from musiclab.runs.predictions import Rows

SHOWN = 50
"""Up to so many predictions are printed as well as written."""


class ResultFiles(Protocol):
    """Writes and shows the results of one kind of outputs.

    Attributes:
        quantities: Of training and validation, whose curves are shown together.
        test_summary: Metrics of a test that runs are compared by.
    """

    quantities: Sequence[str]
    test_summary: Sequence[str]

    def show_validation(self, rows: Rows, step: int, trainer: Trainer) -> None:
        """Show what the validation after ``step`` steps gave, that of the best epoch."""

    def write_test(self, folder: Path, rows: Rows, metrics: dict[str, float], trainer: Trainer) -> None:
        """Write all files of a test and print its report."""

    def write_predictions(self, folder: Path, rows: Rows, trainer: Trainer) -> None:
        """Write the predictions, and print them if the tracks are few."""


def print_predictions(path: Path, rows: Rows, describe: Callable[[npt.NDArray[np.float64]], Sequence[str]]) -> None:
    """Print where the predictions are, and before that a line for each track, if they are not too many.

    Args:
        path: The file that they were written to.
        rows: The tracks.
        describe: Returns the cells of a line from a track's predictions.
    """
    if len(rows.ids) <= SHOWN:
        lines = [[identifier, *describe(row)] for identifier, row in zip(rows.ids, rows.predictions, strict=True)]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        for line in lines:
            print(shown("  ".join(f"{cell:{width}}" for cell, width in zip(line, widths, strict=True)).rstrip()))
    print(f"Predictions for {len(rows.ids)} {'track' if len(rows.ids) == 1 else 'tracks'}: {path}")
