"""Several tags a track: instruments, moods, styles."""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Literal

import torch
import torch.nn.functional as F
from pytorch_lightning.utilities import rank_zero_warn
from torch import Tensor
from torchmetrics import MeanMetric
from torchmetrics.functional.classification import binary_auroc, binary_average_precision

from musiclab.batch import Batch, OutputKind, StepOutput, TrainingData
from musiclab.errors import UserError
from musiclab.tasks.base import SpectrogramTask
from musiclab.tasks.metrics import WholeSet

MOST_WEIGHT = 100.0
"""As which a tag's own tracks count at most, where weights are balanced: a tag without tracks would have any."""


class TaggingTask(SpectrogramTask):
    """A probability for each tag, by binary cross-entropy: a track may have any number of them.

    Targets are 1 for the tags that a track has and 0 for the others. Metrics are computed over whole sets, never
    averaged over batches: the area under the ROC curve and the average precision of each tag, and their means over
    the tags that some tracks of the set have and others lack.

    Args:
        tag_weights: Weight, in the loss, of the tracks that have a tag, for each tag in the order of
            ``target_names``; ``balanced`` for as many times as tracks that lack it are more than those that have it,
            at most 100; null for 1.
        kwargs: See :class:`musiclab.tasks.base.SpectrogramTask`.
    """

    output_kind: ClassVar[OutputKind | None] = "tags"
    monitor = "val_roc_auc"
    monitor_mode = "max"

    def __init__(self, tag_weights: Literal["balanced"] | list[float] | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        tags = len(self.target_names)
        self.balanced = tag_weights == "balanced"
        weights = torch.ones(tags) if isinstance(tag_weights, str | None) else torch.tensor(tag_weights).float()
        if len(weights) != tags or not (weights > 0).all():
            raise UserError(f"tag_weights are {tag_weights} for {tags} tags; give one above 0 for each")
        self.register_buffer("tag_weights", weights)
        self.tag_weights: Tensor
        self.train_loss, self.val_loss, self.test_loss = MeanMetric(), MeanMetric(), MeanMetric()
        self.val_set, self.test_set = WholeSet(), WholeSet()

    def fit_to(self, data: TrainingData) -> None:
        """Fit the normalisation and balanced weights on the training part.

        Raises:
            UserError: If targets are genres, or neither 0 nor 1.
        """
        super().fit_to(data)
        targets = data.train_targets()
        if targets.ndim == 1:
            raise UserError(
                "a TaggingTask learns a column of 0 and 1 for each tag, as TagDataModule reads them, but the data "
                "gives a genre for each track; use a ClassificationTask"
            )
        require_tags(targets)
        if self.balanced:
            having = targets.sum(dim=0)
            self.tag_weights.copy_(((len(targets) - having) / having.clamp(min=1)).clamp(1 / MOST_WEIGHT, MOST_WEIGHT))

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the mean over tracks and tags of the cross-entropy of logits ``(batch, tags)`` with targets alike."""
        return F.binary_cross_entropy_with_logits(logits, targets, pos_weight=self.tag_weights)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Return the loss of an augmented batch."""
        batch = self.augment(batch)
        loss = self.loss(self.outputs(batch.spectrograms, batch.lengths), batch.targets)
        size = len(batch.ids)
        self.train_loss.update(loss.detach(), size)
        self.log("train_loss", self.train_loss, on_step=False, on_epoch=True, prog_bar=True, batch_size=size)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> StepOutput:
        """Update the validation metrics and return the probabilities of each track."""
        return self._evaluate(batch, self.val_loss, self.val_set)

    def on_validation_epoch_end(self) -> None:
        """Log the metrics of the whole validation set."""
        scores = self._scores(self.val_loss, self.val_set, "val")
        shown = {name: scores.pop(name) for name in ("val_loss", self.monitor)}
        self.log_dict(shown, prog_bar=True, sync_dist=True)
        self.log_dict(scores, sync_dist=True)

    def test_step(self, batch: Batch, batch_idx: int) -> StepOutput:
        """Update the test metrics and return the probabilities of each track."""
        return self._evaluate(batch, self.test_loss, self.test_set)

    def on_test_epoch_end(self) -> None:
        """Log the metrics of the whole test set."""
        self.log_dict(self._scores(self.test_loss, self.test_set, "test"), sync_dist=True)

    def predict_step(self, batch: Batch, batch_idx: int) -> StepOutput:
        """Return the probabilities of each track."""
        return _output(batch, self(batch.spectrograms, batch.lengths))

    def _evaluate(self, batch: Batch, loss: MeanMetric, whole: WholeSet) -> StepOutput:
        require_tags(batch.targets)
        logits = self(batch.spectrograms, batch.lengths)
        loss.update(self.loss(logits, batch.targets), len(batch.ids))
        whole.update(logits, batch.targets)
        return _output(batch, logits)

    def _scores(self, loss: MeanMetric, whole: WholeSet, prefix: str) -> dict[str, float]:
        logits, targets = whole.compute()
        scores = {f"{prefix}_loss": float(loss.compute()), **tag_scores(logits, targets, self.target_names, prefix)}
        loss.reset()
        whole.reset()
        return scores


def tag_scores(logits: Tensor, targets: Tensor, tags: Sequence[str], prefix: str) -> dict[str, float]:
    """Return the area under the ROC curve and the average precision, for each tag and as their mean.

    A tag that all tracks have, or none, has neither: it is left out, and a warning says so. Without any tag left, the
    means are 0.

    Args:
        logits: ``(tracks, tags)``, or anything that grows with the probability.
        targets: ``(tracks, tags)``, 0 or 1.
        tags: Names of the tags.
        prefix: What the names of the scores start with, as in ``val``.

    Returns:
        ``{prefix}_roc_auc``, ``{prefix}_average_precision`` and the same with ``_{tag}`` for each tag that is scored.
    """
    # What has diverged tells nothing apart.
    probabilities, truth = logits.cpu().double().sigmoid().nan_to_num(0.5), targets.cpu().round().long()
    metrics: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
        "roc_auc": binary_auroc,
        "average_precision": binary_average_precision,
    }
    scored = [index for index in range(len(tags)) if 0 < int(truth[:, index].sum()) < len(truth)]
    scores = {
        f"{prefix}_{name}_{tags[index]}": float(metric(probabilities[:, index], truth[:, index]))
        for name, metric in metrics.items()
        for index in scored
    }
    means = {
        f"{prefix}_{name}": sum(scores[f"{prefix}_{name}_{tags[index]}"] for index in scored) / max(1, len(scored))
        for name in metrics
    }
    if left := [tag for index, tag in enumerate(tags) if index not in scored]:
        names = ", ".join(left[:3]) + (", ..." if len(left) > 3 else "")
        rank_zero_warn(
            f"{prefix}_roc_auc: {len(left)} of {len(tags)} tags ({names}) have all {len(truth)} tracks or none, so "
            "that it is undefined; they are left out"
        )
    return {**means, **scores}


def require_tags(targets: Tensor) -> None:
    """Make sure that targets are tags: 0 or 1.

    Raises:
        UserError: If one is another.
    """
    wrong = targets[(targets != 0) & (targets != 1)]
    if len(wrong):
        raise UserError(
            f"tags are 0 or 1, but there is {wrong[0]:g} among the labels; --data TagDataModule says where, and a "
            "RegressionTask learns values"
        )


def _output(batch: Batch, logits: Tensor) -> StepOutput:
    return {"ids": batch.ids, "targets": batch.targets, "predictions": logits.float().sigmoid()}
