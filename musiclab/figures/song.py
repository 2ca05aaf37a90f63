"""What models say of a song, over time, under what they hear."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from musiclab.figures.network import Clip, clip_heights, draw_clip
from musiclab.figures.style import GRID, LINES, TITLE, look, new_figure, value_range

WIDTH = 8.0  # inches: the width of a text
NAMED = 6
"""So many genres have colours of their own, those that are most likely over the whole song."""

LOWER = 0.8
"""Height of a panel of answers, relative to that of a mel spectrogram."""

LEAST_HIGH = 0.05
"""A range of probabilities reaches so far at least."""

OTHERS = "#e0e0e0"
BESIDE: dict[str, Any] = {"loc": "upper left", "bbox_to_anchor": (1.005, 1.02), "frameon": False, "fontsize": 9}
"""A legend to the right of its panel."""


class Answers(NamedTuple):
    """A model's answers about the windows of a song: ``Answers(*model.over_time(song), model.target_names)``.

    Attributes:
        seconds: Middle of each window, ``(windows,)`` in s, or beats if frames are beats; ascending.
        values: Probabilities or values, ``(windows, names)``; NaN for a window without an answer, which is left blank.
        names: Genres or emotional axes.
    """

    seconds: npt.NDArray[np.floating[Any]]
    values: npt.NDArray[np.floating[Any]]
    names: Sequence[str]


def song_figure(clip: Clip, title: str, genres: Answers | None = None, emotions: Answers | None = None) -> Figure:
    """Draw genre probabilities and emotional values over time, below the spectrogram and on its axis of time.

    Args:
        clip: The song.
        title: What is shown.
        genres: Probability of each genre, drawn end to end; None for no such panel.
        emotions: Value on each axis, drawn as lines; None for no such panel.
    """
    heights = clip_heights(clip)
    ratios = [*heights, *(LOWER for answers in (genres, emotions) if answers is not None)]
    figure = new_figure(WIDTH, 0.7 + 1.8 * sum(ratios))
    panels = list(figure.subplots(len(ratios), 1, sharex=True, squeeze=False, height_ratios=ratios)[:, 0])
    panels[0].set_title(title, fontsize=TITLE + 1)
    draw_clip(panels[: len(heights)], clip)
    lower = iter(panels[len(heights) :])
    if genres is not None:
        panel = next(lower)
        draw_shares(panel, genres, clip.duration)
        _label_shares(panel)
    if emotions is not None:
        panel = next(lower)
        draw_lines(panel, emotions, clip.duration, dots=True)
        _label_lines(panel)
    for panel in panels[:-1]:
        panel.set_xlabel("")
    panels[-1].set(xlim=(0, clip.duration), xlabel=clip.unit)
    return figure


class Layer(NamedTuple):
    """What is drawn in a colour of its own.

    Attributes:
        label: What it is called.
        colour: Its colour.
        columns: Which of the values are summed in it.
    """

    label: str
    colour: str
    columns: list[int]


def genre_layers(genres: Answers) -> list[Layer]:
    """Return the layers of genre probabilities, the most likely genre first, those that are hardly likely as one."""
    order = np.argsort(-np.nan_to_num(genres.values).mean(axis=0), kind="stable").tolist()
    named = order if len(order) <= NAMED + 1 else order[:NAMED]
    others = sorted(set(order) - set(named))
    layers = [Layer(genres.names[index], look(place)[0], [index]) for place, index in enumerate(named)]
    return [*layers, *([Layer(f"{len(others)} others", OTHERS, others)] if others else [])]


def draw_shares(panel: Axes, genres: Answers, duration: float) -> None:
    """Draw probabilities end to end, the first layer at the bottom."""
    seconds, values = _to_the_ends(genres, duration)
    layers = genre_layers(genres)
    shares = [values[:, layer.columns].sum(axis=1) for layer in layers]
    labels, colours = [layer.label for layer in layers], [layer.colour for layer in layers]
    panel.stackplot(seconds, shares, labels=labels, colors=colours, linewidth=0.4, edgecolor="white")
    panel.set(xlim=(0, duration), ylim=(0, 1))


def draw_lines(panel: Axes, emotions: Answers, duration: float, dots: bool, near: bool = False) -> tuple[float, float]:
    """Draw a line for each axis or tag; return the panel's range.

    Args:
        panel: Where to draw.
        emotions: Values on each axis, or the probability of each tag.
        duration: Length of the song in s.
        dots: Whether to draw a dot where a window has its middle.
        near: Whether the range ends at the highest value, from 0 on, as of tags that are all improbable.
    """
    seconds, values = _to_the_ends(emotions, duration)
    for index, name in enumerate(emotions.names):
        colour, style = look(index, LINES)
        panel.plot(seconds, values[:, index], style, color=colour, linewidth=1.8, label=name)
        if dots:
            panel.plot(emotions.seconds, emotions.values[:, index], "o", color=colour, markersize=3.5)
    low, high = value_range(emotions.values)
    if near:
        low, high = 0.0, max(LEAST_HIGH, float(np.nanmax(emotions.values)))
    low, high = low - 0.02 * (high - low), high + 0.02 * (high - low)
    panel.set(xlim=(0, duration), ylim=(low, high))
    return low, high


def _label_shares(panel: Axes) -> None:
    panel.set_ylabel("probability")
    handles, said = panel.get_legend_handles_labels()
    panel.legend(handles[::-1], said[::-1], **BESIDE, handlelength=1, labelspacing=0.25)  # in the order of the layers


def _label_lines(panel: Axes) -> None:
    panel.set_ylabel("value")
    panel.grid(color=GRID)
    panel.set_axisbelow(True)
    panel.legend(**BESIDE, handlelength=1.8)


def _to_the_ends(answers: Answers, duration: float) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Return times and values from the song's beginning to its end: the first and the last window reach as far."""
    seconds = np.concatenate([[0.0], answers.seconds, [duration]])
    return np.clip(seconds, 0, duration), answers.values[[0, *range(len(answers.values)), -1]]
