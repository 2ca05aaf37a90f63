"""``musiclab build-fma``: the Free Music Archive to a genre and an emotion data set."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from musiclab.commands.build_fma.genres import named_genres, top_genres
from musiclab.commands.build_fma.metadata import (
    PARTS,
    SUBSETS,
    FmaTrack,
    Subset,
    read_emotions,
    read_genres,
    read_tracks,
)
from musiclab.data.audio.copies import Duplicates, settle_copies
from musiclab.data.audio.extraction import Clip, Kind, extract_tracks
from musiclab.data.audio.label_files import (
    AXES,
    EMOTION_FOLDER,
    EMOTION_HEADER,
    GENRE_FOLDER,
    GENRE_HEADER,
    emotion_row,
    genre_row,
    track_name,
    write_artists,
    write_labels,
)
from musiclab.data.audio.output import Output, claimed, fit_command, output_folders, planned_tracks, report
from musiclab.data.labels import LAB_CLASS_MAP
from musiclab.errors import UserError


class DataSet(NamedTuple):
    """A data set to make.

    Attributes:
        output: Its folders, settings and tracks.
        header: First line of its label files.
        rows: Rows of the label file of each part, by track id.
        artists: Artist of each track, by id as text.
        left_out: How many tracks are left out for which reason.
        fit: A config that trains on it, and options.
    """

    output: Output
    header: str
    rows: Mapping[str, Mapping[str, str]]
    artists: Mapping[str, str]
    left_out: Counter[str]
    fit: tuple[str, ...]


def build_fma(
    *,
    audio: str,
    metadata: str,
    out: str,
    genres: list[str] | None = None,
    subset: Subset | None = None,
    kind: Kind = "both",
    offset: float = 0.0,
    seconds: float | None = 30.0,
    jobs: int | None = None,
    duplicates: Duplicates = "keep",
) -> None:
    """Make a genre and an emotion data set of the Free Music Archive (FMA), with its own split by artists.

    They go to OUT/fma_genre_spectrograms and OUT/multitask_dataset; those with a column a beat have _beat after that.
    The same command again goes on where it stopped, and tries again what failed. Failures are listed in failures.csv
    of each data set and are not in the label files; the exit code is then 1.

    Args:
        audio: Folder of the unpacked audio, such as fma_medium/, which holds 000/000002.mp3 and so on.
        metadata: Folder of the unpacked fma_metadata.zip, which holds tracks.csv, genres.csv and echonest.csv.
        out: Folder to make the data sets in.
        genres: Titles of genres.csv, as in Rock Psych-Rock, or lab for the lab's 20 genres: a track gets the one
            that is deepest in the tree of genres, of its own and all above these. Null for the 16 top genres.
        subset: Which tracks to take; null for the subset that the audio folder is named after.
        kind: Which arrays to make. Both are computed in one pass, in little more time than the beat-synchronised
            ones alone.
        offset: Where to begin in each file, in s.
        seconds: How much of each file to take at most, in s; null for all of it.
        jobs: Number of processes; null for as many as there are cores.
        duplicates: What to do with the same music twice in a data set, be it identical arrays or likely the same
            recording at another gain or encoding: keep lists it in duplicates.csv, drop also leaves out the later of
            two tracks, those to train on coming first. A track that is left out is extracted again by the next run,
            and left out again.
    """
    clip = Clip(offset, seconds)
    names = list(LAB_CLASS_MAP) if genres == ["lab"] else genres
    clips = _folder(audio, "audio, such as fma_medium.zip")
    tables = _folder(metadata, "fma_metadata.zip")
    root = _output_root(out)
    subset = subset or _subset_of(clips)
    tracks = read_tracks(tables / "tracks.csv", subset)
    labelled = top_genres(tracks) if names is None else named_genres(tracks, read_genres(tables / "genres.csv"), names)
    emotions, incomplete = _emotions(tables / "echonest.csv", tracks)

    artists = {str(identifier): track.artist for identifier, track in tracks.items()}
    settings = {"made by": "musiclab build-fma", "subset": subset, "offset": clip.offset, "seconds": clip.seconds}
    rows = _divide({i: genre_row(i, genre) for i, genre in labelled.genres.items()}, tracks, GENRE_FOLDER)
    chosen = sorted(set(genres)) if genres else None
    output = _output(root / GENRE_FOLDER, kind, {**settings, "genres": chosen}, rows, clips)
    fit = ("genre_cnn.yaml", *([] if genres == ["lab"] else ["--data.class_map null"]))  # which merges the lab's
    genre_set = DataSet(output, GENRE_HEADER, rows, artists, labelled.left_out, fit)
    rows = _divide({i: emotion_row(i, values) for i, values in emotions.items()}, tracks, EMOTION_FOLDER)
    output = _output(root / EMOTION_FOLDER, kind, settings, rows, clips)
    emotion_set = DataSet(output, EMOTION_HEADER, rows, artists, incomplete, ("emotion_multitask.yaml",))
    make_data_sets([genre_set, emotion_set], clips, clip, jobs, duplicates)


def make_data_sets(
    data_sets: list[DataSet], clips: Path, clip: Clip, jobs: int | None, duplicates: Duplicates = "keep"
) -> None:
    """Extract what data sets need and write their label files; sum them up on screen.

    Raises:
        UserError: If there is no audio, or the folders hold something else.
        SystemExit: With code 1 if tracks failed.
    """
    outputs = [data_set.output for data_set in data_sets]
    tracks = planned_tracks(*outputs)
    if not any(track.path.is_file() for track in tracks):
        example = tracks[0].path.relative_to(clips)
        raise UserError(f"{clips}: no audio of the subset was found, such as {example}; check --audio and --subset")
    with claimed(*outputs, complete=True):
        outcome = extract_tracks(tracks, clip, jobs)
        report(outcome, *outputs)
        for data_set in data_sets:
            labels = {
                track_name(part, identifier): row.split("\t" if data_set.header == GENRE_HEADER else ",", 1)[1]
                for part, rows in data_set.rows.items()
                for identifier, row in rows.items()
            }
            settle_copies(data_set.output, labels, duplicates)
            _write_labels(data_set)
    for data_set in data_sets:
        config, *options = data_set.fit
        for form, folder in data_set.output.folders.items():
            print(f"musiclab check {folder}")
            print(fit_command(config, form, data_set.output, *options))
    if outcome.failures:
        raise SystemExit(1)


def _folder(path: str, content: str) -> Path:
    folder = Path(path).expanduser().absolute()
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; give that of the unpacked {content}")
    return folder


def _output_root(out: str) -> Path:
    root = Path(out).expanduser().absolute()
    for name in ("extraction.json", "train_labels.txt", "train"):
        if (root / name).exists():
            raise UserError(f"{root}: is a data set or an extraction itself (it holds {name}); name another folder")
    return root


def _subset_of(clips: Path) -> Subset:
    for subset in SUBSETS:
        if clips.name == f"fma_{subset}":
            return subset
    raise UserError(f"{clips}: not called after a subset, as fma_medium; say which: --subset {'|'.join(SUBSETS)}")


def _emotions(path: Path, tracks: Mapping[int, FmaTrack]) -> tuple[dict[int, list[float]], Counter[str]]:
    """Return the values of the tracks that have all of them, and how many have only some."""
    known = read_emotions(path)
    values = {identifier: row for identifier in tracks if (row := known.get(identifier)) is not None}
    incomplete = sum(identifier in tracks and row is None for identifier, row in known.items())
    return values, +Counter({f"without a value of {', '.join(AXES)}": incomplete})


def _divide(rows: Mapping[int, str], tracks: Mapping[int, FmaTrack], name: str) -> dict[str, dict[str, str]]:
    """Return rows of labels by part and by the id as text, which is the plain number: 2, not 000002."""
    parts: dict[str, dict[str, str]] = {part: {} for part in PARTS.values()}
    for identifier, row in rows.items():
        parts[tracks[identifier].part][str(identifier)] = row
    for part in ("train", "test"):
        if not parts[part]:
            advice = "take another --subset, or other --genres"
            raise UserError(f"{name}: would have no track of the subset in {part}/; {advice}")
    return parts


def _output(
    folder: Path, kind: Kind, settings: Mapping[str, object], rows: Mapping[str, Mapping[str, str]], clips: Path
) -> Output:
    sources = {
        track_name(part, identifier): clips / identifier.zfill(6)[:3] / f"{identifier.zfill(6)}.mp3"
        for part, labelled in rows.items()
        for identifier in labelled
    }
    return Output(output_folders(folder, kind), settings, sources)


def _write_labels(data_set: DataSet) -> None:
    """Write the label files of all forms and who made the tracks, and say what they hold."""
    for folder in data_set.output.folders.values():
        listed = {part: write_labels(folder, part, data_set.header, rows) for part, rows in data_set.rows.items()}
        write_artists(folder, {one: data_set.artists[one] for ids in listed.values() for one in ids})
        print(f"{folder.name}: " + ", ".join(f"{len(ids)} {part}" for part, ids in listed.items()))
        if data_set.header == GENRE_HEADER:
            genres = Counter(data_set.rows[part][i].split("\t")[1] for part, ids in listed.items() for i in ids)
            print("  " + ", ".join(f"{genre} {count}" for genre, count in genres.most_common()))
    for reason, count in data_set.left_out.items():
        print(f"  left out: {count} {'track' if count == 1 else 'tracks'} {reason}")
