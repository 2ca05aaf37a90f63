"""The demo corpus: synthesised music laid out as the lab's data set, so that everything can be tried.

It holds what a real data set holds, quirks of the label files included: raw genres of which some merge and
some are dropped, labels whose names differ from those on disk, emotion tracks for testing without labels.
The same seed gives the same bytes, whatever the number of processes.
"""

import json
import shutil
import uuid
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock

from musiclab.data.audio import features
from musiclab.data.audio.extraction import ARRAY_ENDING
from musiclab.data.audio.label_files import EMOTION_FOLDER, EMOTION_HEADER, GENRE_FOLDER, GENRE_HEADER
from musiclab.data.audio.output import BEAT_SUFFIX
from musiclab.data.audio.processes import in_processes
from musiclab.demo.genres import draw_emotions, draw_traits
from musiclab.demo.synth import render
from musiclab.errors import UserError
from musiclab.files import cache_folder, write_text
from musiclab.spectrogram import SAMPLE_RATE

VERSION = 2
"""Part of what makes two corpora the same: raised whenever the arrays, the labels or the songs change."""

DESCRIPTION = "corpus.json"

# Tracks of each raw genre in 60. Under the lab's map 8 classes of 6 to 8 remain; the last two are dropped.
GENRE_SHARES = {
    "Rock": 5, "Psych-Rock": 3, "Folk": 5, "Psych-Folk": 2, "Metal": 4, "Punk": 3, "Electronic": 5,
    "Chiptune": 2, "Hip-Hop": 7, "Classical": 6, "Jazz": 6, "Blues": 6, "Indie-Rock": 3, "Soundtrack": 3,
}  # fmt: skip

SONG_FOLDER, SONGS = "songs", ("Classical", "Electronic", "Jazz", "Metal")
"""Where songs lie that are in neither data set, to ask models about; they are called after their genres."""

_LABEL_ENDINGS = (".fused.full.npy.gz", ".full.fused.npy.gz")  # both occur in the lab's files
_BEAT_LABEL_ENDING = ".beatsync.fused.npy.gz"
_MIN_COLUMNS = 6  # of a beat-synchronised array; a track with hardly a beat is drawn anew


@dataclass(frozen=True)
class _Track:
    """One track to make: where it goes, and the number that its randomness follows from."""

    index: int
    id: int
    genre: str
    folder: str
    split: str


def make_corpus(
    out: str | Path,
    seed: int = 0,
    genre_train: int = 480,
    genre_test: int = 120,
    emotion_train: int = 200,
    emotion_test: int = 40,
    beats: bool = True,
    jobs: int | None = None,
) -> Path:
    """Make the demo corpus, once: a corpus that was made with the same arguments is left as it is.

    The corpus appears under its name only when it is complete. A second process that asks for the same corpus
    meanwhile waits for it.

    Args:
        out: folder to make.
        seed: seed of all that is random.
        genre_train: number of training tracks with a genre; at least one of each of the 14 raw genres, and about 100
            for a training to validate on a tenth of them.
        genre_test: number of test tracks with a genre.
        emotion_train: number of tracks with valence, energy and danceability.
        emotion_test: number of such tracks without labels.
        beats: whether to make the beat-synchronised arrays, too, for which beats have to be found. Without them, the
            few tracks in which none is found are others.
        jobs: number of processes; as many as there are cores by default.

    Returns:
        ``out``, absolute.

    Raises:
        UserError: if ``out`` holds something else or cannot be written, or a size or the seed is too small.
    """
    out = Path(out).expanduser().absolute()
    sizes = {"genre_train": genre_train, "genre_test": genre_test}
    sizes |= {"emotion_train": emotion_train, "emotion_test": emotion_test}
    for name, value in {"seed": seed, **sizes}.items():
        least = {"seed": 0, "genre_train": len(GENRE_SHARES)}.get(name, 1)
        if value < least:
            raise UserError(f"{name} is {value}: the demo corpus needs at least {least}")
    description = {"corpus": "musiclab demo", "version": VERSION, "seed": seed, **sizes, "beats": beats}
    if _is_made(out, description):
        return out
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(out.parent / f".{out.name}.lock"):
            if not _is_made(out, description):
                _make(out, description, _plan(seed, sizes), jobs)
    except OSError as error:
        raise UserError(f"{out}: the demo corpus cannot be written ({error}); name another folder") from error
    return out


def demo_folder(name: str, beat_synced: bool = False) -> Path:
    """Return a data set folder of the demo corpus in the cache folder; the first call makes the corpus.

    Args:
        name: ``fma_genre_spectrograms`` or ``multitask_dataset``.
        beat_synced: Whether a column of the arrays is to be a beat.
    """
    return make_corpus(cache_folder() / f"demo-corpus-v{VERSION}") / (name + (BEAT_SUFFIX if beat_synced else ""))


def _is_made(out: Path, description: dict[str, object]) -> bool:
    """Tell whether the corpus is there; refuse a folder that holds anything else."""
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return False
    try:
        found = json.loads((out / DESCRIPTION).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise UserError(f"{out} is there and is no demo corpus: name another folder") from None
    if found != description:
        raise UserError(
            f"{out} holds a demo corpus made with other arguments ({found}): remove it or name another folder"
        )
    return True


def _make(out: Path, description: dict[str, Any], tracks: list[_Track], jobs: int | None) -> None:
    """Write the corpus to a folder beside ``out``, then rename it; the caller holds the lock."""
    prefix = f".{out.name}.partial-"
    for found in out.parent.iterdir():
        if found.name.startswith(prefix):  # left over from a run that was killed
            shutil.rmtree(found, ignore_errors=True)
    partial = out.parent / f"{prefix}{uuid.uuid4().hex}"
    try:
        _write_corpus(partial, description["seed"], description["beats"], tracks, jobs)
        write_text(partial / DESCRIPTION, json.dumps(description, indent=2) + "\n")
        if out.exists():
            out.rmdir()
        partial.rename(out)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _plan(seed: int, sizes: dict[str, int]) -> list[_Track]:
    """Decide on genre and id of every track."""
    rng = np.random.default_rng(seed)
    places = [
        (str(genre), folder, split)
        for folder, kind in ((GENRE_FOLDER, "genre"), (EMOTION_FOLDER, "emotion"))
        for split in ("train", "test")
        for genre in rng.permutation(_apportion(sizes[f"{kind}_{split}"]))
    ]
    ids = rng.choice(np.arange(1000, 1000 + 100 * len(places)), len(places), replace=False)
    return [_Track(index, int(ids[index]), *place) for index, place in enumerate(places)]


def _apportion(size: int) -> list[str]:
    """Spread tracks over the raw genres by their shares; from 14 tracks on every genre has one.

    Source: the method of Adams for the apportionment of seats.
    """
    counts = dict.fromkeys(GENRE_SHARES, 0)
    for _ in range(size):
        counts[max(counts, key=lambda genre: GENRE_SHARES[genre] / (counts[genre] or 1e-9))] += 1
    return [genre for genre, count in counts.items() for _ in range(count)]


def _write_corpus(root: Path, seed: int, beats: bool, tracks: list[_Track], jobs: int | None) -> None:
    from tqdm import tqdm

    forms = ("", BEAT_SUFFIX) if beats else ("",)
    for folder, form, split in product((GENRE_FOLDER, EMOTION_FOLDER), forms, ("train", "test")):
        (root / (folder + form) / split).mkdir(parents=True)
    written = in_processes(_write_track, ((root, seed, beats, track) for track in tracks), jobs)
    moods = list(tqdm(written, "Demo corpus", len(tracks), unit="track"))
    for form in forms:
        for split in ("train", "test"):
            _write_genres(root / (GENRE_FOLDER + form), split, tracks)
        _write_emotions(root / (EMOTION_FOLDER + form), tracks, moods)
    (root / SONG_FOLDER).mkdir()
    for number, genre in enumerate(SONGS):
        _write_song(root / SONG_FOLDER / f"{genre}.wav", genre, np.random.default_rng((seed, len(tracks) + number)))


def _write_track(root: Path, seed: int, beats: bool, track: _Track) -> tuple[float, ...]:
    """Write the arrays of a track and return its emotions."""
    from threadpoolctl import threadpool_limits

    rng = np.random.default_rng((seed, track.index))
    with threadpool_limits(1):  # sums depend on the number of threads in the last bit
        while True:
            traits = draw_traits(track.genre, rng)
            audio = render(traits, rng)
            full, beat = features.spectrograms(audio) if beats else (features.fused_spectrogram(audio), None)
            if not beats or (beat is not None and beat.shape[1] >= _MIN_COLUMNS):
                break
    for array, form in ((full, ""), (beat, BEAT_SUFFIX)):
        if array is not None:
            np.save(root / (track.folder + form) / track.split / f"{track.id}{ARRAY_ENDING}", array)
    return draw_emotions(traits, rng)


def _write_song(path: Path, genre: str, rng: np.random.Generator) -> None:
    """Write a song of a genre, of which no trait comes from another one."""
    import soundfile

    soundfile.write(path, render(draw_traits(genre, rng, overlap=0), rng), SAMPLE_RATE)


def _write_genres(folder: Path, split: str, tracks: list[_Track]) -> None:
    endings = (_BEAT_LABEL_ENDING,) if folder.name.endswith(BEAT_SUFFIX) else _LABEL_ENDINGS
    rows = [
        f"{track.id}{endings[track.index % len(endings)]}\t{track.genre}"
        for track in tracks
        if (track.folder, track.split) == (GENRE_FOLDER, split)
    ]
    write_text(folder / f"{split}_labels.txt", "\n".join([GENRE_HEADER, *rows, ""]))


def _write_emotions(folder: Path, tracks: list[_Track], moods: list[tuple[float, ...]]) -> None:
    rows = [
        ",".join([str(track.id), *(f"{value:.3f}" for value in mood)])
        for track, mood in zip(tracks, moods, strict=True)
        if (track.folder, track.split) == (EMOTION_FOLDER, "train")
    ]
    write_text(folder / "train_labels.txt", "\n".join([EMOTION_HEADER, *rows, ""]))
