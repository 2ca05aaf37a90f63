"""Sound files whose length is a fact: stated by a header, or found by decoding."""

import io
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile

_BLOCK = 2**18  # samples that are decoded at a time where the length is not known, so that any length fits in memory
_PREROLL = 1.0  # s; frames of MPEG borrow bits from those before, of which a decoder that begins later makes silence
_STRETCH = 64  # bit rates differ by less: such a multiple of a guessed length is a bound

_ID3 = re.compile(rb"ID3.{3}([\0-\x7f]{4})", re.DOTALL)
# A frame's header and side information, then the tag that tells how many frames follow.
_TAG = re.compile(rb"\xff[\xe2-\xff].{2}.{9,34}?(?:Xing|Info).{3}[\x01\x03\x05\x07\x09\x0b\x0d\x0f](.{4})", re.DOTALL)


class SoundFile(soundfile.SoundFile):  # type: ignore[misc]
    """A sound file, read by libsndfile.

    Attributes:
        stated: How many samples it has by its header; None if that says nothing of it.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(os.fsencode(path))  # which may be no UTF-8
        self.stated: int | None = self.frames
        if self.frames == np.iinfo(np.int64).max:  # flac that was written to a pipe
            self.stated = None
        elif self.format == "MP3" and not _tells_length(path):
            # What libsndfile takes for the length is a guess from the size and the first frame, and it reads no
            # further. Of a file that claims to be longer, it guesses more, and reads all that there is.
            guess = self.frames
            self.close()
            super().__init__(_Stretched(path))
            self.stated = guess if self.frames == guess else None

    def seekable(self) -> bool:
        """Keep soundfile from seeking after each read, which needs a length; :meth:`seek` serves all the same."""
        return False

    def length(self) -> int:
        """Return the number of samples, for which all is decoded if the header does not state it.

        Raises:
            soundfile.LibsndfileError: If it cannot be decoded.
        """
        if self.stated is not None:
            return self.stated
        self.seek(0)
        return sum(map(len, self._blocks(None)))

    def clip(self, first: int, count: int | None) -> npt.NDArray[np.float32]:
        """Return at most ``count`` samples from ``first`` on, ``(samples, channels)``, the same as of the whole file.

        Raises:
            soundfile.LibsndfileError: If they cannot be decoded.
        """
        if self.stated is not None:
            first = min(first, self.stated)
            count = min(self.stated - first, self.stated if count is None else count)
        begin = max(0, first - int(_PREROLL * self.samplerate)) if self.format == "MP3" else first
        nothing = np.empty((0, self.channels), np.float32)
        try:
            self.seek(begin)
        except soundfile.LibsndfileError:
            if self.stated is None:
                return nothing  # beyond the end
            raise
        self._read(first - begin)
        return np.concatenate([nothing, *self._blocks(count)]) if self.stated is None else self._read(count or 0)

    def _blocks(self, count: int | None) -> Iterator[npt.NDArray[np.float32]]:
        """Yield what comes next, ``count`` samples at most, in blocks."""
        while count is None or count:
            block = self._read(_BLOCK if count is None else min(_BLOCK, count))
            yield block
            if not len(block):
                return
            count = None if count is None else count - len(block)

    def _read(self, count: int) -> npt.NDArray[np.float32]:
        samples: npt.NDArray[np.float32] = self.read(count, dtype="float32", always_2d=True)
        return samples


class _Stretched(io.FileIO):
    """A file that says it is many times as long as it is."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.size = super().seek(0, io.SEEK_END)
        super().seek(0)

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        return super().seek(_STRETCH * self.size + offset) if whence == io.SEEK_END else super().seek(offset, whence)

    def readinto(self, buffer: Any, /) -> int:
        found = super().readinto(buffer) or 0
        if not found and self.tell() > (_STRETCH - 1) * self.size:  # at its end a tag is looked for: there is none
            found = len(buffer)
            buffer[:] = bytes(found)
        return found


def _tells_length(path: Path) -> bool:
    """Whether an mp3 file begins with a frame that tells how many there are."""
    with path.open("rb") as stream:
        begin = 0
        while tag := _ID3.match(stream.read(10)):
            size = int.from_bytes(tag[1])
            begin += 10 + sum((size >> 8 * byte & 0x7F) << 7 * byte for byte in range(4))
            stream.seek(begin)
        stream.seek(begin)
        found = _TAG.search(stream.read(4096))
    return bool(found and any(found[1]))
