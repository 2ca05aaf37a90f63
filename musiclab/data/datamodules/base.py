"""What every datamodule says of its tracks."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Literal

from pytorch_lightning import LightningDataModule

Features = Literal["mel", "chroma", "fused", "all"]


class SpectrogramDataModule(LightningDataModule):
    """What tasks, the command line and the record of a run know of any datamodule.

    Attributes:
        folder_name: Folder of the lab's, and so of the demo corpus, that holds such tracks; None if there is none.
        features: ``mel``, ``chroma`` or ``fused``; ``all`` for the rows of arrays as they are.
        num_features: Values per frame.
        beat_synced: Whether a frame is a beat.
        seconds: Duration of a frame in seconds, for frames that are no beats.
        recipe: How the arrays were made, as :class:`musiclab.spectrogram.Recipe` says it in plain values; None if
            nothing says it.
        target_names: Genres or axes, in the order of the model's outputs.
        root: Data set folder; None for tracks of anywhere else.
        groups: Artist of each track whose artist is known, by track id.
        has_test: Whether there are labelled tracks to test on.
        any_scale: Whether values may be on another scale than those that a model was trained on.
        failures: Tracks of which nothing could be used, with the reason, as far as they are known by now.
    """

    folder_name: ClassVar[str | None] = None
    features: Features
    num_features: int
    beat_synced: bool
    seconds: float
    recipe: dict[str, Any] | None = None
    target_names: list[str]
    root: Path | None = None
    groups: Mapping[str, str] = MappingProxyType({})
    has_test: bool = True
    any_scale: bool = False
    failures: Sequence[str] = ()

    def track_counts(self) -> dict[str, int]:
        """Return the number of tracks of each part that has been set up, as far as it is known."""
        return {}
