"""One audio file -> mono samples at the rate that is wanted, or the reason why not."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from musiclab.data.audio.ffmpeg import FfmpegError, FfmpegFile, has_ffmpeg
from musiclab.data.audio.files import CONVERT, is_foreign
from musiclab.errors import UserError
from musiclab.files import import_librosa, is_special
from musiclab.spectrogram import SAMPLE_RATE, Audio

if TYPE_CHECKING:
    from musiclab.data.audio.sound_file import SoundFile

MIN_SECONDS = 1.0
MIN_RATE = 4000
"""In Hz: of what is sampled less often, more than half of the mel bands would be empty."""

SILENCE = 1e-4
"""Peak amplitude below which a clip counts as silent: -80 dB of full scale, three steps of 16 bits."""

_TOLERANCE = 0.1  # s by which a sound file may be shorter than its header says: codecs add and cut a little
_BLOCK_SECONDS = 30
_PAGE = 2**16  # bytes, more than a page of ogg has


class AudioError(UserError):
    """A file whose audio cannot be used; its message is one line that names the file.

    Attributes:
        path: The file.
        reason: What is wrong with it.
    """

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason

    def __reduce__(self) -> tuple[type["AudioError"], tuple[Path, str]]:
        return AudioError, (self.path, self.reason)  # it crosses processes


def load_audio(path: Path, offset: float = 0.0, seconds: float | None = None, rate: int = SAMPLE_RATE) -> Audio:
    """Decode a clip with libsndfile, or ffmpeg where that cannot, mix it down to mono and resample it.

    The same samples as ``librosa.load`` gives, without its silent ways round a file that is not as it should be.

    Args:
        path: Audio file of any format that libsndfile decodes: wav, flac, ogg, mp3 and others; m4a, aac, wma and films
            where ffmpeg is installed.
        offset: Where the clip begins, in s.
        seconds: How long it is at most, in s; None for all of the file.
        rate: Sample rate to have it at, in Hz.

    Returns:
        ``(samples,)``, mono at that rate, finite, not silent, of one second or more.

    Raises:
        AudioError: If the file cannot be read or decoded, is truncated within the clip, empty, silent or shorter
            than a second.
    """
    samples, own_rate = _decode(path, offset, seconds)
    if len(samples) < MIN_SECONDS * own_rate:
        since = f" from {offset:g} s on" if offset else ""
        raise AudioError(
            path, f"only {len(samples) / own_rate:.2f} s long{since}; at least {MIN_SECONDS:g} s are needed"
        )
    mono = _to_mono(path, samples)
    peak = float(np.abs(mono).max())
    if peak < SILENCE and np.abs(samples).max() >= SILENCE:
        raise AudioError(path, "left and right cancel out, so that mixed to mono it is silent; invert one of them")
    if peak < SILENCE:
        raise AudioError(path, silence(peak))
    return _resampled(mono, own_rate, rate)


def load_part(path: Path, offset: float, seconds: float, rate: int = SAMPLE_RATE) -> Audio:
    """Return what :func:`load_audio` does, also of a part that is silent or very short.

    Raises:
        AudioError: If the file cannot be read or decoded, or is truncated within the part.
    """
    samples, own_rate = _decode(path, offset, seconds)
    return _resampled(_to_mono(path, samples), own_rate, rate)


def audio_blocks(path: Path) -> Iterator[tuple[Audio, int]]:
    """Yield all of an audio file as it is, in blocks ``(samples, channels)``, each with the sample rate in Hz.

    Raises:
        AudioError: If the file cannot be read or decoded.
    """
    with _opened(path) as file:
        if isinstance(file, FfmpegFile):
            yield from ((block, file.samplerate) for block in file.blocks())
            return
        first, count = 0, _BLOCK_SECONDS * file.samplerate
        while len(block := file.clip(first, count)):
            yield block, file.samplerate
            first += len(block)
            if len(block) < count:
                return


def silence(peak: float) -> str:
    """Return what is wrong with audio of a peak below :data:`SILENCE`."""
    return f"silent: its peak is {peak:.1e} of full scale"


def duration(path: Path) -> float:
    """Return the length of an audio file in s: what its header states, else what is decoded, which takes a while.

    Raises:
        AudioError: If the file cannot be read or decoded.
    """
    with _opened(path) as file:
        return float(file.length() / file.samplerate)


def missing_above(path: Path, rate: int) -> str | None:
    """Return what an audio file lacks of what is wanted at a rate, as it was sampled less often; None if nothing.

    Args:
        path: The file.
        rate: Sample rate in Hz.

    Raises:
        AudioError: If the file cannot be read.
    """
    with _opened(path) as file:
        own = file.samplerate
    if own >= rate:
        return None
    return f"sampled at {own} Hz, so that all from {own // 2} to {rate // 2} Hz is missing"


def _decode(path: Path, offset: float, seconds: float | None) -> tuple[Audio, int]:
    """Return the samples of a clip, ``(samples, channels)``, and their rate in Hz."""
    with _opened(path) as file:
        first = int(offset * file.samplerate)
        samples = file.clip(first, None if seconds is None else int(seconds * file.samplerate))
        _check_length(path, file, first, len(samples), seconds)
        return samples, file.samplerate


def _to_mono(path: Path, samples: Audio) -> Audio:
    if not np.isfinite(samples).all():
        raise AudioError(path, "holds samples that are not finite")
    return np.asarray(samples.mean(axis=1))


def _resampled(mono: Audio, own_rate: int, rate: int) -> Audio:
    librosa = import_librosa()

    return np.asarray(librosa.resample(mono, orig_sr=own_rate, target_sr=rate), np.float32)


@contextmanager
def _opened(path: Path) -> Iterator["SoundFile | FfmpegFile"]:
    """Open a file that holds samples; what goes wrong with it, then and later, is an AudioError."""
    import soundfile

    from musiclab.data.audio.sound_file import SoundFile

    try:
        if is_special(path):
            raise AudioError(path, "not a regular file but a pipe, socket or device")
        with path.open("rb") as stream:
            if not stream.read(1):
                raise AudioError(path, "empty (0 bytes)")
    except FileNotFoundError:
        raise AudioError(path, "missing: no such file") from None
    except OSError as error:
        raise AudioError(path, f"cannot be read ({error.strerror or error})") from None
    file: SoundFile | FfmpegFile
    try:
        file = SoundFile(path)
    except (soundfile.LibsndfileError, TypeError):  # the latter for headerless formats
        if is_foreign(path):
            file = _opened_by_ffmpeg(path)
        else:
            raise AudioError(path, "not audio that libsndfile decodes, or damaged at its beginning") from None
    with file:
        if file.frames == 0:
            raise AudioError(path, "empty (a header without samples)")
        if file.samplerate < MIN_RATE:
            raise AudioError(path, f"sampled at {file.samplerate} Hz; at least {MIN_RATE} Hz are needed for music")
        if _is_chained(path, file):
            raise AudioError(path, "several ogg streams, of which libsndfile decodes the first alone; join them")
        try:
            yield file
        except soundfile.LibsndfileError as error:
            detail = error.error_string.strip(" .") or "decoder error"
            raise AudioError(path, f"truncated or damaged ({detail})") from None
        except FfmpegError as error:
            raise AudioError(path, f"truncated or damaged ({error})") from None
        except MemoryError:
            raise AudioError(path, "larger than the memory, or its header is damaged") from None


def _opened_by_ffmpeg(path: Path) -> FfmpegFile:
    if not has_ffmpeg():
        raise AudioError(path, f"of a kind that libsndfile does not decode; {CONVERT}")
    try:
        return FfmpegFile(path)
    except FfmpegError as error:
        raise AudioError(path, f"no sound that ffmpeg decodes, or damaged ({error})") from None


def _check_length(path: Path, file: "SoundFile | FfmpegFile", first: int, found: int, seconds: float | None) -> None:
    """Refuse a clip that ends where a truncated file does; one that lies before that place is sound."""
    rate = file.samplerate
    if seconds is not None and found >= int(seconds * rate):
        return
    promised = file.stated or 0
    # Of formats with the length in a header, libsndfile corrects what the file cannot hold, and leaves a note.
    note = re.search(r"(?:data|SSND|Data Size|riff)\s*:\s*(\d+) \(should be (\d+)\)", file.extra_info)
    if note:
        size, real = int(note[1]), int(note[2])
        if real < size < 2**31 - 1:  # greater ones stand for "unknown", in files that were written to a pipe
            promised = round(promised * size / real)
    if min(first, promised) + found < promised - _TOLERANCE * rate:
        raise AudioError(path, f"truncated: ends before the {promised / rate:.2f} s that its header promises")
    if re.search("end-of-stream (bit|flag)", file.extra_info, re.IGNORECASE):
        raise AudioError(path, f"truncated after {(first + found) / rate:.2f} s: its last page is missing")


def _is_chained(path: Path, file: "SoundFile | FfmpegFile") -> bool:
    """Whether another ogg stream follows the one that is decoded, as in what is kept of a radio station."""
    if "Junk after the last page" not in file.extra_info:
        return False
    with path.open("rb") as stream:
        first = _serial_numbers(stream.read(_PAGE))
        stream.seek(-min(_PAGE, path.stat().st_size), os.SEEK_END)
        last = _serial_numbers(stream.read())
    return bool(first and last and first[0] != last[-1])


def _serial_numbers(pages: bytes) -> list[bytes]:
    return re.findall(rb"OggS.{10}(.{4})", pages, re.DOTALL)
