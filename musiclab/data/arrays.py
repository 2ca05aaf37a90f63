"""Array files of a data set folder: finding them and reading them safely."""

import gzip
import zlib
from pathlib import Path
from tokenize import TokenError

import numpy as np
import numpy.typing as npt

from musiclab.errors import UserError, raise_first
from musiclab.ids import track_id

ARRAY_SUFFIXES = (".npy", ".npy.gz")
ROW_COUNTS = (128, 140)
"""Rows of an array: 128 mel bands, or 128 mel bands and 12 chroma."""


def scan_arrays(folder: Path) -> tuple[dict[str, Path], list[str]]:
    """Return the array files of ``folder`` by id, in the order of their names, and what is wrong with the names."""
    if not folder.is_dir():
        return {}, [f"{folder}: no such folder; a data set has train/ and test/ beside its label files"]
    try:
        files = sorted(path for path in folder.iterdir() if path.name.endswith(ARRAY_SUFFIXES))
    except OSError as error:
        return {}, [f"{folder}: cannot be read ({error.strerror or error})"]
    found: dict[str, Path] = {}
    problems: list[str] = []
    for path in files:
        if path.name.startswith("."):  # what a system keeps beside its files, as ._1043.npy on a Mac
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


def read_array(path: Path) -> npt.NDArray[np.floating]:
    """Read one array of ``(rows, time)`` and make sure that it keeps the data contract.

    Pickled objects are never loaded.

    Raises:
        UserError: Naming the file, what is wrong with it, and what to do.
    """
    try:
        array = _load(path)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except (EOFError, gzip.BadGzipFile, zlib.error, TokenError):  # the last for a damaged header
        raise UserError(f"{path}: truncated or not an array file; copy or extract it again") from None
    except MemoryError:
        raise UserError(f"{path}: larger than the memory, or its header is damaged; copy or extract it again") from None
    except ValueError as error:
        if "pickle" in str(error).lower() or "object arrays" in str(error).lower():
            raise UserError(f"{path}: holds pickled objects, which are never loaded; save a plain array") from None
        raise UserError(f"{path}: truncated or not an array file; copy or extract it again") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error})") from None
    if array.ndim != 2:
        raise UserError(f"{path}: an array of shape {array.shape}; expected (rows, time)")
    if not np.issubdtype(array.dtype, np.floating):
        raise UserError(f"{path}: an array of {array.dtype}; expected floats (dB and chroma)")
    rows, frames = array.shape
    if rows not in ROW_COUNTS:
        raise UserError(f"{path}: {rows} rows; expected 128 (mel) or 140 (mel and chroma), as (rows, time)")
    if frames == 0:
        raise UserError(f"{path}: no frames; remove the track or extract it again")
    if not np.isfinite(array).all():
        raise UserError(f"{path}: holds NaN or infinite values; extract the track again")
    return array


def _load(path: Path) -> npt.NDArray[np.floating]:
    if path.name.endswith(".gz"):
        with gzip.open(path) as stream:
            array = np.lib.format.read_array(stream, allow_pickle=False)
            stream.read(1)  # only at its end is the checksum compared
    else:
        # Unlike np.load, this never takes a file without the .npy header for a pickle or an archive.
        with path.open("rb") as stream:
            array = np.lib.format.read_array(stream, allow_pickle=False)
    return np.asarray(array)
