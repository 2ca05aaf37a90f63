"""Losses of predicted values, and how those of several axes become one."""

from musiclab.losses.regression import AxisLoss, PublishedLoss, RegressionLoss
from musiclab.losses.soft_rank import soft_rank
from musiclab.losses.spearman import SpearmanLoss
from musiclab.losses.weighting import FixedWeights, LearnedWeights, LossWeighting

__all__ = [
    "AxisLoss",
    "FixedWeights",
    "LearnedWeights",
    "LossWeighting",
    "PublishedLoss",
    "RegressionLoss",
    "SpearmanLoss",
    "soft_rank",
]
