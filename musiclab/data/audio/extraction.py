"""Many audio files -> arrays, on several processes; what is there is kept and what fails is listed."""

import errno
import io
import math
import os
import sys
import warnings
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tokenize import TokenError
from typing import Literal, NamedTuple

import numpy as np

from musiclab.data.audio import features
from musiclab.data.audio.decoding import AudioError, load_audio
from musiclab.data.audio.processes import in_processes
from musiclab.errors import UserError
from musiclab.files import code_folder, replacing, shown
from musiclab.spectrogram import FRAME_SECONDS, LAB, SAMPLE_RATE, Audio, Recipe, Spectrogram

Form = Literal["full", "beat"]
Kind = Literal["full", "beat", "both"]

ARRAY_ENDING = ".fused.full.npy"
"""How array files are called after their id, those of beat-synchronised tracks too: the lab's habit."""


@dataclass(frozen=True)
class Clip:
    """What is made of a file, and of which part.

    Attributes:
        offset: Where the part begins, in s.
        seconds: How long it is at most, in s; None for the rest.
        recipe: How arrays are made of it.
        every: Keep of the frames only those nearest to multiples of so many s; None for all.
    """

    offset: float = 0.0
    seconds: float | None = 30.0
    recipe: Recipe = LAB
    every: float | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.offset < float("inf"):
            raise UserError(f"offset is {self.offset}; it must be 0 or more, in seconds")
        if self.seconds is not None and not 1 <= self.seconds < float("inf"):
            raise UserError(f"seconds is {self.seconds}; it must be 1 or more, or null for whole files")


@dataclass(frozen=True)
class Track:
    """An audio file and the array files to make of it.

    Attributes:
        path: Audio file.
        arrays: Where each form goes; to several places if a track belongs to several data sets.
    """

    path: Path
    arrays: Mapping[Form, Sequence[Path]]


class Failure(NamedTuple):
    """What could not be made of a file, and why."""

    path: Path
    form: Kind
    reason: str


class Outcome(NamedTuple):
    """What an extraction did: how many tracks it made whole, how many it found so, and what failed."""

    made: int
    found: int
    failures: list[Failure]


def extract_tracks(tracks: Sequence[Track], clip: Clip, jobs: int | None = None) -> Outcome:
    """Write the arrays that are not there yet, each whole or not at all.

    Failures are told as they occur and stop nothing. The arrays do not depend on the number of processes.

    Args:
        tracks: What to extract, and where to.
        clip: Which part of each file.
        jobs: Number of processes; as many as there are cores if None.

    Raises:
        UserError: If ``jobs`` is no number of processes, an array cannot be written, or a process was killed.
    """
    from joblib import cpu_count
    from joblib.externals.loky.process_executor import TerminatedWorkerError
    from tqdm import tqdm

    if jobs is not None and jobs < 1:
        raise UserError(f"jobs is {jobs}; it must be 1 or more, or null for as many as there are cores")
    pending = [track for track in tracks if _missing(track)]
    if not pending:
        return Outcome(0, len(tracks), [])
    failures: list[Failure] = []
    made = 0
    calls = ((os.getpid(), track, clip) for track in pending)
    done = in_processes(_extract_for, calls, min(jobs or cpu_count(), len(pending)))
    bar = tqdm(done, "Extracting", len(pending), unit="track")
    try:
        for failure in bar:
            if failure is None:
                made += 1
            else:
                failures.append(failure)
                bar.write(shown(f"{failure.path}: {failure.reason}"), file=sys.stderr)
    except TerminatedWorkerError as error:
        ended = made + len(failures)
        if "SIGSEGV" in str(error):
            raise UserError(
                f"a process crashed after {ended} tracks; if it does so again, what numba has compiled of librosa is "
                f"damaged: remove {code_folder()} and run the same command again: it goes on from here"
            ) from None
        raise UserError(
            f"a process was killed after {ended} tracks, perhaps for want of memory; run the same command again with "
            "fewer --jobs or smaller --seconds: it goes on from here"
        ) from None
    return Outcome(made, len(tracks) - len(pending), failures)


def extract_track(track: Track, clip: Clip) -> Failure | None:
    """Write the arrays of one track that are not there yet; return what failed, if anything did.

    Raises:
        UserError: If an array cannot be written.
    """
    missing = _missing(track)
    if not missing:
        return None
    try:
        arrays = clip_spectrograms(track.path, clip, missing)
    except AudioError as error:
        return Failure(track.path, "both" if len(missing) > 1 else next(iter(missing)), error.reason)
    for form, array in arrays.items():
        for path in missing[form]:
            save_array(path, array)
    return Failure(track.path, "beat", "no beat was found") if len(arrays) < len(missing) else None


def clip_spectrograms(path: Path, clip: Clip, forms: Collection[Form]) -> dict[Form, Spectrogram]:
    """Return the arrays ``(rows, time)`` of a clip in the forms wanted; no beat-synchronised one if no beat is found.

    Raises:
        AudioError: If nothing can be made of the clip.
    """
    from threadpoolctl import threadpool_limits

    try:
        # Sums depend on the number of threads in the last bit. What librosa remarks on short or strange clips would
        # stand among the failures; what comes of such clips is checked instead.
        with threadpool_limits(1), warnings.catch_warnings(action="ignore"):
            audio = load_audio(path, clip.offset, clip.seconds, clip.recipe.rate or SAMPLE_RATE)
            arrays = _compute(audio, forms, clip.recipe)
    except AudioError:
        raise
    except ValueError as error:
        raise AudioError(path, str(error)) from error
    except Exception as error:  # whatever it is about this file, it must not stop the others
        raise AudioError(path, f"{type(error).__name__}: {error}") from error
    if clip.every and "full" in arrays:
        arrays["full"] = thin_out(arrays["full"], clip.every / (clip.recipe.seconds or FRAME_SECONDS))
    return arrays


def thin_out(array: Spectrogram, step: float) -> Spectrogram:
    """Return the columns nearest to multiples of ``step``, a number of columns: as pictures of spectrograms have them.

    Args:
        array: ``(rows, time)``.
        step: 1 or more.
    """
    count = max(1, math.ceil((array.shape[1] - 0.5) / step))
    return array[:, np.rint(step * np.arange(count)).astype(int)]


def is_whole(path: Path) -> bool:
    """Tell whether a file holds an array as this module writes them: by its header and size, without reading it all."""
    try:
        array = np.lib.format.open_memmap(path, mode="r")  # never takes a file for a pickle, as np.load might
    except (OSError, ValueError, EOFError, SyntaxError, TokenError):  # the last two for a damaged header
        return False
    return (
        array.dtype == np.float32
        and array.ndim == 2
        and min(array.shape) > 0
        and path.stat().st_size == array.offset + array.nbytes
    )


def save_array(path: Path, array: Spectrogram) -> None:
    """Write an array file whole or not at all.

    Raises:
        UserError: If it cannot be written.
    """
    buffer = io.BytesIO()  # numpy writes to files through C streams, whose errors it may miss on a full disk
    np.save(buffer, array)
    with writing(path), replacing(path) as partial:
        partial.write_bytes(buffer.getbuffer())


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Say of what goes wrong while a file or folder is written what can be done about it.

    Raises:
        UserError: In place of an OSError.
    """
    try:
        yield
    except OSError as error:
        advice = "free some space" if error.errno == errno.ENOSPC else "name another folder"
        raise UserError(
            f"{path}: cannot be written ({error.strerror or error}); {advice} and run the same command again: "
            "it keeps the arrays that are there"
        ) from None


def _missing(track: Track) -> dict[Form, list[Path]]:
    """Return the array files of a track that are not there, by form."""
    missing = {form: [path for path in paths if not is_whole(path)] for form, paths in track.arrays.items()}
    return {form: paths for form, paths in missing.items() if paths}


def _compute(audio: Audio, forms: Collection[Form], recipe: Recipe) -> dict[Form, Spectrogram]:
    """Return the arrays of the forms that are wanted; without the beat-synchronised one if no beat is found."""
    beat: Spectrogram | None = None
    if not recipe.chroma:
        full = features.mel_spectrogram(audio, recipe)
    elif "beat" in forms:
        full, beat = features.spectrograms(audio)
    else:
        full = features.fused_spectrogram(audio)
    both: dict[Form, Spectrogram | None] = {"full": full, "beat": beat}
    arrays: dict[Form, Spectrogram] = {form: array for form in forms if (array := both[form]) is not None}
    if not all(np.isfinite(array).all() for array in arrays.values()):
        raise ValueError("its spectrogram has values that are not finite")
    return arrays


def _extract_for(asker: int, track: Track, clip: Clip) -> Failure | None:
    """Extract a track unless the process that asked for it was killed: another may be doing its work by now."""
    if asker not in (os.getpid(), os.getppid()):
        os._exit(1)
    return extract_track(track, clip)
