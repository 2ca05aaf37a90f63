"""Parsers of command lines: errors of one line, lists as words."""

import sys
from typing import Any, ClassVar, NoReturn

from jsonargparse import ArgumentParser

from musiclab.errors import one_line


class OneLineErrors(ArgumentParser):
    """A parser that says what is wrong in one line, without pages of usage, and exits with code 2."""

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Print what is wrong with the command line and exit."""
        if not self.exit_on_error:  # a parser within the parser: the error is caught there
            super().error(message, ex)
        print(f"musiclab: error: {one_line(message)} (--help lists all options)", file=sys.stderr)
        raise SystemExit(2)


class CommandParser(OneLineErrors):
    """Takes a list as one word or more, where jsonargparse would want ``[a,b]``; an option may be repeated.

    Lists with a default are left to jsonargparse.

    Attributes:
        lists: Type of the items of each list among the arguments.
    """

    lists: ClassVar[dict[str, type]] = {}

    def add_argument(self, *args: Any, **kwargs: Any) -> Any:
        """Add an argument."""
        # jsonargparse also makes a method of groups of this, which has no lists.
        lists = getattr(self, "lists", {})
        name = args[0].removeprefix("--")
        if name in lists and kwargs.get("default") is None:  # another default would be extended by what is given
            kept = {key: value for key, value in kwargs.items() if key in ("help", "required", "default")}
            kwargs = {**kept, "type": lists[name], "nargs": "+"}
            if name != args[0]:
                kwargs["action"] = "extend"
        return super().add_argument(*args, **kwargs)
