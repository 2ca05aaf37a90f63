"""Lightning's Trainer with what every run of musiclab leaves behind."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from lightning_fabric.plugins.environments.slurm import SLURMEnvironment
from lightning_fabric.plugins.io.torch_io import TorchCheckpointIO
from lightning_utilities.core.rank_zero import rank_zero_info
from pytorch_lightning.callbacks import Callback, Checkpoint, ModelCheckpoint, ModelSummary, ProgressBar
from pytorch_lightning.loggers import Logger, TensorBoardLogger

from musiclab.errors import UserError
from musiclab.models.processor import has_half_precision
from musiclab.runs.allocator import keep_freed_memory
from musiclab.runs.checkpoint_io import WholeCheckpointIO
from musiclab.runs.divergence import StopDivergence
from musiclab.runs.early_stop import KeepEarlyStop
from musiclab.runs.gathering import end_group_at_exit
from musiclab.runs.own_folder import OwnFolder
from musiclab.runs.progress import Parameters, Progress
from musiclab.runs.record import RunRecord
from musiclab.runs.results import TaskResults
from musiclab.runs.resumption import MovedCheckpoints, OwnCheckpoints
from musiclab.runs.slurm import check_tasks, check_variables, requeue_by_signal
from musiclab.tasks import SpectrogramTask


class Trainer(pl.Trainer):
    """Lightning's Trainer for musiclab's tasks and datamodules, as the command line uses it.

    A run goes to ``lightning_logs/version_N`` below the root: curves for TensorBoard, ``run.json``, and the result
    files of tests and predictions. Our datamodules share tracks out to processes themselves. A run starts from the
    checkpoint that it is given, or none: of what earlier runs have left in the root it takes nothing.

    Args:
        logger: See Lightning; None or true for TensorBoard's.
        callbacks: See Lightning; what is None is left out. Without a ModelCheckpoint among them, a training of one of
            musiclab's tasks keeps ``best.ckpt``, by the metric that the task is judged by, and ``last.ckpt``.
        default_root_dir: Folder of ``lightning_logs``; None for the current one.
        use_distributed_sampler: Leave it false: Lightning's samplers would give some tracks twice.
        sync_batchnorm: Refused, since it would count padding.
        kwargs: See Lightning's Trainer.

    Raises:
        UserError: If batch norms are to be synchronised, weights to be kept in a precision that rounds or that the
            device does not have, or if what SLURM's variables say does not fit.
    """

    def __init__(
        self,
        *,
        logger: Logger | Iterable[Logger] | bool | None = None,
        callbacks: Sequence[Callback | None] | Callback | None = None,
        default_root_dir: str | Path | None = None,
        use_distributed_sampler: bool = False,
        sync_batchnorm: bool = False,
        **kwargs: Any,
    ) -> None:
        if sync_batchnorm:
            raise UserError(
                "sync_batchnorm would count padding as music; leave it false: on several processes, the batch norms of "
                "each have the statistics of its own tracks"
            )
        precision = str(kwargs.get("precision"))
        if precision in ("bf16-true", "16-true"):
            raise UserError(
                f"precision {precision} would keep weights and their averages in half precision, which rounds away "
                f"what a step adds; use {precision.removesuffix('true')}mixed"
            )
        keep_freed_memory()
        root = Path(default_root_dir or ".").absolute()
        if logger is None or logger is True:
            logger = TensorBoardLogger(str(root), default_hp_metric=False)
        given = [callbacks] if isinstance(callbacks, Callback) else [one for one in callbacks or [] if one is not None]
        shown = _screen(given, kwargs)
        self._keeps_best_and_last = kwargs.get("enable_checkpointing") is not False and not any(
            isinstance(callback, Checkpoint) for callback in given
        )
        self.run_record = RunRecord()
        check_variables()
        super().__init__(
            logger=logger,
            callbacks=[
                OwnFolder(),
                StopDivergence(),
                *shown,
                *given,
                KeepEarlyStop(),
                MovedCheckpoints(),
                self.run_record,
                TaskResults(),
            ],
            default_root_dir=str(root),
            use_distributed_sampler=use_distributed_sampler,
            **kwargs,
        )
        if type(self.strategy.checkpoint_io) is TorchCheckpointIO:  # no other was asked for
            self.strategy.checkpoint_io = WholeCheckpointIO()
        if self.precision == "64-true" and self.strategy.root_device.type == "mps":
            raise UserError(
                "precision 64-true needs float64, which Apple's GPUs do not have; use --trainer.accelerator cpu, or "
                "--trainer.precision 32-true"
            )
        on_cpu = self.strategy.root_device.type == "cpu"
        if self.precision in ("bf16-mixed", "16-mixed") and on_cpu and not has_half_precision():
            rank_zero_info(
                f"Warning: this processor has no half precision: {self.precision} takes longer than "
                "--trainer.precision 32-true, several times as long on one without AVX-512"
            )
        self._checkpoint_connector = OwnCheckpoints(self)
        environment = self._accelerator_connector.cluster_environment
        if isinstance(environment, SLURMEnvironment):
            check_tasks(environment, self)
            requeue_by_signal(environment)
        if self.world_size > 1:
            end_group_at_exit()

    def fit(self, model: pl.LightningModule, *args: Any, **kwargs: Any) -> None:
        """Train; see Lightning. In ``fit(task, data)``, the second may be a datamodule.

        The command line has checkpoints of its own.
        """
        if self._keeps_best_and_last and self.run_record.command_line is None:
            kept = best_and_last(model, validated=self.limit_val_batches != 0)
            if kept:
                others = [callback for callback in self.callbacks if not isinstance(callback, ModelCheckpoint)]
                self.callbacks: list[Callback] = [*others, *kept]
            self._keeps_best_and_last = False
        super().fit(model, *args, **kwargs)


def _screen(given: Sequence[Callback], options: dict[str, Any]) -> list[Callback]:
    """Return what tells of a run on the screen, unless an option of Lightning's forbids it or another is given."""
    ours: list[Callback] = []
    for name, kind, own in (
        ("enable_model_summary", ModelSummary, Parameters),
        ("enable_progress_bar", ProgressBar, Progress),
    ):
        if options.get(name) is not False and not any(isinstance(callback, kind) for callback in given):
            ours.append(own())
            if kind is ModelSummary:
                options[name] = False  # else Lightning says that there is one
    return ours


def best_and_last(model: pl.LightningModule, validated: bool) -> list[ModelCheckpoint]:
    """Return what keeps the best and the last weights of a task; nothing for modules that do not say what they are.

    Args:
        model: The task.
        validated: Whether there is a best one.
    """
    if not isinstance(model, SpectrogramTask) or model.output_kind is None:
        return []
    best = ModelCheckpoint(filename="best", monitor=model.monitor, mode=model.monitor_mode)
    last = ModelCheckpoint(filename="last", save_on_train_epoch_end=True)
    return [best, last] if validated else [last]
