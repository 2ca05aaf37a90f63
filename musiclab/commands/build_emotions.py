"""``musiclab build-emotions``: audio files and a table of ratings to an emotion data set."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from musiclab.data.audio.asked_recipe import own_recipe
from musiclab.data.audio.copies import Duplicates
from musiclab.data.audio.data_set import draw_parts, make_data_set, names_of
from musiclab.data.audio.extraction import Clip, Kind
from musiclab.data.audio.files import Ids, find_audio, name_tracks
from musiclab.data.audio.label_files import emotion_row, track_name
from musiclab.data.audio.output import Output, fit_command, output_folders
from musiclab.data.audio.ratings import Rating, match_ratings, meaning, read_ratings
from musiclab.data.audio.unmatched import Unmatched, tell_unmatched
from musiclab.data.ids import id_order
from musiclab.data.tables import as_list
from musiclab.errors import UserError
from musiclab.files import shown
from musiclab.spectrogram import MUSICNN, RecipeName


def build_emotions(
    inputs: list[str],
    *,
    labels: str,
    out: str,
    axes: list[str] | None = None,
    value_range: tuple[float, float] = (0.0, 1.0),
    kind: Kind | None = None,
    test_fraction: float = 0.0,
    seed: int = 0,
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
    """Make an emotion data set of audio files and a table of ratings, on any axes.

    The same command again goes on where it stopped, and tries again what failed. Failures are listed in
    failures.csv and are not in the label files; the exit code is then 1. Songs without a row and rows without a song
    are listed in unmatched.csv and left out, which is no failure.

    Args:
        inputs: Audio files, folders, which are searched with all folders below them, or text files (.txt) with a path
            a line.
        labels: Table of ratings, separated by commas or tabs, a row a song: a column that names it (id, song, track,
            file or name), by its file's name with or without ending, its path or its id; columns of numbers; and
            artist, if it is known, for artists.txt.
        out: Data set folder to make, for arrays with a column a frame of 23 ms; those with a column a beat go to
            OUT_beat.
        axes: Columns to take for axes; null for all that hold numbers.
        value_range: Lowest and highest value of a rating.
        kind: Which arrays to make; null for both, which are computed in one pass, in little more time than the
            beat-synchronised ones alone. Of other mel bands than the lab's there are full ones.
        test_fraction: Share of the songs to test on, in test/, tracks of one artist together. 0 for none: all songs are
            in train/, of which a training draws its test part itself.
        seed: Seed of that draw.
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
        ids: Name tracks by the file's name (stem) or with the folders below the input before it (path). Dots and
            slashes become _.
        duplicates: What to do with the same music twice, be it identical arrays or likely the same recording at
            another gain or encoding: keep lists it in duplicates.csv, drop also leaves out the later of two tracks,
            by their ids. A track that is left out is extracted again by the next run, and left out again.
        jobs: Number of processes; null for as many as there are cores.
    """
    made = own_recipe(mels, hop, rate, window, recipe)
    clip = Clip(offset, seconds, made)
    folders = output_folders(out, kind, made)
    if not 0 <= test_fraction < 1:
        raise UserError(f"test_fraction is {test_fraction}; it must be 0 for no test part, or below 1, as in 0.2")
    table = Path(labels).expanduser()
    columns = None if axes is None else [name for word in axes for name in as_list(word)]
    ratings = read_ratings(table, columns, value_range)
    files = name_tracks(find_audio(inputs), ids)
    known = names_of(files)
    matched = match_ratings(table, ratings.rows, known)
    parts = draw(matched, test_fraction, seed)
    sources = {track_name(part, identifier): files[identifier].path for identifier, part in parts.items()}
    settings = {"made by": "musiclab build-emotions", "offset": clip.offset, "seconds": clip.seconds}
    output = Output(folders, settings, sources, made)
    header = ",".join(["Id", *ratings.axes])
    rows: dict[str, dict[str, str]] = {part: {} for part in ("train", *(["test"] if test_fraction else []))}
    for identifier, part in parts.items():
        rows[part][identifier] = emotion_row(identifier, matched[identifier].values)
    artists = {identifier: rating.artist for identifier, rating in matched.items() if rating.artist}
    outcome = make_data_set(output, clip, header, rows, duplicates, jobs, artists)
    first = next(iter(folders.values()))
    print(shown(f"Axes: {', '.join(ratings.axes)}" + _not_taken(ratings.others)))
    without_row = [str(files[identifier].path) for identifier in files if identifier not in matched]
    without_song = [rating.song for rating in ratings.rows if not meaning(rating.song, known)]
    kinds = [
        Unmatched("song without a row", without_row, f"songs have no row in {table}"),
        Unmatched("row without a song", without_song, f"rows of {table} have no song"),
    ]
    tell_unmatched(first, kinds)
    options = [] if value_range == (0.0, 1.0) else [f"--data.value_range [{value_range[0]:g},{value_range[1]:g}]"]
    config = "emotion_multitask.yaml" if len(ratings.axes) > 1 else "emotion_cnn.yaml"
    if made == MUSICNN:
        config, options = "ear_emotion.yaml", [*options, "--model.pretrained musicnn.ckpt"]
    for form in folders:
        print(fit_command(config, form, output, *options))
    if outcome.failures:
        raise SystemExit(1)


def draw(matched: Mapping[str, Rating], test_fraction: float, seed: int) -> dict[str, str]:
    """Return the part of each song, those of one artist in one of them.

    Raises:
        UserError: If there are too few songs, or artists, for that.
    """
    identifiers = sorted(matched, key=id_order)
    if not test_fraction:
        return dict.fromkeys(identifiers, "train")
    groups = {identifier: matched[identifier].artist or f"song {identifier}" for identifier in identifiers}
    drawn = draw_parts(list(dict.fromkeys(groups.values())), None, test_fraction, seed)
    return {identifier: drawn[group] for identifier, group in groups.items()}


def _not_taken(columns: Sequence[str]) -> str:
    return f"; not taken for axes: {', '.join(columns)}" if columns else ""
