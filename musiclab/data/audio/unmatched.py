"""``unmatched.csv``: what a list or table names that is not there, and what is there that it does not name."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from musiclab.data.audio.extraction import writing
from musiclab.files import shown, write_csv

FILE = "unmatched.csv"

SHOWN = 5
"""So many names of a kind are shown on screen."""


class Unmatched(NamedTuple):
    """Names that have nothing to go with.

    Attributes:
        what: What each of them is, for the listing.
        names: As they are written in a list, or paths.
        said: What to say of them on screen, after their number.
    """

    what: str
    names: Sequence[str]
    said: str


def tell_unmatched(folder: Path, kinds: Sequence[Unmatched]) -> None:
    """List names that have nothing to go with in a folder's ``unmatched.csv``, and say how many there are."""
    listing = folder / FILE
    with writing(listing):
        if not any(kind.names for kind in kinds):
            listing.unlink(missing_ok=True)
            return
        write_csv(listing, ("what", "name"), [[kind.what, name] for kind in kinds for name in kind.names])
    for _, names, said in kinds:
        if names:
            first = ", ".join(Path(name).name for name in names[:SHOWN])
            more = ", ..." if len(names) > SHOWN else ""
            print(shown(f"Left out: {len(names)} {said}: {first}{more}; all in {listing}"))
