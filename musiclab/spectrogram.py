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
