"""Losses of predicted values, for each axis."""

from abc import ABC, abstractmethod

from torch import Tensor, nn

from musiclab.checkpoint import KeepsArguments
from musiclab.errors import UserError
from musiclab.losses.soft_rank import soft_rank
from musiclab.losses.spearman import SpearmanLoss, gathered


class AxisLoss(KeepsArguments, nn.Module, ABC):
    """Maps predictions and targets ``(tracks, axes)`` to the loss of each axis ``(axes,)``."""

    @abstractmethod
    def forward(self, predictions: Tensor, targets: Tensor) -> Tensor:
        """Return the loss of each axis."""


class RegressionLoss(AxisLoss):
    """``mse * MSE + spearman * (1 - rho)``, never negative.

    Args:
        mse: Weight of the mean squared error.
        spearman: Weight of the Spearman loss.
        strength: Strength of its soft ranks, see :class:`musiclab.losses.spearman.SpearmanLoss`.
    """

    def __init__(self, mse: float = 1.0, spearman: float = 0.0, strength: float = 1.0) -> None:
        super().__init__()
        if mse < 0 or spearman < 0 or mse + spearman == 0:
            raise UserError(f"mse is {mse} and spearman {spearman}; give weights of 0 or more, one of them above 0")
        self.mse = mse
        self.spearman = spearman
        self.spearman_loss = SpearmanLoss(strength)

    def forward(self, predictions: Tensor, targets: Tensor) -> Tensor:
        """Return the loss of each axis."""
        loss = self.mse * mean_squared_error(predictions, targets)
        if self.spearman:  # soft ranks cost time
            loss = loss + self.spearman * self.spearman_loss(predictions, targets)
        return loss


class PublishedLoss(AxisLoss):
    """``MSE - weight * rho`` as in published notebooks, to compare with; prefer :class:`RegressionLoss`.

    There, rho is the correlation of soft ranks of the outputs with the raw targets. At strength 1 and with outputs
    between 0 and 1 the soft ranks are an affine map of the outputs, so that rho is Pearson's correlation. The loss
    may become negative; learned loss weights then run away.

    Args:
        weight: Weight of the correlation.
        strength: Strength of the soft ranks, absolute.
    """

    def __init__(self, weight: float = 0.1, strength: float = 1.0) -> None:
        super().__init__()
        self.weight = weight
        self.strength = strength

    def forward(self, predictions: Tensor, targets: Tensor) -> Tensor:
        """Return the loss of each axis."""
        loss = mean_squared_error(predictions, targets)
        if self.training:
            predictions, targets = gathered(predictions), gathered(targets)
        ranks = soft_rank(predictions.float().T, self.strength)
        ranks = ranks - ranks.mean(dim=1, keepdim=True)
        truth = targets.float().T
        truth = truth - truth.mean(dim=1, keepdim=True)
        products = ranks.square().sum(dim=1) * truth.square().sum(dim=1)
        rho = (ranks * truth).sum(dim=1) / products.clamp(min=1e-12).sqrt()
        return loss - self.weight * rho


def mean_squared_error(predictions: Tensor, targets: Tensor) -> Tensor:
    """Return the mean squared error of each axis, ``(axes,)``."""
    return (predictions.float() - targets.float()).square().mean(dim=0)
