"""Music made from scratch for the demo corpus: the traits of a track, played as audio."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from musiclab.demo.genres import Traits
from musiclab.spectrogram import SAMPLE_RATE

CLIP_SECONDS = (7.0, 9.0)

_FFT_SIZE = 1 << int((CLIP_SECONDS[1] + 1) * SAMPLE_RATE).bit_length()  # a clip and its reverberation

Floats = npt.NDArray[np.floating[Any]]


# Degrees of the scale on which the chords of successive bars stand.
_PROGRESSIONS = {
    "pop": ((0, 4, 5, 3), (0, 5, 3, 4), (0, 3, 4, 4), (5, 3, 0, 4)),
    "modal": ((0, 0, 5, 6), (0, 6, 5, 6), (0, 2, 6, 0), (0, 0, 3, 0)),
    "turnaround": ((1, 4, 0, 0), (0, 5, 1, 4), (2, 5, 1, 4)),
    "twelve bars": ((0, 0, 0, 0, 3, 3, 0, 0, 4, 3, 0, 4), (0, 3, 0, 0, 3, 3, 0, 4)),
    "cadence": ((0, 3, 4, 0), (0, 1, 4, 0), (5, 1, 4, 0)),
}
_SCALES = {False: (0, 2, 4, 5, 7, 9, 11), True: (0, 2, 3, 5, 7, 8, 10)}  # semitones; True is minor

# Kick, snare and hi-hat on the sixteenths of a bar.
_DRUMS = {
    "rock": ("x.......x.x.....", "....x.......x...", "x.x.x.x.x.x.x.x."),
    "driving": ("x...x...x...x...", "..x...x...x...x.", "x.x.x.x.x.x.x.x."),
    "blast": ("x.xxx.xxx.xxx.xx", "..x...x...x...x.", "x...x...x...x..."),
    "four": ("x...x...x...x...", "....x.......x...", "..x...x...x...x."),
    "break": ("x..x......x..x..", "....x..x....x...", "x.xxx.x.x.xxx.x."),
    "swing": ("x...............", ".......x......x.", "x...x..xx...x..x"),
    "shuffle": ("x.......x.......", "....x.......x...", "x..xx..xx..xx..x"),
    "brushes": ("x.......x.......", "....x.......x...", "................"),
    "none": ("................", "................", "................"),
}


@dataclass(frozen=True)
class Instrument:
    """A tone: partials that fall as a power of their number, and an envelope."""

    rolloff: float  # amplitude of partial n is n ** -rolloff
    attack: float  # s
    decay: float  # s to 1 / e; partials above the first few fade three times as fast
    partials: tuple[int, ...] = ()  # these only; empty for all
    drive: float = 0.0
    detune: float = 0.0  # Hz, of a second voice
    vibrato: float = 0.0  # s of delay
    formants: tuple[float, ...] = ()  # Hz


_INSTRUMENTS = {
    "guitar": Instrument(1.1, 0.003, 0.5),
    "overdriven": Instrument(1.1, 0.005, 1.5, drive=2.0),
    "distorted": Instrument(0.9, 0.005, 2.0, drive=8.0),
    "piano": Instrument(1.6, 0.005, 0.7),
    "electric piano": Instrument(1.5, 0.005, 0.9, partials=(1, 2, 4, 10)),
    "organ": Instrument(0.7, 0.02, 9.0, partials=(1, 2, 3, 4, 6, 8)),
    "strings": Instrument(1.3, 0.15, 9.0, detune=1.5, vibrato=4e-5),
    "saw": Instrument(1.0, 0.01, 1.5, detune=2.5),
    "square": Instrument(1.0, 0.002, 1.0, partials=tuple(range(1, 60, 2))),
    "brass": Instrument(1.0, 0.04, 3.0, vibrato=5e-5, formants=(500.0, 1400.0)),
    "flute": Instrument(2.4, 0.06, 5.0, vibrato=8e-5),
    "voice": Instrument(1.0, 0.05, 2.0, vibrato=1e-4, formants=(600.0, 1100.0, 2600.0)),
    "bass": Instrument(1.7, 0.005, 0.5),
}


@dataclass(frozen=True)
class _Song:
    """What is played: a scale from a key, and the degree on which the chord of each bar stands."""

    traits: Traits
    key: int  # semitones above C
    step: float  # s, a sixteenth
    roots: list[int]

    def pitch(self, degree: int, octave: int) -> float:
        """Return the frequency, Hz, of a degree of the scale."""
        scale = _SCALES[self.traits.minor]
        return float(440 * 2 ** ((self.key + 12 * (octave + degree // 7) + scale[degree % 7] - 57) / 12))


def render(traits: Traits, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """Play a track: ``(samples,)`` at 22 050 Hz, peak 0.9, `CLIP_SECONDS` long."""
    length = int(rng.uniform(*CLIP_SECONDS) * SAMPLE_RATE)
    song = _compose(traits, length, rng)
    tones, drums = np.zeros(length), np.zeros(length)
    _play_chords(tones, song, rng)
    _play_lead(tones, song, rng)
    tones *= 0.25 / (np.sqrt(np.mean(tones**2)) + 1e-9)
    _play_bass(tones, song, rng)
    _play_drums(drums, song, rng)
    return _master(tones + traits.drum_level * drums, traits, rng)


def _compose(traits: Traits, length: int, rng: np.random.Generator) -> _Song:
    step = 60 / traits.tempo / 4
    num_bars = int(np.ceil(length / SAMPLE_RATE / step / 16))
    progressions = _PROGRESSIONS[traits.progression]
    progression = progressions[rng.integers(len(progressions))]
    first = int(rng.integers(len(progression)))
    roots = [progression[(first + bar) % len(progression)] for bar in range(num_bars)]
    return _Song(traits, int(rng.integers(12)), step, roots)


def _play_chords(out: Floats, song: _Song, rng: np.random.Generator) -> None:
    instrument = _INSTRUMENTS[song.traits.chords]
    held = instrument.attack > 0.1 or song.traits.density < 1
    every = 16 if held else int(rng.choice([2, 4, 4, 8]))  # steps
    degrees = [0, 2, 4, 6] if song.traits.sevenths else [0, 2, 4]
    for bar, root in enumerate(song.roots):
        seconds = every * song.step * 0.98
        tones = [_note(song.pitch(root + degree, 4), seconds, instrument) for degree in degrees]
        for hit in range(0, 16, every):
            _add(out, (16 * bar + hit) * song.step, np.sum(tones, axis=0) * rng.uniform(0.7, 1.0))


def _play_lead(out: Floats, song: _Song, rng: np.random.Generator) -> None:
    """Play a melody that wanders over the scale, with rests."""
    instrument, degree, time = _INSTRUMENTS[song.traits.lead], 7, 0
    while time < 16 * len(song.roots):
        steps = max(1, round(4 / song.traits.density * rng.choice([0.5, 1.0, 1.0, 2.0])))
        if rng.random() < 0.85:
            degree = int(np.clip(degree + rng.integers(-2, 3), 2, 13))
            note = _note(song.pitch(degree, 4), steps * song.step * 0.95, instrument)
            _add(out, time * song.step, note * rng.uniform(1.0, 2.0))
        time += steps


def _play_bass(out: Floats, song: _Song, rng: np.random.Generator) -> None:
    """Play the root with the kick drum, or walk over the chord on every beat."""
    walking = song.traits.drums in ("swing", "shuffle")
    kicks = _hits(song.traits.drums)[0]
    onsets = [0, 4, 8, 12] if walking else np.flatnonzero(kicks).tolist() or [0]
    for bar, root in enumerate(song.roots):
        for onset, end in zip(onsets, [*onsets[1:], 16], strict=True):
            degree = root + (int(rng.choice([0, 2, 4])) if walking and onset else 0)
            note = _note(song.pitch(degree, 2), (end - onset) * song.step, _INSTRUMENTS["bass"])
            _add(out, (16 * bar + onset) * song.step, 0.4 * note)


def _play_drums(out: Floats, song: _Song, rng: np.random.Generator) -> None:
    """Play the pattern; now and then a hit is left out or added."""
    for line, sound in zip(_hits(song.traits.drums), _drum_sounds(), strict=True):
        for bar in range(len(song.roots)):
            played = (line & (rng.random(16) > 0.04)) | (line.any() & (rng.random(16) < 0.02))
            for hit in np.flatnonzero(played):
                _add(out, (16 * bar + hit) * song.step, sound * rng.uniform(0.7, 1.0))


def _hits(pattern: str) -> list[npt.NDArray[np.bool_]]:
    return [np.array([mark == "x" for mark in line]) for line in _DRUMS[pattern]]


def _master(mix: Floats, traits: Traits, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """Shape loudness, brightness and space of the whole."""
    length = len(mix)
    knots = rng.uniform(-traits.dynamics, 0, size=6)  # dB
    gain = 10 ** (np.interp(np.linspace(0, 5, length), np.arange(6), knots) / 20)
    mix = np.tanh(mix * gain * (0.5 + traits.drive)) / np.tanh(0.5 + traits.drive)
    mix += 10 ** (traits.hiss / 20) * rng.standard_normal(length)
    octaves, room = _octaves_and_room()
    response = 10 ** (traits.tilt / 20 * octaves) * ((1 - traits.reverb) + traits.reverb * room)
    mix = np.fft.irfft(np.fft.rfft(mix, _FFT_SIZE) * response, _FFT_SIZE)[:length]
    return np.asarray(0.9 * mix / np.abs(mix).max(), np.float32)


@lru_cache(maxsize=1)
def _octaves_and_room() -> tuple[Floats, npt.NDArray[np.complex128]]:
    """Return octaves above 1 kHz, and the response of a room that rings for a second, for each frequency."""
    octaves = np.log2((np.fft.rfftfreq(_FFT_SIZE, 1 / SAMPLE_RATE) + 60) / 1000)
    decay = np.exp(-np.arange(SAMPLE_RATE) / (0.25 * SAMPLE_RATE))
    decay *= np.random.default_rng(0).standard_normal(SAMPLE_RATE)
    return octaves, np.fft.rfft(decay / np.sqrt(np.sum(decay**2)), _FFT_SIZE)


_TABLE_SIZE = 2048  # samples of one period


def _note(frequency: float, seconds: float, instrument: Instrument) -> Floats:
    """Play one note by reading wave tables of one period; bright partials fade sooner than the low ones."""
    time = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    low, high = _wave_tables(frequency, instrument)
    bent = time + instrument.vibrato * np.sin(2 * np.pi * 5.5 * time) if instrument.vibrato else time
    fade = np.exp(-time / instrument.decay)
    place = _table_places(bent, frequency)
    note = fade * (low[place] + fade**2 * high[place])
    if instrument.detune:
        note += fade * low[_table_places(time, frequency + instrument.detune)]
    if instrument.drive:
        note = np.tanh(instrument.drive * note)
    release = np.clip((seconds - time) / 0.02, 0, 1)
    return np.asarray(note * np.clip(time / instrument.attack, 0, 1) * release)


def _table_places(time: Floats, frequency: float) -> npt.NDArray[np.int64]:
    return (time * (frequency * _TABLE_SIZE)).astype(np.int64) % _TABLE_SIZE


@lru_cache(maxsize=512)
def _wave_tables(frequency: float, instrument: Instrument) -> tuple[Floats, Floats]:
    """Return one period each of the partials up to the third and of those above it, at equal power."""
    number = np.arange(_TABLE_SIZE // 2 + 1)
    amplitude = np.maximum(number, 1.0) ** -instrument.rolloff * (number * frequency < 0.45 * SAMPLE_RATE)
    if instrument.partials:
        amplitude *= np.isin(number, instrument.partials)
    if instrument.formants:
        distance = [np.log2(np.maximum(number * frequency, 1) / formant) for formant in instrument.formants]
        amplitude *= 0.15 + sum(np.exp(-0.5 * (octaves / 0.2) ** 2) for octaves in distance)
    amplitude[0] = 0
    spectrum = -0.5j * _TABLE_SIZE * amplitude / np.sqrt(np.sum(amplitude**2))
    return np.fft.irfft(spectrum * (number <= 3)), np.fft.irfft(spectrum * (number > 3))


@lru_cache(maxsize=1)
def _drum_sounds() -> tuple[Floats, Floats, Floats]:
    rng, time = np.random.default_rng(0), np.arange(int(0.3 * SAMPLE_RATE)) / SAMPLE_RATE
    noise = rng.standard_normal(len(time))
    kick = np.sin(2 * np.pi * (45 * time - 5 * np.exp(-time * 25))) * np.exp(-time / 0.09)
    snare = (0.6 * noise + np.sin(2 * np.pi * 190 * time)) * np.exp(-time / 0.06)
    hat = np.diff(noise, 2, prepend=[0, 0]) * np.exp(-time / 0.02)
    return 0.9 * kick, 0.6 * snare, 0.25 * hat


def _add(out: Floats, seconds: float, sound: Floats) -> None:
    start = int(seconds * SAMPLE_RATE)
    stop = min(len(out), start + len(sound))
    if start < stop:
        out[start:stop] += sound[: stop - start]
