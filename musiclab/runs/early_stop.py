"""What a run had decided before it was interrupted."""

from lightning_utilities.core.rank_zero import rank_zero_info
from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.callbacks import EarlyStopping
from pytorch_lightning.callbacks.early_stopping import EarlyStoppingReason


class KeepEarlyStop(Callback):
    """Lets a run that had stopped early train no further when it is resumed: what is left to do is its test."""

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stop before the first step if the checkpoint that the run goes on from says so."""
        for callback in trainer.early_stopping_callbacks:
            if isinstance(callback, EarlyStopping) and callback.stopping_reason != EarlyStoppingReason.NOT_STOPPED:
                trainer.should_stop = True
                rank_zero_info(
                    f"The run had stopped early: {callback.stopping_reason_message} To train on all the same, leave "
                    "early stopping out (--early_stopping null)"
                )
