"""Whether data are on the scale that a model was trained on: on another, its answers mean nothing and none fails."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback
from torch import Tensor

from musiclab.batch import ScaledData
from musiclab.errors import UserError
from musiclab.spectrogram import Recipe, compressed_fault, features_fault, num_bands

FAR = 3.0
"""In standard deviations of the training tracks, mean over features. Sets of other music lie at up to 1.1; powers and
values of 0..1 at 3.3 to 4.1, dB that begin at 0 at 6.3 to 7.6."""

FEW, FAR_OF_FEW = 10, 5.0
"""Fewer tracks than that may lie that far, if they look like dB: single tracks do, up to 3.1 (4.1 between frames and
beats), where they are all but silent."""

FARTHEST = 10.0
"""As which a feature counts at most: one that hardly varied in training would outweigh all others."""


def require_recipe(trained: Mapping[str, Any] | None, given: Mapping[str, Any] | None, source: str | Path) -> None:
    """Refuse data that were made otherwise than those that a model was trained on, as far as both say it.

    Args:
        trained: Recipe of the training's data, as plain values; None if it is not known.
        given: Likewise that of the data at hand.
        source: The checkpoint.

    Raises:
        UserError: Saying in what they differ.
    """
    if differences := Recipe.of(trained or {}).differences(Recipe.of(given or {})):
        raise UserError(
            f"{source} was trained on features that were made otherwise than those of the data: "
            f"{', '.join(differences)} in features.json; make them alike, or use a model that goes with them"
        )


def scale_distance(
    mean: Tensor, std: Tensor, found: Tensor, features: str, recipe: Mapping[str, Any] | None = None
) -> float:
    """Return how far the mean of data lies from that of the training tracks, in their standard deviations.

    It is the mean over mel bands or that over chroma, whichever is more.

    Args:
        mean: Of each feature of the training tracks, ``(features,)``.
        std: Likewise the standard deviation.
        found: Mean of each feature of the data.
        features: ``mel``, ``chroma``, ``fused`` or ``all``.
        recipe: See :func:`musiclab.spectrogram.num_bands`.
    """
    distances = ((found - mean).abs() / std).clamp(max=FARTHEST)
    bands = num_bands(features, recipe)
    kinds = [distances] if bands is None else distances.tensor_split([bands])
    return max(float(kind.mean()) for kind in kinds if len(kind))


def require_scale(task: pl.LightningModule, found: Tensor, tracks: int, what: str, source: str | Path) -> None:
    """Refuse data on another scale than those that a task was trained on.

    A task that does not normalise, as its training knew nothing of its data, takes any, but for what its recipe says.

    Args:
        task: Has the buffers ``feature_mean`` and ``feature_std``.
        found: Mean of each feature of the data, ``(features,)``.
        tracks: Of how many tracks.
        what: Names the data.
        source: The checkpoint that the task comes from.

    Raises:
        UserError: If they lie far outside.
    """
    mean, std = (torch.as_tensor(getattr(task, name)).detach().cpu() for name in ("feature_mean", "feature_std"))
    features, recipe = task.hparams["features"], task.hparams["recipe"]
    if fault := compressed_fault(found.cpu().numpy(), recipe):
        raise UserError(
            f"{what}: {fault}, as those that {source} was trained on; make them by --recipe musicnn of `musiclab "
            "extract` or `build-genres`, or give --data.any_scale true"
        )
    if not mean.any():
        return
    distance = scale_distance(mean, std, found.cpu(), features, recipe)
    few = tracks < FEW and features_fault(found.cpu().numpy(), features, recipe) is None
    if not distance <= (FAR_OF_FEW if few else FAR):
        raise UserError(
            f"{what}: values of {found.mean():.3g} in the mean where {source} was trained on {mean.mean():.3g}, "
            f"{distance:.1f} standard deviations away: likely arrays on another scale, for which its answers mean "
            "nothing; see what `musiclab check` says of both data sets, or give --data.any_scale true"
        )


def check_part(task: pl.LightningModule, data: Any, part: str, source: str | Path) -> None:
    """Refuse a part of a datamodule that is on another scale, unless that is allowed.

    Raises:
        UserError: As :func:`require_scale`.
    """
    if isinstance(data, ScaledData) and not data.any_scale:
        root = getattr(data, "root", type(data).__name__)
        require_scale(task, *data.part_mean(part), f"{root}: {part} tracks", source)


class SameScale(Callback):
    """Refuses to validate, test or predict on data of another scale than those of the training."""

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Look at the test part before the first step, if it is set up: after the last one would be late."""
        data = trainer.datamodule  # type: ignore[attr-defined]
        if "test" in getattr(data, "track_counts", dict)():
            self._check(trainer, pl_module, "test")

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Look at the validation part, unless it is that of a training."""
        if trainer.state.fn == "validate":
            self._check(trainer, pl_module, "validation")

    def on_test_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Look at the test part."""
        self._check(trainer, pl_module, "test")

    def on_predict_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Look at the tracks to predict."""
        self._check(trainer, pl_module, "predict")

    def _check(self, trainer: pl.Trainer, task: pl.LightningModule, part: str) -> None:
        data = trainer.datamodule  # type: ignore[attr-defined]
        check_part(task, data, part, trainer.ckpt_path or "the model")
