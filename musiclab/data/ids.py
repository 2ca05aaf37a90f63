"""Track ids: how they are read from names, and their order."""

import re

from musiclab.data.tables import one_form
from musiclab.errors import UserError
from musiclab.files import CONTROLS, SURROGATES

UNFIT = re.compile(rf"[/\\{CONTROLS}{SURROGATES}]")
"""What no name of a track holds."""


def track_id(name: str) -> str:
    """Return the id of a file name or label entry: what stands before the first dot, in one form of Unicode.

    Raises:
        UserError: If the id is empty or would lead out of the data set's folder.
    """
    identifier = one_form(name).strip().split(".", 1)[0]
    if not identifier or UNFIT.search(name):
        raise UserError(f"{name!r} is no track name: an id must name a file inside the data set's folder")
    return identifier


def id_order(identifier: str) -> tuple[int, int, str]:
    """Sort key of track ids: numbers by value, then everything else by name."""
    return (0, int(identifier), identifier) if identifier.isdecimal() else (1, 0, identifier)
