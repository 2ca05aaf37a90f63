"""Sorted tables of names and values, the format that TensorFlow keeps the index of a checkpoint in.

A table is blocks of entries; a footer names the block of the index, whose values name the others. In a block, a name
is given as what it shares with the one before it and what follows. Checksums are passed over: what a table is read
from has its own.

Source: LevelDB's documentation, "table_format.md".
"""

from collections.abc import Iterator

MAGIC = bytes.fromhex("57fb808b247547db")
"""The last bytes of every table."""

FOOTER = 48  # bytes

PLAIN = 0
"""Kind of a block that is not compressed."""


class TableError(ValueError):
    """Bytes that are no table, or one that is damaged; the message says in what."""


def read_table(content: bytes) -> dict[bytes, bytes]:
    """Return the values of a table by their names.

    Raises:
        TableError: If it is none, or damaged.
    """
    if len(content) < FOOTER or not content.endswith(MAGIC):
        raise TableError("no table of TensorFlow's, or it is cut off")
    _, position = _handle(content, len(content) - FOOTER)  # of a block of remarks
    index, _ = _handle(content, position)
    table: dict[bytes, bytes] = {}
    for _, value in _entries(_block(content, index)):
        place, _ = _handle(value, 0)
        table.update(_entries(_block(content, place)))
    return table


def read_number(content: bytes, position: int) -> tuple[int, int]:
    """Return a whole number of seven bits a byte, the lowest first, and where it ends.

    Raises:
        TableError: If the content ends before it.
    """
    number = shift = 0
    while True:
        if position >= len(content) or shift > 63:
            raise TableError("damaged: a number without an end")
        byte = content[position]
        number |= (byte & 0x7F) << shift
        position, shift = position + 1, shift + 7
        if byte < 0x80:
            return number, position


def _handle(content: bytes, position: int) -> tuple[slice, int]:
    """Return where a block lies, and where that is said to the end."""
    start, position = read_number(content, position)
    size, position = read_number(content, position)
    return slice(start, start + size), position


def _block(content: bytes, place: slice) -> bytes:
    """Return the entries of a block, without what helps to search it."""
    if place.stop >= len(content):
        raise TableError("damaged: a block beyond its end")
    if content[place.stop] != PLAIN:
        raise TableError("its blocks are compressed, which musiclab does not read")
    block = content[place]
    restarts = 4 * int.from_bytes(block[-4:], "little") + 4
    if not len(block) >= 4 or restarts > len(block):
        raise TableError("damaged: a block that is too short")
    return block[: len(block) - restarts]


def _entries(block: bytes) -> Iterator[tuple[bytes, bytes]]:
    position, name = 0, b""
    while position < len(block):
        shared, position = read_number(block, position)
        own, position = read_number(block, position)
        size, position = read_number(block, position)
        if shared > len(name) or position + own + size > len(block):
            raise TableError("damaged: an entry beyond its block")
        name = name[:shared] + block[position : position + own]
        position += own
        yield name, block[position : position + size]
        position += size
