"""Single tracks of a data set in pictures: mel spectrogram and chromagram, full and beat-synchronised."""

from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from musiclab.data.arrays import read_array
from musiclab.data.ids import id_order, track_id
from musiclab.data.labels import GenreLabels, say_tags
from musiclab.data.survey import ArrayFile, Survey
from musiclab.errors import UserError
from musiclab.figures import chroma_figure, mel_figure, png_bytes, rows_figure
from musiclab.pages.document import Block, Heading, Picture, Pictures, Table, Text
from musiclab.spectrogram import SAMPLE_RATE, Recipe, mel_fault, row_kinds

DRAWN = 2
"""So many tracks are looked at if none are named."""

KINDS: dict[str, tuple[str, str, Callable[..., Figure]]] = {
    "mel": ("mel spectrogram", "bands", mel_figure),
    "chroma": ("chromagram", "pitch classes", chroma_figure),
    "values": ("features", "rows", rows_figure),
}
"""What each kind of rows is called, what a row is, and how they are drawn."""

Beats = Mapping[str, Mapping[str, ArrayFile]]
"""Beat-synchronised arrays by part and id."""


class Track(NamedTuple):
    """A track that was read.

    Attributes:
        identifier: Its id.
        part: ``train`` or ``test``.
        label: Its genre or its values; empty if it has none.
        full: ``(rows, time)``.
        beat: ``(rows, beats)``, None if there is no such array.
    """

    identifier: str
    part: str
    label: str
    full: npt.NDArray[np.floating[Any]]
    beat: npt.NDArray[np.floating[Any]] | None


def read_named(survey: Survey, beats: Beats, names: Sequence[str]) -> list[Track]:
    """Read the tracks of some ids, or of names that begin with them.

    Raises:
        UserError: If there is no such track, or its array cannot be used.
    """
    return [_read(survey, beats, identifier) for identifier in dict.fromkeys(map(track_id, names))]


def read_drawn(survey: Survey, beats: Beats, groups: Mapping[str, str], seed: int) -> list[Track]:
    """Draw tracks by ``seed`` and read them; those that cannot be read are passed over and become problems.

    Args:
        survey: The data set.
        beats: Its beat-synchronised arrays.
        groups: Group of each track that may be drawn, such as its genre: each group is drawn once, as far as there
            are groups enough.
        seed: Same seed, same tracks.
    """
    ids = sorted((i for i in groups if i in survey.parts["train"].arrays), key=id_order)
    queue = [ids[index] for index in np.random.default_rng(seed).permutation(len(ids))]
    tracks: list[Track] = []
    while queue and len(tracks) < DRAWN:
        taken = {groups[track.identifier] for track in tracks}
        identifier = next((i for i in queue if groups[i] not in taken), queue[0])
        queue.remove(identifier)
        try:
            tracks.append(_read(survey, beats, identifier))
        except UserError as error:
            survey.problems["Arrays"].append(str(error))
    return tracks


def track_labels(survey: Survey) -> dict[str, str]:
    """Return what the label files say of each track, in words."""
    said: dict[str, str] = {}
    for part in reversed(survey.parts.values()):  # of an id that is in both, train counts
        if isinstance(part.labels, GenreLabels):
            said |= zip(*part.labels, strict=True)
        elif part.labels is not None:
            ids, axes, rows = part.labels
            for identifier, values in zip(ids, rows, strict=True):
                if survey.of_tags:
                    said[identifier] = say_tags(axes, values)
                    continue
                said[identifier] = ", ".join(f"{axis} {value:.3g}" for axis, value in zip(axes, values, strict=True))
    return said


def tracks_table(tracks: Sequence[Track], seconds: float | None) -> Table:
    """Return a table of dimensions, durations, and the compression that beats give."""
    rows = []
    for identifier, part, _, full, beat in tracks:
        duration = "" if seconds is None else f"{full.shape[1] * seconds:.1f} s"
        beats = ["", ""] if beat is None else [_size(beat), f"{full.shape[1] / beat.shape[1]:.1f}x"]
        rows.append([identifier, part, _size(full), duration, *beats])
    size = "rows x frames" if seconds else "rows x beats"
    return Table(["track", "part", size, "duration", "rows x beats", "compression"], rows).without_empty()


def track_blocks(
    track: Track, number: int, seconds: float | None, with_beats: bool, recipe: Recipe | None = None
) -> list[Block]:
    """Return a heading and the pictures of a track.

    Args:
        track: The track.
        number: Its place on the page, for the names of its pictures.
        seconds: Duration of a frame in s; None for a column a beat.
        with_beats: Whether beat-synchronised arrays were asked for.
        recipe: How the arrays were made; None if it is not said.
    """
    said = f"Track {track.identifier}" + (f": {track.label}" if track.label else "")
    blocks: list[Block] = [Heading(said, 3)]
    forms = [(track.full, "", seconds)] + ([(track.beat, "_beat", None)] if track.beat is not None else [])
    if with_beats and track.beat is None:
        blocks.append(Text("There is no beat-synchronised array of this track."))
    for kind in KINDS:
        pictures = []
        for array, suffix, duration in forms:
            rows = row_kinds(len(array), recipe).get(kind)
            if rows is not None:
                name = f"track_{number}_{kind}{suffix}"
                pictures.append(_picture(track, array[rows], kind, name, duration, recipe))
        if pictures:
            blocks.append(Pictures(pictures))  # frames beside beats, and nothing else in their row
    return blocks


def _picture(
    track: Track,
    rows: npt.NDArray[np.floating[Any]],
    kind: str,
    name: str,
    seconds: float | None,
    recipe: Recipe | None,
) -> Picture:
    count, columns = rows.shape
    extent = f"{columns} columns, one a beat"
    if seconds is not None:
        extent = f"{columns} frames of {_precise(seconds)}, {columns * seconds:.1f} s"
    what, unit, draw = KINDS[kind]
    title = f"{track.identifier}: {what}" + ("" if seconds else ", beat-synchronised")
    reach = {"rate": (recipe and recipe.rate) or SAMPLE_RATE} if kind == "mel" else {}
    figure = draw(rows, title, seconds, **reach)
    caption = f"{what.capitalize()} of track {track.identifier}: {count} {unit} by {extent}."
    return Picture(f"pictures/{name}.png", png_bytes(figure), caption)


def _read(survey: Survey, beats: Beats, identifier: str) -> Track:
    found = survey.find(identifier)
    if found is None:
        known = sorted({known for part in survey.parts.values() for known in part.arrays}, key=id_order)
        close = get_close_matches(identifier, known, n=3, cutoff=0.5) or known[:3]
        raise UserError(f"{survey.root}: no array of track {identifier}; there are {', '.join(close)} and others")
    part, file = found
    beat = beats.get(part, {}).get(identifier)
    label = track_labels(survey).get(identifier, "")
    arrays = {array.path: read_array(array.path) for array in (file, beat) if array}
    for path, array in arrays.items():
        bands = row_kinds(len(array), survey.recipe).get("mel")
        mel = array[bands or slice(0)]
        if mel.size and (fault := mel_fault(mel, float(mel.min()), float(mel.max()))):
            survey.problems["Scale"].append(f"{path}: mel rows {mel.min():.3g}..{mel.max():.3g}: {fault}")
    return Track(identifier, part, label, arrays[file.path], None if beat is None else arrays[beat.path])


def _size(array: npt.NDArray[np.floating[Any]]) -> str:
    rows, columns = array.shape
    return f"{rows}\u00a0x\u00a0{columns}"  # on one line


def _precise(seconds: float) -> str:
    return f"{1000 * seconds:.3g} ms" if seconds < 1 else f"{seconds:.3g} s"
