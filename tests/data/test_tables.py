"""Names as people give them."""

import pytest

from musiclab.data.tables import as_list


@pytest.mark.parametrize(
    "value",
    [["a", "b c"], "a,b c", " a , b c,", "[a, b c]", '"a", "b c"'],
)
def test_several_names(value):
    assert as_list(value) == ["a", "b c"]


def test_one_name_and_none():
    assert as_list("a") == ["a"]
    assert as_list("") == as_list([]) == []
    assert as_list(["Folk, World, & Country"]) == ["Folk, World, & Country"]
    assert as_list("live, 1999.mp3", lambda text: text.endswith(".mp3")) == ["live, 1999.mp3"]
    assert as_list('Jazz,"Folk, World"') == ["Jazz", "Folk, World"]
