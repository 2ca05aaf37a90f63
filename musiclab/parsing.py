"""Command-line errors as one line."""

import sys
from typing import NoReturn

from jsonargparse import ArgumentParser

NOISE = ("Does not validate", "Subtypes:", "Errors:", "Expected a <class 'NoneType'>", "Given value")
"""How lines begin that say of each type that a value is not of it."""


class OneLineErrors(ArgumentParser):
    """A parser that says what is wrong in one line, without pages of usage, and exits with code 2."""

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Print what is wrong with the command line and exit."""
        if not self.exit_on_error:  # a parser within the parser: the error is caught there
            super().error(message, ex)
        lines = [line.strip().removeprefix("- ") for line in message.splitlines()]
        text = " ".join(line for line in lines if not line.startswith(NOISE))
        print(f"musiclab: error: {text} (--help lists all options)", file=sys.stderr)
        raise SystemExit(2)
