"""What TensorBoard shows besides curves: charts of two curves, figures, and a table of runs."""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.loggers import TensorBoardLogger

from musiclab.checkpoint import MACHINE_SETTINGS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NOT_COMPARED = {"_instantiator", "_class_path", "root", *MACHINE_SETTINGS, "target_names", "seconds", "recipe"}
"""Hyperparameters that say nothing about a result, or the same in all runs that one would compare."""

OPTIMISATION = ("lr", "max_lr", "weight_decay", "momentum")
"""What is compared of an optimizer and a scheduler; the rest are nearly always PyTorch's own values."""


def tensorboard_loggers(trainer: Trainer) -> list[TensorBoardLogger]:
    """Return the loggers of a trainer that write for TensorBoard."""
    return [logger for logger in trainer.loggers if isinstance(logger, TensorBoardLogger)]


def overlay_curves(trainer: Trainer, quantities: Sequence[str]) -> None:
    """Lay training and validation curves over each other in TensorBoard, under CUSTOM SCALARS."""
    charts = {name: ["Multiline", [f"^{part}_{re.escape(name)}$" for part in ("train", "val")]] for name in quantities}
    for logger in tensorboard_loggers(trainer):
        logger.experiment.add_custom_scalars({"training and validation": charts})


def show_figure(trainer: Trainer, name: str, figure: "Figure", step: int) -> None:
    """Show a figure in TensorBoard, under IMAGES."""
    for logger in tensorboard_loggers(trainer):
        logger.experiment.add_figure(name, figure, step)


def compare_run(trainer: Trainer, task: LightningModule, best: Mapping[str, float], later: Sequence[str]) -> None:
    """Give the run a row in TensorBoard's table of runs, under HPARAMS.

    Args:
        trainer: At the end of ``fit``.
        task: Has the hyperparameters of model and optimisation.
        best: Metrics of the best epoch, by name.
        later: Names of metrics that the test will log.
    """
    from torch.utils.tensorboard.summary import hparams

    data = getattr(trainer, "datamodule", None)
    settings = {
        "task": type(task).__name__,
        **dict(_settings({**getattr(data, "hparams", {}), **task.hparams})),
        "max_epochs": trainer.max_epochs,
        "precision": str(trainer.precision),
        "seed_everything": int(os.environ.get("PL_GLOBAL_SEED", "0")),
    }
    for logger in tensorboard_loggers(trainer):
        for name, value in best.items():
            logger.experiment.add_scalar(name, value, trainer.global_step)
        # Only the names of these metrics count; the values shown are those of the scalars of that name. PyTorch's
        # public way, add_hparams, would make a run of its own, and Lightning's would log the values.
        for summary in hparams(settings, dict.fromkeys([*best, *later], 0.0)):  # type: ignore[no-untyped-call]
            logger.experiment._get_file_writer().add_summary(summary)


def _settings(hyperparameters: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, int | float | str]]:
    """Yield hyperparameters by names such as ``backbone.dropout``; a part is called by its class."""
    for key, value in hyperparameters.items():
        name = prefix + key
        if key in NOT_COMPARED or value is None:
            continue
        if isinstance(value, Mapping) and "class_path" in value:
            yield name, _class_name(value)
            arguments = value.get("init_args", {})
            if key in ("optimizer", "lr_scheduler"):
                arguments = {argument: arguments[argument] for argument in OPTIMISATION if argument in arguments}
            yield from _settings(arguments, f"{name}.")
        elif isinstance(value, list | tuple):
            yield name, ", ".join(_class_name(item) if isinstance(item, Mapping) else str(item) for item in value)
        else:
            yield name, value if isinstance(value, int | float) and not isinstance(value, bool) else str(value)


def _class_name(part: Mapping[str, Any]) -> str:
    return str(part["class_path"]).rsplit(".", 1)[-1]
