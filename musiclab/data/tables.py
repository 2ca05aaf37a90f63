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

DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+")

THOUSANDS = re.compile(r"[+-]?[1-9]\d?\d?[,.]\d{3}")
"""What may be a decimal or a thousand, where the separator does not tell."""


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


def read_rows(path: Path, name_column: Callable[[list[str]], int] = lambda columns: 0) -> Table:
    """Read a table, separated by tabs if its header has any, else by commas; fields may be quoted.

    Also as Excel saves it where the decimal comma is used: separated by semicolons, if the header has any and no comma.
    Columns of numbers may have decimal commas, which become points. Rows without anything, also before the header, and
    columns without anything at the end, are left out. What is wrong is collected, instead of stopping at the first;
    nothing is read after a quote that is not closed.

    Args:
        path: The table.
        name_column: Tells, by the names of all columns, which of them names the rows, and so holds no numbers.

    Raises:
        UserError: If the file cannot be read.
    """
    text = one_form(read_text(path))
    header = next((line for line in re.split(r"[\r\n]+", text) if line.strip()), "")
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
            if not columns:
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
                rows.append((number, fields))
    except csv.Error as error:
        problems.append(f"{path}: line {end + 1} cannot be read as csv ({error}); a quote within a field is doubled")
    for number in set(range(len(columns))) - {name_column(columns) if columns else 0}:
        problems += _give_points(path, columns[number], number, [fields for _, fields in rows], separator)
    doubled = sorted({column for column in columns if columns.count(column) > 1})
    problems += [f"{path}: column {column} stands twice in the header; keep one of them" for column in doubled]
    return Table(columns, rows, problems)


def _give_points(path: Path, column: str, number: int, rows: list[list[str]], separator: str) -> list[str]:
    """Have the decimal commas of a column be points, where it is one of numbers; return what is wrong with it."""
    fields = [fields[number] for fields in rows]
    commas = [field for field in fields if DECIMAL_COMMA.fullmatch(field)]
    points = [field for field in fields if "." in field and is_number(field)]
    if commas and any(map(THOUSANDS.fullmatch, [*commas, *points])) and points:
        return [f"{path}: {column} has {commas[0]} and {points[0]}; write all of its numbers with a decimal point"]
    if separator == ";" or not all(map(THOUSANDS.fullmatch, commas)):
        for row in rows:
            if DECIMAL_COMMA.fullmatch(row[number]):
                row[number] = row[number].replace(",", ".")
    return []


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
