"""What every datamodule says of its tracks."""

from collections.abc import Sequence
from typing import Literal

from pytorch_lightning import LightningDataModule

Features = Literal["mel", "chroma", "fused"]


class SpectrogramDataModule(LightningDataModule):
    """What tasks and the command line know of any datamodule.

    Attributes:
        features: ``mel``, ``chroma`` or ``fused``.
        num_features: Values per frame.
        beat_synced: Whether a frame is a beat.
        seconds: Duration of a frame in seconds, for frames that are no beats.
        target_names: Genres or axes, in the order of the model's outputs.
        has_test: Whether there are labelled tracks to test on.
        failures: Tracks of which nothing could be used, with the reason, as far as they are known by now.
    """

    features: Features
    num_features: int
    beat_synced: bool
    seconds: float
    target_names: list[str]
    has_test = True
    failures: Sequence[str] = ()
