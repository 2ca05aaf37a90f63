"""Mono audio -> arrays: 128 mel rows and 12 chroma rows, as the lab's, or mel rows of another recipe.

Two forms of one clip: *full*, a column a frame of 23 ms, and *beat-synchronised*, a column a beat. Both are
computed from the same mel power and chroma. Those of another recipe are full, of mel bands alone.

librosa takes seconds to import, so functions import it when called.
"""

from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from musiclab.files import import_librosa
from musiclab.spectrogram import (
    DECIBELS,
    HOP_LENGTH,
    N_FFT,
    NUM_MELS,
    SAMPLE_RATE,
    Audio,
    Recipe,
    Spectrogram,
)

NUM_OCTAVES, BINS_PER_OCTAVE = 7, 36  # of the constant-Q transform that chroma is folded from; chroma_cqt's defaults
MEDIAN_LENGTH = 31  # frames and bins; librosa's default for harmonic-percussive separation

MIN_POWER = 1e-10  # below it power_to_db tells nothing apart, and all would read as 0 dB

_Floats = npt.NDArray[np.floating[Any]]
_Complex = npt.NDArray[np.complexfloating[Any, Any]]


def fused_spectrogram(audio: Audio) -> Spectrogram:
    """Return the full spectrogram of a clip.

    Args:
        audio: ``(samples,)``, mono at 22 050 Hz.

    Returns:
        ``(140, frames)``: 128 rows of mel power in dB relative to the clip's maximum, -80..0, then 12 rows of
        chroma, 0..1.

    Raises:
        ValueError: if the audio is not mono, is empty or silent, or is not finite.
    """
    _, power, chroma = analyse(audio)
    return fuse(power, chroma)


def mel_spectrogram(audio: Audio, recipe: Recipe) -> Spectrogram:
    """Return the mel spectrogram of a clip as a recipe without chroma has it.

    Args:
        audio: ``(samples,)``, mono at the recipe's rate.
        recipe: A complete one.

    Returns:
        ``(mels, frames)``: power in dB relative to the clip's maximum, -80..0, or as the recipe's scale has it.

    Raises:
        ValueError: as `fused_spectrogram`.
    """
    return scaled(mel_power(audio, recipe), recipe)


def scaled(power: _Floats, recipe: Recipe) -> Spectrogram:
    """Return mel power of a clip on the scale of a recipe without chroma, ``(mels, frames)``."""
    array = decibels(power) if recipe.scale == DECIBELS else np.log10(10000 * power + 1)
    return np.asarray(array, np.float32)


def mel_power(audio: Audio, recipe: Recipe) -> _Floats:
    """Return the power in the mel bands of a recipe, ``(mels, frames)``; arguments as of `mel_spectrogram`.

    Raises:
        ValueError: as `fused_spectrogram`.
    """
    librosa = import_librosa()

    rate, window, hop, mels = recipe.numbers
    stft = librosa.stft(_checked(audio), n_fft=window, hop_length=hop)
    return np.asarray(librosa.feature.melspectrogram(S=np.abs(stft) ** 2, sr=rate, n_mels=mels))


def spectrograms(audio: Audio) -> tuple[Spectrogram, Spectrogram | None]:
    """Return the full and the beat-synchronised spectrogram of a clip.

    A column of the latter is the median over the frames between two beats; the first and the last column are what
    comes before the first beat and after the last one. The median is that of power: dB are taken after it, relative
    to the maximum of the medians.

    Args:
        audio: ``(samples,)``, mono at 22 050 Hz.

    Returns:
        What `fused_spectrogram` returns, and ``(140, beats + 1)`` with the same rows; None if no beat is found.

    Raises:
        ValueError: as `fused_spectrogram`.
    """
    stft, power, chroma = analyse(audio)
    return fuse(power, chroma), beat_spectrogram(power, chroma, percussive_part(stft, len(audio)))


def beat_spectrogram(power: _Floats, chroma: _Floats, percussive: Audio) -> Spectrogram | None:
    """Return the beat-synchronised spectrogram of a clip of these parts; see `spectrograms`."""
    librosa = import_librosa()

    beats = beat_frames(percussive)
    if len(beats) == 0:
        return None
    synced = [librosa.util.sync(rows, list(beats), aggregate=np.median) for rows in (power, chroma)]
    if not synced[0].max() > MIN_POWER:  # sound in fewer than half of the frames of every column
        return None
    return fuse(*synced)


def beat_frames(percussive: Audio) -> npt.NDArray[np.int64]:
    """Track beats in the percussive part of a clip; weak beats at either end are trimmed.

    Args:
        percussive: ``(samples,)`` at 22 050 Hz.

    Returns:
        Frame numbers ``(beats,)``; empty if there is no beat.

    Source: Ellis, "Beat tracking by dynamic programming", JNMR 36(1), 2007.
    """
    librosa = import_librosa()

    return np.asarray(librosa.beat.beat_track(y=percussive, sr=SAMPLE_RATE, hop_length=HOP_LENGTH)[1], np.int64)


def percussive_part(stft: _Complex, num_samples: int) -> Audio:
    """Return the percussive part of a clip: equal to ``librosa.effects.percussive``, several times as fast.

    Args:
        stft: ``(1025, frames)``, complex.
        num_samples: the length of the clip.

    Returns:
        ``(num_samples,)``.

    Source: Fitzgerald, "Harmonic/percussive separation using median filtering", DAFx 2010.
    """
    librosa = import_librosa()

    magnitude = np.abs(stft)
    harmonic = _median_along_rows(magnitude)
    percussive = _median_along_rows(magnitude.T).T
    mask = librosa.util.softmask(percussive, harmonic, power=2.0, split_zeros=True)
    return np.asarray(librosa.istft(stft * mask, hop_length=HOP_LENGTH, length=num_samples))


def estimate_tuning(magnitude: _Floats) -> float:
    """Return the deviation from 440 Hz in bins of the chroma: equal to ``librosa.estimate_tuning``, four times as fast.

    librosa picks peaks below 4000 Hz and above a tenth of each frame's maximum, but looks for them in all bins. Here
    it gets the lower bins alone, as a spectrum of a lower sample rate, and the maxima of whole frames.

    Args:
        magnitude: ``(1025, frames)``.
    """
    librosa = import_librosa()

    n_fft = 768  # samples, for bins up to 4134 Hz
    maxima = magnitude.max(axis=0)
    return float(
        librosa.estimate_tuning(
            S=magnitude[: n_fft // 2 + 1],
            sr=SAMPLE_RATE * n_fft / N_FFT,
            n_fft=n_fft,
            bins_per_octave=BINS_PER_OCTAVE,
            ref=lambda magnitude, axis: maxima,
        )
    )


def _median_along_rows(image: _Floats) -> _Floats:
    """Median-filter each row, mirrored at its ends.

    scipy's filter is about ten times as fast in one dimension as in two, so the padded rows are laid end to
    end and filtered as one; the padding keeps them apart.
    """
    from scipy.ndimage import median_filter

    half = MEDIAN_LENGTH // 2
    padded = np.pad(image, ((0, 0), (half, half)), mode="symmetric")
    filtered = median_filter(padded.ravel(), size=MEDIAN_LENGTH).reshape(padded.shape)
    return np.asarray(filtered[:, half:-half])


def analyse(audio: Audio) -> tuple[_Complex, _Floats, _Floats]:
    """Return the STFT of a clip, ``(1025, frames)``, its mel power and chroma, ``(128, frames)`` and ``(12, frames)``.

    Raises:
        ValueError: if the audio is not mono, is empty or silent, or is not finite.
    """
    librosa = import_librosa()

    audio = _checked(audio)
    stft = librosa.stft(audio, n_fft=N_FFT, hop_length=HOP_LENGTH)
    magnitude = np.abs(stft)
    power = librosa.feature.melspectrogram(S=magnitude**2, sr=SAMPLE_RATE, n_mels=NUM_MELS)
    # What chroma_cqt does, without an STFT to estimate the tuning from and the same windows anew.
    sampling: dict[str, Any] = {"sr": SAMPLE_RATE, "hop_length": HOP_LENGTH, "bins_per_octave": BINS_PER_OCTAVE}
    bins = NUM_OCTAVES * BINS_PER_OCTAVE
    constant_q = librosa.cqt(audio, n_bins=bins, tuning=estimate_tuning(magnitude), window=hann, **sampling)
    return stft, power, librosa.feature.chroma_cqt(C=np.abs(constant_q), n_octaves=NUM_OCTAVES, **sampling)


def _checked(audio: Audio) -> Audio:
    """Return the audio of a clip as all is computed from it.

    Raises:
        ValueError: if the audio is not mono, is empty or silent, or is not finite.
    """
    audio = np.asarray(audio, np.float32)  # as librosa.load gives it; float64 would be compiled for anew
    if audio.ndim != 1:
        raise ValueError(f"audio must be mono, of shape (samples,), not {audio.shape}")
    if not np.isfinite(audio).all():
        raise ValueError("the audio has values that are not finite")
    if not audio.any():  # relative to its maximum silence would read as 0 dB, the loudest there is
        raise ValueError("the audio is empty or silent")
    return audio


@lru_cache(maxsize=4096)  # a few tens of lengths for each tuning, and 100 tunings
def hann(length: int) -> npt.NDArray[np.float64]:
    """Return a periodic Hann window; librosa asks for each anew in every octave, and knows its bandwidth by its name.

    Args:
        length: In samples.
    """
    from scipy.signal import get_window

    return np.asarray(get_window("hann", length))


def fuse(power: _Floats, chroma: _Floats) -> Spectrogram:
    """Return mel power in dB relative to its maximum with chroma below it, ``(140, frames)``."""
    return np.concatenate([decibels(power), chroma]).astype(np.float32)


def decibels(power: _Floats) -> _Floats:
    """Return power in dB relative to its maximum."""
    librosa = import_librosa()

    # An array, since of a scalar NumPy 1 takes the logarithm in float64, so that the maximum would not be 0 dB sharp.
    return np.asarray(librosa.power_to_db(power, ref=lambda values: values.max(keepdims=True)))
