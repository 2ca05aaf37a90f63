"""The solution file of a competition, written by ``predict``."""

from pathlib import Path

import numpy as np
from pytorch_lightning import LightningModule, Trainer

from musiclab.data.datamodules import FolderDataModule
from musiclab.runs.predictions import Rows
from musiclab.runs.results import ResultWriter
from musiclab.runs.solution import HEADER, SUFFIX, solution_axes, write_solution


class SolutionWriter(ResultWriter):
    """Has ``predict`` write ``solution.txt``, if the model has all axes of the header and all tracks are predicted.

    Args:
        header: First line: the column of the ids, then the axes in the order wanted.
        suffix: What to add to each id.
    """

    def __init__(self, header: str = HEADER, suffix: str = SUFFIX) -> None:
        super().__init__()
        solution_axes(header)  # a wrong one is better found before the predictions are made
        self.header = header
        self.suffix = suffix
        self._model_axes: list[str] = []

    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Learn what the outputs of the model are."""
        super().on_predict_start(trainer, pl_module)
        self._model_axes = list(pl_module.target_names)  # type: ignore[arg-type]

    def write_predictions(self, folder: Path, rows: Rows, trainer: Trainer) -> None:
        """Write the solution, or say why not if the model has some of the axes."""
        wanted = solution_axes(self.header)
        missing = [axis for axis in wanted if axis not in self._model_axes]
        data = trainer.datamodule  # type: ignore[attr-defined]
        if len(missing) == len(wanted) or not isinstance(data, FolderDataModule):
            return
        tracks = len(data.predict_part().ids)
        if missing:
            print(
                f"No solution.txt: the model does not predict {', '.join(missing)}; `musiclab combine` joins the "
                "predictions.csv of several models"
            )
        elif len(rows.ids) < tracks:
            print(f"No solution.txt: only {len(rows.ids)} of {tracks} tracks were predicted")
        elif not np.isfinite(rows.predictions).all():
            print("No solution.txt: some predictions are not finite numbers; train the model anew")
        else:
            path = folder / "solution.txt"
            write_solution(path, rows.ids, self._model_axes, rows.predictions, self.header, self.suffix)
            print(f"Solution for {len(rows.ids)} tracks: {path}")
