"""The one exception that a user is meant to read."""

import difflib
import errno
import os
from collections.abc import Iterable, Sequence

DISK_FULL = (os.strerror(errno.ENOSPC), os.strerror(errno.EDQUOT))
"""What the system says of a disk that is full, or of which a user may have no more."""

NOISE = (
    "Does not validate",
    "Subtypes:",
    "Errors:",
    "Expected a <class 'NoneType'>",
    "Expected a path but",
    "Given value",
)
"""How lines of the parser begin that say of each type that a value is not of it."""


class UserError(ValueError):
    """Something that the user can put right: a bad path, a bad file, a wrong label.

    The message is one line that names the file, says what was found and what to do. The command line prints
    it without a traceback and exits with code 1.
    """


def one_line(message: object) -> str:
    """Return a message of several lines, as the parser and PyTorch give them, as one that says the same."""
    lines = [" ".join(line.split()).removeprefix("- ") for line in str(message).splitlines()]
    return " ".join(line for line in lines if line and not line.startswith(NOISE))


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return what to add to an error about a word that is not among ``known``: the nearest of these, if one is near."""
    near = difflib.get_close_matches(word, list(known), 1)
    return f"; did you mean {near[0]}?" if near else ""


def raise_first(problems: Sequence[str], listed: str = ": `musiclab check` lists them all") -> None:
    """Raise the first of ``problems``, if any, as a UserError that says how many more there are and where."""
    if problems:
        raise UserError(problems[0] + (f" (and {len(problems) - 1} more{listed})" if len(problems) > 1 else ""))


def describe_user_error(error: BaseException) -> str | None:
    """Return the message of an error that a user can put right, None for any other.

    Such are a UserError, also one that ``error`` was raised from (the parser wraps those of constructors), and what
    the system says of a file: that it is missing, or must not be written. An error that came up while a UserError was
    handled is a mistake of ours.
    """
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, UserError):
            return str(cause)
        cause = cause.__cause__
    if isinstance(error, RuntimeError) and "home directory" in str(error):  # of expanduser
        return "a path begins with ~, but there is no such home folder; give it without"
    full = any(text in str(error) for text in DISK_FULL)
    if isinstance(error, OSError) and error.filename:
        message = f"{error.filename}: {error.strerror}"
    elif full:  # libraries leave out the name, or raise errors of their own
        message = str(error).strip().splitlines()[0]
    else:
        return None
    return f"{message}; free some space and run the same command again" if full else message
