"""The folder of a training: a new one that no other run has, or that of the run that goes on."""

import sys
from pathlib import Path

from lightning_utilities.core.rank_zero import rank_zero_only
from pytorch_lightning.loggers import TensorBoardLogger

from musiclab.files import copy_files, is_writable

LOGS = "lightning_logs"


def run_logger(root: Path, checkpoint: Path | None) -> tuple[TensorBoardLogger, Path | None]:
    """Return the logger of a training, which knows its folder, and that folder if it was made here.

    A resumed run goes on in its own folder, or, where that cannot be written, in a copy of it below the root.

    Args:
        root: Folder of ``lightning_logs`` for new runs.
        checkpoint: What the run goes on from, None for a new one.
    """
    run = _run_of(checkpoint)
    if run and checkpoint and all(is_writable(folder) for folder in (run, checkpoint.parent)):
        return TensorBoardLogger(str(run.parent.parent), version=run.name, default_hp_metric=False), None
    while True:
        logger = TensorBoardLogger(str(root), default_hp_metric=False)
        if rank_zero_only.rank != 0:  # type: ignore[attr-defined]  # the first process tells the others its folder
            return logger, None
        folder = Path(logger.log_dir)
        try:
            folder.mkdir(parents=True)
        except FileExistsError:  # another run has just taken it
            continue
        if run:
            copy_files(run, folder)
            print(f"{run} cannot be written: the run goes on in a copy of it, {folder}", file=sys.stderr)
        return logger, folder


def _run_of(checkpoint: Path | None) -> Path | None:
    """Return the folder of the run that a checkpoint is of, None if it is in none."""
    if checkpoint and checkpoint.parent.name == "checkpoints" and checkpoint.parent.parent.parent.name == LOGS:
        return checkpoint.parent.parent
    return None
