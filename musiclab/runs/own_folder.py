"""The folder of a training: one process's own while it trains, and without what a killed one has left."""

from contextlib import suppress
from pathlib import Path

from filelock import FileLock, Timeout
from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.loggers import CSVLogger, TensorBoardLogger

from musiclab.errors import UserError
from musiclab.files import remove_leftovers


class OwnFolder(Callback):
    """Keeps two trainings out of one folder, as of a run that is resumed twice; removes half-written files there.

    Where the file system has no locks, nobody is kept out. It has to come before all that writes to the folder.

    Raises:
        UserError: If another process trains there.
    """

    def __init__(self) -> None:
        self._lock: FileLock | None = None

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Take the folder of a training."""
        folder = trainer.log_dir  # all processes have to ask for it
        if stage != "fit" or not folder or not isinstance(trainer.logger, TensorBoardLogger | CSVLogger):
            return  # of other loggers, it is a root that runs share
        free = self._take(Path(folder)) if trainer.is_global_zero else True
        if not trainer.strategy.broadcast(free):
            raise UserError(
                f"{folder}: another process trains in this folder; wait for its end, or end it; if there is none, "
                f"remove {folder}/.lock"
            )

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Let go of the folder."""
        self._let_go()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Let go of the folder."""
        self._let_go()

    def _take(self, folder: Path) -> bool:
        """Return whether the folder could be taken."""
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / ".lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            return False
        except (OSError, NotImplementedError):  # of file systems without locks
            return True
        self._lock = lock
        remove_leftovers(folder)
        remove_leftovers(folder / "checkpoints")
        return True

    def _let_go(self) -> None:
        if self._lock is not None and self._lock.is_locked:
            with suppress(OSError):
                Path(self._lock.lock_file).unlink()
            self._lock.release()
