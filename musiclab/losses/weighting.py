"""How the losses of several axes become one."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from musiclab.errors import UserError


class LossWeighting(nn.Module, ABC):
    """Maps the losses ``(axes,)`` to one loss.

    Args:
        axes: Names of the axes.
    """

    def __init__(self, axes: Sequence[str]) -> None:
        super().__init__()
        self.axes = list(axes)

    @abstractmethod
    def forward(self, losses: Tensor) -> Tensor:
        """Return the total of the losses ``(axes,)``."""

    @abstractmethod
    def weights(self) -> Tensor:
        """Return the factor of each loss at present, ``(axes,)``, detached."""


class FixedWeights(LossWeighting):
    """Sum of the losses, each times a fixed weight.

    Args:
        axes: Names of the axes.
        weights: Weight of each axis by its name; null for 1 each, the plain sum.
    """

    factors: Tensor

    def __init__(self, axes: Sequence[str], weights: dict[str, float] | None = None) -> None:
        super().__init__(axes)
        weights = dict.fromkeys(axes, 1.0) if weights is None else weights
        if set(weights) != set(axes) or min(weights.values()) < 0 or not any(weights.values()):
            given = ", ".join(f"{axis} {weight}" for axis, weight in weights.items())
            raise UserError(
                f"weighting: weights are given as {given or 'nothing'}; the model's axes are {', '.join(axes)}: give "
                "each a weight of 0 or more, one of them above 0"
            )
        self.register_buffer("factors", torch.tensor([float(weights[axis]) for axis in axes]), persistent=False)

    def forward(self, losses: Tensor) -> Tensor:
        """Return the total of the losses ``(axes,)``."""
        return (self.factors * losses).sum()

    def weights(self) -> Tensor:
        """Return the factor of each loss, ``(axes,)``."""
        return self.factors


class LearnedWeights(LossWeighting):
    """Sum of ``exp(-param) * loss + param`` over the axes, with params that are learned and start at 0.

    For a loss above 0 the best param is ``log(loss)``: axes with a small loss gain weight. A loss that may become
    negative would drive its param, and with it the weight, down or up without bound; :class:`RegressionLoss` never
    is.

    Args:
        axes: Names of the axes.

    Source:
        Kendall, Gal and Cipolla 2018, "Multi-Task Learning Using Uncertainty to Weigh Losses for Scene Geometry
        and Semantics", arXiv 1705.07115, section 3.2; param is the logarithm of the variance there.
    """

    def __init__(self, axes: Sequence[str]) -> None:
        super().__init__(axes)
        self.params = nn.Parameter(torch.zeros(len(self.axes)))

    def forward(self, losses: Tensor) -> Tensor:
        """Return the total of the losses ``(axes,)``."""
        return (torch.exp(-self.params) * losses + self.params).sum()

    def weights(self) -> Tensor:
        """Return the factor of each loss at present, ``(axes,)``, detached."""
        return torch.exp(-self.params.detach())
