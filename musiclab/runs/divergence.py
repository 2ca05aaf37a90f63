"""Trainings whose weights are no longer finite numbers: they end, and nothing of them is saved."""

import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.trainer.states import TrainerFn

from musiclab.checkpoint import is_finite
from musiclab.errors import UserError


class StopDivergence(Callback):
    """Ends a training before it validates, or saves, weights that are not finite.

    It has to come before the callbacks that save.

    Raises:
        UserError: Naming what is left of the run, and what to do.
    """

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Look at the weights before they are validated."""
        if trainer.state.fn == TrainerFn.FITTING:
            self._check(trainer, pl_module)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Look at the weights before they are saved."""
        self._check(trainer, pl_module)

    def _check(self, trainer: Trainer, pl_module: LightningModule) -> None:
        with torch.no_grad():
            if is_finite(pl_module.state_dict()):
                return
        best = getattr(trainer.checkpoint_callback, "best_model_path", "")
        left = f"what was best before is {best}" if best else "no checkpoint is left"
        raise UserError(
            f"the weights are not finite after epoch {trainer.current_epoch + 1}, {left}; lower the learning rate "
            "(--model.optimizer.init_args.lr), clip the gradient (--trainer.gradient_clip_val 1) or use bf16-mixed in "
            "place of 16-mixed"
        )
