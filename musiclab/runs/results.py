"""What tests and predictions give: the rows of all batches and processes, and having them written."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast

import numpy as np
from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.trainer.states import TrainerFn

from musiclab.batch import OutputKind, StepOutput
from musiclab.data.audio.windows import mean_over_windows
from musiclab.runs.class_results import ClassResults
from musiclab.runs.gathering import gather
from musiclab.runs.predictions import Rows
from musiclab.runs.result_files import ResultFiles
from musiclab.runs.tag_results import TagResults
from musiclab.runs.tensorboard import compare_run, overlay_curves, show_figure
from musiclab.runs.value_results import ValueResults
from musiclab.tasks import SpectrogramTask

FILES: dict[OutputKind, type[ClassResults | ValueResults | TagResults]] = {
    "classes": ClassResults,
    "values": ValueResults,
    "tags": TagResults,
}
"""What writes the results of each kind of outputs."""


class ResultWriter(Callback):
    """Collects what the steps of a task return and has it written, by one process, into the run's folder."""

    def __init__(self) -> None:
        self._outputs: list[StepOutput] = []

    def write_test(self, folder: Path, rows: Rows, metrics: dict[str, float], trainer: Trainer) -> None:
        """Write what a test gave."""

    def write_predictions(self, folder: Path, rows: Rows, trainer: Trainer) -> None:
        """Write what a prediction gave."""

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Forget what an earlier one gave."""
        self._outputs.clear()

    on_test_start = on_predict_start = on_validation_start

    def on_validation_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, *_: Any, **__: Any
    ) -> None:
        """Keep the rows of a batch; steps of modules that are no tasks may return anything."""
        if isinstance(outputs, dict) and outputs.keys() >= StepOutput.__annotations__.keys():
            self._outputs.append(cast(StepOutput, outputs))

    on_test_batch_end = on_predict_batch_end = on_validation_batch_end

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Have the results of a test written."""
        rows = gather_rows(self._outputs, artists_of(trainer))
        folder = trainer.log_dir  # all processes have to ask for it
        metrics = {name: float(value) for name, value in trainer.callback_metrics.items() if name.startswith("test_")}
        if trainer.is_global_zero and folder:
            self.write_test(Path(folder), rows, metrics, trainer)

    def on_predict_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Have the predictions written, if there are any."""
        rows = gather_rows(self._outputs, artists_of(trainer))
        folder = trainer.log_dir  # all processes have to ask for it
        if trainer.is_global_zero and folder and rows.ids:
            self.write_predictions(Path(folder), rows, trainer)


class TaskResults(ResultWriter):
    """Writes and shows what a task gives, as its kind of outputs asks for.

    Of the validations of a training, those of the best epoch are shown when it ends. Lightning modules that are no
    tasks of musiclab get no files.
    """

    def __init__(self) -> None:
        super().__init__()
        self._files: ResultFiles | None = None
        self._best: tuple[Rows, int] | None = None

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Take the files of the task's kind."""
        if isinstance(pl_module, SpectrogramTask) and pl_module.output_kind:
            self._files = FILES[pl_module.output_kind](pl_module.target_names)

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Lay training and validation curves over each other in TensorBoard."""
        if self._files is not None:
            overlay_curves(trainer, self._files.quantities)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Keep the rows of a validation if none was better so far."""
        if trainer.state.fn == TrainerFn.FITTING and not trainer.sanity_checking and is_best(trainer):
            self._best = gather_rows(self._outputs), trainer.global_step

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Show the validation of the best epoch, and compare the run with others."""
        if not trainer.is_global_zero or self._files is None:
            return
        if self._best is not None and self._files is not None:  # a resumed run may have found no better epoch
            rows, step = self._best
            show_figure(trainer, f"val_{self._files.picture}", self._files.draw(rows), step)
        checkpoints = trainer.checkpoint_callback
        monitor, score = getattr(checkpoints, "monitor", None), getattr(checkpoints, "best_model_score", None)
        best = {f"best_{monitor}": float(score)} if monitor and score is not None else {}
        compare_run(trainer, pl_module, best, self._files.test_summary)

    def write_test(self, folder: Path, rows: Rows, metrics: dict[str, float], trainer: Trainer) -> None:
        """Write all files of a test and print its report."""
        if self._files is not None:
            figure = self._files.write_test(folder, rows, metrics)
            show_figure(trainer, f"test_{self._files.picture}", figure, trainer.global_step)

    def write_predictions(self, folder: Path, rows: Rows, trainer: Trainer) -> None:
        """Write the predictions, and print them if the tracks are few."""
        if self._files is not None:
            self._files.write_predictions(folder, rows)


def is_best(trainer: Trainer) -> bool:
    """Tell whether the epoch just validated is the best so far, as the first ModelCheckpoint is about to find."""
    checkpoints = trainer.checkpoint_callback
    monitor, best = getattr(checkpoints, "monitor", None), getattr(checkpoints, "best_model_score", None)
    value = trainer.callback_metrics.get(monitor) if monitor else None
    if value is None or best is None:
        return True
    return bool(value > best if getattr(checkpoints, "mode", "min") == "max" else value < best)


def artists_of(trainer: Trainer) -> Mapping[str, str]:
    """Return the artist of each track that the data know one of."""
    return getattr(getattr(trainer, "datamodule", None), "groups", None) or {}


def gather_rows(outputs: Sequence[StepOutput], artists: Mapping[str, str] = MappingProxyType({})) -> Rows:
    """Put the outputs of all batches and all processes together; every process gets all rows.

    A track that has several rows, one for each window of a song, gets their mean.

    Args:
        outputs: What the steps of this process have returned.
        artists: The artist of each track that one is known of.
    """
    own = []
    if outputs:  # a process may have had nothing but songs that cannot be used
        targets = np.concatenate([output["targets"].cpu().numpy() for output in outputs])
        predictions = np.concatenate([output["predictions"].cpu().double().numpy() for output in outputs])
        own = [([identifier for output in outputs for identifier in output["ids"]], targets, predictions)]
    parts = [part for parts in gather(own) for part in parts]
    if not parts:
        return Rows([], np.empty(0), np.empty((0, 0)))
    ids = [identifier for part in parts for identifier in part[0]]
    targets, predictions = (np.concatenate([part[field] for part in parts]) for field in (1, 2))
    rows = Rows(*mean_over_windows(ids, targets, predictions))
    known = any(identifier in artists for identifier in rows.ids)
    return rows._replace(artists=[artists.get(identifier, "") for identifier in rows.ids] if known else ())
