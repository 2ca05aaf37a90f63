"""A whole song as frames, computed once and block by block, of which windows are cut: as many as are wanted.

A window cut by :mod:`musiclab.data.audio.windows` is heard by itself: silence before and after it, a tuning of its own.
One that is cut here has heard what lies around it, and begins with a frame. Decibels are relative to the window's own
maximum in both.
"""

import math
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from musiclab.data.audio import features
from musiclab.data.audio.decoding import MIN_SECONDS, SILENCE, AudioError, duration, load_audio, load_part, silence
from musiclab.data.audio.extraction import Form, thin_out
from musiclab.spectrogram import LAB, Audio, Recipe, Spectrogram

BLOCK = 60.0
"""Length in s of the blocks that are computed at a time, so that any song fits in memory."""

MARGIN = 1.5
"""In s: so much around a block is heard with it; the longest filter of the chroma reaches 0.8 s to either side."""

CHROMA_ROWS = 12

_Floats = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True, eq=False)
class SongFrames:
    """The frames of a song, from its beginning to its end.

    Attributes:
        path: The file.
        recipe: How they were made.
        duration: Length of the song in s.
        power: Mel power, ``(mels, frames)``.
        chroma: ``(12, frames)``, 0..1; None where the recipe has none.
        peaks: Peak amplitude of the samples from each frame to the next, ``(frames,)``; NaN where they cannot be used.
        beats: Where beats are, in s, ``(beats,)``; None if they were not asked for.
        percussive: The song's percussive part, ``(samples,)``, in which beats are found; None likewise.
        faults: Why parts of it cannot be used.
    """

    path: Path
    recipe: Recipe
    duration: float
    power: _Floats
    chroma: _Floats | None
    peaks: _Floats
    beats: _Floats | None
    percussive: Audio | None
    faults: list[AudioError]

    def window(
        self, offset: float, seconds: float, every: float | None = None, form: Form = "full"
    ) -> Spectrogram | AudioError:
        """Return the spectrogram of a window, ``(rows, time)``, dB relative to its maximum; or why there is none.

        Args:
            offset: Where it begins, in s; the nearest frame is its first.
            seconds: How long it is; as many frames as a clip of that length has, up to the song's end.
            every: See :class:`musiclab.data.audio.extraction.Clip`.
            form: ``full``, or ``beat`` where beats were asked for: they are found in the window by itself.
        """
        rate, _, hop, _ = self.recipe.numbers
        first = round(offset * rate / hop)
        part = slice(first, first + int(seconds * rate) // hop + 1)
        peaks = self.peaks[part]
        if np.isnan(peaks).any():
            return self.faults[0]
        peak = float(peaks[1:-1].max(initial=0))  # its ends may just touch sound
        if peak < SILENCE:
            return AudioError(self.path, silence(peak))
        power = self.power[:, part]
        if form == "beat":
            assert self.chroma is not None
            assert self.percussive is not None
            audio = self.percussive[first * hop : first * hop + int(seconds * rate)]
            with warnings.catch_warnings(action="ignore"):
                synced = features.beat_spectrogram(power, self.chroma[:, part], audio)
            return AudioError(self.path, "no beat was found") if synced is None else synced
        if self.chroma is None:
            array = features.scaled(power, self.recipe)
        else:
            array = features.fuse(power, self.chroma[:, part])
        return thin_out(array, every * rate / hop) if every else array


def read_song(path: Path, recipe: Recipe = LAB, *, beats: bool = False) -> SongFrames:
    """Return the frames of a song, with a progress bar if it takes a while.

    Args:
        path: An audio file.
        recipe: How its frames are made.
        beats: Whether to look for beats, too; with the lab's recipe alone.

    Raises:
        AudioError: If the file is no audio, or nothing of it can be used.
    """
    from tqdm import tqdm

    length = duration(path)
    rate, _, hop, mels = recipe.numbers
    frames = math.floor(length * rate) // hop + 1
    size = round(BLOCK * rate / hop)
    if length < MIN_SECONDS:
        load_audio(path)  # which says so
    power = np.zeros((mels, frames), np.float32)
    chroma = np.zeros((CHROMA_ROWS, frames), np.float32)
    peaks = np.full(frames, np.nan, np.float32)
    percussive = np.zeros(math.floor(length * rate) if beats else 0, np.float32)
    found: list[_Floats] = [np.zeros(0)]
    faults: list[AudioError] = []
    firsts = range(0, frames, size)
    for first in tqdm(firsts, f"Hearing {path.name}", unit="min", delay=1, leave=False):
        part = slice(first, min(first + size, frames))
        try:
            block = _read_block(path, recipe, part, beats)
        except AudioError as error:
            faults.append(error)
            continue
        part = slice(first, first + len(block.peaks))
        power[:, part], chroma[:, part], peaks[part] = block.power, block.chroma, block.peaks
        found.append(block.beats)
        own = slice(first * hop, first * hop + len(block.percussive))
        percussive[own] = block.percussive[: len(percussive) - own.start]
        if part.stop < frames and first == firsts[-1]:  # a codec may add or leave out a little
            power, chroma, peaks = power[:, : part.stop], chroma[:, : part.stop], peaks[: part.stop]
    if len(faults) == len(firsts):
        raise faults[0]
    if not faults and peaks.max() < SILENCE:
        load_audio(path)  # which says how it is silent
    where = _without_doubles(np.concatenate(found) * hop / rate) if beats else None
    chroma_rows, sound = (chroma if recipe.chroma else None), (percussive if beats else None)
    return SongFrames(path, recipe, length, power, chroma_rows, peaks, where, sound, faults)


class _Block(NamedTuple):
    power: _Floats
    chroma: _Floats | int  # 0 where the recipe has none, or all is silent
    peaks: _Floats
    beats: _Floats = np.zeros(0)  # in frames from the song's beginning
    percussive: Audio = np.zeros(0)


def _read_block(path: Path, recipe: Recipe, part: slice, beats: bool) -> _Block:
    """Return what is heard in some frames of a song.

    Raises:
        AudioError: If it cannot be decoded or computed.
    """
    from threadpoolctl import threadpool_limits

    rate, _, hop, mels = recipe.numbers
    margin = math.ceil(MARGIN * rate / hop)
    begin = max(0, part.start - margin)
    own = slice(part.start - begin, part.stop - begin)
    with threadpool_limits(1), warnings.catch_warnings(action="ignore"):  # as in clip_spectrograms
        audio = load_part(path, begin * hop / rate, (own.stop + margin) * hop / rate, rate)
        own = slice(own.start, min(own.stop, len(audio) // hop + 1))
        loud = np.pad(np.abs(audio), (0, hop))[own.start * hop : own.stop * hop]
        peaks = loud.reshape(-1, hop).max(axis=1)
        if not audio.any():
            return _Block(np.zeros((mels, len(peaks))), 0, peaks)
        try:
            if not recipe.chroma:
                return _Block(features.mel_power(audio, recipe)[:, own], 0, peaks)
            stft, power, chroma = features.analyse(audio)
            block = _Block(power[:, own], chroma[:, own], peaks)
            if not beats:
                return block
            percussive = features.percussive_part(stft, len(audio))
            at = features.beat_frames(percussive)
            at = begin + at[(at >= own.start) & (at < own.stop)]
            return block._replace(beats=at.astype(np.float64), percussive=percussive[own.start * hop : own.stop * hop])
        except Exception as error:  # whatever it is about this file, it must not stop the others
            raise AudioError(path, f"{type(error).__name__}: {error}") from error


def _without_doubles(beats: _Floats) -> _Floats:
    """Return beats without those that follow the one before in less than half the usual time, as where blocks meet."""
    gaps = np.diff(beats)
    return beats[np.concatenate([[True], gaps > np.median(gaps) / 2])] if len(gaps) else beats
