"""What all tasks share: inputs, normalisation, backbone, head, optimisation and reproducible batches."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Self

import torch
from lightning_utilities.core.rank_zero import rank_zero_info
from pytorch_lightning import LightningModule
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.cli import LRSchedulerCallable, OptimizerCallable
from pytorch_lightning.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn

from musiclab.augmentations import Augmentation
from musiclab.batch import Batch, DescribedData, KnownParts, OutputKind, TrainingData
from musiclab.checkpoint import DATA_SETTINGS, keep_arguments
from musiclab.errors import UserError
from musiclab.models import LSTM, Backbone
from musiclab.spectrogram import FRAME_SECONDS, features_fault
from musiclab.tasks.compilation import Embed, compile_backbone
from musiclab.tasks.going_on import Share, check_schedules, seed_step
from musiclab.tasks.known_tracks import KnownTracks
from musiclab.tasks.optimisation import RATE, Optimisation, gradient_norm, settle
from musiclab.tasks.scale import SameScale, check_part, require_recipe
from musiclab.tasks.transfer import FrozenBackbone, FrozenEpochs, load_backbone

INPUT_HPARAMS = ("features", "beat_synced", "seconds")
"""What a network was trained on, as the datamodule says it."""


class SpectrogramTask(LightningModule):
    """A backbone with a linear head on normalised spectrograms.

    Args:
        num_features: Values per frame.
        target_names: Genres or axes, one for each output.
        features: Name of the features, kept in the checkpoint; likewise the three that follow.
        beat_synced: Whether a frame is a beat.
        seconds: Duration of a frame in seconds, for frames that are no beats.
        recipe: How the arrays were made, see :class:`musiclab.spectrogram.Recipe`; None if nothing says it.
        backbone: Makes the backbone, given the number of features.
        optimizer: Makes the optimizer, given the parameters.
        lr_scheduler: Makes the learning-rate scheduler, given the optimizer; one that takes ``total_steps`` gets
            the number of steps of the run and is stepped after each, others after each epoch.
        augmentations: Random changes to training batches, in this order.
        pretrained: Checkpoint of any task whose backbone and normalisation a training starts from; its data have to
            have the same features. It is read at the start of ``fit`` only.
        frozen_epochs: For how many epochs the pretrained backbone stays as it is; ``all`` for good.
        frozen_norms: Whether the batch norms of a pretrained backbone keep their statistics while it is trained, as is
            better for few tracks.
        backbone_rate: Learning rate of the backbone as a share of that of everything else: below 1 for a pretrained one
            that is to change little.
        compile: Train with the backbone compiled by ``torch.compile``; may pay in long runs on GPUs, after
            first steps that take up to minutes. Validation, tests and predictions are never compiled.

    Of a task made in Python, a checkpoint keeps parts that are classes, :func:`functools.partial` of such, or made by
    classes of ours; of others, as a lambda, it keeps ``unkept``: ``musiclab.load(path, task=task)`` then. That gives
    evaluation mode; ``load_from_checkpoint`` training mode, with dropout, as any LightningModule's: call ``eval``.

    Attributes:
        unkept: Arguments that a checkpoint cannot hold, by their name in configs, and what they are.
        output_kind: What the outputs are, said by each kind of task; kept in the checkpoint. Without, there are no
            result files.
        monitor: Metric of the validation that the best epoch is chosen by.
        monitor_mode: ``max`` or ``min``.
    """

    output_kind: ClassVar[OutputKind | None] = None
    monitor: ClassVar[str] = "val_loss"
    monitor_mode: ClassVar[str] = "min"

    def __init__(
        self,
        num_features: int,
        target_names: list[str],
        features: str = "mel",
        beat_synced: bool = False,
        seconds: float = FRAME_SECONDS,
        recipe: dict[str, Any] | None = None,
        backbone: Callable[[int], Backbone] = LSTM,
        optimizer: OptimizerCallable = torch.optim.Adam,
        lr_scheduler: LRSchedulerCallable | None = None,
        augmentations: Sequence[Augmentation] | None = None,
        pretrained: str | None = None,
        frozen_epochs: FrozenEpochs = 0,
        frozen_norms: bool = False,
        backbone_rate: float = 1.0,
        compile: bool = False,
    ) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.hparams.pop("compile", None)  # what a machine can compile says nothing about where a run goes on
        self.unkept = keep_arguments(self.hparams, self, "model")
        if frozen_epochs and (pretrained is None or (frozen_epochs != "all" and frozen_epochs < 0)):
            raise UserError(
                f"frozen_epochs is {frozen_epochs} with pretrained {pretrained}; give a checkpoint to start from and "
                "a number of epochs from 0, or all"
            )
        if frozen_norms and pretrained is None:
            raise UserError("frozen_norms is true without pretrained; give a checkpoint to start from, or leave it out")
        if not 0 < backbone_rate < math.inf:
            raise UserError(f"backbone_rate is {backbone_rate}; it must be above 0 (frozen_epochs: all trains none)")
        self.backbone_rate = backbone_rate
        self.target_names = list(target_names)
        self.backbone = backbone(num_features)
        self._compiles = compile
        self._compiled: Embed | None = None
        self.head: nn.Module = nn.Linear(self.backbone.embedding_size, len(target_names))
        self._optimisation = Optimisation(optimizer, lr_scheduler)
        self.augmentations = list(augmentations or [])
        self.pretrained = pretrained
        self.restored = False
        self._parts: Mapping[str, Any] | None = None
        self.parts_before: Mapping[str, Any] | None = None
        self._track_frames: int | None = None
        self._world_size = 1
        self._precision: str | None = None
        self._started_with = Share()
        self.frozen_epochs = frozen_epochs
        self.frozen_norms = frozen_norms
        self.register_buffer("feature_mean", torch.zeros(num_features))
        self.register_buffer("feature_std", torch.ones(num_features))
        self.feature_mean: Tensor
        self.feature_std: Tensor

    @classmethod
    def for_data(cls, data: DescribedData, **arguments: Any) -> Self:
        """Return a task for what a datamodule gives.

        Args:
            data: Says the number of features, the names of the targets, and what was trained on.
            arguments: All others of the task.
        """
        names = ("num_features", "target_names", *INPUT_HPARAMS, "recipe")
        described = {name: getattr(data, name) for name in names}
        return cls(**{**described, **arguments})

    def setup(self, stage: str) -> None:
        """Fit what is learnt from the training part as a whole before a training.

        Raises:
            UserError: If the datamodule does not tell it.
        """
        data = self.trainer.datamodule  # type: ignore[attr-defined]
        self._require_described(data)
        if stage != "fit":
            return
        if isinstance(data, KnownParts):
            self._parts = data.keep_parts()
        if isinstance(data, TrainingData):
            self.fit_to(data)
        elif data is not None:
            lacking = next(name for name in vars(TrainingData) if name[0] != "_" and not hasattr(data, name))
            raise UserError(
                f"{type(data).__name__} has no method {lacking}, by which a training learns what its data are like; "
                "offer all that musiclab.batch.TrainingData names, or give data loaders and no datamodule"
            )
        elif self.pretrained is None:
            rank_zero_info("Nothing is normalised: there are data loaders, but no datamodule that knows the data")

    def _require_described(self, data: object) -> None:
        """Refuse data of other targets or inputs than the task was made for; the command line has made them alike.

        Raises:
            UserError: Saying what differs; labels would silently be others otherwise.
        """
        for name in ("target_names", "num_features", *INPUT_HPARAMS):
            theirs, own = getattr(data, name, self.hparams[name]), self.hparams[name]
            if theirs != own:
                raise UserError(
                    f"the task was made with {name} {own}, but the data gives {theirs}; make it by "
                    f"{type(self).__name__}.for_data(data), or the data with {name}={own!r}"
                )
        require_recipe(self.hparams["recipe"], getattr(data, "recipe", None), "the task")

    def fit_to(self, data: TrainingData) -> None:
        """Fit the normalisation on the training part, and note the length of its tracks."""
        self._track_frames = data.track_frames()
        if self.pretrained is None:
            mean, std = data.feature_statistics()
            fault = features_fault(mean.numpy(), self.hparams["features"], self.hparams["recipe"])
            if fault and not getattr(data, "any_scale", False):
                rank_zero_info(f"Warning: the training tracks have {fault}; `musiclab check` tells more")
            self.feature_mean.copy_(mean)
            # What never changes, but by rounding, says nothing: it becomes zero instead of being blown up.
            least = 1e-6 * mean.abs() if self.hparams["features"] == "all" else 1e-4
            self.feature_std.copy_(torch.where(std > least, std, torch.ones_like(std)))

    def on_fit_start(self) -> None:
        """Take backbone and normalisation from the pretrained checkpoint; a resumed run has its own by now.

        Without such, a backbone may have weights of its own to start from.

        Raises:
            UserError: If the checkpoint or the weights do not fit, its training had data of another scale, or the
                backbone cannot be compiled.
        """
        self._world_size = self.trainer.world_size
        self._precision = str(self.trainer.precision)
        if self.pretrained is not None and not self.restored:
            load_backbone(self, self.pretrained, (*INPUT_HPARAMS, "num_features"))
        elif isinstance(self.backbone, Backbone) and not self.restored:  # in Python, any module will do
            self.backbone.load_weights()
        if self.pretrained is not None or self.restored:
            source = self.trainer.ckpt_path or self.pretrained or "the model"
            check_part(self, self.trainer.datamodule, "train", source)  # type: ignore[attr-defined]
        self._compiled = compile_backbone(self.backbone, self.device) if self._compiles else None

    def on_fit_end(self) -> None:
        """Forget what was compiled."""
        self._compiled = None

    def __getstate__(self) -> dict[str, Any]:
        """Return what a copy is made of: not the compiled backbone, which is that of this very task."""
        return {**super().__getstate__(), "_compiled": None}

    def configure_callbacks(self) -> list[Callback]:
        """Return the callbacks that a task brings along."""
        freezes = self.frozen_epochs or self.frozen_norms
        frozen = [FrozenBackbone(self.frozen_epochs, self.frozen_norms)] if freezes else []
        return [KnownTracks(), SameScale(), *frozen]

    def forward(self, spectrograms: Tensor, lengths: Tensor) -> Tensor:
        """Return the outputs ``(batch, len(target_names))`` for spectrograms as they are in the files.

        Args:
            spectrograms: ``(batch, time, features)``, dB and chroma; what lies beyond ``lengths`` is ignored.
            lengths: Frames of each track, ``(batch,)``.
        """
        return self.outputs(self.normalise(spectrograms), lengths)

    def normalise(self, spectrograms: Tensor) -> Tensor:
        """Return the spectrograms with mean 0 and standard deviation 1 for each feature of the training set."""
        return (spectrograms - self.feature_mean).div_(self.feature_std)

    def outputs(self, normalised: Tensor, lengths: Tensor) -> Tensor:
        """Return the outputs for normalised spectrograms."""
        embed = self._compiled if self._compiled is not None and self.training else self.backbone
        result: Tensor = self.head(embed(normalised, lengths))
        return result

    def augment(self, batch: Batch) -> Batch:
        """Normalise a training batch and apply the augmentations."""
        batch = batch._replace(spectrograms=self.normalise(batch.spectrograms))
        for augmentation in self.augmentations:
            batch = augmentation(batch)
        return batch

    def on_train_start(self) -> None:
        """Refuse a learning-rate schedule that was made for a run of another length; prepare what was resumed.

        Raises:
            UserError: Saying how many steps the schedule has and how many the run.
        """
        check_schedules(self.trainer, self._started_with)
        for optimizer in self.trainer.optimizers:
            settle(optimizer)

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Seed dropout and augmentation from the run's seed, the process and the step."""
        seed_step(self.global_rank, self.trainer.fit_loop.epoch_loop.total_batch_idx)

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Log the norm of the gradient, before it is clipped."""
        self.log("gradient_norm", gradient_norm(self.parameters(), optimizer, self.trainer.precision_plugin))

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Return what the optimizer is made for: all parameters, the backbone's apart if they have a rate of theirs."""
        if self.backbone_rate == 1:
            return [{"params": list(self.parameters())}]
        others = [parameter for name, parameter in self.named_parameters() if not name.startswith("backbone.")]
        return [{"params": others}, {"params": list(self.backbone.parameters()), RATE: self.backbone_rate}]

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Return the optimizer, and the scheduler with the interval that suits it."""
        source = f"{self.trainer.ckpt_path}: " if self.restored else ""
        scheduler = self.hparams.get("lr_scheduler")
        return self._optimisation.made(self.parameter_groups(), self.trainer, scheduler, source)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the kind of the outputs, the median length of the training tracks in frames, and how it was trained.

        Songs are best cut to that length, who goes on with the run on another machine may need the number of processes,
        figures belong to a precision, and no model is to be tested on what it was trained on.
        """
        checkpoint["output_kind"] = self.output_kind
        checkpoint["track_frames"] = self._track_frames
        checkpoint["world_size"] = self._world_size
        checkpoint["precision"] = self._precision
        checkpoint["parts"] = self._parts or self.parts_before
        checkpoint["unkept"] = dict(self.unkept)
        settings = checkpoint.get(DATA_SETTINGS)
        if settings:  # those of datamodules of the user's own, too
            checkpoint["unkept"] |= keep_arguments(settings, self.trainer.datamodule, "data")  # type: ignore[attr-defined]

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Refuse a checkpoint of another task, of other targets or of other inputs.

        Raises:
            UserError: Saying what differs; labels of another order would silently be renamed otherwise.
        """
        theirs = checkpoint["hyper_parameters"]
        require_recipe(theirs.get("recipe"), self.hparams["recipe"], "the checkpoint")
        for name in ("target_names", "num_features", *INPUT_HPARAMS):
            if name in theirs and theirs[name] != self.hparams[name]:
                raise UserError(
                    f"the checkpoint was trained with {name} {theirs[name]}, but the data gives {self.hparams[name]}; "
                    "use the data set and settings that it was trained with"
                )
        self._track_frames = checkpoint.get("track_frames")
        batch_size = checkpoint.get("datamodule_hyper_parameters", {}).get("batch_size")
        self._started_with = Share(batch_size, checkpoint.get("world_size", 1))
        self.parts_before = checkpoint.get("parts")
        self.restored = True
