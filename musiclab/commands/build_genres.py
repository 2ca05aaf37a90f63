"""``musiclab build-genres``: audio files in a folder per genre to a genre data set."""

from collections.abc import Mapping
from pathlib import Path

from musiclab.data.audio.copies import Duplicates
from musiclab.data.audio.data_set import PARTS, draw_parts, make_data_set, names_of
from musiclab.data.audio.extraction import Clip, Kind
from musiclab.data.audio.features import own_recipe
from musiclab.data.audio.files import AudioFile, Ids, find_audio, name_tracks, plain_name
from musiclab.data.audio.label_files import GENRE_HEADER, genre_row, track_name
from musiclab.data.audio.output import Output, fit_command, output_folders
from musiclab.data.ids import id_order
from musiclab.data.tables import one_form, read_lines
from musiclab.errors import UserError, raise_first


def build_genres(
    tree: str,
    *,
    out: str,
    kind: Kind | None = None,
    test_fraction: float = 0.2,
    seed: int = 0,
    train_list: str | None = None,
    test_list: str | None = None,
    offset: float = 0.0,
    seconds: float | None = 30.0,
    mels: int | None = None,
    hop: int | None = None,
    rate: int | None = None,
    window: int | None = None,
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
        kind: Which arrays to make; null for both, which are computed in one pass, in little more time than the
            beat-synchronised ones alone. Of other mel bands than the lab's there are full ones.
        test_fraction: Share of the tracks to test on, genres in proportion.
        seed: Seed of the split. It is drawn before tracks fail.
        train_list: Text file with a track to train on a line: its path in the tree, its file's name or its id. With
            it, or with test_list, nothing is drawn: all other tracks go to the other part.
        test_list: The same for testing. With both lists, tracks in neither are left out.
        offset: Where to begin in each file, in s.
        seconds: How much of each file to take at most, in s; null for all of it.
        mels: Number of mel bands; with any of mels, hop, rate and window, the rows are mel bands in dB alone, without
            chroma, and `fit` takes them by --data.features all. A features.json beside the arrays says how they were
            made, and `predict` makes those of songs alike.
        hop: Samples from one frame to the next; null for 512.
        rate: Sample rate in Hz; null for 22050.
        window: Length of a window in samples; null for 2048.
        ids: Name tracks by the file's name (stem) or with the folders of the tree before it (path). Dots and slashes
            become _.
        duplicates: What to do with the same music twice, be it identical arrays or likely the same recording at
            another gain or encoding: keep lists it in duplicates.csv, drop also leaves out the later of two tracks,
            by their ids. A track that is left out is extracted again by the next run, and left out again.
        jobs: Number of processes; null for as many as there are cores.
    """
    recipe = own_recipe(mels, hop, rate, window)
    clip = Clip(offset, seconds, recipe)
    folders = output_folders(out, kind, recipe)
    if not Path(tree).expanduser().is_dir():
        raise UserError(f"{tree}: no such folder; give one that has a folder of audio files for each genre")
    files = name_tracks(find_audio([tree]), ids)
    genres = {identifier: genre_of(file, tree) for identifier, file in files.items()}
    if train_list is None and test_list is None:
        parts = draw_parts(list(genres), list(genres.values()), test_fraction, seed)
    else:
        parts = listed_parts(files, train_list, test_list)
    settings = {"made by": "musiclab build-genres", "offset": clip.offset, "seconds": clip.seconds}
    sources = {track_name(part, identifier): files[identifier].path for identifier, part in parts.items()}
    rows = {part: {i: genre_row(i, genres[i]) for i, own in parts.items() if own == part} for part in PARTS}
    output = Output(folders, settings, sources, recipe)
    outcome = make_data_set(output, clip, GENRE_HEADER, rows, duplicates, jobs)
    for form in folders:
        print(fit_command("genre_cnn.yaml", form, output, "--data.class_map null"))
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


def listed_parts(files: Mapping[str, AudioFile], train_list: str | None, test_list: str | None) -> dict[str, str]:
    """Return the part of each id that lists give; one list alone leaves all other tracks to the other part.

    Raises:
        UserError: If a list cannot be read, or names a track that is not there, several at once, or one of the other
            list.
    """
    known = names_of(files)
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
    raise_first(problems, listed="")
    return found
