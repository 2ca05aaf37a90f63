"""Lists on the command lines of tools."""

import pytest
from jsonargparse import auto_cli

from musiclab.cli.parsing import CommandParser


def given(function, lists, args):
    class Parser(CommandParser):
        pass

    Parser.lists = lists
    return auto_cli(function, args=args, as_positional=True, parser_class=Parser, prog="musiclab tool")


def option(*, ckpt_path: list[str], seed: int = 0) -> list[str]:
    """Take a list as an option."""
    return ckpt_path


def positional(files: list[str], *, seed: int = 0) -> list[str]:
    """Take a list of words."""
    return files


@pytest.mark.parametrize(
    "args",
    [
        ["--ckpt_path", "a", "b"],
        ["--ckpt_path", "a", "--ckpt_path", "b"],
        ["--ckpt_path=a", "--seed=1", "--ckpt_path=b"],
    ],
)
def test_an_option_takes_several_words_and_may_be_repeated(args):
    assert given(option, {"ckpt_path": str}, args) == ["a", "b"]


def test_words_without_an_option():
    assert given(positional, {"files": str}, ["a", "b", "--seed=1"]) == ["a", "b"]


@pytest.mark.parametrize(("function", "name"), [(option, "ckpt_path"), (positional, "files")])
def test_a_required_list_that_is_missing_is_one_line(function, name, capsys):
    with pytest.raises(SystemExit) as info:
        given(function, {name: str}, [])
    assert info.value.code == 2
    error = capsys.readouterr().err
    assert name in error
    assert error.count("\n") == 1


def test_an_optional_list():
    def tool(*, names: list[str] | None = None) -> list[str] | None:
        """Take a list, or none."""
        return names

    assert given(tool, {"names": str}, []) is None
    assert given(tool, {"names": str}, ["--names", "a", "--names", "b", "c"]) == ["a", "b", "c"]


def test_a_list_with_a_default_is_left_to_jsonargparse():
    def tool(*, names: list[str] = ["x"]) -> list[str]:  # noqa: B006
        """Take an optional list."""
        return names

    assert given(tool, {"names": str}, []) == ["x"]
    assert given(tool, {"names": str}, ["--names", "[a,b]"]) == ["a", "b"]
