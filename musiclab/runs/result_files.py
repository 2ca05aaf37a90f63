"""What the files of a kind of results are, and what all kinds say alike. No trainer, no torch."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from musiclab.files import shown
from musiclab.runs.comparison import count_artists
from musiclab.runs.intervals import Interval
from musiclab.runs.predictions import Predictions, Rows

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHOWN = 50
"""Up to so many predictions are printed as well as written."""


class ResultFiles(Protocol):
    """Writes the results of one kind of outputs, and draws them.

    Attributes:
        quantities: Of training and validation, whose curves are shown together.
        test_summary: Metrics of a test that runs are compared by.
        picture: Name of what is drawn.
    """

    quantities: Sequence[str]
    test_summary: Sequence[str]
    picture: str

    def draw(self, rows: Rows) -> "Figure":
        """Draw how well predictions agree with the truth."""

    def scores(self, rows: Rows) -> dict[str, float]:
        """Return what a task logs of such a test, but for its losses."""

    def write_test(self, folder: Path, rows: Rows, metrics: Mapping[str, float]) -> "Figure":
        """Write all files of a test, print its report and return its picture."""

    def write_predictions(self, folder: Path, rows: Rows) -> None:
        """Write the predictions, and print them if the tracks are few."""


def with_intervals(
    metrics: Mapping[str, float], intervals: Mapping[str, Interval], predictions: Predictions
) -> dict[str, float]:
    """Return the metrics of a test with the ends of intervals, and how many artists those were drawn of, if any."""
    ends = {f"test_{name}_{end}": value for name, both in intervals.items() for end, value in both._asdict().items()}
    artists = count_artists([predictions]) if intervals else 0
    return {**metrics, **ends, **({"test_artists": artists} if artists else {})}


def drawn_of(predictions: Predictions) -> str:
    """Return what intervals were drawn of, in words."""
    artists = count_artists([predictions])
    count, what = (artists, "artist") if artists else (int(predictions.known.sum()), "track")
    return f"bootstrap over {count} {what}{'' if count == 1 else 's'}"


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
