"""Sound of files that libsndfile does not decode, as m4a and films, by the program ffmpeg where it is installed."""

import math
import re
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt

_HEADER = struct.Struct(">4s5I")  # of au: a word, bytes of the header, of the data, encoding, rate, channels
_BLOCK = 2**20  # bytes
_PREROLL = 1  # s; decoders that begin somewhere need a while until they give what they do in the whole file
_MORE = 1e-3  # s that are decoded and not taken: times are rounded
_SEEKABLE = (".m4a", ".m4b", ".mp4", ".mov", ".aac")  # elsewhere, seeks lead up to 0.1 s aside
_FORMATS = "mov,matroska,aac,asf,ape,ac3,eac3,amr"  # of play lists, others would be opened that a file names


class FfmpegError(Exception):
    """What ffmpeg says of a file, in a few words."""


def has_ffmpeg() -> bool:
    """Tell whether ffmpeg is installed."""
    return shutil.which("ffmpeg") is not None


class FfmpegFile:
    """The first sound track of a file, read as :class:`musiclab.data.audio.sound_file.SoundFile` is.

    Its length is that of what is decoded: headers of such files tell it to a few hundredths of a second.

    Args:
        path: The file.

    Attributes:
        samplerate: In Hz.
        channels: Their number.
        frames: 0 for no samples at all, else 1 or more.
        stated: None: see above.
        extra_info: Nothing.

    Raises:
        FfmpegError: If ffmpeg cannot read it, or there is no sound in it.
    """

    stated: int | None = None
    extra_info = ""
    format = "ffmpeg"

    def __init__(self, path: Path) -> None:
        self.path = path
        self.samplerate, self.channels, self.frames = 0, 1, 0
        for samples in self._decode(0, 0.1):
            self.frames += len(samples)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave nothing behind: there is no process between calls."""

    def length(self) -> int:
        """Return the number of samples, for which all is decoded.

        Raises:
            FfmpegError: If it cannot be decoded.
        """
        return sum(len(samples) for samples in self._decode(0, None))

    def blocks(self) -> Iterator[npt.NDArray[np.float32]]:
        """Yield all samples, in blocks ``(samples, channels)``, decoded in one go.

        Raises:
            FfmpegError: If they cannot be decoded.
        """
        return self._decode(0, None)

    def clip(self, first: int, count: int | None) -> npt.NDArray[np.float32]:
        """Return at most ``count`` samples from ``first`` on, ``(samples, channels)``.

        Raises:
            FfmpegError: If they cannot be decoded.
        """
        begin, seconds = 0, None
        if self.path.suffix.lower() in _SEEKABLE:
            begin = max(0, first // self.samplerate - _PREROLL)  # whole seconds, which are no matter of rounding
            if count is not None:
                seconds = first / self.samplerate - begin + count / self.samplerate + _MORE
        first -= begin * self.samplerate
        end = math.inf if count is None else first + count
        kept, passed = [np.empty((0, self.channels), np.float32)], 0
        for samples in self._decode(begin, seconds):
            kept.append(samples[max(0, first - passed) :])
            passed += len(samples)
            if passed >= end:
                break
        return np.concatenate(kept)[:count]

    def _decode(self, begin: int, seconds: float | None) -> Iterator[npt.NDArray[np.float32]]:
        """Yield samples, ``(samples, channels)``, from ``begin`` on, in blocks."""
        limit = [] if seconds is None else ["-t", f"{seconds:.6f}"]
        command = ["ffmpeg", "-nostdin", "-v", "error", "-protocol_whitelist", "file", "-format_whitelist", _FORMATS]
        command += ["-ss", str(begin), "-i", f"file:{self.path}", "-map", "0:a:0", *limit]
        command += ["-c:a", "pcm_f32be", "-f", "au", "pipe:1"]
        with tempfile.TemporaryFile() as said:
            with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=said) as process:
                assert process.stdout is not None
                try:
                    yield from self._samples(process.stdout)
                except BaseException:
                    process.kill()  # nobody reads on
                    raise
            said.seek(0)
            errors = said.read().decode(errors="replace").strip()
        if errors or process.returncode > 0:
            raise FfmpegError(_in_short(errors))

    def _samples(self, stream: Any) -> Iterator[npt.NDArray[np.float32]]:
        header = stream.read(_HEADER.size)
        if len(header) < _HEADER.size:
            stream.read()
            return
        _, size, _, _, self.samplerate, self.channels = _HEADER.unpack(header)
        stream.read(size - _HEADER.size)
        width = 4 * self.channels
        while block := stream.read(_BLOCK // width * width):
            whole = len(block) // width * width
            yield np.frombuffer(block[:whole], ">f4").astype(np.float32).reshape(-1, self.channels)


def _in_short(errors: str) -> str:
    """Return the first thing that ffmpeg says, without the address of the part that says it."""
    if "matches no streams" in errors:
        return "there is no sound track"
    line = errors.splitlines()[0] if errors else "decoder error"
    return re.sub(r"^(\[[^]]*\] *)+|^.*?file:.*?: ", "", line).strip(" .") or "decoder error"
