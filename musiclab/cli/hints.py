"""Lightning's hints on what the command line has seen to itself; any other warning is shown."""

import logging
import re
import warnings

from lightning_fabric.utilities.warnings import PossibleUserWarning

LIGHTNING = "pytorch_lightning"

INFORMATION = ("💡 Tip", "Loading `train_dataloader` to estimate")
"""How messages begin that tell a user nothing."""


def quieten(command: str, *, resumed: bool, own_loading: bool) -> None:
    """Silence hints that cannot be a user's own problem.

    Args:
        command: One of Lightning's.
        resumed: Whether a training goes on, in its own folder.
        own_loading: Whether the datamodule chooses the number of loading processes: tracks of a store are loaded
            faster without, and windows of songs are made by one process.
    """
    _ignore(FutureWarning, "utilities._pytree")
    _ignore(PossibleUserWarning, "loops.fit_loop", "The number of training batches")  # epochs are logged all the same
    _ignore(UserWarning, "callbacks.weight_averaging", ".*loading a checkpoint outside the 'fit' stage")
    if command != "fit":  # what a training needs of its callbacks, nothing else does
        _ignore(UserWarning, "trainer.call", "Be aware that when using `ckpt_path`")
        _ignore(UserWarning, "callbacks.model_checkpoint", "The dirpath has changed")
    if resumed:
        _ignore(UserWarning, "callbacks.model_checkpoint", "Checkpoint directory .* exists and is not empty")
    if own_loading:
        _ignore(PossibleUserWarning, "trainer.connectors.data_connector", ".*does not have many workers")
        _ignore(UserWarning, "utilities.data", "Your `IterableDataset` has `__len__` defined")
    logging.getLogger(f"{LIGHTNING}.utilities.rank_zero").addFilter(_tells_something)


def _ignore(category: type[Warning], module: str, message: str = "") -> None:
    warnings.filterwarnings("ignore", message, category, re.escape(f"{LIGHTNING}.{module}"))


def _tells_something(record: logging.LogRecord) -> bool:
    return not record.getMessage().startswith(INFORMATION)
