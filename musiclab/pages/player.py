"""A song as a page that plays it: pictures on one axis of time, and a cursor that follows the player.

The page holds all that it shows and plays, and forbids itself any request. Without a script, the pictures and the
player are there all the same.
"""

import base64
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import quote

from markupsafe import Markup

from musiclab.pages.document import TEMPLATES, Table

STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1200, 1800, 3600)
"""Distances in s of the marks on the axis of time."""

MARKS = 9
"""At most so many of them."""

EDGE = 0.96
"""Beyond that share of an axis, the words of a mark would stick out."""

LEVELS = 5
"""At most so many marks on an axis of values."""


@dataclass(frozen=True)
class Line:
    """What a table beside a panel says of a colour of it.

    Attributes:
        name: Genre or axis.
        colour: As in ``#0072B2``.
        whole: The answer about the whole song.
        share: The same as a share of 1, which is drawn as a bar; None for none.
        dashes: How a line is drawn: ``solid``, ``dashed`` or ``dotted``; None for an area.
    """

    name: str
    colour: str
    whole: str
    share: float | None = None
    dashes: Literal["solid", "dashed", "dotted"] | None = None


@dataclass(frozen=True)
class Panel:
    """A picture of the song over time.

    Attributes:
        title: What it is.
        picture: Its bytes: a PNG or an SVG that fills the panel from the song's beginning to its end.
        alt: The same for those who cannot see it.
        height: In pixels of a page.
        marks: Words at its left side, and where: 0 is the bottom, 1 the top.
        key: What the page's values call it; None if it has none.
        header: What the numbers of its table are.
        lines: The table beside it.
        note: A line below its title.
    """

    title: str
    picture: bytes
    alt: str
    height: int
    marks: Sequence[tuple[float, str]] = ()
    key: str | None = None
    header: str = ""
    lines: Sequence[Line] = ()
    note: str = ""

    @property
    def source(self) -> str:
        """The picture as a page holds it."""
        return picture_source(self.picture)


@dataclass(frozen=True)
class Plane:
    """The path of the song in the plane of two axes.

    Attributes:
        key: What the page's values call the answers that it is of.
        across: Name of the axis from left to right, and ``up`` of that from bottom to top.
        picture: Its bytes, an SVG that fills the plane.
        across_limits: Where the axis across begins and ends.
        up_limits: The same of the axis up.
        note: What is to be seen.
    """

    key: str
    across: str
    up: str
    picture: bytes
    across_limits: tuple[float, float]
    up_limits: tuple[float, float]
    note: str

    @property
    def source(self) -> str:
        """The picture as a page holds it."""
        return picture_source(self.picture)

    def marks(self, limits: tuple[float, float]) -> list[tuple[float, str]]:
        """Return numbers at a side, and where, but for its very ends."""
        return [mark for mark in value_marks(*limits) if 1 - EDGE < mark[0] < EDGE]


@dataclass(frozen=True)
class SongPage:
    """A page of one song.

    Attributes:
        title: Its name.
        facts: A line on it.
        duration: Length in s.
        audio: The song as mp3.
        panels: From top to bottom.
        planes: Below them.
        values: What the cursor tells, by the keys of panels: ``seconds`` of the windows, ``names``, and ``values``, a
            row for each window; None for one without. ``beats`` is a list of seconds.
        notes: Lines at the end.
        index: Name of the page of all songs; None for none.
        near: Names of tracks near to the song, each with what is said of it.
    """

    title: str
    facts: str
    duration: float
    audio: bytes
    panels: Sequence[Panel]
    planes: Sequence[Plane] = ()
    values: Mapping[str, Any] = field(default_factory=dict)
    notes: Sequence[str] = ()
    index: str | None = None
    near: Sequence[tuple[str, str]] = ()

    @property
    def sound(self) -> str:
        """The song as a page holds it."""
        return f"data:audio/mpeg;base64,{base64.b64encode(self.audio).decode()}"

    @property
    def marks(self) -> list[tuple[float, str]]:
        """Marks on the axis of time, and where: 0 is the beginning, 1 the end."""
        step = next((step for step in STEPS if self.duration / step < MARKS), STEPS[-1])
        return [(second / self.duration, clock(second)) for second in range(0, math.ceil(EDGE * self.duration), step)]

    @property
    def data(self) -> Markup:
        """What the script reads."""
        text = json.dumps({"duration": self.duration, **self.values}, separators=(",", ":"), allow_nan=False)
        return Markup(text.replace("<", "\\u003c"))  # which would end the element that it stands in

    def to_html(self) -> str:
        """Return the page."""
        return TEMPLATES.get_template("song.html").render(page=self)


@dataclass(frozen=True)
class SongList:
    """A page of several songs, a line each.

    Attributes:
        title: Its heading.
        header: Names of the columns after the first, the song's.
        rows: For each song, its name, the file of its page, and the other cells.
        notes: Lines below.
    """

    title: str
    header: Sequence[str]
    rows: Sequence[tuple[str, str, Sequence[str]]]
    notes: Sequence[str] = ()

    @property
    def links(self) -> list[str]:
        """Where each song's page is."""
        return [quote(file, errors="replace") for _, file, _ in self.rows]

    @property
    def numbers(self) -> list[bool]:
        """Tell of each column after the first whether it is one of numbers."""
        return Table(self.header, [cells for *_, cells in self.rows]).numbers()

    def to_html(self) -> str:
        """Return the page."""
        return TEMPLATES.get_template("songs.html").render(page=self)


def picture_source(picture: bytes) -> str:
    """Return a PNG or SVG as a page holds it."""
    kind = "png" if picture.startswith(b"\x89PNG") else "svg+xml"
    return f"data:image/{kind};base64,{base64.b64encode(picture).decode()}"


def clock(seconds: float) -> str:
    """Return a time as in ``3:05`` or ``1:00:00``."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def value_marks(low: float, high: float) -> list[tuple[float, str]]:
    """Return marks of a value that reaches from ``low`` to ``high``, and where they are."""
    step = next(
        step
        for power in range(-4, 9)
        for step in (10.0**power, 2 * 10.0**power, 5 * 10.0**power)
        if (high - low) / step < LEVELS
    )
    values = [number * step for number in range(math.ceil(low / step), math.floor(high / step) + 1)]
    return [((value - low) / (high - low), f"{value:.3g}") for value in values]
