"""What a run says about itself: ``run.json`` in its folder."""

import json
import math
import time
from pathlib import Path
from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer
from torch import nn

from musiclab import __version__
from musiclab.files import write_text

STATE = "run_record"
"""Under which name a checkpoint holds what a resumed run goes on from."""


class RunRecord(Callback):
    """Keeps ``run.json`` in the folder of a training: what is trained on what, how far it is, and the best so far.

    It is written when the training starts, after each epoch and when it ends, whole or not at all. ``status`` is
    ``running`` (also that of a process that was killed), ``finished`` or ``interrupted``, with the ``reason``.
    Epochs are counted from 1. ``seconds`` are those of the training with its validations; a resumed run adds those
    up to the checkpoint that it goes on from. ``best`` is what the first ModelCheckpoint monitors.
    """

    def __init__(self) -> None:
        self._folder: Path | None = None
        self._started: float | None = None
        self._earlier: dict[str, Any] = {}
        self._best: dict[str, Any] | None = None
        self._epochs = 0

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Go on from the seconds and the best of a resumed run."""
        self._earlier = checkpoint.get(STATE, {})
        self._best = self._earlier.get("best")

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Put the seconds so far and the best so far into a checkpoint."""
        if self._note_best(trainer, checkpoint["epoch"] + 1) and self._started is not None:
            self._write(trainer, pl_module, "running", self._epochs)
        checkpoint[STATE] = {"epochs": self._ended(trainer), "seconds": self._seconds(), "best": self._best}

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the first record, unless there is no run folder."""
        folder = trainer.log_dir  # all processes have to ask for it
        mere_check = trainer.fast_dev_run  # type: ignore[attr-defined]
        self._folder = Path(folder) if folder and trainer.loggers and not mere_check else None
        self._started = time.monotonic()
        self._write(trainer, pl_module, "running", self._earlier.get("epochs", 0))

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Note a best that a checkpoint of weights alone was made of, of which no hook tells."""
        self._note_best(trainer, trainer.current_epoch)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write how far the run is."""
        epochs = self._ended(trainer)
        self._note_best(trainer, epochs)
        self._write(trainer, pl_module, "running", epochs)

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the last record."""
        self._note_best(trainer, trainer.current_epoch)
        self._write(trainer, pl_module, "finished", trainer.current_epoch)
        self._started = None

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Write that a training was interrupted, and by what; that of a test is not meant."""
        if self._started is not None:
            self._write(trainer, pl_module, "interrupted", trainer.current_epoch, reason=type(exception).__name__)
            self._started = None

    def _note_best(self, trainer: Trainer, epoch: int) -> bool:
        """Note the best score with the number of its epoch, if it is a new one; return whether it is."""
        checkpoints: Any = trainer.checkpoint_callback
        score = getattr(checkpoints, "best_model_score", None)
        if score is None or not math.isfinite(score):
            return False
        value = float(score)
        if self._best is not None and self._best["value"] == value:
            return False
        names = {"monitor": str(checkpoints.monitor), "mode": str(checkpoints.mode)}
        self._best = {**names, "value": value, "epoch": epoch}
        return True

    def _ended(self, trainer: Trainer) -> int:
        """Return the number of epochs that have ended; the trainer's own counts those whose hooks have all run."""
        progress: Any = trainer.fit_loop.epoch_progress.current
        return int(progress.processed)

    def _seconds(self) -> float:
        earlier: float = self._earlier.get("seconds", 0.0)
        return earlier + (0.0 if self._started is None else time.monotonic() - self._started)

    def _write(self, trainer: Trainer, task: LightningModule, status: str, epochs: int, **more: Any) -> None:
        self._epochs = epochs
        if self._folder is None or not trainer.is_global_zero:
            return
        record = {
            "musiclab": __version__,
            "status": status,
            **more,
            **describe_task(task),
            **describe_data(getattr(trainer, "datamodule", None)),
            "processes": trainer.world_size,
            "epochs": epochs,
            "seconds": round(self._seconds(), 3),
            "best": self._best,
        }
        write_text(self._folder / "run.json", json.dumps(record, indent=2) + "\n")


def describe_task(task: LightningModule) -> dict[str, Any]:
    """Return the names of a task's classes, its inputs and targets, and its number of parameters."""
    backbone = getattr(task, "backbone", None)
    return {
        "task": type(task).__name__,
        "backbone": type(backbone).__name__ if isinstance(backbone, nn.Module) else None,
        "features": task.hparams.get("features"),
        "beat_synced": task.hparams.get("beat_synced"),
        "target_names": list(getattr(task, "target_names", [])),
        "parameters": sum(parameter.numel() for parameter in task.parameters()),
        "trainable_parameters": sum(parameter.numel() for parameter in task.parameters() if parameter.requires_grad),
    }


def describe_data(datamodule: Any) -> dict[str, Any]:
    """Return the folder of a datamodule's data, and the number of tracks of each part that was set up."""
    root = getattr(datamodule, "root", None)
    counts = getattr(datamodule, "track_counts", dict)
    return {"data_root": None if root is None else str(Path(root).absolute()), "tracks": counts()}
