"""Genre recognition."""

from typing import Any, ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor
from torchmetrics import MeanMetric, MetricCollection
from torchmetrics.classification import (
    MulticlassAccuracy,
    MulticlassF1Score,
    MulticlassPrecision,
    MulticlassRecall,
)
from torchmetrics.wrappers import ClasswiseWrapper

from musiclab.batch import Batch, OutputKind, StepOutput, TrainingData
from musiclab.errors import UserError
from musiclab.tasks.base import SpectrogramTask


class ClassificationTask(SpectrogramTask):
    """One genre per track, by cross-entropy.

    Metrics are computed over whole sets, never averaged over batches.

    Args:
        label_smoothing: Share of each target that is spread evenly over all genres.
        class_weights: Weight of each genre in the loss, in the order of ``target_names``; ``balanced`` weights
            genres inversely to their number of training tracks, n / (genres * n_genre); null for equal weights.
        kwargs: See :class:`musiclab.tasks.base.SpectrogramTask`.
    """

    output_kind: ClassVar[OutputKind | None] = "classes"
    monitor = "val_accuracy"
    monitor_mode = "max"

    def __init__(
        self,
        label_smoothing: float = 0.0,
        class_weights: Literal["balanced"] | list[float] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if not 0 <= label_smoothing < 1:
            raise UserError(f"label_smoothing is {label_smoothing}; it must be 0 or more and below 1")
        genres = len(self.target_names)
        if genres < 2:
            raise UserError(f"target_names are {', '.join(self.target_names)}; a classifier needs two or more")
        self.label_smoothing = label_smoothing
        self.balanced = class_weights == "balanced"
        weights = torch.ones(genres) if isinstance(class_weights, str | None) else torch.tensor(class_weights)
        if len(weights) != genres:
            raise UserError(f"class_weights has {len(weights)} values for {genres} genres; give one per genre")
        self.register_buffer("class_weights", weights)
        self.class_weights: Tensor
        self.train_loss = MeanMetric()
        self.train_accuracy = MulticlassAccuracy(genres, average="micro")
        self.val_loss = MeanMetric()
        self.val_metrics = MetricCollection(
            {
                "val_accuracy": MulticlassAccuracy(genres, average="micro"),
                "val_f1_macro": MulticlassF1Score(genres, average="macro"),
            }
        )
        self.test_loss = MeanMetric()
        self.test_metrics = _report_metrics(self.target_names)

    def setup(self, stage: str) -> None:
        """Fit what is learnt from the training part as a whole before a training."""
        if stage == "fit" and self.balanced and self.trainer.datamodule is None:  # type: ignore[attr-defined]
            raise UserError("class_weights: balanced needs a datamodule that knows the training targets")
        super().setup(stage)

    def fit_to(self, data: TrainingData) -> None:
        """Fit the normalisation and balanced class weights on the training part.

        Raises:
            UserError: If targets are no genres.
        """
        super().fit_to(data)
        targets = data.train_targets()
        if targets.ndim > 1:
            raise UserError(
                "a ClassificationTask learns a genre for each track, but the data gives values; use a RegressionTask "
                "for those on axes, a TaggingTask for tags"
            )
        if self.balanced:
            counts = torch.bincount(targets, minlength=len(self.target_names)).clamp(min=1)
            self.class_weights.copy_(counts.sum() / (len(counts) * counts))

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the cross-entropy of logits ``(batch, genres)`` with classes ``(batch,)`` or shares of each genre."""
        if targets.ndim == 1:
            # As shares, so that a weighted loss is a mean over tracks here as well, whatever the batches.
            targets = F.one_hot(targets, logits.shape[1]).to(logits.dtype)
        return F.cross_entropy(logits, targets, weight=self.class_weights, label_smoothing=self.label_smoothing)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Return the loss of an augmented batch."""
        shares = F.one_hot(batch.targets, len(self.target_names)).float()
        batch = self.augment(batch._replace(targets=shares))
        logits = self.outputs(batch.spectrograms, batch.lengths)
        loss = self.loss(logits, batch.targets)
        size = len(batch.ids)
        self.train_loss.update(loss.detach(), size)
        self.train_accuracy.update(logits, batch.targets.argmax(dim=1))
        self.log("train_loss", self.train_loss, on_step=False, on_epoch=True, prog_bar=True, batch_size=size)
        self.log("train_accuracy", self.train_accuracy, on_step=False, on_epoch=True, batch_size=size)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> StepOutput:
        """Update the validation metrics and return the probabilities of each track."""
        logits = self(batch.spectrograms, batch.lengths)
        size = len(batch.ids)
        self.val_loss.update(self.loss(logits, batch.targets), size)
        self.val_metrics.update(logits, batch.targets)
        self.log("val_loss", self.val_loss, prog_bar=True, batch_size=size)
        self.log_dict(self.val_metrics, prog_bar=True, batch_size=size)
        return _output(batch, logits)

    def test_step(self, batch: Batch, batch_idx: int) -> StepOutput:
        """Update the test metrics and return the probabilities of each track."""
        logits = self(batch.spectrograms, batch.lengths)
        self.test_loss.update(self.loss(logits, batch.targets), len(batch.ids))
        self.test_metrics.update(logits, batch.targets)
        return _output(batch, logits)

    def on_test_epoch_end(self) -> None:
        """Log the metrics of the whole test set."""
        self.log_dict({"test_loss": self.test_loss.compute(), **self.test_metrics.compute()}, sync_dist=True)
        self.test_loss.reset()
        self.test_metrics.reset()

    def predict_step(self, batch: Batch, batch_idx: int) -> StepOutput:
        """Return the probabilities of each track."""
        logits = self(batch.spectrograms, batch.lengths)
        return _output(batch, logits)


def _output(batch: Batch, logits: Tensor) -> StepOutput:
    return {"ids": batch.ids, "targets": batch.targets, "predictions": logits.float().softmax(dim=1)}


def _report_metrics(names: list[str]) -> MetricCollection:
    """Accuracy, and precision, recall and F1 as macro and micro averages and for each genre."""
    count = len(names)
    metrics: dict[str, Any] = {"accuracy": MulticlassAccuracy(count, average="micro")}
    kinds = {"precision": MulticlassPrecision, "recall": MulticlassRecall, "f1": MulticlassF1Score}
    for name, kind in kinds.items():
        metrics[f"{name}_macro"] = kind(count, average="macro")
        metrics[f"{name}_micro"] = kind(count, average="micro")
        metrics[f"{name}_genre"] = ClasswiseWrapper(kind(count, average=None), labels=names, prefix=f"{name}_")
    return MetricCollection(metrics, prefix="test_")
