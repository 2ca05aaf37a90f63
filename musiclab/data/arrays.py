"""Array files of a data set folder: finding them and reading them safely."""

import gzip
import math
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from io import BufferedReader, BytesIO
from pathlib import Path
from tokenize import TokenError
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import xxhash

from musiclab.data.ids import track_id
from musiclab.errors import UserError, raise_first
from musiclab.files import is_special

ARRAY_SUFFIXES = (".npy", ".npy.gz")
ROW_COUNTS = (128, 140)
"""Rows of the lab's arrays: 128 mel bands, or 128 mel bands and 12 chroma."""
MAX_FRAMES = 4_000_000
"""More are taken for a damaged header, or for one that is to fill the memory."""
MAX_ROWS = 65_536
"""Likewise; no features of music that we know have more than a few thousand."""
MAX_HEADER = 10_000
"""Bytes of a header; numpy reads no longer ones."""
LEFTOVER = "more bytes than its header says"

NOT_FINITE = "NaN or infinite values; extract the track again"


def scan_arrays(folder: Path) -> tuple[dict[str, Path], list[str]]:
    """Return the array files of ``folder`` by id, in the order of their names, and what is wrong with the names."""
    if not folder.is_dir():
        return {}, [f"{folder}: no such folder; a data set has train/ and test/ beside its label files"]
    try:
        paths = sorted(folder.iterdir(), key=lambda path: path.name)
    except OSError as error:
        return {}, [f"{folder}: cannot be read ({error.strerror or error})"]
    found: dict[str, Path] = {}
    problems: list[str] = []
    for path in paths:
        # Hidden is what a system keeps beside its files, as ._1043.npy on a Mac.
        if path.name.startswith(".") or not path.name.endswith(ARRAY_SUFFIXES):
            continue
        try:
            identifier = track_id(path.name)
        except UserError as error:
            problems.append(f"{path}: {error}")
            continue
        if identifier in found:
            problems.append(f"{path}: id {identifier} is also that of {found[identifier].name}; keep one of them")
        else:
            found[identifier] = path
    return found, problems


def find_arrays(folder: Path) -> dict[str, Path]:
    """Return the array files of ``folder`` by id, in the order of their names.

    Raises:
        UserError: If there is no such folder, or two files share an id.
    """
    found, problems = scan_arrays(folder)
    raise_first(problems)
    return found


class ArrayHeader(NamedTuple):
    """What the beginning of an array file says."""

    rows: int
    columns: int
    dtype: str


def read_array(path: Path) -> npt.NDArray[np.floating]:
    """Read one array of ``(rows, time)`` and make sure that it keeps the data contract.

    Pickled objects are never loaded.

    Raises:
        UserError: Naming the file, what is wrong with it, and what to do.
    """
    array = _read_formed(path)
    if not np.isfinite(array).all():
        raise UserError(f"{path}: holds {NOT_FINITE}")
    return array


def read_float32(path: Path) -> tuple[ArrayHeader, npt.NDArray[np.float32]]:
    """Read one array as float32, which most is computed with the fastest, and return what its header says with it.

    That its values are finite is left to see to :func:`require_finite`.

    Raises:
        UserError: As :func:`read_array`, but for values that are not finite.
    """
    array = _read_formed(path)
    with np.errstate(over="ignore"):
        return ArrayHeader(array.shape[0], array.shape[1], _name(array.dtype)), np.asarray(array, np.float32)


@lru_cache
def _name(dtype: np.dtype[Any]) -> str:
    return dtype.name  # which numpy makes anew each time


def require_finite(path: Path, *extremes: float) -> None:
    """Refuse an array by its lowest and highest values: NaN is both.

    Raises:
        UserError: If one of them is not finite.
    """
    if not all(map(math.isfinite, extremes)):
        raise UserError(f"{path}: holds {NOT_FINITE}")


def _read_formed(path: Path) -> npt.NDArray[np.floating]:
    with _explained(path), _open(path) as stream:
        shape, fortran_order, dtype = _read_form(path, stream)
        values = _read_values(stream, math.prod(shape), dtype)
    return values.reshape(shape[::-1]).T if fortran_order else values.reshape(shape)


def require_lab_rows(path: str | Path, header: ArrayHeader) -> None:
    """Refuse an array that has other rows than the lab's.

    Raises:
        UserError: Saying so, and what can be done about it.
    """
    if header.rows in ROW_COUNTS:
        return
    if header.columns in ROW_COUNTS:
        raise UserError(
            f"{path}: {header.rows} rows and {header.columns} columns; expected 128 (mel) or 140 (mel and chroma) "
            "rows: likely transposed; save (rows, time), or for features of your own, take --data.features all"
        )
    raise UserError(
        f"{path}: {header.rows} rows; expected 128 (mel) or 140 (mel and chroma), as (rows, time); features of your "
        "own, of any number of rows, are --data.features all"
    )


def checksum(array: npt.NDArray[np.floating]) -> str:
    """Return a checksum of the values of an array, 16 hexadecimal digits: the same in whichever format they are kept.

    It tells arrays apart, as far as float32 does; it does not protect from those who want two to be taken for one.
    """
    # XXH3, since SHA-1 takes longer than all else that a file is looked at for.
    return str(xxhash.xxh3_64_hexdigest(np.ascontiguousarray(array, "<f4").data, seed=array.shape[0]))


def read_header(path: Path) -> ArrayHeader:
    """Return the size of one array without reading its values, which may be damaged all the same.

    Raises:
        UserError: As :func:`read_array`, for what can be seen without the values.
    """
    with _explained(path), _open(path) as stream:
        shape, _, dtype = _read_form(path, stream)
        if not path.name.endswith(".gz"):
            size, found = stream.tell() + math.prod(shape) * dtype.itemsize, path.stat().st_size
            if found < size:
                raise EOFError
            if found > size:
                raise ValueError(LEFTOVER)
    return ArrayHeader(shape[0], shape[1], dtype.name)


def _read_form(path: Path, stream: gzip.GzipFile | BufferedReader) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Read the beginning of an array file: the shape, whether columns come first, and the type of its values."""
    version = np.lib.format.read_magic(stream)
    length = stream.read(2 if version == (1, 0) else 4)
    size = int.from_bytes(length, "little")
    if size > MAX_HEADER:
        raise ValueError("no header")
    shape, fortran_order, dtype = _parse_header(version == (1, 0), length + stream.read(size))
    if dtype.hasobject:
        raise ValueError("object arrays")
    if any(isinstance(size, bool) or size < 0 for size in shape):
        raise ValueError("no shape")
    _check_form(path, shape, dtype)
    return shape, fortran_order, dtype


def _read_values(stream: gzip.GzipFile | BufferedReader, count: int, dtype: np.dtype[Any]) -> npt.NDArray[np.floating]:
    """Read so many values and make sure that no more follow: what a header does not promise is never unpacked."""
    values = np.empty(count, dtype)
    rest = values.view(np.uint8).data
    while rest:
        read = stream.readinto(rest)
        if not read:
            raise EOFError
        rest = rest[read:]
    if stream.read(1):  # in which a zipped file's checksum is compared, too
        raise ValueError(LEFTOVER)
    return values


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turn what reading an array file may raise into a UserError that names the file."""
    try:
        yield
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except MemoryError:
        raise UserError(f"{path}: larger than the memory, or its header is damaged; copy or extract it again") from None
    except UserError:
        raise
    except (ValueError, EOFError, gzip.BadGzipFile, zlib.error, TokenError) as error:  # the last for a damaged header
        if "pickle" in str(error).lower() or "object arrays" in str(error).lower():
            raise UserError(f"{path}: holds pickled objects, which are never loaded; save a plain array") from None
        if LEFTOVER in str(error):
            raise UserError(f"{path}: holds {LEFTOVER}; copy or extract it again") from None
        raise UserError(f"{path}: truncated or not an array file; copy or extract it again") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error})") from None


def _check_form(path: str | Path, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    if len(shape) != 2:
        raise UserError(f"{path}: an array of shape {shape}; expected (rows, time)")
    if not np.issubdtype(dtype, np.floating):
        raise UserError(f"{path}: an array of {dtype}; expected floats (dB and chroma)")
    if not 0 < shape[0] <= MAX_ROWS:
        raise UserError(f"{path}: {shape[0]} rows; expected 1 to {MAX_ROWS}, as (rows, time)")
    if shape[1] > MAX_FRAMES or math.prod(shape) > MAX_FRAMES * ROW_COUNTS[-1]:
        raise UserError(f"{path}: {shape[1]} frames by its header, over a day of music; copy or extract it again")
    if not shape[1]:
        raise UserError(f"{path}: no frames; remove the track or extract it again")


def _open(path: Path) -> gzip.GzipFile | BufferedReader:
    if is_special(path):  # to open a pipe would wait for ever
        raise UserError(f"{path}: not a regular file but a pipe, socket or device; remove it")
    return gzip.open(path) if path.name.endswith(".gz") else path.open("rb")


@lru_cache(maxsize=4096)  # the files of a folder share a few headers, which take longer to parse than the rest to read
def _parse_header(first_version: bool, header: bytes) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    # Later versions differ in nothing that matters to plain arrays.
    parse = np.lib.format.read_array_header_1_0 if first_version else np.lib.format.read_array_header_2_0
    return parse(BytesIO(header))


def check_array(name: str | Path, array: npt.NDArray[Any]) -> None:
    """Make sure that an array at hand keeps the data contract, as :func:`read_array` does of one in a file.

    Args:
        name: What it is called.
        array: The array.

    Raises:
        UserError: Saying what is wrong with it, and what to do.
    """
    _check_form(name, array.shape, array.dtype)
    if not np.isfinite(array).all():
        raise UserError(f"{name}: holds {NOT_FINITE}")
