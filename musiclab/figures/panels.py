"""Panels that a page puts on one axis of time: pictures without letters, which it can show in any size."""

from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from musiclab.figures.network import DECIBELS, IMAGE
from musiclab.figures.song import Answers, draw_lines, draw_shares
from musiclab.figures.style import VALUES, bare_figure

WIDTH, HEIGHT = 12.0, 1.6  # inches
SQUARE = 3.0
LEAST_SPAN = 0.2
"""So much of each axis is in sight at least: less would make a path of what is hardly a change."""

Array = npt.NDArray[np.floating[Any]]


def mel_panel(decibels: Array) -> Figure:
    """Draw a mel spectrogram, ``(mels, time)`` in dB."""
    return _rows_panel(decibels, DECIBELS)


def chroma_panel(chroma: Array) -> Figure:
    """Draw a chromagram, ``(12, time)``, 0..1."""
    return _rows_panel(chroma, "Greys")


def beats_panel(beats: Array, duration: float) -> Figure:
    """Draw a line for each beat.

    Args:
        beats: Where they are, in s, ``(beats,)``.
        duration: Length of the song in s.
    """
    figure, axes = bare_figure(WIDTH, HEIGHT / 4)
    axes.vlines(beats, 0, 1, color="#444", linewidth=0.7)
    axes.set(xlim=(0, duration), ylim=(0, 1))
    return figure


def shares_panel(genres: Answers, duration: float) -> Figure:
    """Draw genre probabilities end to end."""
    figure, axes = bare_figure(WIDTH, HEIGHT)
    draw_shares(axes, genres, duration)
    return figure


def lines_panel(emotions: Answers, duration: float, near: bool = False) -> tuple[Figure, tuple[float, float]]:
    """Draw a line for each emotional axis, or tag; return from where to where the panel reaches, too.

    Args:
        emotions: The values.
        duration: Length of the song in s.
        near: See :func:`musiclab.figures.song.draw_lines`.
    """
    figure, axes = bare_figure(WIDTH, HEIGHT)
    return figure, draw_lines(axes, emotions, duration, dots=False, near=near)


def plane_panel(across: Array, up: Array) -> tuple[Figure, tuple[float, float], tuple[float, float]]:
    """Draw the path of a song in the plane of two axes, from dark to bright; return where each begins and ends, too.

    Args:
        across: Values on one axis, ``(windows,)``; NaN leaves a gap.
        up: Values on the other.
    """
    figure, axes = bare_figure(SQUARE, SQUARE)
    points = np.stack([across, up], axis=1)
    middle = (np.nanmin(points, axis=0) + np.nanmax(points, axis=0)) / 2
    half = max(LEAST_SPAN, 1.2 * float(np.ptp(points[np.isfinite(points).all(axis=1)], axis=0).max())) / 2
    segments = np.stack([points[:-1], points[1:]], axis=1)
    kept = np.isfinite(segments).all(axis=(1, 2))
    path = LineCollection(list(segments[kept]), cmap=VALUES, linewidth=2.5, capstyle="round")
    path.set_array(np.arange(len(segments))[kept])
    path.set_clim(0, max(1, len(segments)))
    axes.add_collection(path)
    limits = [(float(centre - half), float(centre + half)) for centre in middle]
    axes.set(xlim=limits[0], ylim=limits[1])
    return figure, limits[0], limits[1]


def _rows_panel(rows: Array, colours: str) -> Figure:
    figure, axes = bare_figure(WIDTH, HEIGHT)
    axes.imshow(rows, **IMAGE, cmap=colours)
    return figure
