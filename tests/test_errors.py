"""Which errors a user is told of in one line."""

import pytest

from musiclab.errors import UserError, describe_user_error, raise_first


def caught(function):
    with pytest.raises(Exception) as info:  # noqa: PT011
        function()
    return info.value


def test_a_user_error_and_one_that_another_was_raised_from():
    def wrapped():
        try:
            raise UserError("songs/: no such folder")
        except UserError as error:
            raise RuntimeError("in a constructor") from error

    assert describe_user_error(UserError("a.npy: truncated")) == "a.npy: truncated"
    assert describe_user_error(caught(wrapped)) == "songs/: no such folder"


def test_a_mistake_in_handling_a_user_error_is_no_user_error():
    def mistaken():
        try:
            raise UserError("songs/: no such folder")
        except UserError:
            {}["missing"]

    assert describe_user_error(caught(mistaken)) is None


def test_what_the_system_says_of_a_file(tmp_path):
    missing = tmp_path / "nowhere.txt"
    assert describe_user_error(caught(missing.read_text)) == f"{missing}: No such file or directory"
    assert describe_user_error(OSError("no file at all")) is None


def test_the_first_of_several_problems():
    raise_first([])
    assert "one (and 1 more" in describe_user_error(caught(lambda: raise_first(["one", "two"])))
