"""What travels from the data to the tasks, and from the tasks to those who write results."""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, Protocol, TypedDict, runtime_checkable

from torch import Tensor

OutputKind = Literal["classes", "values", "tags"]
"""What a task gives for each track: probabilities of classes, values on axes, or a probability for each tag."""


class Batch(NamedTuple):
    """Tracks of different lengths, padded to the longest of them.

    A named tuple, since Lightning moves and pins those to devices as they are.

    Attributes:
        spectrograms: ``(batch, time, features)`` float32, dB and chroma as in the files; frames from a track's
            length on are padding, of no meaning.
        lengths: Frames of each track, ``(batch,)`` int64.
        targets: Class of each track, ``(batch,)`` int64 with -1 where it is not known, or values,
            ``(batch, axes)`` float32 with NaN where they are not known; of tags, 1 for those that a track has, else 0.
        ids: Track ids.
    """

    spectrograms: Tensor
    lengths: Tensor
    targets: Tensor
    ids: list[str]


class StepOutput(TypedDict):
    """What the steps of a task return but in training: one row per track."""

    ids: list[str]
    targets: Tensor
    predictions: Tensor


class DescribedData(Protocol):
    """What a datamodule tells a task before it is made.

    Attributes:
        num_features: Values per frame.
        target_names: Genres or axes, in the order of the outputs.
        features: Name of the features.
        beat_synced: Whether a frame is a beat.
        seconds: Duration of a frame in seconds, for frames that are no beats.
        recipe: How the arrays were made, as plain values; None if nothing says it.
    """

    num_features: int
    target_names: list[str]
    features: Any
    beat_synced: bool
    seconds: float
    recipe: dict[str, Any] | None


@runtime_checkable
class ScaledData(Protocol):
    """What a datamodule tells a task of the values of its tracks."""

    any_scale: bool
    """Whether they may be on another scale than those that a model was trained on."""

    def part_mean(self, part: str) -> tuple[Tensor, int]:
        """Return the mean of each feature over all frames of a part that is set up, ``(features,)``, and its tracks.

        Args:
            part: ``train``, ``validation``, ``test`` or ``predict``.
        """


@runtime_checkable
class TrainingData(Protocol):
    """What a datamodule that is set up to ``fit`` tells a task of the tracks to train on."""

    def feature_statistics(self) -> tuple[Tensor, Tensor]:
        """Return mean and standard deviation of each feature over all frames, ``(features,)`` float32."""

    def track_frames(self) -> int:
        """Return the median length in frames."""

    def train_targets(self) -> Tensor:
        """Return the target of each track, as in a batch."""


@runtime_checkable
class KnownParts(Protocol):
    """What a datamodule that is set up tells of which tracks are trained, validated and tested on."""

    def keep_parts(self) -> dict[str, Any]:
        """Return which tracks are in which part, as a checkpoint can hold it."""

    def compare_parts(self, kept: Mapping[str, Any] | None, command: str, *, same_draw: bool = True) -> None:
        """Compare the parts of today with those of the training that a checkpoint is of.

        Args:
            kept: What the checkpoint holds; None if it holds nothing.
            command: ``fit`` for a training that goes on, ``validate``, ``test``, or ``pretrained`` if no more than the
                backbone comes from there.
            same_draw: Whether the training's parts have been drawn like these. If not, nothing is refused.

        Raises:
            UserError: If tracks would be tested on that the model was trained on.
        """
