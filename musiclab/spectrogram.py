"""What a spectrogram is here: its rates, its rows, what its values mean, and how others are made.

An array holds the rows of one clip, ``(rows, time)``: 128 mel bands in dB relative to the clip's maximum, -80..0, and
mostly 12 rows of chroma below them, 0..1. A column is a frame of 23 ms (*full*) or a beat (*beat-synchronised*).
Arrays that are made otherwise say so by a :class:`Recipe`; their rows may be anything.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from difflib import get_close_matches
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from musiclab.errors import UserError

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
"""Which rows make up the features of a model; there are also ``all``, the rows as they are, of any number."""

DECIBELS = "dB"
"""The scale of mel bands in decibels relative to the clip's maximum."""

COMPRESSED = "log10(10000 x + 1)"
"""The scale of mel bands of power ``x`` by itself, relative to nothing: 0 is silence."""

EMBEDDING = "embedding of"
"""How the scale of another model's embeddings begins; that model follows, as those of two models do not compare."""


@dataclass(frozen=True)
class Recipe:
    """How arrays were made, as the ``features.json`` beside them says it.

    If it says all but ``about``, and its scale is one of the two that musiclab knows, it makes such arrays of any song.
    What is None is not known: of frames of another model's embeddings, ``seconds`` may be all there is to say.

    Attributes:
        seconds: Duration of a frame in s: ``hop / rate`` where these are known.
        rate: Sample rate in Hz.
        window: Length of a window in samples.
        hop: Samples from one frame to the next.
        mels: Number of mel bands, the first rows.
        chroma: Number of rows of chroma below them.
        scale: ``dB`` for mel bands in dB relative to the clip's maximum, cut off at -80; ``log10(10000 x + 1)`` for
            such of power x; any other word.
        about: What the rows are, for people.

    Raises:
        UserError: If a value is none that can be.
    """

    seconds: float | None = None
    rate: int | None = None
    window: int | None = None
    hop: int | None = None
    mels: int | None = None
    chroma: int = 0
    scale: str | None = None
    about: str | None = None

    def __post_init__(self) -> None:
        for name, least in (("rate", 1), ("window", 2), ("hop", 1), ("mels", 1), ("chroma", 0)):
            value = getattr(self, name)
            if value is None and name != "chroma":
                continue
            if not isinstance(value, int) or isinstance(value, bool) or value < least:
                raise UserError(f"{name} is {value!r}; it must be a whole number from {least}")
        for name in ("scale", "about"):
            if not isinstance(getattr(self, name), str | None):
                raise UserError(f"{name} is {getattr(self, name)!r}; it must be text")
        seconds = self.seconds
        if seconds is not None and (
            isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds < math.inf
        ):
            raise UserError(f"seconds is {seconds!r}; it must be the duration of a frame in s, as in 0.064")
        if self.rate and self.hop:
            lasts = self.hop / self.rate
            if seconds is not None and not math.isclose(seconds, lasts, rel_tol=1e-3):
                raise UserError(
                    f"seconds is {seconds:g}, but a hop of {self.hop} samples at {self.rate} Hz {lasts:.4g} s"
                )
            object.__setattr__(self, "seconds", lasts)

    @classmethod
    def of(cls, values: Any) -> "Recipe":
        """Return the recipe that plain values stand for, as json or a checkpoint hold them.

        Raises:
            UserError: If they stand for none.
        """
        if not isinstance(values, Mapping):
            raise UserError("not a table of names and values")
        names = [field.name for field in fields(cls)]
        for name in values:
            if name not in names:
                word = str(name).lower()  # as in sample_rate and hop_length
                close = [own for own in names if own in word] or get_close_matches(word, names, n=1)
                hint = f"did you mean {close[0]}" if close else f"there are {', '.join(names)}"
                raise UserError(f"{name!r:.60} is no key of it; {hint}; what else is to be said goes into about")
        return cls(**values)

    @property
    def rows(self) -> int | None:
        """Number of rows, None if it is not known."""
        return None if self.mels is None else self.mels + self.chroma

    @property
    def numbers(self) -> tuple[int, int, int, int]:
        """Rate, window, hop and number of mel bands; 0 for what is not known."""
        return self.rate or 0, self.window or 0, self.hop or 0, self.mels or 0

    @property
    def is_complete(self) -> bool:
        """Whether musiclab can make such arrays of audio."""
        if self.chroma:
            return all(self.numbers) and self.scale == DECIBELS and not LAB.differences(self)
        return all(self.numbers) and self.scale in (DECIBELS, COMPRESSED)

    @property
    def is_embedding(self) -> bool:
        """Whether another model made them, which the scale names."""
        return self.scale is not None and self.scale.startswith(EMBEDDING)

    def plain(self) -> dict[str, Any]:
        """Return what is known, as plain values."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    def differences(self, other: "Recipe") -> list[str]:
        """Return in what another recipe differs, as far as both say it: this one's value, and the other one's."""
        found = []
        for name, own in self.plain().items():
            theirs = getattr(other, name)
            same = math.isclose(own, theirs, rel_tol=1e-3) if name == "seconds" and theirs else own == theirs
            if theirs is not None and name != "about" and not same:
                found.append(
                    f"{name} {own:.4g} and {theirs:.4g}" if name == "seconds" else f"{name} {own} and {theirs}"
                )
        return found


LAB = Recipe(None, SAMPLE_RATE, N_FFT, HOP_LENGTH, NUM_MELS, NUM_CHROMA, DECIBELS)
"""How the lab's arrays are made."""

MUSICNN = Recipe(None, 16000, 512, 256, 96, 0, COMPRESSED)
"""What MusiCNN reads, see :class:`musiclab.models.MusiCNN`."""

RecipeName = Literal["musicnn"]
RECIPES: dict[RecipeName, Recipe] = {"musicnn": MUSICNN}
"""Recipes that have a name."""

QUIETEST = -80.0  # dB, where extraction cuts off

Audio = npt.NDArray[np.floating[Any]]
Spectrogram = npt.NDArray[np.float32]

LOUDEST = 0.1
"""Highest value of mel rows, in dB: 0 but for rounding."""

NEVER_ABOVE = -20.0
"""Music falls below that somewhere, in dB: the quietest value of a clip is -47 or lower in all sets that we know."""

MOST_COMPRESSED = 15.0
"""More than log10(10000 x + 1) can be: a tone of full scale has 8.2 in windows of 512 samples, 13 in the longest."""

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


def row_kinds(rows: int, recipe: Recipe | None) -> dict[str, slice]:
    """Return which rows of arrays are ``mel`` bands in dB and which ``chroma``, or that all are other ``values``.

    Without a recipe that says the scale, arrays of as many rows as the lab's are taken for the lab's.

    Args:
        rows: Number of rows.
        recipe: Of the arrays; None if there is none.
    """
    if recipe is None or recipe.scale is None:
        mels = NUM_MELS if rows in (NUM_MELS, NUM_MELS + NUM_CHROMA) else None
    else:
        mels = recipe.mels if recipe.scale == DECIBELS else None
    if mels is None:
        return {"values": slice(0, rows)}
    return {"mel": slice(0, mels), **({"chroma": slice(mels, rows)} if rows > mels else {})}


def num_bands(features: str, recipe: Mapping[str, Any] | None = None) -> int | None:
    """Return how many of the values of a frame are mel bands in dB, the others being chroma; None if they may be any.

    Args:
        features: ``mel``, ``chroma``, ``fused`` or ``all``.
        recipe: Of the arrays, as plain values; None if it is not known.
    """
    if features in FEATURE_ROWS:
        return len(range(NUM_MELS)[FEATURE_ROWS[features]])
    known = Recipe.of(recipe or {})
    return known.mels if known.scale == DECIBELS else None


def compressed_fault(means: npt.NDArray[np.floating[Any]], recipe: Mapping[str, Any] | None = None) -> str | None:
    """Return in which way the mel bands of a recipe are not log10(10000 x + 1), as far as their means tell.

    Args:
        means: Of each band over the frames of some tracks, ``(features,)``.
        recipe: See :func:`num_bands`; of one of another scale, None is returned.
    """
    if Recipe.of(recipe or {}).scale != COMPRESSED or (means.min() >= 0 and means.max() <= MOST_COMPRESSED):
        return None
    return f"mel bands with means of {means.min():.3g}..{means.max():.3g}, which are not {COMPRESSED} of power x"


def features_fault(
    means: npt.NDArray[np.floating[Any]], features: str, recipe: Mapping[str, Any] | None = None
) -> str | None:
    """Return in which way features are not what they should be, as far as their means tell; None if they may be.

    Args:
        means: Of each feature over the frames of many tracks, ``(features,)``.
        features: ``mel``, ``chroma`` or ``fused``; others may be anything, but for mel bands of a recipe.
        recipe: See :func:`num_bands`.
    """
    count = num_bands(features, recipe)
    if count is None:
        return compressed_fault(means, recipe)
    bands, classes = np.split(means, [count])
    if bands.size and (fault := mel_fault(bands, float(bands.min()), float(bands.max()))):
        return f"mel bands with means of {bands.min():.3g}..{bands.max():.3g}, {fault}"
    if classes.size and (fault := chroma_fault(float(classes.min()), float(classes.max()))):
        return f"chroma with means of {classes.min():.3g}..{classes.max():.3g}, {fault}"
    return None
