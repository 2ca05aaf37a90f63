"""Hints of Lightning and PyTorch on what the command line has seen to itself; any other warning is shown."""

import logging
import re
import warnings

from lightning_fabric.utilities.warnings import PossibleUserWarning

LIGHTNING = "pytorch_lightning"
CALLBACKS = f"{LIGHTNING}.callbacks"

ALWAYS = [
    (FutureWarning, f"{LIGHTNING}.utilities._pytree", ""),
    (PossibleUserWarning, f"{LIGHTNING}.loops.fit_loop", "The number of training batches"),  # epochs are logged anyway
    (UserWarning, f"{CALLBACKS}.weight_averaging", ".*loading a checkpoint outside the 'fit' stage"),
    (UserWarning, "musiclab.models.recurrence", "RNN module weights are not part of"),  # layer by layer on a GPU
]
"""Category, module and the beginning of the message."""

EVALUATION = [
    (UserWarning, f"{LIGHTNING}.trainer.call", "Be aware that when using `ckpt_path`"),
    (UserWarning, f"{CALLBACKS}.model_checkpoint", "The dirpath has changed"),
]
"""On callbacks that only a training needs."""

RESUMPTION = [(UserWarning, f"{CALLBACKS}.model_checkpoint", "Checkpoint directory .* exists and is not empty")]

OWN_LOADING = [
    (PossibleUserWarning, f"{LIGHTNING}.trainer.connectors.data_connector", ".*does not have many workers"),
    (UserWarning, f"{LIGHTNING}.utilities.data", "Your `IterableDataset` has `__len__` defined"),
]

INFORMATION = (
    "💡 Tip",
    "Loading `train_dataloader` to estimate",
    "Loaded model weights from",
    "Restoring states from",
    "The following callbacks returned in",
    "TPU available: False",
)
"""How messages begin that tell a user nothing."""


def quieten(command: str, *, resumed: bool, own_loading: bool) -> None:
    """Silence hints that cannot be a user's own problem.

    Args:
        command: One of Lightning's.
        resumed: Whether a training goes on, in its own folder.
        own_loading: Whether the datamodule chooses the number of loading processes: tracks of a store are loaded
            faster without, and windows of songs are made by one process.
    """
    hints = [*ALWAYS, *EVALUATION * (command != "fit"), *RESUMPTION * resumed, *OWN_LOADING * own_loading]
    for category, module, message in hints:
        warnings.filterwarnings("ignore", message, category, re.escape(module))
    logging.getLogger(f"{LIGHTNING}.utilities.rank_zero").addFilter(_tells_something)


def _tells_something(record: logging.LogRecord) -> bool:
    return not record.getMessage().startswith(INFORMATION)
