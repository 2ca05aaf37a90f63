"""What a run shows on the screen while it works: a bar on a terminal or in a notebook, lines in a file or a pipe."""

import math
import sys
import time
from typing import Any

import pytorch_lightning as pl
from lightning_utilities.core.rank_zero import rank_zero_info
from pytorch_lightning.callbacks import ModelSummary, ProgressBar
from tqdm import tqdm

WORDS = {"validate": "Validating", "test": "Testing", "predict": "Predicting"}

FORMAT = "{desc}: {percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} [{elapsed}<{remaining}{postfix}]"

BETWEEN_LINES, BETWEEN_LOOKS = 10.0, 0.2
"""How often a line tells of what takes long, and how often a bar is drawn, in s."""


class Progress(ProgressBar):
    """One bar for the whole of a training, test or prediction, with the loss and the metric that a task is judged by.

    Where standard output is neither a terminal nor a notebook there are lines: one an epoch, and one every ten seconds
    of an epoch or a test that takes longer.
    """

    def __init__(self) -> None:
        super().__init__()
        self._enabled = True
        self._bar: tqdm[None] | None = None
        self._total = math.inf
        self._shown = 0.0

    def disable(self) -> None:
        """Show nothing, as on all processes but the first."""
        self._enabled = False

    def enable(self) -> None:
        """Show what is done."""
        self._enabled = True

    def print(self, *args: Any, **kwargs: Any) -> None:
        """Print a line, above the bar if there is one."""
        if self._enabled:
            tqdm.write(kwargs.get("sep", " ").join(map(str, args)), file=sys.stdout)

    def get_metrics(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> dict[str, str]:  # type: ignore[override]
        """Return what is measured of a training so far: its loss in the last epoch, and what decides on the best."""
        names = ("train_loss", str(getattr(pl_module, "monitor", "val_loss")))
        found = trainer.callback_metrics
        return {name: f"{float(found[name]):.3f}" for name in names if name in found}

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Begin the bar of a training; that of one that goes on begins where it was left."""
        epochs = trainer.max_epochs
        steps = trainer.max_steps if trainer.max_steps >= 0 else math.inf
        of_epochs = trainer.num_training_batches * epochs if epochs and epochs > 0 else math.inf
        self._begin("Training", min(steps * trainer.accumulate_grad_batches, of_epochs), _batches(trainer))

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Name the epoch."""
        self._show(_batches(trainer), _epoch(trainer), trainer, pl_module, always=True)

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any) -> None:
        """Count a batch."""
        self._show(_batches(trainer), _epoch(trainer), trainer, pl_module)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Tell what an epoch has come to."""
        self._show(_batches(trainer), _epoch(trainer), trainer, pl_module, always=True)
        if self._enabled and self._bar is None:
            measured = self.get_metrics(trainer, pl_module)
            print("  ".join([_epoch(trainer), *(f"{name} {value}" for name, value in measured.items())]), flush=True)
            self._shown = time.monotonic()
        if _batches(trainer) >= self._total:
            self._end()  # before Lightning says that it has reached the last epoch

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """End the bar of a training, and leave it there."""
        self._end()

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Begin the bar of a validation, test or prediction; within a training there is one already."""
        if trainer.state.fn != "fit":
            batches = {
                "validate": trainer.num_val_batches,
                "test": trainer.num_test_batches,
                "predict": trainer.num_predict_batches,
            }[_command(trainer)]
            self._begin(WORDS[_command(trainer)], sum(batches) if isinstance(batches, list) else batches)

    def on_validation_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Count a batch; within a training, say why its bar stands still."""
        if trainer.state.fn != "fit":
            self._show(batch_idx + 1, WORDS[_command(trainer)])
        elif not trainer.sanity_checking:
            self._show(_batches(trainer), f"{_epoch(trainer)}, validating", trainer, pl_module)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Remove the bar of a validation, test or prediction: results follow."""
        if trainer.state.fn != "fit":
            self._end(leave=False)

    on_test_start = on_predict_start = on_validation_start
    on_test_batch_end = on_predict_batch_end = on_validation_batch_end
    on_test_end = on_predict_end = on_validation_end

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        """Let what is said of the error begin on a line of its own."""
        self._end()

    def _begin(self, words: str, total: float, done: int = 0) -> None:
        self._total, self._shown = total, time.monotonic()
        if self._enabled and on_screen():
            self._bar = tqdm(
                desc=words,
                total=None if math.isinf(total) else int(total),
                initial=done,
                dynamic_ncols=True,
                file=sys.stdout,
                bar_format=None if math.isinf(total) else FORMAT,
            )

    def _show(
        self,
        done: int,
        words: str,
        trainer: pl.Trainer | None = None,
        pl_module: pl.LightningModule | None = None,
        always: bool = False,
    ) -> None:
        """Show how many batches are done, if it is time to: what is measured is on a GPU, where looking costs."""
        waited = time.monotonic() - self._shown
        if not self._enabled or (not always and waited < (BETWEEN_LINES if self._bar is None else BETWEEN_LOOKS)):
            return
        measured = {} if trainer is None or pl_module is None else self.get_metrics(trainer, pl_module)
        if self._bar is not None:
            self._bar.n = done
            self._bar.set_description_str(words, refresh=False)
            self._bar.set_postfix_str(", ".join(f"{name} {value}" for name, value in measured.items()))
        elif waited >= BETWEEN_LINES:
            of = "" if math.isinf(self._total) else f" of {int(self._total)}"
            print(f"{words}: {done}{of} batches", flush=True)
        else:
            return
        self._shown = time.monotonic()

    def _end(self, leave: bool = True) -> None:
        if self._bar is not None:
            self._bar.leave = leave
            self._bar.close()
            self._bar = None


class Parameters(ModelSummary):
    """A line that says how many parameters the parts of a model have, those that have any."""

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Say nothing yet: what is frozen is known later."""

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Say how many there are, and how many of them are trained."""
        counts = {
            f"{name} ({type(part).__name__})": sum(parameter.numel() for parameter in part.parameters())
            for name, part in pl_module.named_children()
        }
        trained = sum(parameter.numel() for parameter in pl_module.parameters() if parameter.requires_grad)
        frozen = "" if trained == sum(p.numel() for p in pl_module.parameters()) else f"; {trained:,} are trained"
        rank_zero_info(f"Parameters: {', '.join(f'{name} {n:,}' for name, n in counts.items() if n)}{frozen}")


def on_screen() -> bool:
    """Whether what is printed can be overwritten: on a terminal or in a notebook, not in a file."""
    return sys.stdout.isatty() or type(sys.stdout).__module__.startswith("ipykernel")  # that of a notebook


def _command(trainer: pl.Trainer) -> str:
    return str(trainer.state.fn.value if trainer.state.fn else "")


def _batches(trainer: pl.Trainer) -> int:
    """Return how many training batches a run has had, before it was resumed, too."""
    return trainer.fit_loop.epoch_loop.total_batch_idx + 1


def _epoch(trainer: pl.Trainer) -> str:
    last = f"/{trainer.max_epochs}" if trainer.max_epochs and trainer.max_epochs > 0 else ""
    return f"Epoch {trainer.current_epoch + 1}{last}"
