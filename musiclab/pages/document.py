"""Headings, text, tables and pictures, written as one html page and as Markdown.

The page needs no script and nothing from the network, and can be read on a phone: wide tables scroll, pictures shrink
and wrap. Blocks are plain data; how they look as html is said in ``page.html`` alone.
"""

import base64
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import compress
from pathlib import Path
from typing import Protocol, Self

from jinja2 import Environment, PackageLoader, StrictUndefined

from musiclab.errors import UserError
from musiclab.files import remove_leftovers, replacing, shown, write_text

NUMBER = re.compile(r"|[-+]?[\d.,]+([x%]| ?(s|min|h|MB|%)| ?[±(].*| - [-+]?[\d.,]+)?")
"""A cell that is a number, with or without unit and spread, or a range of numbers, or empty."""

INCH = 110
"""Pixels that an inch of a picture takes on a page: text of 10 points is then as large as the page's own."""

METRES_AN_INCH = 0.0254

TEMPLATES = Environment(
    loader=PackageLoader("musiclab.pages", ""),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)


class Block(Protocol):
    """A part of a document."""

    def to_markdown(self) -> str:
        """Return the block as Markdown, with pictures as links to files."""


@dataclass(frozen=True)
class Heading:
    """A heading; level 1 is the document's title. Those of level 2 are listed at the top of the page."""

    text: str
    level: int = 2

    @property
    def anchor(self) -> str:
        """What a link in the page calls the heading."""
        return re.sub(r"[^a-z0-9]+", "-", self.text.lower()).strip("-")

    def to_markdown(self) -> str:
        """Return the heading."""
        return f"{'#' * self.level} {_plain(self.text)}"


class Link(str):
    """Text of a cell that leads to the heading ``anchor`` of the same page; in Markdown, the text alone."""

    anchor: str

    def __new__(cls, text: str, anchor: str) -> Self:
        """Return the text with its anchor."""
        link = super().__new__(cls, text)
        link.anchor = anchor
        return link


@dataclass(frozen=True)
class Text:
    """A paragraph of plain text."""

    text: str

    def to_markdown(self) -> str:
        """Return the paragraph."""
        return _plain(self.text)


@dataclass(frozen=True)
class Code:
    """Commands or output, shown as they are."""

    text: str

    def to_markdown(self) -> str:
        """Return the lines, indented."""
        return "\n".join(f"    {line}" for line in self.text.splitlines())


@dataclass(frozen=True)
class Table:
    """Rows of cells; a column whose cells are all numbers, or empty, is set flush right."""

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str = ""

    def without_empty(self) -> Self:
        """Return the table without those columns that are empty."""
        kept = [any(cells) for _, *cells in zip(self.header, *self.rows, strict=True)]
        header, *rows = (list(compress(row, kept)) for row in (self.header, *self.rows))
        return replace(self, header=header, rows=rows)

    def numbers(self) -> list[bool]:
        """Tell of each column whether it is one of numbers."""
        columns = (cells for _, *cells in zip(self.header, *self.rows, strict=True))
        return [any(cells) and all(NUMBER.fullmatch(cell) for cell in cells) for cells in columns]

    def to_markdown(self) -> str:
        """Return the table with its caption above."""
        rule = [("---:" if number else "---") for number in self.numbers()]
        rows = [map(_cell, self.header), rule, *(map(_cell, row) for row in self.rows)]
        caption = [_plain(self.caption), ""] if self.caption else []
        return "\n".join([*caption, *(f"| {' | '.join(cells)} |" for cells in rows)])


@dataclass(frozen=True)
class Picture:
    """A picture, of which ``file`` names the file below the document's folder.

    Attributes:
        file: As in ``pictures/lengths.png``.
        png: Its bytes.
        caption: What is to be seen; also the text for those who cannot see it.
    """

    file: str
    png: bytes
    caption: str

    @property
    def size(self) -> tuple[int, int]:
        """Width and height on a page, of whatever resolution the file is, as far as it says so."""
        pixels = int.from_bytes(self.png[16:20]), int.from_bytes(self.png[20:24])
        place = self.png.find(b"pHYs", 0, self.png.find(b"IDAT"))
        if place < 0:
            return pixels
        an_inch = int.from_bytes(self.png[place + 4 : place + 8]) * METRES_AN_INCH
        width, height = (round(count * INCH / an_inch) for count in pixels)
        return width, height

    def source(self, embed: bool) -> str:
        """Return where a page finds the picture: within itself, or in its file."""
        return f"data:image/png;base64,{base64.b64encode(self.png).decode()}" if embed else self.file

    def to_markdown(self) -> str:
        """Return a link to the file, and the caption."""
        return f"![{_plain(self.caption)}]({self.file})\n\n{_plain(self.caption)}"


@dataclass(frozen=True)
class Pictures:
    """Pictures side by side, as many as the page is wide enough for."""

    pictures: Sequence[Picture]

    def to_markdown(self) -> str:
        """Return the pictures one below the other."""
        return "\n\n".join(picture.to_markdown() for picture in self.pictures)


@dataclass(frozen=True)
class Details:
    """Blocks below a line that shows and hides them; in Markdown they are simply there.

    Attributes:
        summary: The line.
        blocks: What it shows and hides.
        opened: Whether they are shown at first.
    """

    summary: str
    blocks: Sequence[Block]
    opened: bool = False

    def to_markdown(self) -> str:
        """Return the blocks one below the other."""
        return "\n\n".join(block.to_markdown() for block in self.blocks)


@dataclass(frozen=True)
class SideBySide:
    """Columns of blocks, side by side if the page is wide enough for them, else one below the other."""

    columns: Sequence[Sequence[Block]]

    @property
    def blocks(self) -> list[Block]:
        """The blocks of all columns."""
        return [block for column in self.columns for block in column]

    def to_markdown(self) -> str:
        """Return the columns one below the other."""
        return "\n\n".join(block.to_markdown() for block in self.blocks)


@dataclass(frozen=True)
class Document:
    """A title and what follows it."""

    title: str
    blocks: Sequence[Block]

    @property
    def heading(self) -> Heading:
        """The title as a heading."""
        return Heading(self.title, 1)

    @property
    def sections(self) -> list[Heading]:
        """The headings that are listed at the top of the page."""
        return [block for block in self.blocks if isinstance(block, Heading) and block.level == 2]

    @property
    def pictures(self) -> list[Picture]:
        """All pictures."""
        return _pictures(self.blocks)

    def to_html(self, embed: bool) -> str:
        """Return the whole page; with ``embed``, it needs no other file, else pictures are links to files."""
        return TEMPLATES.get_template("page.html").render(document=self, embed=embed)

    def to_markdown(self) -> str:
        """Return the document as Markdown, with pictures as links to their files."""
        return "\n\n".join(block.to_markdown() for block in [self.heading, *self.blocks]) + "\n"

    def write(self, out: str | Path, notes: Iterable[str] = (), *, alone: str | None = None) -> None:
        """Write the page and, as files, its pictures to a folder; print the notes, and where the page is.

        Each file is written whole or not at all.

        Args:
            out: Folder, made if need be; what has other names stays there.
            notes: Lines to print.
            alone: Name of a page that holds its pictures itself, with Markdown beside it; None for ``index.html``.

        Raises:
            UserError: If ``out`` is a file.
        """
        folder = page_folder(out)
        for picture in self.pictures:
            with replacing(folder / picture.file) as partial:
                partial.write_bytes(picture.png)
        page = folder / f"{alone or 'index'}.html"
        if alone:
            write_text(page.with_suffix(".md"), self.to_markdown())
        write_text(page, self.to_html(embed=alone is not None))
        for note in notes:
            print(shown(note))
        beside = f", and {page.stem}.md" if alone else ""
        print(shown(f"{self.title}, to be looked at in a browser: {page}{beside}"))


def page_folder(out: str | Path) -> Path:
    """Return the folder that a command is to write to, and make it; what a killed one left half-written is removed.

    Raises:
        UserError: If there is a file of that name.
    """
    folder = Path(out).expanduser()
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder}: a file; give the folder that the page is to be written to")
    folder.mkdir(parents=True, exist_ok=True)
    remove_leftovers(folder)
    return folder


def _pictures(blocks: Iterable[Block]) -> list[Picture]:
    return [
        picture
        for block in blocks
        for picture in [*getattr(block, "pictures", []), *_pictures(getattr(block, "blocks", []))]
    ]


def _plain(text: str) -> str:
    """Return text in which Markdown sees no markup."""
    return re.sub(r"([\\`*_\[\]<>#|])", r"\\\1", text)


def _cell(text: str) -> str:
    return _plain(text).replace("\n", " ")
