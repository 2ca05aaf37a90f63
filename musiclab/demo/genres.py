"""Genres of the demo corpus: each is a distribution over musical traits, and a track is a draw from it.

The genres overlap on purpose, as real ones do: a model should be clearly better than chance on them and never
perfect.
"""

from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import numpy as np
import yaml

OVERLAP = 0.2
"""How alike the genres are: the probability that a trait of a track comes from a genre chosen at random."""

EMOTION_NOISE = 0.07  # standard deviation


@dataclass(frozen=True)
class Traits:
    """What one track is like: the fields of genres.yaml, drawn."""

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


GENRES: dict[str, dict[str, Any]] = yaml.safe_load((files("musiclab.demo") / "genres.yaml").read_text(encoding="utf-8"))

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


def draw_traits(genre: str, rng: np.random.Generator, overlap: float = OVERLAP) -> Traits:
    """Draw what a track of a genre is like; each trait may come from another genre (see `OVERLAP`)."""
    names = list(GENRES)

    def source() -> dict[str, Any]:
        return GENRES[names[rng.integers(len(names))] if rng.random() < overlap else genre]

    def number(name: str) -> float:
        spread, low, high = _SPREAD[name]
        return float(np.clip(rng.normal(source()[name], spread), low, high))

    def choice(name: str) -> str:
        options = source()[name]
        return str(options[rng.integers(len(options))])

    draws: dict[str, Any] = {name: number(name) for name in _SPREAD}
    draws |= {name: choice(name) for name in ("progression", "chords", "lead", "drums")}
    draws |= {name: bool(rng.random() < source()[name]) for name in ("minor", "sevenths")}
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
