"""What a spectrogram is here: its rates, its rows and what its values mean.

An array holds the rows of one clip, ``(rows, time)``: 128 mel bands in dB relative to the clip's maximum, -80..0, and
mostly 12 rows of chroma below them, 0..1. A column is a frame of 23 ms (*full*) or a beat (*beat-synchronised*).
"""

from typing import Any

import numpy as np
import numpy.typing as npt

SAMPLE_RATE = 22050  # Hz
N_FFT = 2048  # samples
HOP_LENGTH = 512  # samples
FRAME_SECONDS = HOP_LENGTH / SAMPLE_RATE
NUM_MELS = 128
NUM_CHROMA = 12
FEATURE_ROWS: dict[str, slice] = {
    "mel": slice(0, NUM_MELS),
    "chroma": slice(NUM_MELS, NUM_MELS + NUM_CHROMA),
    "fused": slice(0, NUM_MELS + NUM_CHROMA),
}
"""Which rows make up the features of a model."""

QUIETEST = -80.0  # dB, where extraction cuts off

Audio = npt.NDArray[np.floating[Any]]
Spectrogram = npt.NDArray[np.float32]

LOUDEST = 0.1
"""Highest value of mel rows, in dB: 0 but for rounding."""

NEVER_ABOVE = -20.0
"""Music falls below that somewhere, in dB: the quietest value of a clip is -47 or lower in all sets that we know."""

LEAST_SPREAD = 1e-3
"""By how much the values of an array have to differ, for it not to hold one value throughout."""

CHROMA_LIMITS = (-0.01, 1.01)
"""Chroma is 0..1 but for rounding."""

FALL = 5.0
"""In dB: by so much do 98 to 100 % of the arrays of real sets fall from low to high bands, and 4 to 10 % over time."""

NARROW = "likely scaled to -1..0, or another logarithm than dB; multiply them back or extract them again"
TRANSPOSED = "save (rows, time), with the mel bands first and the lowest band at the top"


def mel_fault(mel: npt.NDArray[np.floating[Any]], lowest: float, highest: float) -> str | None:
    """Return what mel rows are, likely, that cannot be dB relative to a maximum, and what to do; None if they can be.

    Args:
        mel: Values of mel bands, or means of them over time.
        lowest: The lowest of them.
        highest: The highest.
    """
    if highest - lowest < LEAST_SPREAD:
        return "one value throughout; extract the track again or remove it"
    if lowest < NEVER_ABOVE and highest <= LOUDEST:
        return None
    if lowest < 0:
        if highest <= LOUDEST:
            return NARROW
        if lowest < NEVER_ABOVE:
            return "likely dB relative to something other than the clip's maximum; subtract the maximum of each array"
        return "likely standardised; extract them again, since models normalise by themselves"
    if highest <= 1 + LOUDEST:
        return "likely scaled to 0..1, or power; undo that (80 * x - 80), or take librosa.power_to_db(x, ref=np.max)"
    if highest <= -2 * QUIETEST and float(np.mean(mel, dtype=np.float64)) > highest / 20:
        return "likely dB above the quietest value; subtract the maximum of each array"
    return "likely power or magnitude; take librosa.power_to_db(x, ref=np.max), for magnitudes amplitude_to_db"


def chroma_fault(lowest: float, highest: float) -> str | None:
    """Return what chroma rows are, likely, that are not in 0..1, and what to do; None if they are."""
    if CHROMA_LIMITS[0] <= lowest and highest <= CHROMA_LIMITS[1]:
        return None
    if lowest < NEVER_ABOVE:
        return f"likely transposed, or rows in another order; {TRANSPOSED}"
    return "not 0..1; divide each column by its maximum or extract them again"


def falls(levels: npt.NDArray[np.floating[Any]]) -> bool:
    """Tell whether levels in dB fall from their first half to their last eighth, as those of bands do in music."""
    count = len(levels)
    return bool(levels[: count // 2].mean() - levels[-(count // 8) :].mean() > FALL)


def num_bands(features: str) -> int:
    """Return how many of the values of a frame are mel bands; the others are chroma."""
    rows = FEATURE_ROWS[features]
    return len(range(NUM_MELS)[rows])


def features_fault(means: npt.NDArray[np.floating[Any]], features: str) -> str | None:
    """Return in which way features are not what they should be, as far as their means tell; None if they may be.

    Args:
        means: Of each feature over the frames of many tracks, ``(features,)``.
        features: ``mel``, ``chroma`` or ``fused``; others may be anything.
    """
    if features not in FEATURE_ROWS:
        return None
    bands, classes = np.split(means, [num_bands(features)])
    if bands.size and (fault := mel_fault(bands, float(bands.min()), float(bands.max()))):
        return f"mel bands with means of {bands.min():.3g}..{bands.max():.3g}, {fault}"
    if classes.size and (fault := chroma_fault(float(classes.min()), float(classes.max()))):
        return f"chroma with means of {classes.min():.3g}..{classes.max():.3g}, {fault}"
    return None
