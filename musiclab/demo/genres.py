"""Genres of the demo corpus: each is a distribution over musical traits, and a track is a draw from it.

The genres overlap on purpose, as real ones do: a model should be clearly better than chance on them and never
perfect.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

OVERLAP = 0.2
"""How alike the genres are: the probability that a trait of a track comes from a genre chosen at random."""

EMOTION_NOISE = 0.07  # standard deviation


@dataclass(frozen=True)
class Genre:
    """Where the traits of a genre's tracks lie: means of numbers, probabilities, equally likely choices."""

    tempo: float  # beats a minute
    minor: float  # probability of the minor mode
    sevenths: float  # probability that chords have a seventh
    progression: tuple[str, ...]
    chords: tuple[str, ...]  # instruments
    lead: tuple[str, ...]  # instruments
    drums: tuple[str, ...]  # patterns
    drum_level: float  # relative to the other parts
    density: float  # notes a beat
    drive: float  # saturation: loudness and distortion
    tilt: float  # brightness, dB an octave
    reverb: float  # share of the reverberated sound
    dynamics: float  # range of the slow changes of loudness, dB
    hiss: float  # noise floor, dB


@dataclass(frozen=True)
class Traits:
    """What one track is like: the fields of `Genre`, drawn."""

    tempo: float
    minor: bool
    sevenths: bool
    progression: str
    chords: str
    lead: str
    drums: str
    drum_level: float
    density: float
    drive: float
    tilt: float
    reverb: float
    dynamics: float
    hiss: float


_POP, _MODAL, _TURN, _TWELVE = ("pop",), ("pop", "modal"), ("turnaround",), ("twelve bars",)
GENRES = {
    "Rock": Genre(122, 0.35, 0.1, _POP, ("overdriven", "guitar"), ("voice", "overdriven"),
                  ("rock", "rock", "driving"), 0.8, 1.6, 2.5, -2.0, 0.15, 4, -60),
    "Psych-Rock": Genre(112, 0.45, 0.2, _MODAL, ("overdriven", "organ"), ("voice", "overdriven", "organ"),
                        ("rock",), 0.7, 1.5, 2.2, -2.5, 0.35, 5, -55),
    "Indie-Rock": Genre(126, 0.3, 0.1, _POP, ("guitar", "overdriven"), ("voice", "guitar"),
                        ("rock", "driving"), 0.75, 1.6, 1.8, -2.0, 0.2, 5, -60),
    "Metal": Genre(148, 0.9, 0.0, ("modal",), ("distorted",), ("voice", "distorted"),
                   ("blast", "driving"), 0.9, 2.4, 5.0, -0.5, 0.1, 2, -60),
    "Punk": Genre(166, 0.35, 0.0, _POP, ("distorted", "overdriven"), ("voice",),
                  ("driving",), 0.9, 2.0, 4.5, -0.5, 0.05, 2, -55),
    "Folk": Genre(104, 0.3, 0.1, _POP, ("guitar",), ("voice", "flute", "guitar"),
                  ("none", "none", "brushes"), 0.3, 1.4, 0.6, -3.0, 0.15, 8, -58),
    "Psych-Folk": Genre(98, 0.45, 0.15, _MODAL, ("guitar", "organ"), ("voice", "flute"),
                        ("none", "brushes"), 0.3, 1.3, 0.7, -3.5, 0.35, 8, -52),
    "Electronic": Genre(126, 0.6, 0.2, ("modal",), ("saw", "strings"), ("saw", "square"),
                        ("four", "four", "break"), 1.0, 2.0, 2.0, -1.0, 0.3, 4, -75),
    "Chiptune": Genre(138, 0.4, 0.1, _MODAL, ("square",), ("square",),
                      ("four", "driving"), 0.7, 3.0, 1.5, -0.5, 0.02, 2, -75),
    "Hip-Hop": Genre(90, 0.75, 0.4, ("modal", "turnaround"), ("electric piano", "strings", "organ"),
                     ("voice",), ("break",), 1.2, 2.4, 1.8, -3.5, 0.1, 3, -58),
    "Classical": Genre(96, 0.4, 0.1, ("cadence",), ("strings", "piano"), ("strings", "flute", "piano"),
                       ("none",), 0.1, 1.6, 0.3, -4.0, 0.45, 14, -66),
    "Soundtrack": Genre(84, 0.65, 0.2, ("modal", "cadence"), ("strings", "saw"), ("piano", "strings"),
                        ("none",), 0.2, 0.9, 0.6, -4.5, 0.55, 10, -66),
    "Jazz": Genre(136, 0.4, 0.95, _TURN, ("piano", "electric piano"), ("brass", "piano"),
                  ("swing",), 0.55, 2.0, 0.7, -3.0, 0.25, 7, -62),
    "Blues": Genre(104, 0.15, 0.8, _TWELVE, ("guitar", "piano", "overdriven"),
                   ("voice", "overdriven", "brass"), ("shuffle",), 0.6, 1.4, 1.3, -3.0, 0.15, 6, -50),
}  # fmt: skip

# How far the tracks of a genre lie from its means (standard deviation), and the bounds of the draw.
_SPREAD = {
    "tempo": (14.0, 62.0, 190.0),
    "drum_level": (0.2, 0.0, 1.5),
    "density": (0.4, 0.5, 4.0),
    "drive": (0.6, 0.1, 6.0),
    "tilt": (0.9, -6.0, 1.5),
    "reverb": (0.1, 0.0, 0.7),
    "dynamics": (2.5, 0.0, 18.0),
    "hiss": (6.0, -80.0, -38.0),
}


def draw_traits(genre: str, rng: np.random.Generator) -> Traits:
    """Draw what a track of a genre is like; each trait may come from another genre (see `OVERLAP`)."""
    names = list(GENRES)

    def source() -> Genre:
        return GENRES[names[rng.integers(len(names))] if rng.random() < OVERLAP else genre]

    def number(name: str) -> float:
        spread, low, high = _SPREAD[name]
        return float(np.clip(rng.normal(getattr(source(), name), spread), low, high))

    def choice(name: str) -> str:
        options = getattr(source(), name)
        return str(options[rng.integers(len(options))])

    draws: dict[str, Any] = {name: number(name) for name in _SPREAD}
    draws |= {name: choice(name) for name in ("progression", "chords", "lead", "drums")}
    draws |= {name: bool(rng.random() < getattr(source(), name)) for name in ("minor", "sevenths")}
    return Traits(**draws)


def draw_emotions(traits: Traits, rng: np.random.Generator) -> tuple[float, float, float]:
    """Return valence, energy and danceability, 0..1, of a track.

    Valence rises with the major mode, tempo and brightness; energy with loudness, the beat, tempo, density
    and brightness; danceability with the beat and its regularity, and falls away from 118 beats a minute.
    Each has noise that no model can predict.
    """
    tempo = (traits.tempo - 118) / 26
    brightness = (traits.tilt + 2.6) / 1.5
    loudness = (np.log2(traits.drive) - 0.5) / 1.2
    beat = (traits.drum_level * (traits.drums != "none") - 0.5) / 0.4
    density = (traits.density - 1.8) / 0.7
    mode = -1 if traits.minor else 1
    regular = 1 if traits.drums in ("four", "rock", "driving", "break") else -1
    valence = 0.50 + 0.13 * mode + 0.07 * tempo + 0.07 * brightness
    energy = 0.50 + 0.11 * loudness + 0.06 * beat + 0.05 * tempo + 0.03 * density + 0.03 * brightness
    danceability = 0.56 + 0.13 * beat + 0.05 * regular - 0.10 * abs(tempo)
    noisy = np.array([valence, energy, danceability]) + rng.normal(0, EMOTION_NOISE, 3)
    valence, energy, danceability = np.clip(noisy, 0, 1).tolist()
    return valence, energy, danceability
