"""Emotional dimensions as values on one or several axes."""

from typing import Any, ClassVar, cast

import torch
from torch import Tensor, nn
from torchmetrics import MeanMetric

from musiclab.batch import Batch, OutputKind, StepOutput, TrainingData
from musiclab.losses import AxisLoss, RegressionLoss
from musiclab.tasks.base import SpectrogramTask
from musiclab.tasks.metrics import WholeSet, regression_scores


class RegressionTask(SpectrogramTask):
    """Values on one axis, or on several as independent outputs of one linear head.

    The loss is the sum of the axes' losses. Outputs are in the units of the labels: the head's are scaled by the
    mean and the standard deviation of the training targets, so that any range of labels is learnt alike. They are
    not clipped to a range, which would make ties.

    Metrics are computed over whole sets, never averaged over batches: Spearman's correlation and the mean squared
    error of each axis, and their means over the axes.

    Args:
        loss: Loss of each axis; null for the mean squared error.
        kwargs: See :class:`musiclab.tasks.base.SpectrogramTask`.
    """

    output_kind: ClassVar[OutputKind | None] = "values"
    monitor = "val_spearman"
    monitor_mode = "max"

    def __init__(self, loss: AxisLoss | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.loss = loss or RegressionLoss()
        self.register_buffer("target_mean", torch.zeros(len(self.target_names)))
        self.register_buffer("target_std", torch.ones(len(self.target_names)))
        self.target_mean: Tensor
        self.target_std: Tensor
        self.train_loss = MeanMetric()
        self.train_axis_loss = nn.ModuleList(MeanMetric() for _ in self.target_names)
        self.train_set, self.val_set, self.test_set = WholeSet(), WholeSet(), WholeSet()

    def fit_to(self, data: TrainingData) -> None:
        """Fit the normalisation, and the scale of the outputs, on the training part."""
        super().fit_to(data)
        targets = data.train_targets()
        self.target_mean.copy_(targets.mean(dim=0))
        self.target_std.copy_(targets.std(dim=0))

    def outputs(self, normalised: Tensor, lengths: Tensor) -> Tensor:
        """Return the values ``(batch, axes)`` for normalised spectrograms."""
        return self.target_mean + self.target_std * super().outputs(normalised, lengths)

    def total(self, losses: Tensor) -> Tensor:
        """Return the loss to be minimised from that of each axis, ``(axes,)``: their sum."""
        return losses.sum()

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Return the loss of an augmented batch."""
        batch = self.augment(batch)
        predictions = self.outputs(batch.spectrograms, batch.lengths)
        losses = self.loss(predictions, batch.targets)
        total = self.total(losses)
        self.train_set.update(predictions, batch.targets)
        names = ["train_loss", *(f"train_loss_{axis}" for axis in self.target_names)]
        metrics = cast(list[MeanMetric], [self.train_loss, *self.train_axis_loss])
        for name, metric, loss in zip(names, metrics, [total.detach(), *losses.detach()], strict=True):
            metric.update(loss, len(batch.ids))
            shown = name == "train_loss"
            self.log(name, metric, on_step=False, on_epoch=True, prog_bar=shown, batch_size=len(batch.ids))
        return total

    def on_train_epoch_end(self) -> None:
        """Log the metrics of the training set, in training mode and with its augmentations."""
        predictions, targets = self.train_set.compute()
        self.train_set.reset()
        self.log_dict(regression_scores(predictions, targets, self.target_names, "train"), sync_dist=True)

    def on_validation_epoch_start(self) -> None:
        """Forget what an interrupted validation left."""
        self.val_set.reset()

    def validation_step(self, batch: Batch, batch_idx: int) -> StepOutput:
        """Keep and return the predictions of a batch."""
        predictions = self(batch.spectrograms, batch.lengths)
        self.val_set.update(predictions, batch.targets)
        return _output(batch, predictions)

    def on_validation_epoch_end(self) -> None:
        """Log losses and metrics of the whole validation set."""
        scores = self._scores(self.val_set, "val")
        shown = {name: scores.pop(name) for name in ("val_loss", "val_spearman")}
        self.log_dict(shown, prog_bar=True, sync_dist=True)  # the same on all processes already
        self.log_dict(scores, sync_dist=True)

    def on_test_epoch_start(self) -> None:
        """Forget what an interrupted test left."""
        self.test_set.reset()

    def test_step(self, batch: Batch, batch_idx: int) -> StepOutput:
        """Keep and return the predictions of a batch."""
        predictions = self(batch.spectrograms, batch.lengths)
        self.test_set.update(predictions, batch.targets)
        return _output(batch, predictions)

    def on_test_epoch_end(self) -> None:
        """Log losses and metrics of the whole test set."""
        self.log_dict(self._scores(self.test_set, "test"), sync_dist=True)

    def predict_step(self, batch: Batch, batch_idx: int) -> StepOutput:
        """Return the predictions of a batch."""
        predictions = self(batch.spectrograms, batch.lengths)
        return _output(batch, predictions)

    def _scores(self, whole_set: WholeSet, prefix: str) -> dict[str, float]:
        """Return losses and metrics of a whole set, the loss with ranks over all of it."""
        predictions, targets = whole_set.compute()
        losses = self.loss(predictions, targets)
        scores = regression_scores(predictions, targets, self.target_names, prefix)
        scores[f"{prefix}_loss"] = self.total(losses).item()
        for axis, loss in zip(self.target_names, losses, strict=True):
            scores[f"{prefix}_loss_{axis}"] = loss.item()
        return scores


def _output(batch: Batch, predictions: Tensor) -> StepOutput:
    return {"ids": batch.ids, "targets": batch.targets, "predictions": predictions.float()}
