"""Text files that people write: tables as csv has them, separated by tabs or commas, and lists of a line each.

Of letters that Unicode can write in several ways, as a Mac does in names of files, all text has one form.
"""

import codecs
import csv
import io
import re
import unicodedata
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from musiclab.errors import UserError
from musiclab.files import CONTROLS, is_special

WORKBOOKS = {
    b"PK\x03\x04": "a workbook (of Excel, .xlsx) or another zip file",
    b"\xd0\xcf\x11\xe0": "a workbook (.xls)",
}
"""How files begin that are sometimes called .txt or .csv."""

UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)

DECIMAL_COMMA = {
    ";": re.compile(r"[+-]?\d*,\d+"),
    "\t": re.compile(r"(?![+-]?[1-9]\d?\d?,\d{3}$)[+-]?\d*,\d+"),  # 1,234 may be a thousand
    ",": re.compile(r"(?!)"),
}
"""Numbers with a decimal comma, as may stand in a table with each separator."""


class Table(NamedTuple):
    """A table as read: column names, rows of as many fields with the line that each begins at, and what is wrong."""

    columns: list[str]
    rows: list[tuple[int, list[str]]]
    problems: list[str]


def one_form(text: str) -> str:
    """Return a text in the form of Unicode in which names are compared."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def as_list(value: str | Sequence[str], is_one: Callable[[str], bool] = lambda text: False) -> list[str]:
    """Return the names that a user gives: a list as it is, a text with commas as several names.

    Args:
        value: ``[valence, energy]``, or ``valence, energy`` or ``[valence,energy]`` as text; names may be quoted.
        is_one: Whether a text with commas is one name all the same.
    """
    if not isinstance(value, str):
        return list(value)
    if "," not in value or is_one(value):
        names = [value]
    else:
        inside = value.strip()
        inside = inside[1:-1] if inside[0] == "[" and inside[-1] == "]" else inside
        names = next(csv.reader([inside], skipinitialspace=True))
    return [name.strip() for name in names if name.strip()]


def is_number(text: str) -> bool:
    """Tell whether a text is a number as people write them, not only as Python reads them."""
    try:
        float(text)
    except ValueError:
        return False
    return text.isascii() and "_" not in text


def read_text(path: Path) -> str:
    """Return a text file, its line breaks as they are.

    Raises:
        UserError: If it cannot be read.
    """
    try:
        if is_special(path):
            raise UserError(f"{path}: not a regular file but a pipe, socket or device; write it to a file")
        content = path.read_bytes()
        if found := next((what for start, what in WORKBOOKS.items() if content.startswith(start)), None):
            raise UserError(f"{path}: {found}, no text; save it there as CSV UTF-8, and give that")
        return content.decode("utf-16" if content.startswith(UTF_16) else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 text (byte {error.start}); save it as UTF-8") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None


def read_rows(path: Path) -> Table:
    """Read a table, separated by tabs if its header has any, else by commas; fields may be quoted.

    Also as Excel saves it where the decimal comma is used: separated by semicolons, if the header has any and no comma.
    Numbers may have such a comma where none separates. Rows without anything, and columns without anything at the end,
    are left out. What is wrong is collected, instead of stopping at the first; nothing is read after a quote that is
    not closed.

    Raises:
        UserError: If the file cannot be read.
    """
    text = one_form(read_text(path))
    header = re.split(r"[\r\n]", text, maxsplit=1)[0]
    separator = "\t" if "\t" in header else ";" if ";" in header and "," not in header else ","
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True, strict=True)
    columns: list[str] = []
    rows: list[tuple[int, list[str]]] = []
    problems: list[str] = []
    end = 0
    try:
        for fields in reader:
            number, end = end + 1, reader.line_num
            fields = list(map(str.strip, fields))
            if reader.line_num > number:  # a quoted field holds line breaks, which would tear messages
                fields = [re.sub(r"\s*[\r\n]\s*", " ", field) for field in fields]
            if unfit := next((field for field in fields if re.search(f"[{CONTROLS}]", field)), None):
                problems.append(f"{path}: line {number}: {unfit!r} holds control characters; remove them")
            if number == 1:
                columns = _without_empty_end(fields, 0)
                continue
            fields = _without_empty_end(fields, len(columns))
            if not any(fields):
                continue
            if len(fields) != len(columns):
                decimal = separator == "," and len(fields) == 2 * len(columns) - 1
                hint = "; if these are decimal commas, separate columns by semicolons" if decimal else ""
                problems.append(
                    f"{path}: line {number} has {len(fields)} fields where the header has {len(columns)}{hint}"
                )
            else:
                commas = DECIMAL_COMMA[separator]
                fields[1:] = [field.replace(",", ".") if commas.fullmatch(field) else field for field in fields[1:]]
                rows.append((number, fields))
    except csv.Error as error:
        problems.append(f"{path}: line {end + 1} cannot be read as csv ({error}); a quote within a field is doubled")
    doubled = sorted({column for column in columns if columns.count(column) > 1})
    problems += [f"{path}: column {column} stands twice in the header; keep one of them" for column in doubled]
    return Table(columns, rows, problems)


def _without_empty_end(fields: list[str], least: int) -> list[str]:
    """Return fields without the empty ones at their end, but so many at least."""
    count = len(fields)
    while count > least and not fields[count - 1]:
        count -= 1
    return fields[:count]


def read_lines(path: Path) -> list[str]:
    """Return the lines of a text file that are not blank, without quotes around the whole of a line.

    Raises:
        UserError: If it cannot be read.
    """
    lines = (line.strip() for line in re.split(r"[\r\n]+", read_text(path)))
    return [line[1:-1] if len(line) > 2 and line[0] == line[-1] == '"' else line for line in lines if line]
