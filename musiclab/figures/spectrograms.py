"""Spectrograms and chromagrams of single tracks."""

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from musiclab.figures.style import TITLE, VALUES, new_figure
from musiclab.files import import_librosa
from musiclab.spectrogram import QUIETEST, SAMPLE_RATE, mel_fault

WIDTH = 4.8  # inches; two stand side by side on a page, and one can be read on a phone
MEL_TICKS = (0, 256, 512, 1024, 2048, 4096, 8192)  # Hz


def mel_figure(
    decibels: npt.NDArray[np.floating], title: str, seconds: float | None, rate: int = SAMPLE_RATE
) -> Figure:
    """Draw a mel spectrogram.

    Args:
        decibels: ``(bands, time)``, power in dB relative to the clip's maximum; values that cannot be such are drawn
            over their own range, and said to be others.
        title: What is shown.
        seconds: Duration of a column in s; None for a column a beat.
        rate: Sample rate in Hz, to half of which the bands reach.
    """
    limits, label = (QUIETEST, 0.0), "power (dB re. maximum)"
    lowest, highest = float(decibels.min()), float(decibels.max())
    if lowest < highest and mel_fault(decibels, lowest, highest):  # between -80 and 0, a plane of one colour
        limits, label = (lowest, highest), "value (not dB re. maximum)"
    figure, axes = _figure(3.3, title, decibels, "mel", seconds, limits, label, rate)
    ticks = [hertz for hertz in MEL_TICKS if hertz <= rate / 2]
    axes.set_yticks(ticks, [str(hertz) for hertz in ticks])
    axes.set_ylabel("frequency (Hz)")
    return figure


def chroma_figure(chroma: npt.NDArray[np.floating], title: str, seconds: float | None) -> Figure:
    """Draw a chromagram.

    Args:
        chroma: ``(12, time)``, 0..1, from C to B.
        title: What is shown.
        seconds: Duration of a column in s; None for a column a beat.
    """
    figure, axes = _figure(3.0, title, chroma, "chroma", seconds, (0, 1), "strength (0 to 1)")
    axes.set_ylabel("pitch class")
    return figure


def rows_figure(values: npt.NDArray[np.floating], title: str, seconds: float | None) -> Figure:
    """Draw rows of any meaning over their own range, the first one at the bottom.

    Args:
        values: ``(rows, time)``.
        title: What is shown.
        seconds: Duration of a column in s; None for a column a beat.
    """
    limits = float(values.min()), float(values.max())
    figure, axes = _figure(3.3, title, values, "rows", seconds, limits, "value")
    axes.yaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.set_ylabel("row")
    return figure


def _figure(
    height: float,
    title: str,
    values: npt.NDArray[np.floating],
    kind: str,
    seconds: float | None,
    limits: tuple[float, float],
    label: str,
    rate: int = SAMPLE_RATE,
) -> tuple[Figure, Axes]:
    """Draw rows of frequencies over time; beat n lies at n, between the columns before and after it."""
    librosa = import_librosa()
    from librosa import display  # with axes given, pyplot's state stays untouched

    figure = new_figure(WIDTH, height)
    axes = figure.add_subplot()
    rows, columns = values.shape
    bounds = np.arange(rows + 1) - 0.5
    if kind == "mel":  # each band reaches half way to the centres of its neighbours, on the mel scale
        bounds = librosa.mel_frequencies(2 * rows + 3, fmax=rate / 2)[1::2]
    mesh = display.specshow(
        values.astype(np.float32),
        ax=axes,
        y_axis=None if kind == "rows" else kind,
        y_coords=bounds,
        x_coords=np.arange(columns + 1) * (1.0 if seconds is None else seconds),
        cmap=VALUES,
        vmin=limits[0],
        vmax=limits[1],
    )
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=seconds is None))
    axes.set_xlabel("beat" if seconds is None else "time (s)")
    axes.set_title(title, fontsize=TITLE)
    figure.colorbar(mesh, ax=axes, label=label)
    return figure, axes
