"""Averages of the weights."""

from typing import Any

import torch
from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import WeightAveraging
from torch import Tensor


class EMAWeights(WeightAveraging):
    """Exponential moving average of the weights, which validation, checkpoints and tests use.

    The average follows quickly at first: after t steps its share is at most (1 + t) / (10 + t), so that it does
    not remember the random start of a short run.

    Built on Lightning's callback, except that its averages end with the training. With Lightning's, a checkpoint
    loaded in the process that trained is tested with the weights in training, and validated with the last averages.

    Args:
        decay: Share of the average that stays at each step.
    """

    def __init__(self, decay: float = 0.99) -> None:
        super().__init__(multi_avg_fn=self._average)
        self.decay = decay

    def _average(self, averages: Any, weights: Any, steps: Tensor | int) -> None:
        stays = min(self.decay, (1 + int(steps)) / (10 + int(steps)))
        if averages[0].is_floating_point():
            torch._foreach_lerp_(averages, weights, 1 - stays)
        else:  # counters
            torch._foreach_copy_(averages, weights)

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Forget the averages; when training ends, they are in the model."""
        self._average_model = None
