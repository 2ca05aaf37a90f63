"""What the writers of results share: the rows of all batches and processes, and where to write."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.trainer.states import TrainerFn

from musiclab.runs.tensorboard import compare_run
from musiclab.batch import StepOutput
from musiclab.data.audio.windows import mean_over_windows
from musiclab.runs.gathering import gather

SHOWN = 50
"""Up to so many predictions are printed as well as written."""


class Rows(NamedTuple):
    """Targets and predictions of all tracks, in the order of their ids, numbers first."""

    ids: list[str]
    targets: npt.NDArray[Any]
    predictions: npt.NDArray[np.float64]


class ResultWriter(Callback):
    """Collects what the steps of a task return and has it written, by one process, into the run's folder.

    Of the validations of a training, those of the best epoch are shown when it ends.
    """

    test_summary: Sequence[str] = ()
    """Metrics of a test that runs are compared by."""

    def __init__(self) -> None:
        self._outputs: list[StepOutput] = []
        self._best: tuple[Rows, int] | None = None

    def show_validation(self, rows: Rows, step: int, trainer: Trainer) -> None:
        """Show what the validation after ``step`` steps gave, that of the best epoch."""

    def write_test(self, folder: Path, rows: Rows, metrics: dict[str, float], trainer: Trainer) -> None:
        """Write what a test gave."""

    def write_predictions(self, folder: Path, rows: Rows, trainer: Trainer) -> None:
        """Write what a prediction gave."""

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Forget what an earlier validation gave."""
        self._outputs.clear()

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Forget what an earlier test gave."""
        self._outputs.clear()

    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Forget what an earlier prediction gave."""
        self._outputs.clear()

    def on_validation_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, *_: Any, **__: Any
    ) -> None:
        """Keep the rows of a batch."""
        self._outputs.append(outputs)

    def on_test_batch_end(self, trainer: Trainer, pl_module: LightningModule, outputs: Any, *_: Any, **__: Any) -> None:
        """Keep the rows of a batch."""
        self._outputs.append(outputs)

    def on_predict_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, *_: Any, **__: Any
    ) -> None:
        """Keep the rows of a batch."""
        self._outputs.append(outputs)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Keep the rows of a validation if none was better so far."""
        if trainer.state.fn == TrainerFn.FITTING and not trainer.sanity_checking and is_best(trainer):
            self._best = gather_rows(self._outputs), trainer.global_step

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Show the validation of the best epoch, and compare the run with others."""
        if not trainer.is_global_zero:
            return
        if self._best is not None:  # none, where a resumed run has found no better epoch
            self.show_validation(*self._best, trainer)
        checkpoints = trainer.checkpoint_callback
        monitor, score = getattr(checkpoints, "monitor", None), getattr(checkpoints, "best_model_score", None)
        best = {f"best_{monitor}": float(score)} if monitor and score is not None else {}
        compare_run(trainer, pl_module, best, self.test_summary)

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Have the results of a test written."""
        rows = gather_rows(self._outputs)
        folder = trainer.log_dir  # all processes have to ask for it
        metrics = {name: float(value) for name, value in trainer.callback_metrics.items() if name.startswith("test_")}
        if trainer.is_global_zero and folder:
            self.write_test(Path(folder), rows, metrics, trainer)

    def on_predict_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Have the predictions written, if there are any."""
        rows = gather_rows(self._outputs)
        folder = trainer.log_dir  # all processes have to ask for it
        if trainer.is_global_zero and folder and rows.ids:
            self.write_predictions(Path(folder), rows, trainer)


def is_best(trainer: Trainer) -> bool:
    """Tell whether the epoch just validated is the best so far, as the first ModelCheckpoint is about to find."""
    checkpoints = trainer.checkpoint_callback
    monitor, best = getattr(checkpoints, "monitor", None), getattr(checkpoints, "best_model_score", None)
    value = trainer.callback_metrics.get(monitor) if monitor else None
    if value is None or best is None:
        return True
    return bool(value > best if getattr(checkpoints, "mode", "min") == "max" else value < best)


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
            print("  ".join(f"{cell:{width}}" for cell, width in zip(line, widths, strict=True)).rstrip())
    print(f"Predictions for {len(rows.ids)} {'track' if len(rows.ids) == 1 else 'tracks'}: {path}")


def gather_rows(outputs: Sequence[StepOutput]) -> Rows:
    """Put the outputs of all batches and all processes together; every process gets all rows.

    A track that has several rows, one for each window of a song, gets their mean.
    """
    own = []
    if outputs:  # a process may have had nothing but songs that cannot be used
        targets = np.concatenate([output["targets"].cpu().numpy() for output in outputs])
        predictions = np.concatenate([output["predictions"].double().cpu().numpy() for output in outputs])
        own = [([identifier for output in outputs for identifier in output["ids"]], targets, predictions)]
    parts = [part for parts in gather(own) for part in parts]
    if not parts:
        return Rows([], np.empty(0), np.empty((0, 0)))
    ids = [identifier for part in parts for identifier in part[0]]
    targets, predictions = (np.concatenate([part[field] for part in parts]) for field in (1, 2))
    return Rows(*mean_over_windows(ids, targets, predictions))
