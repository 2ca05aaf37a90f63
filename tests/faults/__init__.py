"""What tests do to a run: named on the command line, so it must be importable there."""

import os
import shutil
import signal
from pathlib import Path

from pytorch_lightning import Callback

from musiclab.data import packing


class KillAt(Callback):
    """Kill a process, without any chance to tidy up, before a given batch of the whole run."""

    def __init__(self, batch: int, rank: int = 0) -> None:
        self.batch = batch
        self.rank = rank

    def on_train_batch_start(self, trainer, *_):
        if trainer.global_rank == self.rank and trainer.fit_loop.epoch_loop.total_batch_idx == self.batch:
            os.kill(os.getpid(), signal.SIGKILL)


class FailAt(KillAt):
    """Let a process fail instead."""

    def on_train_batch_start(self, trainer, *_):
        if trainer.global_rank == self.rank and trainer.fit_loop.epoch_loop.total_batch_idx == self.batch:
            raise ZeroDivisionError("a mistake in the code")


class TerminateAt(KillAt):
    """Ask a process to end instead, as a scheduler does."""

    def on_train_batch_start(self, trainer, *_):
        if trainer.fit_loop.epoch_loop.total_batch_idx == self.batch:
            os.kill(os.getpid(), signal.SIGTERM)


class InterruptAt(KillAt):
    """Interrupt a process instead, as by Ctrl+C."""

    def on_train_batch_start(self, trainer, *_):
        if trainer.fit_loop.epoch_loop.total_batch_idx == self.batch:
            os.kill(os.getpid(), signal.SIGINT)


class KillInWrite(Callback):
    """Kill a process when a checkpoint is written but not yet in its place, the n-th time."""

    def __init__(self, time: int) -> None:
        fsync = os.fsync

        def killing(descriptor):
            nonlocal time
            time -= 1
            if time == 0:
                os.ftruncate(descriptor, os.fstat(descriptor).st_size // 2)
                os.kill(os.getpid(), signal.SIGKILL)
            fsync(descriptor)

        os.fsync = killing


class SpoilWeights(KillAt):
    """Make a weight infinite, as a learning rate that is far too high does."""

    def on_train_batch_start(self, trainer, task, *_):
        if trainer.fit_loop.epoch_loop.total_batch_idx == self.batch:
            next(task.backbone.parameters()).data.view(-1)[0] = float("inf")


class NoHead(Callback):
    """Have a model say the same of all tracks."""

    def on_fit_start(self, trainer, task):
        for parameter in task.head.parameters():
            parameter.data.zero_()


class CountBuilds(Callback):
    """Add a line to a file each time a store is built."""

    def __init__(self, path: str) -> None:
        build = packing._built

        def counting(folder, source, dtype):
            with Path(path).open("a") as stream:
                stream.write(f"{source.folder}\n")
            return build(folder, source, dtype)

        packing._built = counting


class SignalAt(KillAt):
    """Send a process the signal that a scheduler sends before its time is over, and, a batch later, end it."""

    def on_train_batch_start(self, trainer, *_):
        batch = trainer.fit_loop.epoch_loop.total_batch_idx
        if batch in (self.batch, self.batch + 1) and os.environ.get("SLURM_RESTART_COUNT", "0") == "0":
            os.kill(os.getpid(), signal.SIGUSR1 if batch == self.batch else signal.SIGTERM)


class FillAt(KillAt):
    """Fill the disk that a folder is on, all but some bytes, by a file ``filler`` there."""

    def __init__(self, batch: int, folder: str, free: int = 0) -> None:
        super().__init__(batch)
        self.folder, self.free = Path(folder), free

    def on_train_batch_start(self, trainer, *_):
        if trainer.fit_loop.epoch_loop.total_batch_idx == self.batch:
            with (self.folder / "filler").open("wb") as stream:
                stream.write(bytes(shutil.disk_usage(self.folder).free - self.free))
            for number in range(1000):  # more than what the last page of its file has room for
                trainer.logger.experiment.add_scalar("number", number)
            trainer.logger.experiment.flush()
