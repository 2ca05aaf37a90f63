"""A folder's arrays packed once into one file, of which tracks are read as they are needed.

An epoch over thousands of ``.npy`` files opens, reads and transposes each of them again. The store does that once:
it writes all tracks of a folder one after the other, as contiguous ``(time, rows)`` frames, into a single file. Every
worker and process reads a track by a single call, so its memory does not grow with the data set. What is read again is
in the system's page cache, which all processes share, and which gives way when memory is short.

A store is a folder in the cache::

    NAME-PPPPPPPP-SSSSSSSSSSSS/     P: hash of the source path, S: hash of the source files (name, size, mtime)
        frames.bin                  all frames, (frames, rows) in the store's dtype
        index.json                  dtype, rows, and the id and number of frames of each track
        moments.npy                 (tracks, 2, rows) float64: sum and sum of squares over each track's frames

Its name says which files it was made of, so a changed source file leads to another name and the store is built
anew; a store is complete when its folder exists, since it is written under a temporary name and renamed.
"""

import glob
import hashlib
import json
import os
import shutil
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from filelock import FileLock
from tqdm import tqdm

from musiclab.data.arrays import find_arrays, read_array, read_header
from musiclab.errors import UserError
from musiclab.files import cache_folder

StoreDtype = Literal["float16", "float32"]

FORMAT_VERSION = 1
PARTIAL_SUFFIX = ".partial"
CHUNK = 1024
"""Tracks whose moments are read at a time, so that memory does not grow with their number."""


class SpectrogramStore:
    """All tracks of a folder; made by :func:`open_store`.

    Its file stays open, so that it can be read for as long as this object lives, even if the folder is removed. Reading
    needs no position in the file, so processes that were forked can read at the same time.

    Attributes:
        ids: Track ids, in the order of the file names.
        lengths: Frames of each track, ``(tracks,)``.
        rows: Values per frame: 128 (mel) or 140 (mel and chroma).
        dtype: Of the frames.
    """

    def __init__(self, folder: Path) -> None:
        index = json.loads((folder / "index.json").read_text())
        self.folder = folder
        self.ids: list[str] = index["ids"]
        self.lengths: npt.NDArray[np.int64] = np.array(index["lengths"], dtype=np.int64)
        self.rows: int = index["rows"]
        self.dtype = np.dtype(index["dtype"])
        self._ends = np.cumsum(self.lengths)
        self._positions = {identifier: position for position, identifier in enumerate(self.ids)}
        self._open()

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
        _read(self._descriptor, self.folder / "frames.bin", start * self.rows * self.dtype.itemsize, frames)
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
        path = self.folder / "moments.npy"
        moments = np.empty((len(positions), 2, self.rows), "<f8")
        with path.open("rb") as stream:
            np.lib.format.read_magic(stream)
            np.lib.format.read_array_header_1_0(stream)
            start = stream.tell()
            for track, position in zip(moments, positions, strict=True):
                _read(stream.fileno(), path, start + int(position) * track.nbytes, track)
        return moments

    def __getstate__(self) -> dict[str, Any]:
        # Worker processes that are spawned have to open the file themselves.
        return {key: value for key, value in self.__dict__.items() if key != "_descriptor"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._open()

    def _open(self) -> None:
        self._descriptor = os.open(self.folder / "frames.bin", os.O_RDONLY | os.O_CLOEXEC)
        weakref.finalize(self, os.close, self._descriptor)


def _read(descriptor: int, path: Path, offset: int, array: npt.NDArray[Any]) -> None:
    """Fill ``array`` with the bytes of a file from ``offset`` on."""
    rest = array.data.cast("B")
    while rest:
        count = os.preadv(descriptor, [rest], offset)  # network file systems may give less than was asked for
        if not count:
            raise UserError(f"{path}: truncated; remove {path.parent}, and the next run packs it anew")
        rest, offset = rest[count:], offset + count


def open_store(source: str | Path, dtype: StoreDtype = "float16", cache: str | Path | None = None) -> SpectrogramStore:
    """Open the store of a folder of arrays; build it first if there is none of these very files.

    One process builds while others that want the same store wait for it.

    Args:
        source: Folder of ``(rows, time)`` arrays, ``.npy`` or ``.npy.gz``.
        dtype: What the frames are kept as. float16 resolves 0.06 dB at -80 dB and halves disk, memory and traffic.
        cache: Cache folder; see :func:`musiclab.files.cache_folder`.

    Raises:
        UserError: If the folder or one of its files is not as it should be, or the cache cannot be written.
    """
    source = Path(source).absolute()
    files = find_arrays(source)
    if not files:
        raise UserError(f"{source}: no array files (*.npy, *.npy.gz) in this folder")
    stores = cache_folder(cache) / "stores"
    name, fingerprint = _store_name(source, files, dtype)
    folder = stores / f"{name}-{fingerprint}"
    if _is_complete(folder):
        return SpectrogramStore(folder)
    try:
        stores.mkdir(parents=True, exist_ok=True)
        with FileLock(stores / f"{name}.lock"):
            if not _is_complete(folder):  # else another process built it while this one waited
                _remove_outdated(stores, name)
                _build(source, files, np.dtype(dtype), folder)
    except OSError as error:
        raise UserError(
            f"{stores}: the packed store of {source} cannot be written ({error.strerror or error}); "
            "free some space or choose another cache folder (MUSICLAB_CACHE or --data.cache)"
        ) from None
    return SpectrogramStore(folder)


def _is_complete(folder: Path) -> bool:
    # Those who tidy up caches may remove files and leave folders.
    return all((folder / name).is_file() for name in ("frames.bin", "index.json", "moments.npy"))


def _store_name(source: Path, files: dict[str, Path], dtype: str) -> tuple[str, str]:
    where = hashlib.sha256(f"{source}\0{dtype}\0{FORMAT_VERSION}".encode()).hexdigest()[:8]
    what = hashlib.sha256()
    for path in files.values():
        try:
            status = path.stat()
        except OSError as error:
            raise UserError(f"{path}: cannot be read ({error.strerror}); restore the file or remove it") from None
        what.update(f"{path.name}\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
    return f"{source.parent.name}-{source.name}-{where}", what.hexdigest()[:12]


def _remove_outdated(stores: Path, name: str) -> None:
    """Remove what a killed build left and stores of files that have changed since; open ones stay readable."""
    for folder in stores.glob(f"{glob.escape(name)}-*"):
        shutil.rmtree(folder, ignore_errors=True)


def _build(source: Path, files: dict[str, Path], dtype: np.dtype[Any], folder: Path) -> None:
    partial = folder.with_name(folder.name + PARTIAL_SUFFIX)
    partial.mkdir()
    try:
        lengths, rows = _pack(source, files, dtype, partial)
        index = {"ids": list(files), "lengths": lengths, "rows": rows, "dtype": dtype.name}
        (partial / "index.json").write_text(json.dumps(index))
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _pack(source: Path, files: dict[str, Path], dtype: np.dtype[Any], folder: Path) -> tuple[list[int], int]:
    """Write the frames and the moments of all ``files`` as they are read; return their lengths and number of rows."""
    lengths: list[int] = []
    rows = read_header(next(iter(files.values()))).rows
    with (folder / "frames.bin").open("wb") as frames_stream, (folder / "moments.npy").open("wb") as moments_stream:
        header = {"descr": "<f8", "fortran_order": False, "shape": (len(files), 2, rows)}
        np.lib.format.write_array_header_1_0(moments_stream, header)
        title = f"Packing {source.parent.name}/{source.name}"
        for path in tqdm(files.values(), desc=title, unit="track", delay=1):
            array = read_array(path)
            if array.shape[0] != rows:
                raise UserError(
                    f"{path}: {array.shape[0]} rows where the other files of the folder have {rows}; "
                    "keep arrays of one kind in a folder"
                )
            with np.errstate(over="ignore"):
                frames = np.ascontiguousarray(array.T, dtype=dtype)
            values = frames.astype(np.float64)
            if not np.isfinite(values).all():
                raise UserError(f"{path}: values up to {np.abs(array).max():.3g} do not fit {dtype.name}; expected dB")
            frames_stream.write(frames.tobytes())
            moments_stream.write(np.stack([values.sum(axis=0), (values**2).sum(axis=0)]).astype("<f8").tobytes())
            lengths.append(len(frames))
    return lengths, rows
