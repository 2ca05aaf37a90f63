"""What tests do to a run: named on the command line, so it must be importable there."""

import os
import signal

from pytorch_lightning import Callback


class KillAt(Callback):
    """Kill the process, without any chance to tidy up, before a given batch of the whole run."""

    def __init__(self, batch: int) -> None:
        self.batch = batch

    def on_train_batch_start(self, trainer, *_):
        if trainer.fit_loop.epoch_loop.total_batch_idx == self.batch:
            os.kill(os.getpid(), signal.SIGKILL)
