"""Averages of the weights."""

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
        super().__init__(avg_fn=self._average)
        self.decay = decay

    def _average(self, average: Tensor, weights: Tensor, steps: Tensor | int) -> Tensor:
        if not average.is_floating_point():  # a counter
            return weights
        wide = torch.promote_types(average.dtype, torch.float32)  # half precision would round the share
        count = torch.as_tensor(steps, device=average.device).to(wide)  # as a number it would wait for the device
        goes = torch.full_like(count, 9).div(10 + count).clamp(min=1 - self.decay)  # 1 less what stays, well rounded
        return torch.lerp(average.to(wide), weights.to(wide), goes).to(average.dtype)

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Forget the averages; when training ends, they are in the model."""
        self._average_model = None
