"""The callbacks that ``fit`` brings along, each an option of its own: to be changed, replaced or set to null."""

from argparse import SUPPRESS
from collections.abc import Iterator, Mapping
from typing import Any

from jsonargparse import Namespace
from pytorch_lightning.callbacks import (
    Callback,
    EarlyStopping,
    LearningRateMonitor,
    ModelCheckpoint,
    WeightAveraging,
)
from pytorch_lightning.cli import LightningArgumentParser

from musiclab.errors import UserError
from musiclab.tasks import SpectrogramTask

FOLLOWED = "of the task"
"""What ``monitor`` and ``mode`` are by default: the metric that the task itself is judged by, and which way."""

CALLBACKS: dict[str, tuple[type[Callback], dict[str, Any] | None]] = {
    "weight_averaging": (WeightAveraging, None),
    "checkpoint": (
        ModelCheckpoint,
        {"filename": "best", "monitor": FOLLOWED, "mode": FOLLOWED},
    ),  # Lightning takes the first one's best
    "last_checkpoint": (ModelCheckpoint, {"filename": "last", "save_on_train_epoch_end": True}),
    "early_stopping": (EarlyStopping, {"monitor": FOLLOWED, "mode": FOLLOWED, "patience": 20}),
    "lr_monitor": (LearningRateMonitor, {"logging_interval": "step"}),
}
"""Option, class and arguments of each callback, in their order; arguments are None for one that is off by default."""


def add_default_callbacks(parser: LightningArgumentParser) -> None:
    """Make the callbacks options of a command."""
    for name, (kind, arguments) in CALLBACKS.items():
        parser.add_lightning_class_args(kind, name, subclass_mode=True, required=False)
        if arguments is not None:
            path = f"{kind.__module__.rsplit('.', 1)[0]}.{kind.__name__}"
            parser.set_defaults({name: {"class_path": path, "init_args": arguments}})


def ignore_options(parser: LightningArgumentParser, *names: str) -> None:
    """Let a command take options that are another's and leave them aside: a config of one is read by the others."""
    for name in names:
        parser.add_argument(f"--{name}", type=dict[str, Any] | str | None, default=SUPPRESS, help=SUPPRESS)


def follow_task(config: Namespace, task: type[SpectrogramTask]) -> None:
    """Fill in what the callbacks of a command's config monitor.

    Raises:
        UserError: If one monitors another metric and nobody says which way is better.
    """
    for name in CALLBACKS:
        arguments = (config.get(name) or {}).get("init_args", {})
        if arguments.get("monitor") == FOLLOWED:
            arguments["monitor"] = task.monitor
        if arguments.get("mode") == FOLLOWED:
            if arguments["monitor"] != task.monitor:
                raise UserError(
                    f"{name}.monitor is {arguments['monitor']}; say which way is better: --{name}.mode min or max"
                )
            arguments["mode"] = task.monitor_mode


def left_out(trainer: Mapping[str, Any]) -> Iterator[str]:
    """Yield the options whose callbacks the arguments of a trainer replace or have no use for."""
    given = trainer["callbacks"] or []
    for name, (kind, _) in CALLBACKS.items():
        replaced = any(isinstance(callback, kind) for callback in (given if isinstance(given, list) else [given]))
        useless = {
            "checkpoint": trainer["enable_checkpointing"] is False or trainer["limit_val_batches"] == 0,
            "last_checkpoint": trainer["enable_checkpointing"] is False,
            "early_stopping": trainer["limit_val_batches"] == 0,
            "lr_monitor": trainer["logger"] is False,
        }
        if replaced or useless.get(name):
            yield name
