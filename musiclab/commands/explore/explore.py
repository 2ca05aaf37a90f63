"""``musiclab explore``: what a data set looks like, as a page of pictures and tables."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from musiclab.commands.explore.distributions import emotion_blocks, genre_blocks, length_blocks, tag_blocks
from musiclab.commands.explore.tracks import Beats, Track, read_drawn, read_named, track_blocks, tracks_table
from musiclab.data.labels import LAB_CLASS_MAP, EmotionLabels, GenreLabels, lab_map, merge_genres
from musiclab.data.survey import Part, Survey, survey_arrays, survey_dataset
from musiclab.data.tables import as_list
from musiclab.errors import UserError
from musiclab.pages.document import Block, Code, Document, Heading, SideBySide, Table, Text, page_folder
from musiclab.spectrogram import FRAME_SECONDS, Recipe, row_kinds

MOST = 100
"""So many problems are listed on the page."""


def explore(
    root: str,
    *,
    out: str,
    beat_root: str | None = None,
    tracks: list[str] | None = None,
    seed: int = 0,
    seconds: float | None = FRAME_SECONDS,
    class_map: Literal["auto", "lab"] | dict[str, str | None] | None = "auto",
) -> None:
    """Show what a data set looks like: OUT/index.html, with its pictures as PNG files in OUT/pictures.

    Spectrograms and chromagrams of two tracks, lengths of all; genres before and after merging, values on each
    emotional axis and how the axes relate, or how many tracks have each tag (where nearly all values are 0 or 1). But
    for the tracks shown, no more than the headers of arrays is read.

    Args:
        root: Data set folder with train/, test/ and train_labels.txt.
        out: Folder to write to. Files of an earlier run are overwritten.
        beat_root: Data set folder of the same tracks, beat-synchronised, to be shown beside them.
        tracks: Ids of the tracks to show; null: two of train/ at random, of different genres.
        seed: Draws the tracks.
        seconds: Duration of a frame in s, unless features.json says it; null if root itself holds a column a beat.
        class_map: New name of each genre, null to drop its tracks; lab for the lab's, null for none, auto for the lab's
            if all genres are among its 20.
    """
    if seconds is not None and not 0 < seconds < math.inf:
        raise UserError(f"seconds is {seconds}; give the duration of a frame in s, as in 0.234, or null for beats")
    folder = Path(root).expanduser()
    survey = survey_dataset(folder)
    survey.require_use()
    seconds = _frame_seconds(survey, seconds)
    beats = _survey_beats(survey, beat_root, seconds)
    page_folder(out)  # before what takes long
    genres = [found for parts in survey.labels.values() for found in parts.values() if isinstance(found, GenreLabels)]
    named = {"auto": lab_map(genres), "lab": LAB_CLASS_MAP}
    merging = named[class_map] if isinstance(class_map, str) else class_map
    if tracks:
        names = [name for word in tracks for name in as_list(word, lambda text: survey.find(text) is not None)]
        shown = read_named(survey, beats, names)
    else:
        shown = read_drawn(survey, beats, _groups(survey.parts["train"].labels, merging), seed)
    document = Document(
        f"Data set {folder.resolve().name}",
        [
            *_overview(survey, beats, beat_root),
            *_tracks(shown, seconds, beat_root, survey.recipe),
            *_labels(survey, merging),
            *length_blocks(survey, beats, seconds),
            *_problems(survey),
        ],
    )
    count = len(survey.all_problems())
    said = f"{count} {'problem' if count == 1 else 'problems'}, listed at the end of the page"
    document.write(out, [f"{said}; musiclab check {folder} finds all there are"] if count else [])


def _labels(survey: Survey, merging: Mapping[str, str | None] | None) -> list[Block]:
    if survey.axes is None:
        return genre_blocks(survey, merging)
    return tag_blocks(survey) if survey.of_tags else emotion_blocks(survey)


def _frame_seconds(survey: Survey, seconds: float | None) -> float | None:
    """Return the duration of a frame: what is given, or what ``features.json`` says in place of the lab's."""
    known = survey.recipe and survey.recipe.seconds
    if not known or seconds is None or math.isclose(seconds, known, rel_tol=1e-3):
        return seconds
    if seconds != FRAME_SECONDS:
        raise UserError(
            f"{survey.root}: a frame lasts {known:.4g} s by features.json, but --seconds is {seconds:g}; leave it out, "
            "or correct the file"
        )
    return known


def _survey_beats(survey: Survey, beat_root: str | None, seconds: float | None) -> Beats:
    if beat_root is None:
        return {}
    folder = Path(beat_root).expanduser()
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; give the path of the beat-synchronised data set")
    if folder.samefile(survey.root):
        raise UserError(f"{folder}: beat_root is the data set itself; give the folder of its beat-synchronised arrays")
    if seconds is None:
        raise UserError("seconds is null, so that root holds a column a beat; give no beat_root then")
    beats = {name: survey_arrays(folder / name, survey.problems)[1] for name in survey.parts}
    if not any(beats[name].keys() & part.arrays.keys() for name, part in survey.parts.items()):
        raise UserError(
            f"{folder}: has no array of any track of {survey.root}; give the same tracks, beat-synchronised"
        )
    for name, part in survey.parts.items():
        without = [identifier for identifier in part.arrays if identifier not in beats[name]]
        survey.problems["Missing files"] += [
            f"{folder / name}: no array of track {i} that can be used" for i in without
        ]
    return beats


def _groups(labels: GenreLabels | EmotionLabels | None, merging: Mapping[str, str | None] | None) -> dict[str, str]:
    """Return what tracks to draw shall differ in: their class; or nothing but themselves."""
    if isinstance(labels, GenreLabels):
        kept = merge_genres(labels, merging)
        ids, genres = kept if kept.ids else labels
        return dict(zip(ids, genres, strict=True))
    return {identifier: identifier for identifier in labels.ids} if labels else {}


def _overview(survey: Survey, beats: Beats, beat_root: str | None) -> list[Block]:
    rows = [[name, *_contents(part)] for name, part in survey.parts.items()]
    rows += [[f"{name}, beat-synchronised", *_contents(Part(None, dict(found)))] for name, found in beats.items()]
    columns = "genres" if survey.axes is None else "tags" if survey.of_tags else "axes"
    kind = {"genres": "genres", "tags": "tags", "axes": f"emotions: {', '.join(survey.axes or [])}"}[columns]
    where = f"{survey.root}" + ("" if beat_root is None else f", and beat-synchronised {beat_root}")
    return [
        Text(f"A data set of {kind}. Made by musiclab explore of {where}."),
        Table(["part", "labelled tracks", columns, "arrays", "rows", "type"], rows),
    ]


def _contents(part: Part) -> list[str]:
    headers = [array.header for array in part.arrays.values()]
    labelled, kinds = "", ""
    if part.labels is not None:
        names = part.labels.genres if isinstance(part.labels, GenreLabels) else part.labels.axes
        labelled, kinds = str(len(part.labels.ids)), str(len(set(names)))
    rows = ", ".join(map(str, sorted({header.rows for header in headers})))
    return [labelled, kinds, str(len(headers)), rows, ", ".join(sorted({header.dtype for header in headers}))]


def _tracks(shown: list[Track], seconds: float | None, beat_root: str | None, recipe: Recipe | None) -> list[Block]:
    blocks: list[Block] = [Heading("Tracks")]
    if not shown:
        return [*blocks, Text("No array of a labelled track of train/ can be read.")]
    rows = len(shown[0].full)
    kinds = row_kinds(rows, recipe)
    sentence = "A mel band is louder, the brighter it is drawn; 0 dB is the loudest spot of the clip."
    if "values" in kinds:
        sentence = "Rows are drawn as they are, the first one at the bottom, each track over its own range."
    elif "chroma" not in kinds:
        sentence += f" There are no chromagrams: the arrays have {rows} rows, which are all mel bands."
    if beat_root is not None:
        sentence += (
            " A column of a beat-synchronised array is the median between two beats; the compression is the number of"
            " frames over that of such columns."
        )
    blocks += [Text(sentence), tracks_table(shown, seconds)]
    columns = [track_blocks(track, i, seconds, beat_root is not None, recipe) for i, track in enumerate(shown, start=1)]
    if beat_root is None:  # else each track takes the width of the page itself, its beats beside its frames
        return [*blocks, SideBySide(columns)]
    return [*blocks, *(block for column in columns for block in column)]


def _problems(survey: Survey) -> list[Block]:
    problems = survey.all_problems()
    if not problems:
        return []
    more = len(problems) - MOST
    lines = problems[:MOST] + ([f"and {more} more"] if more > 0 else [])
    return [
        Heading("Problems"),
        Text("What label files and headers of arrays tell. The values are read, too, by:"),
        Code(f"musiclab check {survey.root}"),
        Code("\n".join(lines)),
    ]
