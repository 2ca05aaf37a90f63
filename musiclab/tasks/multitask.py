"""Emotional dimensions learnt together."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from musiclab.errors import UserError
from musiclab.losses import FixedWeights, LearnedWeights, LossWeighting
from musiclab.tasks.regression import RegressionTask


class MultitaskRegressionTask(RegressionTask):
    """Values on several axes from a shared backbone, with a head for each axis and weighted losses.

    Args:
        weighting: Makes what weighs the axes' losses, given the names of the axes.
        head_size: Units of the hidden layer of each head; null for linear heads.
        kwargs: See :class:`musiclab.tasks.regression.RegressionTask`.
    """

    def __init__(
        self,
        weighting: Callable[[list[str]], LossWeighting] = FixedWeights,
        head_size: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if head_size is not None and head_size < 1:
            raise UserError(f"head_size is {head_size}; it must be at least 1, or null for linear heads")
        self.weighting = weighting(self.target_names)
        self.head = AxisHeads(self.backbone.embedding_size, len(self.target_names), head_size)

    def total(self, losses: Tensor) -> Tensor:
        """Return the loss to be minimised from that of each axis, ``(axes,)``: their weighted sum."""
        total: Tensor = self.weighting(losses)
        return total

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Return what the optimizer is made for; weight decay would pull learned loss weights towards 1."""
        learned = list(self.weighting.parameters())
        if not learned:
            return super().parameter_groups()
        others, *rest = super().parameter_groups()
        own = {id(parameter) for parameter in learned}
        others["params"] = [parameter for parameter in others["params"] if id(parameter) not in own]
        return [others, *rest, {"params": learned, "weight_decay": 0.0}]

    def on_train_epoch_end(self) -> None:
        """Log the metrics of the training set, the weight of each axis and its learned param."""
        super().on_train_epoch_end()
        weights = zip(self.target_names, self.weighting.weights(), strict=True)
        self.log_dict({f"weight_{axis}": weight for axis, weight in weights}, sync_dist=True)
        if isinstance(self.weighting, LearnedWeights):
            params = zip(self.target_names, self.weighting.params.detach(), strict=True)
            self.log_dict({f"param_{axis}": param for axis, param in params}, sync_dist=True)


class AxisHeads(nn.Module):
    """One head for each axis, from embeddings ``(batch, embedding)`` to values ``(batch, axes)``.

    Args:
        embedding_size: Size of the embeddings.
        axes: Number of axes.
        head_size: Units of the hidden layer of each head; None for linear heads.
    """

    def __init__(self, embedding_size: int, axes: int, head_size: int | None) -> None:
        super().__init__()
        self.heads = nn.ModuleList(_head(embedding_size, head_size) for _ in range(axes))

    def forward(self, embeddings: Tensor) -> Tensor:
        """Return the values ``(batch, axes)``."""
        return torch.cat([head(embeddings) for head in self.heads], dim=1)


def _head(embedding_size: int, head_size: int | None) -> nn.Module:
    if head_size is None:
        return nn.Linear(embedding_size, 1)
    return nn.Sequential(nn.Linear(embedding_size, head_size), nn.ReLU(), nn.Linear(head_size, 1))
