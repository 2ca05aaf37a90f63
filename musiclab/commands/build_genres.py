"""``musiclab build-genres``: audio files in a folder per genre to a genre data set."""

from collections.abc import Mapping
from itertools import combinations
from pathlib import Path

from musiclab.data.artists import FILE, Artists
from musiclab.data.audio.asked_recipe import own_recipe
from musiclab.data.audio.copies import Duplicates
from musiclab.data.audio.data_set import PARTS, draw_parts, make_data_set, names_of
from musiclab.data.audio.extraction import Clip, Kind
from musiclab.data.audio.files import AudioFile, Ids, audio_suffixes, find_audio, name_tracks, plain_name
from musiclab.data.audio.label_files import GENRE_HEADER, genre_row, track_name
from musiclab.data.audio.output import Output, fit_command, output_folders
from musiclab.data.audio.unmatched import Unmatched, tell_unmatched
from musiclab.data.ids import id_order
from musiclab.data.tables import one_form, read_lines
from musiclab.errors import UserError, raise_first
from musiclab.spectrogram import MUSICNN, RecipeName

LISTED = (*PARTS, "validation")


def build_genres(
    tree: str,
    *,
    out: str,
    kind: Kind | None = None,
    test_fraction: float = 0.2,
    seed: int = 0,
    train_list: str | None = None,
    test_list: str | None = None,
    validation_list: str | None = None,
    artist_level: int | None = None,
    offset: float = 0.0,
    seconds: float | None = 30.0,
    mels: int | None = None,
    hop: int | None = None,
    rate: int | None = None,
    window: int | None = None,
    recipe: RecipeName | None = None,
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
        test_fraction: Share of the tracks to test on, genres in proportion, tracks of one artist together; 0 for none,
            where all are to be tested on in turn: fit with --data.folds 5 --data.test_fraction 0.2.
        seed: Seed of the split. It is drawn before tracks fail.
        train_list: Text file with a track to train on a line: its path in the tree (blues/blues.00029.wav, with
            whatever ending), its file's name or its id. With it, or with test_list, nothing is drawn: all other tracks
            go to the other part. What it names and is not there is listed in unmatched.csv.
        test_list: The same for testing. With both lists, tracks in neither are left out.
        validation_list: The same for validation, beside one of these lists or both.
        artist_level: Where folders are called after artists: 1 for GENRE/ARTIST/song.mp3, also with albums below, 2 for
            the folders below those. It gives artists.txt, by which trainings keep the tracks of an artist in one part.
            Null if there are none. A track that lies less deep has no artist.
        offset: Where to begin in each file, in s.
        seconds: How much of each file to take at most, in s; null for all of it.
        mels: Number of mel bands; with any of mels, hop, rate and window, the rows are mel bands in dB alone, without
            chroma, and `fit` takes them by --data.features all. A features.json beside the arrays says how they were
            made, and `predict` makes those of songs alike.
        hop: Samples from one frame to the next; null for 512.
        rate: Sample rate in Hz; null for 22050.
        window: Length of a window in samples; null for 2048.
        recipe: Name of a way of making arrays, in place of mels, hop, rate and window: musicnn for what the pretrained
            MusiCNN reads, 96 mel bands at 16 kHz, log10(10000 x + 1) of power.
        ids: Name tracks by the file's name (stem) or with the folders of the tree before it (path). Dots and slashes
            become _.
        duplicates: What to do with the same music twice, be it identical arrays or likely the same recording at
            another gain or encoding: keep lists it in duplicates.csv, drop also leaves out the later of two tracks,
            by their ids. A track that is left out is extracted again by the next run, and left out again.
        jobs: Number of processes; null for as many as there are cores.
    """
    made = own_recipe(mels, hop, rate, window, recipe)
    clip = Clip(offset, seconds, made)
    folders = output_folders(out, kind, made)
    if not Path(tree).expanduser().is_dir():
        raise UserError(f"{tree}: no such folder; give one that has a folder of audio files for each genre")
    files = name_tracks(find_audio([tree]), ids)
    genres = {identifier: genre_of(file, tree) for identifier, file in files.items()}
    artists = None if artist_level is None else artists_of(files, artist_level)
    unmatched: list[Unmatched] = []
    if train_list is None and test_list is None and validation_list is None:
        parts = (
            draw_parts(list(genres), list(genres.values()), test_fraction, seed, artists)
            if test_fraction
            else dict.fromkeys(sorted(genres, key=id_order), "train")
        )
    else:
        parts, unmatched = listed_parts(files, train_list, test_list, validation_list)
    settings = {"made by": "musiclab build-genres", "offset": clip.offset, "seconds": clip.seconds}
    sources = {track_name(part, identifier): files[identifier].path for identifier, part in parts.items()}
    rows = {part: {i: genre_row(i, genres[i]) for i, own in parts.items() if own == part} for part in LISTED}
    output = Output(folders, settings, sources, made)
    outcome = make_data_set(output, clip, GENRE_HEADER, rows, duplicates, jobs, artists and artists.of)
    if artists:
        print(f"Artists: {len(artists.known(list(parts)))}, of {sum(i in artists.of for i in parts)} tracks")
    tell_unmatched(next(iter(folders.values())), unmatched)
    for form in folders:
        options = ["--data.class_map null"]
        config = "genre_cnn.yaml"
        if made == MUSICNN:
            config, options = "ear_genre.yaml", [*options, "--model.pretrained musicnn.ckpt"]
        print(fit_command(config, form, output, *options))
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


def artists_of(files: Mapping[str, AudioFile], level: int) -> Artists:
    """Return the artist of each track: the folder on the way to it, so many below its genre's.

    Raises:
        UserError: If no track lies so deep.
    """
    if level < 1:
        raise UserError(f"artist_level is {level}; it must be 1 or more, or null where no folder is an artist's")
    deep = {identifier: file.name.parts for identifier, file in files.items() if len(file.name.parts) > level + 1}
    if not deep:
        example = next(iter(files.values())).path
        raise UserError(f"{example}: no track lies in a folder {level} below its genre's; give --artist_level null")
    of = {identifier: plain_name(" ".join(parts[level].split())) for identifier, parts in deep.items()}
    return Artists(Path(FILE), of)


def listed_parts(
    files: Mapping[str, AudioFile], train_list: str | None, test_list: str | None, validation_list: str | None = None
) -> tuple[dict[str, str], list[Unmatched]]:
    """Return the part of each id that lists give, and what the lists name that is not there, and do not name.

    Without a list to train on, or to test on, all tracks that are in no other list are that part.

    Raises:
        UserError: If a list cannot be read, or names no track that is there, several at once, or one of another list.
    """
    known = names_of(files)
    lists = {"train": train_list, "test": test_list, "validation": validation_list}
    paths = {part: Path(path).expanduser() for part, path in lists.items() if path is not None}
    if paths.keys() == {"validation"}:
        raise UserError(f"{validation_list}: what is to be tested on is not said; give --test_list or --train_list too")
    read = {part: _read_list(path, known) for part, path in paths.items()}
    listed = {part: found for part, (found, _) in read.items()}
    for one, other in combinations(listed, 2):
        if both := sorted(listed[one] & listed[other]):
            raise UserError(
                f"track {both[0]} is both in {lists[one]} and in {lists[other]}; remove it from one of them"
            )
    rest = files.keys() - set().union(*listed.values())
    for part in PARTS:
        if part not in listed:
            listed[part], rest = set(rest), set()
        if not listed[part]:
            raise UserError(f"{' and '.join(map(str, paths.values()))}: leave no track for {part}/; list others")
    unmatched = [
        Unmatched(f"line of {path} without a file", read[part][1], f"tracks of {path} are not in the tree")
        for part, path in paths.items()
    ]
    unlisted = [str(files[identifier].path) for identifier in sorted(rest, key=id_order)]
    unmatched.append(Unmatched("file in no list", unlisted, "files are in no list"))
    parts = {identifier: part for part, found in listed.items() for identifier in found}
    return {identifier: parts[identifier] for identifier in sorted(parts, key=id_order)}, unmatched


def _read_list(path: Path, known: Mapping[str, set[str]]) -> tuple[set[str], list[str]]:
    """Return the ids that a list names, and the lines that name no file."""
    found: set[str] = set()
    missing, problems = [], []
    for line in read_lines(path):
        name = Path(line)
        meant = known.get(one_form(str(name)))
        if meant is None and name.suffix.lower() in audio_suffixes():  # the tree's files may have another ending
            meant = known.get(one_form(str(name.with_suffix(""))))
        if meant is None:
            missing.append(line)
        elif len(meant) > 1:
            problems.append(f"{path}: {line} may be any of {', '.join(sorted(meant))}; give its path in the tree")
        else:
            found |= meant
    raise_first(problems, listed="")
    if missing and not found:
        raise UserError(
            f"{path}: {missing[0]} is not in the tree, nor is any other; give paths in it, as GENRE/NAME.wav"
        )
    return found, missing
