"""The page of a song, and that of all songs."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from musiclab.commands.listen.hearing import Heard, Said
from musiclab.figures import Answers, png_bytes
from musiclab.figures.network import mel_positions
from musiclab.figures.panels import beats_panel, chroma_panel, lines_panel, mel_panel, plane_panel, shares_panel
from musiclab.figures.song import Layer, genre_layers
from musiclab.figures.style import LINES, look, svg_bytes
from musiclab.pages.player import Line, Panel, Plane, SongPage, clock, value_marks
from musiclab.spectrogram import NUM_MELS, QUIETEST

PLANE = ("valence", "energy")
"""The axes across and up of the plane that a song's path lies in."""

COLUMNS = 1600
"""At most so many columns of a spectrogram are drawn, each the mean of some frames."""

STRONGEST = 8
"""So many tags are shown, those that are strongest for the whole song."""

LISTED = 3
"""So many of them stand in a list of songs."""

KINDS = {"classes": "Genre", "values": "Emotion", "tags": "Tags"}
"""What models answer, in a sentence."""

COLOURS = 64
DASHES: dict[str, Literal["solid", "dashed", "dotted"]] = {"-": "solid", "--": "dashed", ":": "dotted", "-.": "dashed"}


def song_page(heard: Heard, title: str, index: str | None) -> SongPage:
    """Return the page of a song.

    Args:
        heard: The song.
        title: What it is called.
        index: Name of the page of all songs; None for none.
    """
    keys = [f"model{number}" for number in range(len(heard.said))]
    duration = heard.frames.duration
    panels = [*_sound_panels(heard)]
    for key, said in zip(keys, heard.said, strict=True):
        panels.append(_answer_panel(key, said, duration, several=_several(heard, said)))
    planes = [
        _plane(key, said)
        for key, said in zip(keys, heard.said, strict=True)
        if said.listener.model.kind == "values" and set(PLANE) <= set(said.listener.model.target_names)
    ]
    values = {key: _values(said) for key, said in zip(keys, heard.said, strict=True)}
    faults = [f"Parts of the song are left out: {fault.reason}." for fault in heard.frames.faults[:1]]
    notes = [*filter(None, (_left_out(said) for said in heard.said)), *faults]
    facts = f"{clock(duration)}. {' '.join(_fact(said, duration) for said in heard.said)}"
    return SongPage(title, facts, duration, heard.audio, panels, planes, values, notes, index, heard.near)


def list_header(heard: Heard) -> list[str]:
    """Return what the columns of a list of songs are called, after that of the song's name."""
    header = ["length"]
    for said in heard.said:
        model, name = said.listener.model, f" ({said.listener.name})" if _several(heard, said) else ""
        columns = {"classes": ["genre", "probability"], "values": model.target_names, "tags": ["strongest tags"]}
        names = columns[model.kind]
        header += [f"{column}{name}" for column in names]
    return header


def list_row(heard: Heard) -> list[str]:
    """Return what stands in them: the most likely genre, the value on each axis, or the strongest tags."""
    cells = [clock(heard.frames.duration)]
    for said in heard.said:
        if said.listener.model.kind == "classes":
            genre = max(said.whole, key=lambda name: said.whole[name])
            cells += [genre, f"{said.whole[genre]:.2f}"]
        elif said.listener.model.kind == "tags":
            best = sorted(said.whole, key=lambda name: -said.whole[name])[:LISTED]
            cells.append(", ".join(f"{name} {said.whole[name]:.2f}" for name in best))
        else:
            cells += [f"{value:.2f}" for value in said.whole.values()]
    return cells


def _several(heard: Heard, said: Said) -> bool:
    """Whether other models, too, answer as this one does, so that it has to be named."""
    return sum(other.listener.model.kind == said.listener.model.kind for other in heard.said) > 1


def _fact(said: Said, duration: float) -> str:
    model, seconds = said.listener.model, said.over_time.seconds
    what = KINDS[model.kind]
    if len(seconds) == 1:
        return f"{what} by {said.listener.name}, in one window of {min(model.window, duration):.3g} s."
    return (
        f"{what} by {said.listener.name}, in windows of {model.window:.3g} s, one every {seconds[1] - seconds[0]:g} s."
    )


def _left_out(said: Said) -> str:
    empty = int(np.isnan(said.over_time.values).any(axis=1).sum())
    return f"{said.listener.name}: {empty} of {len(said.over_time.values)} windows have no answer." if empty else ""


def _sound_panels(heard: Heard) -> list[Panel]:
    """Return the panels of what is heard: spectrogram, chromagram, beats."""
    frames = heard.frames
    power = _pooled(frames.power)
    decibels = 10 * np.log10(np.maximum(power / power.max(), 10 ** (QUIETEST / 10)))
    words = {256: "256 Hz", 1024: "1024", 4096: "4096"}
    marks = [
        (float(place) / NUM_MELS, word) for place, word in zip(mel_positions(list(words)), words.values(), strict=True)
    ]
    assert frames.chroma is not None
    assert frames.beats is not None
    tones = [((row + 0.5) / 12, name) for row, name in ((0, "C"), (4, "E"), (7, "G"), (11, "B"))]
    beats = frames.beats
    gaps = np.diff(beats)
    pace = f"{len(beats)}, about {60 / np.median(gaps):.0f} a minute" if len(gaps) else "none was found"
    mel = png_bytes(mel_panel(decibels), COLOURS)
    chroma = png_bytes(chroma_panel(_pooled(frames.chroma)), COLOURS)
    return [
        Panel("Mel spectrogram", mel, "Mel spectrogram of the song", 140, marks),
        Panel("Chromagram", chroma, "Chromagram of the song", 96, tones),
        Panel("Beats", svg_bytes(beats_panel(beats, frames.duration)), f"Beats: {pace}", 26, note=pace),
    ]


def _answer_panel(key: str, said: Said, duration: float, several: bool) -> Panel:
    """Return the panel of a model's answers, with a table beside it of what it says of the whole song."""
    model = said.listener.model
    answers = Answers(*said.over_time, model.target_names)
    names = f"{said.listener.name}: " if several else ""
    if model.kind == "classes":
        lines = [
            Line(layer.label, layer.colour, f"{(share := _share(said, layer)):.2f}", share)
            for layer in genre_layers(answers)
        ]
        picture = svg_bytes(shares_panel(answers, duration))
        alt = "Probability of each genre over time, as areas one above the other"
        genre = max(said.whole, key=lambda name: said.whole[name])
        note = f"{names}{genre}, {said.whole[genre]:.2f}, for the whole song"
        return Panel("Genre", picture, alt, 170, value_marks(0.0, 1.0), key, "genre", lines[::-1], note)
    if model.kind == "tags":
        return _tags_panel(key, said, duration, names.rstrip(": "))
    figure, limits = lines_panel(answers, duration)
    lines = []
    for index, name in enumerate(model.target_names):
        colour, style = look(index, LINES)
        lines.append(Line(name, colour, f"{said.whole[name]:.2f}", dashes=DASHES[style]))
    title = _listed(model.target_names).capitalize()
    alt = f"{title} over time, as lines"
    return Panel(title, svg_bytes(figure), alt, 150, value_marks(*limits), key, "axis", lines, names.rstrip(": "))


def _tags_panel(key: str, said: Said, duration: float, model: str) -> Panel:
    """Return the panel of the strongest tags: lines over time, and a table beside them."""
    order = _strongest(said)
    names = [said.listener.model.target_names[column] for column in order]
    answers = Answers(said.over_time.seconds, said.over_time.values[:, order], names)
    figure, limits = lines_panel(answers, duration, near=True)
    lines = []
    for index, name in enumerate(names):
        colour, style = look(index, LINES)
        share = said.whole[name]
        lines.append(Line(name, colour, f"{share:.2f}", share, DASHES[style]))
    alt = f"Probability of the tags {_listed(names)} over time, as lines"
    count = len(said.listener.model.target_names)
    which = f"the {len(names)} strongest of {count}" if count > len(names) else ""
    note = ": ".join(filter(None, [model, which]))
    return Panel("Tags", svg_bytes(figure), alt, 190, value_marks(*limits), key, "tag", lines, note)


def _strongest(said: Said) -> list[int]:
    """Return the columns of the tags that are shown, the strongest for the whole song first."""
    whole = [said.whole[name] for name in said.listener.model.target_names]
    return sorted(range(len(whole)), key=lambda column: -whole[column])[:STRONGEST]


def _plane(key: str, said: Said) -> Plane:
    names = said.listener.model.target_names
    across, up = (said.over_time.values[:, names.index(name)] for name in PLANE)
    figure, across_limits, up_limits = plane_panel(across, up)
    said_of_it = "from dark at the beginning to bright at the end"
    return Plane(key, *PLANE, svg_bytes(figure), across_limits, up_limits, said_of_it)


def _values(said: Said) -> dict[str, Any]:
    """Return what the cursor tells of a model's answers; lines are those of the table beside the panel."""
    names = said.listener.model.target_names
    over_time = said.over_time
    if said.listener.model.kind == "tags":
        columns = _strongest(said)  # of a long song, all would take more room than its pictures
        names = [names[column] for column in columns]
        over_time = over_time._replace(values=over_time.values[:, columns])
    lines = [[column] for column in range(len(names))]
    if said.listener.model.kind == "classes":
        lines = [layer.columns for layer in genre_layers(Answers(*over_time, names))][::-1]
    rows = [None if np.isnan(row).any() else [round(float(value), 7) for value in row] for row in over_time.values]
    seconds = [round(float(second), 3) for second in over_time.seconds]
    return {"names": names, "seconds": seconds, "values": rows, "lines": lines}


def _share(said: Said, layer: Layer) -> float:
    names = said.listener.model.target_names
    return sum(said.whole[names[column]] for column in layer.columns)


def _pooled(rows: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return rows over time with at most :data:`COLUMNS` columns, means of neighbours."""
    count = rows.shape[1]
    if count <= COLUMNS:
        return rows
    edges = np.linspace(0, count, COLUMNS + 1).astype(int)
    pooled: npt.NDArray[Any] = np.add.reduceat(rows, edges[:-1], axis=1) / np.diff(edges)
    return pooled


def _listed(names: Sequence[str]) -> str:
    """Return names as one says them."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
