"""``musiclab build-genres``: audio files in a folder per genre to a genre data set."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from musiclab.data.audio.copies import Duplicates, settle_copies
from musiclab.data.audio.extraction import Clip, Kind, extract_tracks
from musiclab.data.audio.files import AudioFile, Ids, find_audio, make_id, name_tracks, plain_name
from musiclab.data.audio.label_files import GENRE_HEADER, genre_row, track_name, write_labels
from musiclab.data.audio.output import Output, claimed, fit_command, output_folders, planned_tracks, report
from musiclab.data.ids import id_order
from musiclab.data.splitting import split_tracks
from musiclab.data.tables import one_form, read_lines
from musiclab.errors import UserError

PARTS = ("train", "test")


def build_genres(
    tree: str,
    *,
    out: str,
    kind: Kind = "both",
    test_fraction: float = 0.2,
    seed: int = 0,
    train_list: str | None = None,
    test_list: str | None = None,
    offset: float = 0.0,
    seconds: float | None = 30.0,
    ids: Ids = "stem",
    duplicates: Duplicates = "keep",
    jobs: int | None = None,
) -> None:
    """Make a genre data set of audio files that lie in a folder per genre, as those of GTZAN do.

    The same command again goes on where it stopped, and tries again what failed. Failures are listed in
    failures.csv and are not in the label files; the exit code is then 1.

    Args:
        tree: Folder with a folder for each genre, whose name is the genre's. Folders in it may have folders.
        out: Data set folder to make, for arrays with a column a frame of 23 ms; those with a column a beat go to
            OUT_beat.
        kind: Which arrays to make. Both are computed in one pass, in little more time than the beat-synchronised
            ones alone.
        test_fraction: Share of the tracks to test on, genres in proportion.
        seed: Seed of the split. It is drawn before tracks fail.
        train_list: Text file with a track to train on a line: its path in the tree, its file's name or its id. With
            it, or with test_list, nothing is drawn: all other tracks go to the other part.
        test_list: The same for testing. With both lists, tracks in neither are left out.
        offset: Where to begin in each file, in s.
        seconds: How much of each file to take at most, in s; null for all of it.
        ids: Name tracks by the file's name (stem) or with the folders of the tree before it (path). Dots and slashes
            become _.
        duplicates: What to do with the same music twice, be it identical arrays or likely the same recording at
            another gain or encoding: keep lists it in duplicates.csv, drop also leaves out the later of two tracks,
            by their ids. A track that is left out is extracted again by the next run, and left out again.
        jobs: Number of processes; null for as many as there are cores.
    """
    clip = Clip(offset, seconds)
    folders = output_folders(out, kind)
    if not Path(tree).expanduser().is_dir():
        raise UserError(f"{tree}: no such folder; give one that has a folder of audio files for each genre")
    files = name_tracks(find_audio([tree]), ids)
    genres = {identifier: genre_of(file, tree) for identifier, file in files.items()}
    if train_list is None and test_list is None:
        parts = draw_parts(genres, test_fraction, seed)
    else:
        parts = listed_parts(files, train_list, test_list)
    settings = {"made by": "musiclab build-genres", "offset": clip.offset, "seconds": clip.seconds}
    sources = {track_name(part, identifier): files[identifier].path for identifier, part in parts.items()}
    output = Output(folders, settings, sources)
    with claimed(output, complete=True):
        outcome = extract_tracks(planned_tracks(output), clip, jobs)
        labels = {track_name(part, identifier): genres[identifier] for identifier, part in parts.items()}
        settle_copies(output, labels, duplicates)
        for folder in folders.values():
            for part in PARTS:
                rows = {i: genre_row(i, genres[i]) for i, own_part in parts.items() if own_part == part}
                write_labels(folder, part, GENRE_HEADER, rows)
        report(outcome, output)
    for form, folder in folders.items():
        print(fit_command("genre_cnn.yaml", form, folder, "--data.class_map null"))
    if outcome.failures:
        raise SystemExit(1)


def genre_of(file: AudioFile, tree: str) -> str:
    """Return the genre of a file: the first folder on the way to it.

    Raises:
        UserError: If it lies in no folder.
    """
    if len(file.name.parts) < 2:
        raise UserError(f"{file.path}: lies in no genre's folder of {tree}; move it to one or elsewhere")
    return plain_name(" ".join(file.name.parts[0].split()))


def draw_parts(genres: Mapping[str, str], test_fraction: float, seed: int) -> dict[str, str]:
    """Draw which tracks to train and test on, genres in proportion; return the part of each id.

    Raises:
        UserError: If there are too few tracks for that.
    """
    identifiers = sorted(genres, key=id_order)
    classes = [genres[identifier] for identifier in identifiers]
    split = split_tracks(len(identifiers), classes, fraction=test_fraction, seed=seed, option="--test_fraction")
    held_out = set(split.held_out.tolist())
    return {identifier: PARTS[index in held_out] for index, identifier in enumerate(identifiers)}


def listed_parts(files: Mapping[str, AudioFile], train_list: str | None, test_list: str | None) -> dict[str, str]:
    """Return the part of each id that lists give; one list alone leaves all other tracks to the other part.

    Raises:
        UserError: If a list cannot be read, or names a track that is not there, several at once, or one of the other
            list.
    """
    known = _names(files)
    lists = {part: path for part, path in zip(PARTS, (train_list, test_list), strict=True) if path is not None}
    listed = {part: _read_list(Path(path).expanduser(), known) for part, path in lists.items()}
    train = listed.get("train", files.keys() - listed.get("test", set()))
    test = listed.get("test", files.keys() - train)
    both = sorted(train & test)
    if both:
        raise UserError(f"track {both[0]} is both in {train_list} and in {test_list}; remove it from one of them")
    for part, chosen in (("train", train), ("test", test)):
        if not chosen:
            raise UserError(f"{' and '.join(lists.values())}: leave no track for {part}/; list fewer or other tracks")
    parts = dict.fromkeys(train, "train") | dict.fromkeys(test, "test")
    return {identifier: parts[identifier] for identifier in sorted(parts, key=id_order)}


def _names(files: Mapping[str, AudioFile]) -> dict[str, set[str]]:
    """Return the ids that each way to name a track in a list may mean."""
    known: dict[str, set[str]] = {}
    for identifier, (path, name) in files.items():
        ways: set[Any] = {identifier, path, name, name.with_suffix(""), name.name, name.stem, make_id(Path(name.name))}
        for way in ways:
            known.setdefault(one_form(str(way)), set()).add(identifier)
    return known


def _read_list(path: Path, known: Mapping[str, set[str]]) -> set[str]:
    found: set[str] = set()
    problems = []
    for line in read_lines(path):
        meant = known.get(one_form(str(Path(line))), set())
        if len(meant) == 1:
            found |= meant
        elif meant:
            problems.append(f"{path}: {line} may be any of {', '.join(sorted(meant))}; give its path in the tree")
        else:
            problems.append(f"{path}: {line} is not in the tree; give paths in the tree, names of files or ids")
    if problems:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise UserError(problems[0] + more)
    return found
