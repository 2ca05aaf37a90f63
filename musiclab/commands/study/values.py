"""Values in the file of a study, each of the kind that is expected there."""

import json
import re
from collections.abc import Collection, Sequence
from typing import Any, TypeVar

from musiclab.errors import UserError, did_you_mean

_Item = TypeVar("_Item")

OURS = ("trainer.default_root_dir", "ckpt_path", "config", "c")
"""Options that a study gives itself."""

_OPTION = re.compile(r"[A-Za-z_][\w.+-]*", re.ASCII)


def keys_of(value: Any, where: str, known: Sequence[str] | None = None) -> dict[str, Any]:
    """Return a mapping, whose keys are words, and among those known where these are given.

    Raises:
        UserError: If it is none, naming the known key that is nearest to another one.
    """
    if not isinstance(value, dict):
        raise UserError(f"{where}: {_shown(value)} where names and values were expected, as in NAME: VALUE")
    for key in value:
        if known is not None and key not in known:
            raise UserError(f"{where}: no key {key!r}{nearest(str(key), known)}")
    return dict(value)


def nearest(word: str, known: Collection[str]) -> str:
    """Return what to add to an error about a word that is not among ``known``: the nearest of these, else all."""
    return did_you_mean(word, known) or f"; there are {', '.join(known)}"


def list_of(value: Any, where: str, kind: type[_Item]) -> list[_Item]:
    """Return a list of items of a kind; of a single item, a list of it, and of null an empty one."""
    items = [] if value is None else value if isinstance(value, list) else [value]
    for item in items:
        if not isinstance(item, kind):
            raise UserError(f"{where}: {_shown(item)} where a name was expected")
    return items


def number_of(value: Any, where: str, least: int, most: int | None = None) -> int | None:
    """Return a whole number, or None for null."""
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or value < least or (most is not None and value > most):
        to = "" if most is None else f" to {most}"
        raise UserError(f"{where}: {_shown(value)}; it must be a whole number from {least}{to}")
    return value


def options_of(value: Any, where: str) -> dict[str, Any]:
    """Return a mapping by names of options, without dashes.

    Raises:
        UserError: If it is none, or a name cannot be that of an option, or is one that a study gives itself.
    """
    options = {str(key).removeprefix("--"): item for key, item in keys_of(value, where).items()}
    for option in options:
        if not _OPTION.fullmatch(option):
            raise UserError(f"{where}: {option!r} is no option; name one, as in data.batch_size")
    check_own(options, where)
    return options


def check_own(options: Collection[str], where: str) -> None:
    """Refuse options that a study gives itself.

    Raises:
        UserError: Naming the first.
    """
    for option in options:
        if option in OURS:
            raise UserError(f"{where}: {option} is what a study gives itself; leave it out (configs has its own key)")


def text_of(value: Any, where: str) -> str:
    """Return a value as it stands on a command line: of a list or mapping, in JSON."""
    try:
        return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError):  # of dates, say; or what holds itself
        raise UserError(f"{where}: {_shown(value)}, which no option takes; put it in quotation marks") from None


def _shown(value: Any) -> str:
    return "nothing" if value is None else f"{value!r:.60}"
