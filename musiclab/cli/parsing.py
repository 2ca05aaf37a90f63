"""Parsers of command lines: errors of one line that name what is near, lists as words."""

import re
import sys
from collections.abc import Iterable
from typing import Any, ClassVar, NoReturn

from jsonargparse import ArgumentParser

from musiclab.errors import did_you_mean, one_line


class OneLineErrors(ArgumentParser):
    """A parser that says what is wrong in one line, without pages of usage, and exits with code 2."""

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Print what is wrong with the command line and exit."""
        if not self.exit_on_error:  # a parser within the parser: the error is caught there
            super().error(message, ex)
        print(f"musiclab: error: {self.explain(one_line(message))} (--help lists the options)", file=sys.stderr)
        raise SystemExit(2)

    def explain(self, message: str) -> str:
        """Return a message of the parser in plain words."""
        return message


class CommandParser(OneLineErrors):
    """Takes a list as one word or more, where jsonargparse would want ``[a,b]``; an option may be repeated.

    Lists with a default are left to jsonargparse.

    Attributes:
        lists: Type of the items of each list among the arguments.
        words: Which of the lists are words without an option, none or more.
        required: How each argument without a default is given, as in ``--out OUT``.
    """

    lists: ClassVar[dict[str, type]] = {}
    words: ClassVar[list[str]] = []
    required: ClassVar[dict[str, str]] = {}

    def add_argument(self, *args: Any, **kwargs: Any) -> Any:
        """Add an argument."""
        # jsonargparse also makes a method of groups of this, which has no lists.
        lists = getattr(self, "lists", {})
        name = args[0].removeprefix("--")
        if name in lists and kwargs.get("default") is None:  # another default would be extended by what is given
            kept = {key: value for key, value in kwargs.items() if key in ("help", "required", "default")}
            kwargs = {**kept, "type": lists[name], "nargs": "+"}
            if name in getattr(self, "words", []):
                args, kwargs = (name,), {"help": kept.get("help"), "type": lists[name], "nargs": "*"}
            elif name != args[0]:
                kwargs["action"] = "extend"
        return super().add_argument(*args, **kwargs)

    def explain(self, message: str) -> str:
        """Say how to give what is missing, and which option is near to one that there is not."""
        if missing := re.search(r"arguments are required: ([\w, ]+)", message):
            given = " and ".join(self.required.get(name, name) for name in missing[1].split(", "))
            return f"{given} must be given, as in: {self.prog} {' '.join(self.required.values())}"
        return explain_unknown(message, [name for action in self._actions for name in action.option_strings])


def explain_unknown(message: str, known: Iterable[str]) -> str:
    """Return a message on an option that there is not with the one that is near to it."""
    unknown = re.search(r"unrecognized arguments: (--?[\w.-]+)", message)
    return f"{unknown[1]}: no such option{did_you_mean(unknown[1], known)}" if unknown else message
