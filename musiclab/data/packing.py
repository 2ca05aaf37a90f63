"""Packed stores of folders of arrays: made once, made anew when the files are others, never half of one.

A store's folder in the cache is called ``NAME-PPPPPPPP-SSSSSSSSSSSS``. P is a hash of the source path; S of the names,
sizes and dates (mtime) of the source files, so that changed files lead to another name. Files can be replaced without
a change of any of these (``cp -p``, ``mv``, ``tar``), which their ctimes or inodes show: then the checksums of these
files decide whether the store is still theirs.

A store is complete when its folder exists, since it is written under a temporary name and renamed.
"""

import glob
import hashlib
import json
import shutil
import sys
from pathlib import Path
from typing import Any, NamedTuple, get_args

import numpy as np
import numpy.typing as npt
from filelock import FileLock
from tqdm import tqdm

from musiclab.data.arrays import checksum, find_arrays, read_array, read_header
from musiclab.data.store import DamagedStoreError, SpectrogramStore, StoreDtype
from musiclab.errors import UserError
from musiclab.files import cache_folder, replacing

FORMAT_VERSION = 2
PARTIAL_SUFFIX = ".partial"


class Source(NamedTuple):
    """A folder of arrays as it is now.

    Attributes:
        folder: The folder, absolute.
        files: Its arrays by id, in the order of their names.
        digest: Of names, sizes and dates.
        status: ctime (ns) and inode of each file, ``(files, 2)`` uint64.
    """

    folder: Path
    files: dict[str, Path]
    digest: str
    status: npt.NDArray[np.uint64]

    @classmethod
    def look_at(cls, folder: str | Path) -> "Source":
        """Look at a folder.

        Raises:
            UserError: If there is no such folder, it holds no arrays, or two files share an id.
        """
        folder = Path(folder).absolute()
        files = find_arrays(folder)
        if not files:
            raise UserError(f"{folder}: no array files (*.npy, *.npy.gz) in this folder")
        digest = hashlib.sha256()
        status = np.empty((len(files), 2), np.uint64)
        for row, path in zip(status, files.values(), strict=True):
            try:
                found = path.stat()
            except OSError as error:
                raise UserError(f"{path}: cannot be read ({error.strerror}); restore the file or remove it") from None
            digest.update(f"{path.name}\0{found.st_size}\0{found.st_mtime_ns}\n".encode())
            row[:] = found.st_ctime_ns, found.st_ino % 2**64  # some of Windows' file systems number files by 128 bits
        return cls(folder, files, digest.hexdigest()[:12], status)

    def store_name(self, dtype: str, version: int = FORMAT_VERSION) -> str:
        """Return how the names of stores of this folder begin."""
        where = hashlib.sha256(f"{self.folder}\0{dtype}\0{version}".encode()).hexdigest()[:8]
        return f"{self.folder.parent.name}-{self.folder.name}-{where}"


def open_store(source: str | Path, dtype: StoreDtype = "float16", cache: str | Path | None = None) -> SpectrogramStore:
    """Open the store of a folder of arrays; build it first if there is none of these very files.

    One process builds while others that want the same store wait for it. A store that is damaged, or of other files
    in spite of its name, is built anew, and that is said.

    Args:
        source: Folder of ``(rows, time)`` arrays, ``.npy`` or ``.npy.gz``.
        dtype: What the frames are kept as. float16 resolves 0.06 dB at -80 dB and halves disk, memory and traffic.
        cache: Cache folder; see :func:`musiclab.files.cache_folder`.

    Raises:
        UserError: If the folder or one of its files is not as it should be, or the cache cannot be written.
    """
    found = Source.look_at(source)
    stores = cache_folder(cache) / "stores"
    name = found.store_name(dtype)
    folder = stores / f"{name}-{found.digest}"
    store = _store_of(folder, found)
    if store is not None:
        return store
    try:
        stores.mkdir(parents=True, exist_ok=True)
        with FileLock(stores / f"{name}.lock"):
            return _current(folder, found) or _built(folder, found, np.dtype(dtype))
    except OSError as error:
        raise UserError(
            f"{stores}: the packed store of {found.folder} cannot be written ({error.strerror or error}); "
            "free some space or choose another cache folder (MUSICLAB_CACHE or --data.cache)"
        ) from None


def damaged_tracks(source: str | Path, cache: str | Path | None = None) -> list[str]:
    """Compare all tracks of the stores of a folder, as far as there are any, with its arrays.

    Returns:
        A line for each store that is damaged or holds other values than the files.
    """
    found = Source.look_at(source)
    problems = []
    for dtype in get_args(StoreDtype):
        folder = cache_folder(cache) / "stores" / f"{found.store_name(dtype)}-{found.digest}"
        if not folder.exists():
            continue
        try:
            store = SpectrogramStore(folder)
        except DamagedStoreError as error:
            problems.append(str(error))
            continue
        wrong = []
        paths = tqdm(found.files.values(), desc=f"Comparing {folder.name}", unit="track", delay=1)
        for position, path in enumerate(paths):
            if not np.array_equal(store[position], read_array(path).T.astype(store.dtype)):
                wrong.append(path.name)
        if wrong:
            problems.append(
                f"{folder}: {len(wrong)} of {len(store)} tracks are not as their files are ({wrong[0]} first); "
                "remove it, and the next run packs it anew"
            )
    return problems


def _store_of(folder: Path, source: Source) -> SpectrogramStore | None:
    """Return the store in a folder if it is plainly that of these files; any other is closed, so it can be removed."""
    try:
        store = SpectrogramStore(folder)
    except DamagedStoreError:  # or there is none: whoever has the lock says it
        return None
    return store if np.array_equal(store.status, source.status) else None


def _current(folder: Path, source: Source) -> SpectrogramStore | None:
    """Return the store in a folder if it is that of these files; say why not if there is one."""
    if not folder.exists():
        return None
    try:
        store = SpectrogramStore(folder)
    except DamagedStoreError as error:
        print(f"{str(error).split(';')[0]}; {source.folder} is packed anew", file=sys.stderr)
        return None
    touched = np.flatnonzero((store.status != source.status).any(axis=1))
    paths = list(source.files.values())
    for position in tqdm(touched, desc=f"Comparing {source.folder} with its store", unit="track", delay=1):
        path = paths[position]
        if int(checksum(read_array(path)), 16) != store.checksums[position]:
            print(f"{path}: replaced by another of its size and date; {source.folder} is packed anew", file=sys.stderr)
            return None
    if len(touched):
        _write_files(folder, source.status, store.checksums)
    return store


def _built(folder: Path, source: Source, dtype: np.dtype[Any]) -> SpectrogramStore:
    # What a killed build left and stores of files that have changed since; open ones stay readable.
    for version in range(1, FORMAT_VERSION + 1):
        for outdated in folder.parent.glob(f"{glob.escape(source.store_name(dtype.name, version))}-*"):
            shutil.rmtree(outdated, ignore_errors=True)
    partial = folder.with_name(folder.name + PARTIAL_SUFFIX)
    partial.mkdir()
    try:
        _pack(source, dtype, partial)
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return SpectrogramStore(folder)


def _pack(source: Source, dtype: np.dtype[Any], folder: Path) -> None:
    """Write the files of a store, frames and moments as they are read."""
    lengths: list[int] = []
    checksums: list[int] = []
    paths = source.files.values()
    rows = read_header(next(iter(paths))).rows
    with (folder / "frames.bin").open("wb") as frames_stream, (folder / "moments.npy").open("wb") as moments_stream:
        header = {"descr": "<f8", "fortran_order": False, "shape": (len(paths), 2, rows)}
        np.lib.format.write_array_header_1_0(moments_stream, header)
        title = f"Packing {source.folder.parent.name}/{source.folder.name}"
        for path in tqdm(paths, desc=title, unit="track", delay=1):
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
                raise UserError(
                    f"{path}: values up to {np.abs(array).max():.3g} do not fit {dtype.name}; expected dB; features of "
                    "your own may need --data.store_dtype float32"
                )
            frames_stream.write(frames.tobytes())
            moments_stream.write(np.stack([values.sum(axis=0), (values**2).sum(axis=0)]).astype("<f8").tobytes())
            lengths.append(len(frames))
            checksums.append(int(checksum(array), 16))
    _write_files(folder, source.status, np.array(checksums, np.uint64))
    index = {"ids": list(source.files), "lengths": lengths, "rows": rows, "dtype": dtype.name}
    (folder / "index.json").write_text(json.dumps(index), encoding="utf-8")


def _write_files(folder: Path, status: npt.NDArray[np.uint64], checksums: npt.NDArray[np.uint64]) -> None:
    with replacing(folder / "files.npy") as partial:
        np.save(partial, np.column_stack([status, checksums]))
