"""Data sets made of audio files: extracted, looked through for the same music twice, labelled."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from musiclab.data.artists import Artists
from musiclab.data.audio.copies import Duplicates, settle_copies
from musiclab.data.audio.extraction import Clip, Outcome, extract_tracks
from musiclab.data.audio.files import AudioFile, make_id
from musiclab.data.audio.label_files import track_name, write_artists, write_labels
from musiclab.data.audio.output import Output, claimed, planned_tracks, report
from musiclab.data.grouping import split_groups
from musiclab.data.ids import id_order
from musiclab.data.splitting import split_tracks
from musiclab.data.tables import one_form

PARTS = ("train", "test")


def make_data_set(
    output: Output,
    clip: Clip,
    header: str,
    rows: Mapping[str, Mapping[str, str]],
    duplicates: Duplicates = "keep",
    jobs: int | None = None,
    artists: Mapping[str, str] | None = None,
) -> Outcome:
    """Extract the arrays of a data set and write its label files; failures are listed, and get into no label file.

    Args:
        output: The folders and the audio file of each track.
        clip: Which part of each file.
        header: Of the label files.
        rows: Row of the label file of each track, by part and id.
        duplicates: What to do with the same music twice.
        jobs: Number of processes; None for as many as there are cores.
        artists: Artist of each track, by id, as far as they are known.

    Raises:
        UserError: If a folder holds something else, or cannot be written.
    """
    separator = "\t" if "\t" in header else ","
    with claimed(output, complete=True):
        outcome = extract_tracks(planned_tracks(output), clip, jobs)
        labels = {
            track_name(part, identifier): row.split(separator, 1)[1]
            for part, own in rows.items()
            for identifier, row in own.items()
        }
        settle_copies(output, labels, duplicates)
        for folder in output.folders.values():
            listed = {one for part, own in rows.items() for one in write_labels(folder, part, header, own)}
            if artists:
                write_artists(folder, {one: artist for one, artist in artists.items() if one in listed})
        report(outcome, output)
    return outcome


def draw_parts(
    identifiers: Sequence[str],
    classes: Sequence[str] | None,
    fraction: float,
    seed: int,
    artists: Artists | None = None,
) -> dict[str, str]:
    """Draw which tracks to train and test on; return the part of each id.

    Args:
        identifiers: The tracks, in any order.
        classes: Class of each, to be there in both parts in proportion; None to draw at random.
        fraction: Share of the tracks to test on.
        seed: Of the draw.
        artists: Who made which track, to have tracks of one artist in one part; None to draw each by itself.

    Raises:
        UserError: If there are too few tracks, or artists, for that.
    """
    order = sorted(range(len(identifiers)), key=lambda index: id_order(identifiers[index]))
    ordered = None if classes is None else [classes[index] for index in order]
    option = "--test_fraction"
    if artists is None:
        split = split_tracks(len(order), ordered, fraction=fraction, seed=seed, option=option)
    else:
        numbers = artists.numbers([identifiers[index] for index in order])
        otherwise = "draw without regard to them: --artist_level null"
        split = split_groups(numbers, ordered, fraction=fraction, seed=seed, option=option, otherwise=otherwise)
    held_out = set(split.held_out.tolist())
    return {identifiers[index]: PARTS[place in held_out] for place, index in enumerate(order)}


def names_of(files: Mapping[str, AudioFile]) -> dict[str, set[str]]:
    """Return the ids that each way to name a track in a list or table may mean."""
    known: dict[str, set[str]] = {}
    for identifier, (path, name) in files.items():
        ways: set[Any] = {identifier, path, name, name.with_suffix(""), name.name, name.stem, make_id(Path(name.name))}
        for way in ways:
            known.setdefault(one_form(str(way)), set()).add(identifier)
    return known
