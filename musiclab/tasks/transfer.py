"""Transfer: a backbone that starts from another run, frozen for a while or for good."""

from pathlib import Path
from typing import Any, Literal

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import BaseFinetuning
from torch import nn
from torch.optim import Optimizer

from musiclab.checkpoint import BUFFERS, read_checkpoint
from musiclab.errors import UserError
from musiclab.tasks.known_tracks import compare_parts
from musiclab.tasks.scale import require_recipe

FrozenEpochs = int | Literal["all"]
"""For how many epochs the backbone stays as it is."""


def load_backbone(task: pl.LightningModule, path: str | Path, inputs: tuple[str, ...]) -> None:
    """Put the backbone and the normalisation of a checkpoint into a task; nothing else of it is used.

    If tracks to validate or test on are among those of its training, that is said.

    Args:
        task: A task with ``backbone`` and the buffers of its normalisation.
        path: A checkpoint of any of musiclab's tasks.
        inputs: The hyperparameters that say what the backbone reads, which have to agree.

    Raises:
        UserError: If there is no such checkpoint, its backbone was trained on other inputs, or it does not fit.
    """
    checkpoint = read_checkpoint(path)
    theirs = checkpoint["hyper_parameters"]
    require_recipe(theirs.get("recipe"), task.hparams["recipe"], path)
    for name in inputs:
        if theirs[name] != task.hparams[name]:
            raise UserError(
                f"{path}: its backbone was trained with {name} {theirs[name]}, but the data gives {task.hparams[name]};"
                f" use a checkpoint and data that agree, as with --data.{name} {theirs[name]}"
            )
    start = "backbone."
    weights = {name.removeprefix(start): w for name, w in checkpoint["state_dict"].items() if name.startswith(start)}
    backbone: nn.Module = task.backbone  # type: ignore[assignment]
    own = backbone.state_dict()
    for name in [*own, *(name for name in weights if name not in own)]:
        shapes = [_shape(part.get(name)) for part in (weights, own)]
        if shapes[0] != shapes[1]:
            raise UserError(
                f"{path}: its backbone does not fit: {start}{name} is {shapes[0]} there and {shapes[1]} here; give "
                "model.backbone the class and sizes that it was trained with"
            )
    backbone.load_state_dict(weights)
    for name in BUFFERS:
        getattr(task, name).copy_(checkpoint["state_dict"][name])
    compare_parts(task.trainer, checkpoint.get("parts"), "pretrained", same_draw=False)


def _shape(tensor: torch.Tensor | None) -> str:
    return "missing" if tensor is None else str(tuple(tensor.shape))


class FrozenBackbone(BaseFinetuning):
    """Keeps the backbone as it is for the first epochs of a run: its weights, and its batch norms' statistics.

    Its dropout stays on: it makes the head see a little more than one embedding per track. The optimizer knows all
    weights from the start; those without gradients it leaves alone, and schedules need not change when they join.

    DistributedDataParallel shares the gradients of those weights that need one when it is set up. So on several
    processes, a backbone that will be trained later has gradients from the start, which are thrown away.

    Args:
        epochs: For how many epochs, or ``all``.
        norms: Whether batch norms keep their statistics for good.
    """

    def __init__(self, epochs: FrozenEpochs, norms: bool = False) -> None:
        super().__init__()
        self.epochs = epochs
        self.norms = norms

    def freeze_before_training(self, pl_module: pl.LightningModule) -> None:
        """Freeze the backbone."""
        if self.epochs == "all" or (self.epochs and pl_module.trainer.world_size == 1):
            self.freeze(pl_module.backbone, train_bn=False)

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Freeze the backbone for a training."""
        if stage == "fit":
            super().setup(trainer, pl_module, stage)

    def finetune_function(self, pl_module: pl.LightningModule, epoch: int, optimizer: Optimizer) -> None:
        """Unfreeze the backbone when its time has come."""
        if not self._is_frozen(epoch):
            self.make_trainable(pl_module.backbone)

    def _is_frozen(self, epoch: int) -> bool:
        return self.epochs == "all" or epoch < self.epochs

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Unfreeze after a resumption too, where no epoch is begun; keep frozen batch norms in evaluation mode."""
        self.finetune_function(pl_module, trainer.current_epoch, trainer.optimizers[0])
        for module in pl_module.backbone.modules():  # type: ignore[union-attr]
            if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d):
                module.train(not (self.norms or self._is_frozen(trainer.current_epoch)))

    def on_before_optimizer_step(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, optimizer: Optimizer
    ) -> None:
        """Throw away what gradients a frozen backbone has; its weights are then left alone."""
        if self._is_frozen(trainer.current_epoch):
            for parameter in pl_module.backbone.parameters():  # type: ignore[union-attr]
                parameter.grad = None

    # Lightning's callback keeps the optimizer's settings of the first epoch and puts them back on resumption. Here
    # none are added, and the learning rate is the schedule's.

    def state_dict(self) -> dict[str, Any]:
        """Keep nothing: the epoch says whether the backbone is frozen."""
        return {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore nothing."""
