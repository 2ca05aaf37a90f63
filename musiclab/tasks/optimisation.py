"""What makes the optimizer, and what has to be known of one that runs fused."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from inspect import Parameter, signature
from pydoc import locate
from typing import Any, NamedTuple, Self, cast

import pytorch_lightning as pl
import torch
from pytorch_lightning.cli import LRSchedulerCallable, OptimizerCallable, ReduceLROnPlateau
from pytorch_lightning.plugins.precision import MixedPrecision, Precision
from pytorch_lightning.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import OneCycleLR

from musiclab.errors import UserError, one_line

RATE = "rate"
"""Key of a parameter group: its learning rate as a share of the others'."""


class Optimisation(NamedTuple):
    """What makes the optimizer and the scheduler."""

    optimizer: OptimizerCallable
    lr_scheduler: LRSchedulerCallable | None

    def made(
        self, groups: list[dict[str, Any]], trainer: pl.Trainer, scheduler: Mapping[str, Any] | None, source: str
    ) -> OptimizerLRScheduler:
        """Return the optimizer, and the scheduler with the interval that suits it, as Lightning wants them.

        Args:
            groups: The parameters; a group's ``rate`` is its learning rate as a share of the first one's.
            trainer: Knows the number of steps and what is done to gradients.
            scheduler: Names the class of the scheduler, if the command line has made it.
            source: What settings come from, as errors begin.

        Raises:
            UserError: If one of them cannot be made, or does not do what it is asked for.
        """
        with explained(f"{source}optimizer"):
            optimizer = self.optimizer(groups)
        share_rates(optimizer)
        check_clipping(optimizer, trainer)
        if self.lr_scheduler is None:
            return optimizer
        steps = int(trainer.estimated_stepping_batches) if takes_total_steps(self.lr_scheduler, scheduler) else None
        with explained(f"{source}lr_scheduler"):
            return scheduled(optimizer, self.lr_scheduler, steps)

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        # The command line's factories hold on to its parser and, through it, to the data; weight averaging, which
        # copies the task, must not copy those.
        return self


def takes_total_steps(make_scheduler: LRSchedulerCallable, hyperparameter: Mapping[str, Any] | None) -> bool:
    """Tell whether a scheduler is to be told the number of steps of the run.

    Args:
        make_scheduler: Makes it. What the command line hands over does not tell its arguments.
        hyperparameter: Names its class, if the command line has made ``make_scheduler``.
    """
    return _takes(cast(Callable[..., Any], locate(hyperparameter["class_path"]) if hyperparameter else make_scheduler))


def _takes(maker: Callable[..., Any]) -> bool:
    if isinstance(maker, partial):
        return _takes(maker.func)
    parameters = signature(maker).parameters
    if "total_steps" in parameters:
        return True
    passes_on = any(parameter.kind is Parameter.VAR_KEYWORD for parameter in parameters.values())
    return passes_on and (not isinstance(maker, type) or any(_takes(base) for base in maker.__bases__))


@contextmanager
def explained(name: str) -> Iterator[None]:
    """Say of an optimizer or a scheduler, by its name, why it cannot be made.

    Raises:
        UserError: In place of what its class raises for settings that it does not take.
    """
    try:
        yield
    except UserError:
        raise
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{name}: {one_line(error)}") from error


def scheduled(
    optimizer: Optimizer, make_scheduler: LRSchedulerCallable, total_steps: int | None
) -> OptimizerLRScheduler:
    """Return an optimizer with its scheduler, as Lightning wants them.

    Args:
        optimizer: The optimizer.
        make_scheduler: Makes the scheduler.
        total_steps: Steps of the run, for a scheduler that is told them and steps after each; None for one that steps
            after each epoch.

    Raises:
        ValueError: If the scheduler cannot be made.
    """
    steps: dict[str, Any] = {} if total_steps is None else {"total_steps": total_steps}
    try:
        scheduler = make_scheduler(optimizer, **steps)
    except ValueError as error:
        raise ValueError(f"{error}; does the run have an end (--trainer.max_epochs)?") from None
    if isinstance(scheduler, OneCycleLR):  # its rates stand in the groups, the same in all of them
        share_rates(optimizer)
    first, *others = optimizer.param_groups
    if not all(math.isclose(group["lr"], first["lr"] * group.get(RATE, 1.0)) for group in others):
        raise ValueError(
            f"{type(scheduler).__name__} sets rates of its own, so that backbone_rate would be ignored; give another "
            "schedule, or backbone_rate 1"
        )
    config: dict[str, Any] = {"scheduler": scheduler, "interval": "step" if steps else "epoch"}
    if isinstance(scheduler, ReduceLROnPlateau):
        config["monitor"] = scheduler.monitor
    return {"optimizer": optimizer, "lr_scheduler": config}  # type: ignore[return-value]


def share_rates(optimizer: Optimizer) -> None:
    """Multiply the learning rates of the groups that have a share of the others', and those that OneCycleLR goes to."""
    for group in optimizer.param_groups:
        for name in ("lr", "initial_lr", "max_lr", "min_lr"):
            if name in group:
                group[name] *= group.get(RATE, 1.0)


def check_clipping(optimizer: Optimizer, trainer: pl.Trainer) -> None:
    """Refuse to clip gradients where Lightning cannot, before the first step does.

    Raises:
        UserError: If the optimizer runs fused in mixed precision and gradients are to be clipped.
    """
    mixed = isinstance(trainer.precision_plugin, MixedPrecision)
    if mixed and trainer.gradient_clip_val and _unscales(optimizer):
        raise UserError(
            f"trainer.gradient_clip_val is {trainer.gradient_clip_val}, but in mixed precision Lightning clips no "
            "gradients of a fused optimizer; give --model.optimizer.init_args.fused false"
        )


def settle(optimizer: Optimizer) -> None:
    """Bring an optimizer into line with what a checkpoint may have put into it.

    Whether it runs fused is as the checkpoint has it, and so has to be what is said to loss scalers, which was settled
    when it was made. What it remembers of each weight lies in memory as it was saved; a fused step on a CPU takes value
    by value as they lie, so where the network's layout has changed since, it would go on with those of other weights,
    without a word.
    """
    if hasattr(optimizer, "_step_supports_amp_scaling"):
        optimizer._step_supports_amp_scaling = any(group.get("fused") for group in optimizer.param_groups)
    for weights, state in optimizer.state.items():
        tensors = {name: value for name, value in state.items() if isinstance(value, Tensor)}
        for name, value in tensors.items():
            if value.shape == weights.shape and value.stride() != weights.stride():
                state[name] = torch.empty_like(weights).copy_(value)


def gradient_norm(parameters: Iterable[nn.Parameter], optimizer: Optimizer, precision: Precision) -> Tensor:
    """Return the norm of the gradient, a scalar; call it before the optimizer's step.

    Args:
        parameters: What has gradients.
        optimizer: What makes the step. One that runs fused divides gradients by the loss scale only then.
        precision: Holds the scaler of the loss, in precision ``16-mixed``.
    """
    norms = [parameter.grad.norm() for parameter in parameters if parameter.grad is not None]
    norm: Tensor = torch.stack(norms).norm()
    scaler: torch.amp.GradScaler | None = getattr(precision, "scaler", None)
    if scaler is not None and _unscales(optimizer):
        norm = norm / scaler.scale(torch.ones_like(norm))  # the scale as a number would wait for the device
    return norm


def _unscales(optimizer: Optimizer) -> bool:
    """Whether the optimizer's step divides gradients by the loss scale itself.

    PyTorch's loss scaler and Lightning's clipping ask it by this private name, and by no other.
    """
    return getattr(optimizer, "_step_supports_amp_scaling", False)
