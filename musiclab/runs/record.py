"""What a run says about itself: ``run.json`` in its folder."""

import json
import math
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import Any

from lightning_utilities.core.rank_zero import rank_zero_info
from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.trainer.states import TrainerFn

from musiclab.errors import describe_user_error
from musiclab.files import write_text
from musiclab.runs.facts import command_of, describe_data, describe_machine, describe_problems, describe_task, plain
from musiclab.runs.files import Best, Training, check_types
from musiclab.runs.gathering import gather

FILE = "run.json"

STATE = "run_record"
"""Under which name a checkpoint holds what a resumed run goes on from."""

HISTORY = ("train_", "val_", "weight_", "param_")
"""How the names of what is kept of each epoch begin."""


class RunRecord(Callback):
    """Keeps ``run.json`` in the folder of a run: what was done with what, how far it is, and what came of it.

    All four commands write it when they start and when they end, ``fit`` after each epoch too, whole or not at all.
    ``status`` is ``running`` (also that of a process that was killed), ``finished`` or ``interrupted``, with the
    ``reason``.

    Of a training, ``history`` has a row for each epoch, counted from 1, with what was logged once in it; NaN and
    infinities are the strings ``nan``, ``inf`` and ``-inf``, which JSON has no numbers for and ``float`` reads.
    ``problems`` are what is the matter with a training that ended all the same.
    ``seconds`` are those of the training with its validations, ``best`` is what the first ModelCheckpoint monitors. A
    resumed run goes on from the command line, history, seconds and best in its checkpoint.

    What ``validate``, ``test`` or ``predict`` gave stands under that name: checkpoint (null for the weights in memory),
    number of tracks, seconds, metrics, and the files of which nothing could be used, if any, with the reason. In the
    folder of another command, as of the training before, this is added to the record there.

    Args:
        command_line: As typed, the program first; None for a run from Python.
    """

    def __init__(self, command_line: Sequence[str] | None = None) -> None:
        self.command_line = command_line
        self._folder: Path | None = None
        self._started: float | None = None
        self._own = True  # not one of another command, which the folder is of
        self._earlier: dict[str, Any] = {}
        self._found: dict[str, Any] = {}  # in the folder of a run that is to go on
        self._history: dict[int, dict[str, Any]] = {}
        self._best: dict[str, Any] | None = None
        self._ended_epoch: int | None = None  # until the next one starts
        self._validated = False
        self._ids: set[str] = set()

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Go on from what a resumed run knew.

        Raises:
            UserError: If that is not as it was saved.
        """
        if trainer.state.fn == TrainerFn.FITTING:
            nothing: dict[str, Any] = {"epochs": 0, "seconds": 0.0, "best": None, "history": [], "command_line": None}
            self._earlier = checkpoint.get(STATE, {})
            check_types({**nothing, **self._earlier}, Training)  # those of earlier versions say less
            self._best = self._earlier.get("best")
            if self._best:
                check_types(self._best, Best)
            self._history = {row["epoch"]: row for row in self._earlier.get("history", [])}

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Put what a resumed run goes on from into a checkpoint."""
        self._note(trainer, checkpoint["epoch"] + 1, last=False)
        checkpoint[STATE] = {**self._training(_epochs(trainer)), "command_line": self._command_line()}

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the first record, unless there is no run folder."""
        self._start(trainer)
        self._found = read_found(self._folder)
        self._write(trainer, pl_module, "running", **self._training(self._earlier.get("epochs", 0)))

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """Remember that a resumed run does go on."""
        self._found = {}

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write what the epoch before gave; only now are all its values logged, and its checkpoints saved."""
        self._note(trainer, trainer.current_epoch)  # of a checkpoint of weights alone no hook tells
        self._write(trainer, pl_module, "running", **self._training(_epochs(trainer)))

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Remember that an epoch has ended."""
        self._ended_epoch = _epochs(trainer)

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the last record."""
        self._note(trainer, trainer.current_epoch)
        # Of a run that had come to its end before, the trainer does not count the last epoch.
        training = self._training(max(trainer.current_epoch, self._earlier.get("epochs", 0)))
        problems = [] if self._folder is None else describe_problems(trainer)
        for problem in problems:
            rank_zero_info(f"{self._folder}: {problem}")
        self._write(trainer, pl_module, "finished", **training, problems=problems)
        self._earlier, self._started = {**training, "command_line": self._command_line()}, None

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Write that the run was interrupted, and by what; unless it had ended, as a training before its test."""
        if self._found and self._folder is not None and trainer.is_global_zero:  # what was not resumed is as it was
            write_json(self._folder / FILE, self._found)
        elif self._started is not None and self._own:
            training = self._training(trainer.current_epoch) if trainer.state.fn == TrainerFn.FITTING else {}
            reason = describe_user_error(exception) or type(exception).__name__
            with suppress(OSError):  # of a full disk; what is told is why the run was interrupted
                self._write(trainer, pl_module, "interrupted", reason=reason, **training)
        self._started, self._found = None, {}

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Begin the record of a validation by itself."""
        if trainer.state.fn == TrainerFn.VALIDATING:
            self.on_test_start(trainer, pl_module)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """End the record of a validation by itself."""
        if trainer.state.fn == TrainerFn.VALIDATING:
            self.on_test_end(trainer, pl_module)
        elif not trainer.sanity_checking:
            self._validated = True

    def on_test_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, *_: Any, **__: Any
    ) -> None:
        """Count the tracks."""
        self._ids.update(getattr(batch, "ids", ()))

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Begin the record of an evaluation."""
        self._start(trainer)
        self._ids.clear()
        self._own = read_found(self._folder).get("command", command_of(trainer)) == command_of(trainer)
        if self._own:
            self._write(trainer, pl_module, "running")

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """End the record of an evaluation."""
        stage = command_of(trainer)
        path = trainer.ckpt_path
        given: dict[str, Any] = {
            "checkpoint": None if path is None else str(Path(path).absolute()),
            "tracks": len(set().union(*gather(self._ids))),
            "seconds": round(self._elapsed(), 3),
            "metrics": {name: plain(value) for name, value in trainer.callback_metrics.items()},
        }
        own = list(getattr(getattr(trainer, "datamodule", None), "failures", ()))
        if failures := list(dict.fromkeys(chain.from_iterable(gather(own)))):
            given["failures"] = failures
        if self._own:
            self._write(trainer, pl_module, "finished", **{stage: given})
        elif self._folder is not None and trainer.is_global_zero:
            write_json(self._folder / FILE, {**read_found(self._folder), stage: given})
        self._started = None

    on_predict_start, on_predict_end = on_test_start, on_test_end
    on_predict_batch_end = on_validation_batch_end = on_test_batch_end

    def _start(self, trainer: Trainer) -> None:
        folder = trainer.log_dir  # all processes have to ask for it
        mere_check = trainer.fast_dev_run  # type: ignore[attr-defined]
        self._folder = Path(folder) if folder and trainer.loggers and not mere_check else None
        self._started, self._own = time.monotonic(), True

    def _note(self, trainer: Trainer, epoch: int, last: bool = True) -> None:
        """Note a new best score as that of ``epoch``, and what was logged in the epoch that has just ended, if one has.

        Args:
            trainer: The trainer.
            epoch: Number of the epoch.
            last: Whether no more will be logged in the epoch that has ended.
        """
        checkpoints: Any = trainer.checkpoint_callback
        score = getattr(checkpoints, "best_model_score", None)
        if score is not None and math.isfinite(score) and (self._best is None or self._best["value"] != float(score)):
            names = {"monitor": str(checkpoints.monitor), "mode": str(checkpoints.mode)}
            self._best = {**names, "value": float(score), "epoch": epoch}
        if (ended := self._ended_epoch) is not None:
            # What an earlier epoch logged is still among these.
            wanted = HISTORY if self._validated else tuple(prefix for prefix in HISTORY if prefix != "val_")
            logged = {name: plain(value) for name, value in trainer.logged_metrics.items() if name.startswith(wanted)}
            self._history[ended] = {"epoch": ended, **logged}
            if last:
                self._ended_epoch, self._validated = None, False

    def _elapsed(self) -> float:
        return 0.0 if self._started is None else time.monotonic() - self._started

    def _training(self, epochs: int) -> dict[str, Any]:
        seconds = round(self._earlier.get("seconds", 0.0) + self._elapsed(), 3)
        history = list(self._history.values())
        return {"epochs": epochs, "seconds": seconds, "best": self._best, "history": history}

    def _command_line(self) -> list[str] | None:
        line = self._earlier.get("command_line", self.command_line)
        return None if line is None else list(line)

    def _write(self, trainer: Trainer, task: LightningModule, status: str, **more: Any) -> None:
        if self._folder is None or not trainer.is_global_zero:
            return
        record = {
            "command": command_of(trainer),
            "command_line": self._command_line(),
            "status": status,
            **describe_task(task),
            **describe_data(getattr(trainer, "datamodule", None)),
            **describe_machine(trainer),
            **more,
        }
        write_json(self._folder / FILE, record)


def read_found(folder: Path | None) -> dict[str, Any]:
    """Return the record in a folder, empty if there is none that can be read."""
    try:
        found = json.loads((folder / FILE).read_text(encoding="utf-8")) if folder else {}
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def write_json(path: Path, record: Mapping[str, Any]) -> None:
    """Write a record whole or not at all."""
    write_text(path, json.dumps(record, indent=2, allow_nan=False) + "\n")


def _epochs(trainer: Trainer) -> int:
    """Return the number of epochs that have ended; the trainer's own counts those whose hooks have all run."""
    progress: Any = trainer.fit_loop.epoch_progress.current
    return int(progress.processed)
