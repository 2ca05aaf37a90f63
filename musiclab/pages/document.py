"""Headings, text, tables and pictures, written as one html page and as Markdown.

The page needs no script and nothing from the network, and can be read on a phone: wide tables scroll, pictures shrink
and wrap.
"""

import base64
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Protocol, Self

from musiclab.files import replacing, write_text

NUMBER = re.compile(r"|[-+]?[\d.,]+([x%]| ?(s|min|h|MB|%)| ?[±(].*)?")
"""A cell that is a number, with or without unit and spread, or empty."""


class Block(Protocol):
    """A part of a document."""

    def to_html(self, embed: bool) -> str:
        """Return the block as html; pictures within the page if ``embed``, else as links to files."""

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

    def to_html(self, embed: bool) -> str:
        """Return the heading with an anchor."""
        return f'<h{self.level} id="{self.anchor}">{escape(self.text)}</h{self.level}>'

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

    def to_html(self, embed: bool) -> str:
        """Return the paragraph."""
        return f"<p>{escape(self.text)}</p>"

    def to_markdown(self) -> str:
        """Return the paragraph."""
        return _plain(self.text)


@dataclass(frozen=True)
class Code:
    """Commands or output, shown as they are."""

    text: str

    def to_html(self, embed: bool) -> str:
        """Return the lines in a box."""
        return f"<pre>{escape(self.text)}</pre>"

    def to_markdown(self) -> str:
        """Return the lines, indented."""
        return "\n".join(f"    {line}" for line in self.text.splitlines())


@dataclass(frozen=True)
class Table:
    """Rows of cells; a column whose cells are all numbers, or empty, is set flush right."""

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str = ""

    def to_html(self, embed: bool) -> str:
        """Return the table in a box that scrolls sideways."""
        kinds = [' class="number"' if number else "" for number in self._numbers()]
        caption = f"<caption>{escape(self.caption)}</caption>" if self.caption else ""
        head = "".join(f"<th{kind}>{escape(name)}</th>" for name, kind in zip(self.header, kinds, strict=True))
        body = "\n".join(
            "<tr>"
            + "".join(f"<td{kind}>{_html_cell(cell)}</td>" for cell, kind in zip(row, kinds, strict=True))
            + "</tr>"
            for row in self.rows
        )
        table = f"<table>{caption}\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table>"
        return f'<div class="table">{table}</div>'

    def to_markdown(self) -> str:
        """Return the table with its caption above."""
        rule = [("---:" if number else "---") for number in self._numbers()]
        rows = [map(_cell, self.header), rule, *(map(_cell, row) for row in self.rows)]
        caption = [_plain(self.caption), ""] if self.caption else []
        return "\n".join([*caption, *(f"| {' | '.join(cells)} |" for cells in rows)])

    def _numbers(self) -> list[bool]:
        columns: list[list[str]] = [[row[index] for row in self.rows] for index in range(len(self.header))]
        return [any(cells) and all(NUMBER.fullmatch(cell) for cell in cells) for cells in columns]


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

    def to_html(self, embed: bool) -> str:
        """Return the picture with its caption."""
        source = f"data:image/png;base64,{base64.b64encode(self.png).decode()}" if embed else escape(self.file)
        width, height = (int.from_bytes(self.png[start : start + 4]) for start in (16, 20))
        caption = escape(self.caption)
        return (
            f'<figure><img src="{source}" width="{width}" height="{height}" alt="{caption}">'
            f"<figcaption>{caption}</figcaption></figure>"
        )

    def to_markdown(self) -> str:
        """Return a link to the file, and the caption."""
        return f"![{_plain(self.caption)}]({self.file})\n\n{_plain(self.caption)}"


@dataclass(frozen=True)
class Pictures:
    """Pictures side by side, as many as the page is wide enough for."""

    pictures: Sequence[Picture]

    def to_html(self, embed: bool) -> str:
        """Return the pictures in rows."""
        return '<div class="pictures">\n' + "\n".join(picture.to_html(embed) for picture in self.pictures) + "\n</div>"

    def to_markdown(self) -> str:
        """Return the pictures one below the other."""
        return "\n\n".join(picture.to_markdown() for picture in self.pictures)


@dataclass(frozen=True)
class Document:
    """A title and what follows it."""

    title: str
    blocks: Sequence[Block]

    def to_html(self, embed: bool) -> str:
        """Return the whole page; with ``embed``, it needs no other file."""
        style = files("musiclab.pages").joinpath("page.css").read_text(encoding="utf-8")
        sections = [block for block in self.blocks if isinstance(block, Heading) and block.level == 2]
        links = "".join(f'<li><a href="#{section.anchor}">{escape(section.text)}</a></li>' for section in sections)
        parts = [
            f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{escape(self.title)}</title>',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<style>\n{style}</style>\n</head>\n<body>",
            Heading(self.title, 1).to_html(embed),
            f"<nav><ul>{links}</ul></nav>" if len(sections) > 1 else "",
            *(block.to_html(embed) for block in self.blocks),
            "</body>\n</html>\n",
        ]
        return "\n".join(parts)

    def to_markdown(self) -> str:
        """Return the document as Markdown, with pictures as links to their files."""
        return "\n\n".join([Heading(self.title, 1).to_markdown(), *(b.to_markdown() for b in self.blocks)]) + "\n"

    def pictures(self) -> Iterator[Picture]:
        """Return all pictures."""
        return (picture for block in self.blocks for picture in getattr(block, "pictures", []))

    def save_html(self, path: Path, embed: bool) -> None:
        """Write the page, whole or not at all."""
        write_text(path, self.to_html(embed))

    def save_markdown(self, path: Path) -> None:
        """Write the document as Markdown, whole or not at all."""
        write_text(path, self.to_markdown())

    def save_pictures(self, folder: Path) -> None:
        """Write each picture to its file below ``folder``."""
        for picture in self.pictures():
            path = folder / picture.file
            path.parent.mkdir(parents=True, exist_ok=True)
            with replacing(path) as partial:
                partial.write_bytes(picture.png)


def _plain(text: str) -> str:
    """Return text in which Markdown sees no markup."""
    return re.sub(r"([\\`*_\[\]<>#|])", r"\\\1", text)


def _html_cell(text: str) -> str:
    return f'<a href="#{text.anchor}">{escape(text)}</a>' if isinstance(text, Link) else escape(text)


def _cell(text: str) -> str:
    return _plain(text).replace("\n", " ")
