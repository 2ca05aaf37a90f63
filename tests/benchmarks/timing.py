"""Processor seconds of a training's parts, as a callback for ``--trainer.callbacks+=timing.EpochTimer``.

On one thread, processor seconds are those of the clock on an idle machine, and hardly change where others work too.
"""

import os
import time
from collections import defaultdict
from typing import Any

from pytorch_lightning import Callback

TIMES: defaultdict[str, list[float]] = defaultdict(list)
"""What has been measured in this process: seconds of each epoch's training, of its steps, of each validation."""


class EpochTimer(Callback):
    """Takes the times of a fit."""

    def on_train_epoch_start(self, *_: Any) -> None:
        self.epoch, self.steps, self.ended = time.process_time(), 0.0, False

    def on_train_batch_start(self, *_: Any) -> None:
        self.step = time.process_time()

    def on_train_batch_end(self, *_: Any) -> None:
        self.steps += time.process_time() - self.step

    def on_validation_start(self, *_: Any) -> None:
        if not self.ended:
            TIMES["epoch"].append(time.process_time() - self.epoch)
            TIMES["steps"].append(self.steps)
            self.ended = True
        self.validation = time.process_time()

    def on_validation_end(self, *_: Any) -> None:
        TIMES["evaluation"].append(time.process_time() - self.validation)


class ExitAfterStep(Callback):
    """Ends the process after the first step of a training."""

    def on_train_batch_end(self, *_: Any) -> None:
        os._exit(0)
