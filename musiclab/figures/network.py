"""What goes on in a network that hears a track."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from musiclab.figures.style import COLOURS, GRID, TITLE, VALUES, new_figure
from musiclab.files import import_librosa
from musiclab.spectrogram import FEATURE_ROWS, NUM_MELS, SAMPLE_RATE

WIDTH = 4.7  # inches: legible on a phone
COLUMNS = 4
BRIGHTEST = 99.5
"""Percentile of the activations at which the colours end; few values would leave all others in the dark."""

DECIBELS = "magma"
"""Colour map of spectrograms, for them to look unlike what a network makes of them."""

IMAGE: dict[str, Any] = {"origin": "lower", "aspect": "auto", "interpolation": "nearest"}
"""How arrays over time are drawn: the first row at the bottom, each value as it is."""

Array = npt.NDArray[np.floating[Any]]


class Clip(NamedTuple):
    """A track as a network hears it.

    Attributes:
        frames: ``(time, features)``, dB and chroma.
        features: ``mel``, ``chroma``, ``fused`` or ``all``.
        seconds: Duration of a frame in s; None where a frame is a beat.
    """

    frames: Array
    features: str
    seconds: float | None

    @property
    def duration(self) -> float:
        """How long the track is, in s or beats."""
        return len(self.frames) * (self.seconds or 1)

    @property
    def unit(self) -> str:
        """What the time axis says."""
        return "time (beats)" if self.seconds is None else "time (s)"


def clip_figure(clip: Clip, title: str) -> Figure:
    """Draw the track itself: mel spectrogram, chromagram, or both."""
    heights = clip_heights(clip)
    figure = new_figure(WIDTH, 0.8 + 2.2 * sum(heights))
    panels = figure.subplots(len(heights), 1, squeeze=False, sharex=True, height_ratios=heights)[:, 0]
    panels[0].set_title(title, fontsize=TITLE)
    draw_clip(list(panels), clip)
    return figure


def feature_maps_figure(clip: Clip, maps: Array, numbers: Sequence[int], pooled: tuple[int, int], title: str) -> Figure:
    """Draw feature maps on the axes of time and frequency of the spectrogram, all in the same colours.

    Args:
        clip: The track.
        maps: ``(maps, time, frequency)``.
        numbers: Number of each map in its layer.
        pooled: Frames, and values of a frame, that a value of a map was made of; the last ones may be incomplete.
        title: Title.
    """
    columns = min(COLUMNS, len(maps))
    rows = -(-len(maps) // columns)
    figure = new_figure(WIDTH, 0.7 + 1.05 * rows)
    figure.suptitle(title, fontsize=TITLE)
    panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    brightest = float(np.percentile(maps, BRIGHTEST)) or float(maps.max()) or 1.0
    extent = (0, maps.shape[1] * pooled[0] * (clip.seconds or 1), 0, maps.shape[2] * pooled[1])
    for panel, values, number in zip(panels.flat, maps, numbers, strict=False):
        image = panel.imshow(values.T, **IMAGE, extent=extent, cmap=VALUES, vmin=0, vmax=brightest)
        panel.set_title(f"map {number}", fontsize=9, pad=2)
    for number, panel in enumerate(panels.flat):
        panel.set_visible(number < len(maps))
        panel.tick_params(labelsize=8)
    panels[0, 0].set(xlim=(0, clip.duration), ylim=(0, clip.frames.shape[1]))
    _label_features(panels[0, 0], clip.features)
    figure.supxlabel(clip.unit, fontsize=9)
    figure.supylabel(panels[0, 0].get_ylabel(), fontsize=9)
    panels[0, 0].set_ylabel("")
    extend = "max" if maps.max() > brightest else "neither"
    figure.colorbar(image, ax=panels, label="activation", aspect=30, extend=extend)
    return figure


def attention_figure(clip: Clip, attention: Array, title: str) -> Figure:
    """Draw the attention below the spectrogram, on the same axis of time.

    Args:
        clip: The track.
        attention: Share of each frame in the embedding, ``(time,)``, which is drawn relative to their mean.
        title: Title.
    """
    heights = [*clip_heights(clip), 0.7]
    figure = new_figure(WIDTH, 1.0 + 2.2 * sum(heights))
    *upper, lower = figure.subplots(len(heights), 1, sharex=True, height_ratios=heights)
    upper[0].set_title(title, fontsize=TITLE)
    draw_clip(upper, clip)
    upper[-1].set_xlabel("")
    relative = attention * len(attention)
    edges = np.linspace(0, clip.duration, len(attention) + 1)
    lower.stairs(relative, edges, fill=True, color=COLOURS[0])
    lower.axhline(1, color="black", linewidth=1, linestyle="--")
    lower.set(xlabel=clip.unit, ylabel="attention\n(mean = 1)", ylim=(0, 1.05 * float(relative.max())))
    lower.grid(color=GRID)
    lower.set_axisbelow(True)
    return figure


def clip_heights(clip: Clip) -> list[float]:
    """Return the height of each panel that the track takes, relative to that of a mel spectrogram."""
    return {"chroma": [0.6], "fused": [0.4, 1.0]}.get(clip.features, [1.0])


def draw_clip(panels: Sequence[Axes], clip: Clip) -> None:
    """Draw mel spectrogram or chromagram, or the latter above the former, with a label of time below the last."""
    kinds = ["chroma", "mel"] if clip.features == "fused" else [clip.features]
    for panel, kind in zip(panels, kinds, strict=True):
        rows = FEATURE_ROWS[kind] if clip.features == "fused" else slice(None)
        frames = clip.frames[:, rows]
        extent = (0, clip.duration, 0, frames.shape[1])
        image = panel.imshow(frames.T, **IMAGE, extent=extent, cmap=DECIBELS if kind == "mel" else "Greys")
        _label_features(panel, kind)
        bar = panel.inset_axes((1.01, 0, 0.02, 1))  # which leaves the panel as wide as those without
        panel.figure.colorbar(image, cax=bar, label={"mel": "dB", "all": "value"}.get(kind, kind))
    panels[-1].set_xlabel(clip.unit)


def _label_features(panel: Axes, features: str) -> None:
    """Say which features lie where on the vertical axis, the first of them at 0 to 1."""
    if features == "chroma":
        panel.set_yticks([0.5, 4.5, 7.5], ["C", "E", "G"])
        panel.set_ylabel("pitch class")
        return
    if features == "all":
        panel.set_ylabel("row")
        return
    hertz = [256, 1024, 4096]
    chroma = {NUM_MELS + 6: "chroma"} if features == "fused" else {}
    panel.set_yticks([*mel_positions(hertz), *chroma], [*map(str, hertz), *chroma.values()])
    panel.set_ylabel("frequency (Hz)")


def mel_positions(hertz: Sequence[float]) -> Array:
    """Return where frequencies lie among the mel bands: the first band reaches from 0 to 1, its centre is at 0.5."""
    librosa = import_librosa()

    centres = librosa.mel_frequencies(NUM_MELS + 2, fmin=0, fmax=SAMPLE_RATE / 2)[1:-1]
    positions: Array = np.interp(hertz, centres, np.arange(NUM_MELS) + 0.5)
    return positions
