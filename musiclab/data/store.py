"""A folder's arrays packed once into one file, of which tracks are read as they are needed.

An epoch over thousands of ``.npy`` files opens, reads and transposes each of them again. The store does that once:
it holds all tracks of a folder one after the other, as contiguous ``(time, rows)`` frames, in a single file. Every
worker and process reads a track by a single call, so its memory does not grow with the data set. What is read again is
in the system's page cache, which all processes share, and which gives way when memory is short.

A store is a folder in the cache, which :mod:`musiclab.data.packing` makes::

    frames.bin      all frames, (frames, rows) in the store's dtype
    index.json      dtype, rows, and the id and number of frames of each track
    moments.npy     (tracks, 2, rows) float64: sum and sum of squares over each track's frames
    files.npy       (tracks, 3) uint64: ctime (ns) and inode of each source file, and the checksum of its values
"""

import json
import os
import threading
import weakref
from collections.abc import Sequence
from io import FileIO
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
import numpy.typing as npt

from musiclab.errors import UserError

StoreDtype = Literal["float16", "float32"]

CHUNK = 1024
"""Tracks whose moments are read at a time, so that memory does not grow with their number."""

_POSITION = threading.Lock()
"""Held by who moves the position of a file, where reading needs one."""


def default_dtype(features: str) -> StoreDtype:
    """Return the precision that features are stored in: float16 is enough for dB and chroma, not for any values."""
    return "float32" if features == "all" else "float16"


class DamagedStoreError(UserError):
    """A store whose files do not make up one."""


class SpectrogramStore:
    """All tracks of a folder; made by :func:`musiclab.data.packing.open_store`.

    Its file stays open, so that it can be read for as long as this object lives, even if the folder is removed, which
    Windows refuses. Reading needs no position in the file, so processes that were forked can read at the same time.

    Attributes:
        ids: Track ids, in the order of the file names.
        lengths: Frames of each track, ``(tracks,)``.
        rows: Values per frame: 128 (mel) or 140 (mel and chroma).
        dtype: Of the frames.
        checksums: Of each array, as :func:`musiclab.data.arrays.checksum` gives it, ``(tracks,)`` uint64.
        status: What the file system said of each source file when its checksum was made: ctime in ns and inode,
            ``(tracks, 2)`` uint64.

    Raises:
        DamagedStoreError: If the files are not there, cannot be read, or do not fit each other.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
            self.ids: list[str] = index["ids"]
            self.lengths: npt.NDArray[np.int64] = np.array(index["lengths"], dtype=np.int64)
            self.rows: int = index["rows"]
            self.dtype = np.dtype(index["dtype"])
            files = np.load(folder / "files.npy", allow_pickle=False)
            self._check(files)
            self._open()
        except Exception as error:  # damaged bytes make readers fail in any way
            raise DamagedStoreError(f"{folder}: damaged ({error}); remove it, and the next run packs it anew") from None
        self.status, self.checksums = files[:, :2], files[:, 2]
        self._ends = np.cumsum(self.lengths)
        self._positions = {identifier: position for position, identifier in enumerate(self.ids)}

    def _check(self, files: npt.NDArray[Any]) -> None:
        """Make sure that the files are as long as the index says."""
        tracks, frame = len(self.ids), self.rows * self.dtype.itemsize
        with (self.folder / "moments.npy").open("rb") as stream:
            self._moments_start = _skip_header(stream)
        sizes = {
            "frames.bin": int(self.lengths.sum()) * frame,
            "moments.npy": self._moments_start + tracks * self.rows * 16,
        }
        for name, size in sizes.items():
            found = (self.folder / name).stat().st_size
            if found != size:
                raise ValueError(f"{name} has {found} bytes, not {size}")
        if not len(self.lengths) == len(files) == tracks or files.shape[1:] != (3,) or files.dtype != np.uint64:
            raise ValueError("its lists are not of one length")

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, position: int) -> npt.NDArray[np.floating]:
        """Read the frames of one track, ``(time, rows)``.

        Raises:
            UserError: If the file ends before they do.
        """
        length = int(self.lengths[position])
        start = int(self._ends[position]) - length
        frames = np.empty((length, self.rows), self.dtype)
        _read(self._frames, start * self.rows * self.dtype.itemsize, frames)
        return frames

    def positions(self, ids: Sequence[str]) -> npt.NDArray[np.int64]:
        """Return the position of each track of ``ids``.

        Raises:
            KeyError: For an id that the store does not hold.
        """
        return np.array([self._positions[identifier] for identifier in ids], dtype=np.int64)

    def __contains__(self, identifier: str) -> bool:
        return identifier in self._positions

    def mean_and_std(
        self, positions: npt.NDArray[np.int64], columns: slice
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Return mean and standard deviation of each of ``columns`` over all frames of the given tracks."""
        chunks = [positions[start : start + CHUNK] for start in range(0, len(positions), CHUNK)]
        total, squares = sum(self._moments(chunk)[:, :, columns].sum(axis=0) for chunk in chunks)
        frames = self.lengths[positions].sum()
        mean = total / frames
        return mean, np.sqrt(np.maximum(squares / frames - mean**2, 0.0))

    def _moments(self, positions: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """Read the sums and sums of squares of some tracks, ``(tracks, 2, rows)``."""
        moments = np.empty((len(positions), 2, self.rows), "<f8")
        with FileIO(self.folder / "moments.npy") as stream:
            for track, position in zip(moments, positions, strict=True):
                _read(stream, self._moments_start + int(position) * track.nbytes, track)
        return moments

    def __getstate__(self) -> dict[str, Any]:
        # Worker processes that are spawned have to open the file themselves.
        return {key: value for key, value in self.__dict__.items() if key != "_frames"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._open()

    def _open(self) -> None:
        self._frames = FileIO(self.folder / "frames.bin")
        weakref.finalize(self, self._frames.close)


def _read(file: FileIO, offset: int, array: npt.NDArray[Any]) -> None:
    """Fill ``array`` with the bytes of a file from ``offset`` on."""
    rest = array.data.cast("B")
    while rest:
        count = _read_some(file, offset, rest)  # network file systems may give less than was asked for
        if not count:
            path = Path(file.name)
            raise UserError(f"{path}: truncated; remove {path.parent}, and the next run packs it anew")
        rest, offset = rest[count:], offset + count


def _read_some(file: FileIO, offset: int, buffer: memoryview) -> int:
    if hasattr(os, "preadv"):
        count: int = os.preadv(file.fileno(), [buffer], offset)
        return count
    with _POSITION:  # Windows forks no processes, so that none but the threads of this one share the position
        file.seek(offset)
        return file.readinto(buffer)


def _skip_header(stream: BinaryIO) -> int:
    """Return where the values of an array file begin."""
    np.lib.format.read_magic(stream)
    np.lib.format.read_array_header_1_0(stream)
    return stream.tell()
