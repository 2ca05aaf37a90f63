"""Metrics of regression over whole sets."""

from collections.abc import Sequence

import torch
from pytorch_lightning.utilities import rank_zero_warn
from scipy.stats import spearmanr
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat


class WholeSet(Metric):
    """Keeps predictions and targets of all batches, and of all processes, until the set is complete.

    Rank correlations cannot be had from those of batches.
    """

    full_state_update = False
    predictions: list[Tensor]
    targets: list[Tensor]

    def __init__(self) -> None:
        super().__init__()
        self.add_state("predictions", default=[], dist_reduce_fx="cat")
        self.add_state("targets", default=[], dist_reduce_fx="cat")

    def update(self, predictions: Tensor, targets: Tensor) -> None:
        """Keep a batch: predictions and targets ``(tracks, axes)``."""
        self.predictions.append(predictions.detach().float())
        self.targets.append(targets.detach().float())

    def compute(self) -> Tensor:
        """Return the predictions and the targets of the whole set, ``(2, tracks, axes)``."""
        # As a pair, those of one track on one axis would be squeezed to scalars by torchmetrics.
        return torch.stack([dim_zero_cat(self.predictions), dim_zero_cat(self.targets)])


def regression_scores(predictions: Tensor, targets: Tensor, axes: Sequence[str], prefix: str) -> dict[str, float]:
    """Return Spearman's correlation and the mean squared error, for each axis and as their mean.

    Where all predictions or all targets are equal, or one is NaN, Spearman's correlation is undefined; it counts as
    0, and a warning says so.

    Args:
        predictions: ``(tracks, axes)``.
        targets: ``(tracks, axes)``.
        axes: Names of the axes.
        prefix: What the names of the scores start with, as in ``val``.

    Returns:
        ``{prefix}_spearman``, ``{prefix}_mse`` and the same with ``_{axis}`` for each axis.
    """
    predictions, targets = predictions.cpu().double(), targets.cpu().double()
    squared = (predictions - targets).square().mean(dim=0)
    scores = {f"{prefix}_spearman": 0.0, f"{prefix}_mse": squared.mean().item()}
    for index, axis in enumerate(axes):
        correlation = spearman(predictions[:, index], targets[:, index], f"{prefix}_spearman_{axis}")
        scores[f"{prefix}_spearman_{axis}"] = correlation
        scores[f"{prefix}_mse_{axis}"] = squared[index].item()
        scores[f"{prefix}_spearman"] += correlation / len(axes)
    return scores


def spearman(predictions: Tensor, targets: Tensor, name: str) -> float:
    """Return Spearman's correlation of two tensors ``(tracks,)``; ``name`` is that of the score, for the warning."""
    for values, what in ((targets, "targets"), (predictions, "predictions")):
        equal = torch.equal(values, values[:1].expand_as(values))
        if equal or values.isnan().any():
            reason = f"all {len(values)} {what} are equal" if equal else f"there are NaNs among the {what}"
            rank_zero_warn(f"{name}: {reason}, so that it is undefined; it counts as 0")
            return 0.0
    return float(spearmanr(predictions.numpy(), targets.numpy()).statistic)
