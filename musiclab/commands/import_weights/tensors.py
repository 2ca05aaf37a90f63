"""The tensors of a TensorFlow checkpoint: an index of names, shapes and places, and a file of values.

Source: TensorFlow's ``tensor_bundle.proto``, and "Encoding" of Protocol Buffers' documentation.
"""

import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from musiclab.commands.import_weights.table import TableError, read_number, read_table

Tensors = dict[str, npt.NDArray[np.float32]]

FLOAT32 = 1
"""The kind of tensors of float32."""

HEADER = b""
"""Name of the entry that tells of the checkpoint as a whole."""

NUMBER, TEXT, EIGHT_BYTES, FOUR_BYTES = 0, 2, 1, 5
"""How fields are encoded."""


def read_tensors(index: bytes, values: bytes) -> Tensors:
    """Return the float32 tensors of a checkpoint by their names; others, as counters of steps, are left out.

    Args:
        index: Content of the file that ends in ``.index``.
        values: Content of the one that ends in ``.data-00000-of-00001``.

    Raises:
        TableError: If the index is none, is damaged, or names what is not among the values.
    """
    table = read_table(index)
    if HEADER not in table:
        raise TableError("a table, but of no checkpoint")
    header = dict(_fields(table.pop(HEADER)))
    if header.get(1, 1) != 1 or header.get(2, 0) != 0:
        raise TableError("its values lie in several files, or the highest byte first, which musiclab does not read")
    tensors: Tensors = {}
    for name, entry in table.items():
        fields = dict(_fields(entry))
        if fields.get(1) != FLOAT32:
            continue
        shape = [_size(dimension) for number, dimension in _fields(_text(fields.get(2, b""))) if number == 2]
        start, size = _whole(fields.get(4, 0)), _whole(fields.get(5, 0))
        text = name.decode(errors="replace")
        if size != 4 * math.prod(shape) or start + size > len(values):
            raise TableError(f"damaged: {text} does not lie where it should")
        tensors[text] = np.frombuffer(values, "<f4", math.prod(shape), start).astype(np.float32).reshape(shape)
    return tensors


def _size(dimension: int | bytes) -> int:
    """Return the size of a dimension."""
    return _whole(dict(_fields(_text(dimension))).get(1, 0))


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield number and value of each field of a message."""
    position = 0
    while position < len(message):
        key, position = read_number(message, position)
        kind, size = key & 7, 0
        if kind == NUMBER:
            value, position = read_number(message, position)
            yield key >> 3, value
            continue
        if kind == TEXT:
            size, position = read_number(message, position)
        elif kind in (EIGHT_BYTES, FOUR_BYTES):
            size = 8 if kind == EIGHT_BYTES else 4
        else:
            raise TableError("damaged: a field of no kind")
        if position + size > len(message):
            raise TableError("damaged: a field beyond its message")
        yield key >> 3, message[position : position + size]
        position += size


def _whole(value: int | bytes) -> int:
    if isinstance(value, bytes):
        raise TableError("damaged: text in place of a number")
    return value


def _text(value: int | bytes) -> bytes:
    if isinstance(value, int):
        raise TableError("damaged: a number in place of text")
    return value
