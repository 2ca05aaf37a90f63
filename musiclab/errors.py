"""The one exception that a user is meant to read."""

from collections.abc import Sequence


class UserError(ValueError):
    """Something that the user can put right: a bad path, a bad file, a wrong label.

    The message is one line that names the file, says what was found and what to do. The command line prints
    it without a traceback and exits with code 1.
    """


def raise_first(problems: Sequence[str]) -> None:
    """Raise the first of ``problems``, if any, as a UserError that says how many more there are."""
    if problems:
        more = f" (and {len(problems) - 1} more: `musiclab check` lists them all)" if len(problems) > 1 else ""
        raise UserError(problems[0] + more)


def find_user_error(error: BaseException | None) -> UserError | None:
    """Return the UserError that ``error`` is or was raised from, if any; the parser wraps those of constructors."""
    while error is not None and not isinstance(error, UserError):
        error = error.__cause__ or error.__context__
    return error
