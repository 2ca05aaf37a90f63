"""A song as windows of one length: where they lie, and the spectrogram of each."""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from musiclab.data.audio.decoding import AudioError, duration
from musiclab.data.audio.extraction import Clip, Form, clip_spectrograms
from musiclab.data.ids import id_order
from musiclab.spectrogram import LAB, Recipe, Spectrogram

LEFTOVER = 0.1
"""Share of a window that may be left over before the song is cut into one window more."""


class Window(NamedTuple):
    """A clip of an audio file."""

    path: Path
    clip: Clip


def cut(path: Path, seconds: float, recipe: Recipe = LAB, every: float | None = None) -> list[Window]:
    """Cut an audio file into windows of ``seconds``, evenly spaced from its beginning to its end.

    They overlap, or leave gaps, as far as the file's length is no multiple of theirs; a shorter file is one window.

    Args:
        path: The file.
        seconds: Length of a window.
        recipe: How arrays are made of the windows.
        every: See :class:`musiclab.data.audio.extraction.Clip`.

    Raises:
        AudioError: If the file is not audio, or its length cannot be told.
    """
    return [Window(path, Clip(offset, seconds, recipe, every)) for offset in offsets(duration(path), seconds)]


def offsets(length: float, window: float) -> list[float]:
    """Return where windows of one length begin that are evenly spaced over ``length``, in the unit of both."""
    count = max(1, math.ceil(length / window - LEFTOVER))
    last = max(0.0, length - window)
    return [last * index / (count - 1) for index in range(count)] if count > 1 else [0.0]


def window_spectrogram(window: Window, form: Form) -> Spectrogram | AudioError:
    """Return the spectrogram of a window, ``(rows, time)``, dB relative to its maximum; or why there is none."""
    try:
        arrays = clip_spectrograms(window.path, window.clip, [form])
    except AudioError as error:
        return error
    return arrays.get(form, AudioError(window.path, "no beat was found"))


def window_spectrograms(
    windows: Sequence[Window], form: Form, jobs: int = 1
) -> Iterator[tuple[Window, Spectrogram | AudioError]]:
    """Yield windows with what :func:`window_spectrogram` returns for them, in their order.

    Args:
        windows: Of any number of files.
        form: ``full`` or ``beat``.
        jobs: Number of processes. They work ahead of what is consumed, so give a manageable number of windows.
    """
    from joblib import Parallel, delayed

    results = Parallel(n_jobs=jobs, return_as="generator")(delayed(window_spectrogram)(w, form) for w in windows)
    yield from zip(windows, results, strict=True)


def mean_over_windows(
    ids: Sequence[str], targets: npt.NDArray[Any], predictions: npt.NDArray[np.float64]
) -> tuple[list[str], npt.NDArray[Any], npt.NDArray[np.float64]]:
    """Return one row for each song, or track, in the order of their ids, numbers first.

    Args:
        ids: Song of each window, at least one.
        targets: Of each window, the same for all of a song.
        predictions: Of each window, ``(windows, outputs)``; those of a song become their mean.
    """
    order = sorted(range(len(ids)), key=lambda index: id_order(ids[index]))
    ids = [ids[index] for index in order]
    first = [index for index, identifier in enumerate(ids) if index == 0 or identifier != ids[index - 1]]
    means = np.add.reduceat(predictions[order], first) / np.diff([*first, len(ids)])[:, None]
    return [ids[index] for index in first], targets[order][first], means
