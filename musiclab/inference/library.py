"""Files of embeddings: a row a track or window, with what is known of it and whose embedding it is."""

import csv
import importlib
import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from musiclab.errors import UserError
from musiclab.files import replacing, write_csv

VALUES = "embedding"
MODEL = "model"
"""Column of the fingerprint of the model, the last one before the values."""


RESERVED = ("id", "path", "start", MODEL, VALUES, "file")
"""Names that no axis can have; the last one is NumPy's own."""


def written(path: Path) -> str:
    """Return a path as files of embeddings hold it: the same for all ways to name a file, and in letters."""
    return os.path.realpath(path.expanduser()).encode(errors="backslashreplace").decode()


class Library(NamedTuple):
    """Embeddings of tracks.

    Attributes:
        model: Fingerprint of the model that they are of.
        columns: What is known of each row: ``id`` and ``path``; of windows their beginning in s, ``start``; genre or
            values where they are known. Text, or float64 with NaN for what is not known.
        values: ``(rows, embedding)`` float32.
    """

    model: str
    columns: dict[str, npt.NDArray[Any]]
    values: npt.NDArray[np.float32]

    def nearest(self, embedding: npt.NDArray[np.float32]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
        """Return the rows in the order of their cosine with an embedding, the nearest first, and their cosines.

        Args:
            embedding: ``(embedding,)``, of the same model.

        Raises:
            UserError: If it is of another size.
        """
        if self.values.shape[1:] != embedding.shape:
            raise UserError(
                f"the library's embeddings have {self.values.shape[1]} values each, but the model's {len(embedding)}; "
                "make the file anew by musiclab embed"
            )
        values, wanted = self.values.astype(np.float64), embedding.astype(np.float64)
        lengths = np.linalg.norm(values, axis=1) * np.linalg.norm(wanted)
        cosines = values @ wanted / np.maximum(lengths, 1e-30)
        order = np.argsort(-cosines, kind="stable")
        return order, cosines[order]


def require_format(path: Path) -> None:
    """Refuse a name that says no format that can be written here, before hours of work.

    Raises:
        UserError: If it ends otherwise, or a library is missing.
    """
    if path.suffix.lower() not in FORMATS:
        raise UserError(f"{path}: embeddings are written as .npz, .csv or .parquet; give a name that ends so")
    if path.is_dir():
        raise UserError(f"{path}: a folder; give the name of a file")
    if path.suffix.lower() == ".parquet":
        _arrow(path)


def write_library(path: Path, library: Library) -> None:
    """Write a file of the format that its name says, whole or not at all.

    Raises:
        UserError: As :func:`require_format`.
    """
    require_format(path)
    FORMATS[path.suffix.lower()][0](path, library)


def read_library(path: Path) -> Library:
    """Read a file that :func:`write_library` wrote.

    Raises:
        UserError: If there is none, or it is not as it should be.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such file; `musiclab embed` makes one")
    require_format(path)
    with _explained(path):
        library = FORMATS[path.suffix.lower()][1](path)
        rows, columns = len(library.values), library.columns
        if library.values.ndim != 2 or not rows or any(len(column) != rows for column in columns.values()):
            raise ValueError("rows")
        if not {"id", "path"} <= columns.keys() or not np.isfinite(library.values).all():
            raise ValueError("values")
    return library


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except UserError:
        raise
    except Exception:  # what damage does to an archive may show in any way
        raise UserError(f"{path}: no embeddings, or damaged; give a file that `musiclab embed` wrote") from None


def _write_npz(path: Path, library: Library) -> None:
    with replacing(path) as partial:
        arrays: dict[str, Any] = {**library.columns, MODEL: np.array(library.model), VALUES: library.values}
        np.savez(partial, **arrays)


def _read_npz(path: Path) -> Library:
    with np.load(path, allow_pickle=False) as arrays:
        columns = {name: arrays[name] for name in arrays.files if name not in (MODEL, VALUES)}
        return Library(str(arrays[MODEL]), columns, arrays[VALUES].astype(np.float32))


def _write_csv(path: Path, library: Library) -> None:
    header = [*library.columns, MODEL, *(f"e{number}" for number in range(library.values.shape[1]))]
    texts = [_texts(column) for column in library.columns.values()]
    rows = zip(*texts, library.values, strict=True)
    write_csv(path, header, ([*known, library.model, *(f"{value:.9g}" for value in row)] for *known, row in rows))


def _read_csv(path: Path) -> Library:
    with path.open(newline="", encoding="utf-8") as stream:
        text = stream.read()
    if not text.endswith("\n"):
        raise ValueError("cut off")
    header, *rows = list(csv.reader(io.StringIO(text, newline="")))
    before = header.index(MODEL)
    if len({row[before] for row in rows}) != 1 or any(len(row) != len(header) for row in rows):
        raise ValueError("rows")
    values = np.array([row[before + 1 :] for row in rows], np.float32)
    texts = {name: [row[index] for row in rows] for index, name in enumerate(header[:before])}
    return Library(rows[0][before], {name: _column(name, column) for name, column in texts.items()}, values)


def _texts(column: npt.NDArray[Any]) -> list[str]:
    if column.dtype.kind != "f":
        return [str(value) for value in column]
    return ["" if np.isnan(value) else f"{value:.6g}" for value in column]


def _column(name: str, texts: list[str]) -> npt.NDArray[Any]:
    if name in ("id", "path", "genre"):
        return np.array(texts)
    return np.array([float(text or "nan") for text in texts])


def _write_parquet(path: Path, library: Library) -> None:
    arrow, parquet = _arrow(path)
    rows, size = library.values.shape
    columns = {
        **{name: arrow.array(column.tolist()) for name, column in library.columns.items()},
        MODEL: arrow.array([library.model] * rows),
        VALUES: arrow.FixedSizeListArray.from_arrays(arrow.array(library.values.ravel()), size),
    }
    with replacing(path) as partial:
        parquet.write_table(arrow.table(columns), partial)


def _read_parquet(path: Path) -> Library:
    _, parquet = _arrow(path)
    table = parquet.read_table(path)
    columns = {name: np.array(table[name].to_pylist()) for name in table.column_names if name not in (MODEL, VALUES)}
    values = table[VALUES].combine_chunks().flatten().to_numpy(zero_copy_only=False)
    return Library(table[MODEL][0].as_py(), columns, values.astype(np.float32).reshape(len(table), -1))


def _arrow(path: Path) -> tuple[Any, Any]:
    """Return the modules that read and write parquet."""
    try:
        return importlib.import_module("pyarrow"), importlib.import_module("pyarrow.parquet")
    except ImportError:
        raise UserError(f"{path}: parquet needs pyarrow; install it: pip install 'musiclab[parquet]'") from None


FORMATS: dict[str, tuple[Callable[[Path, Library], None], Callable[[Path], Library]]] = {
    ".npz": (_write_npz, _read_npz),
    ".csv": (_write_csv, _read_csv),
    ".parquet": (_write_parquet, _read_parquet),
}
"""How files are written and read, by the end of their name."""
