"""Which genre a track of FMA gets."""

import pytest

from commands.build_fma.fma_tree import GENRES
from musiclab.commands.build_fma.genres import find_genres, named_genres, top_genres
from musiclab.commands.build_fma.metadata import FmaGenre, FmaTrack
from musiclab.data.labels import LAB_CLASS_MAP
from musiclab.errors import UserError

TREE = {key: FmaGenre(title, parent) for key, (parent, title) in GENRES.items()}


def named(genres, names, tree=TREE):
    """The genre of one track to train on, and why it was left out, if it was."""
    found, left_out = named_genres({1: FmaTrack("train", "", genres)}, tree, names)
    return found.get(1), list(left_out.elements())


@pytest.mark.parametrize(
    ("genres", "names", "expected"),
    [
        ("[58]", ["Rock", "Psych-Rock"], "Psych-Rock"),
        ("[12, 58]", ["Rock", "Psych-Rock"], "Psych-Rock"),
        ("[58]", ["Rock", "Folk"], "Rock"),
        ("[58, 66]", ["Rock", "Folk"], "Rock"),
        ("[70]", ["Rock", "Punk"], "Punk"),
        ("[70]", ["Rock"], "Rock"),
        ("[58, 15]", ["Psych-Rock", "Electronic"], "Psych-Rock"),
        ("[12, 267]", ["Rock", "Chip Music"], "Chip Music"),
        ("[8]", ["Old-Time", "Rock"], "Old-Time"),
        ("[8]", ["Old-Time / Historic"], "Old-Time / Historic"),
        ("[999, 12]", ["Rock"], "Rock"),
    ],
)
def test_the_deepest_of_own_genres_and_those_above(genres, names, expected):
    assert named(genres, names) == (expected, [])


@pytest.mark.parametrize("genres", ["[58, 25]", "[12, 15]", "[12, 70, 267]"])
def test_genres_as_deep_as_each_other_are_ambiguous(genres):
    names = ["Rock", "Psych-Rock", "Punk", "Post-Punk", "Electronic", "Chiptune"]
    assert named(genres, names) == (None, ["with several equally deep ones"])


@pytest.mark.parametrize("genres", ["[12]", "[]", "", "[999]", "[297]"])
def test_tracks_of_none_of_the_genres_are_left_out(genres):
    assert named(genres, ["Psych-Rock", "Chiptune"]) == (None, ["with none of the genres"])


@pytest.mark.parametrize("genres", ["__import__('os')", "12", '["Rock"]', "[12", "[1.5]", "[" * 100_000, "{}"])
def test_lists_that_are_none_are_refused(genres):
    with pytest.raises(UserError, match=r"tracks\.csv: track 1: genres are .*; expected ids, as in \[26, 12\]"):
        named(genres, ["Rock"])


def test_a_tree_with_circles_ends():
    tree = {1: FmaGenre("A", 2), 2: FmaGenre("B", 1), 3: FmaGenre("C", 3), 4: FmaGenre("D", 77)}
    assert named("[3]", ["C"], tree) == ("C", [])
    assert named("[1]", ["B"], tree) == ("B", [])
    assert named("[4]", ["D"], tree) == ("D", [])


def test_top_genres_and_what_is_left_out():
    tracks = {
        1: FmaTrack("train", "Rock", "junk"),
        2: FmaTrack("test", "Rock", ""),
        3: FmaTrack("validation", "Jazz", ""),
        4: FmaTrack("train", "", "[12]"),
    }
    genres, left_out = top_genres(tracks)
    assert genres == {1: "Rock", 2: "Rock"}
    assert left_out == {"without a top genre": 1, "with a genre that no track to train on has": 1}


def test_nothing_left_out_is_not_counted():
    assert not top_genres({1: FmaTrack("train", "Rock", "")}).left_out


def test_all_of_the_labs_names_are_genres():
    assert sorted(find_genres(TREE, LAB_CLASS_MAP).values()) == sorted(LAB_CLASS_MAP)


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["Rok"], "Rok is no genre of FMA's; did you mean Rock"),
        (["psych-rock"], "psych-rock is no genre of FMA's; did you mean Psych-Rock"),
        (["Historic"], r"Historic is no genre of FMA's; did you mean Old-Time / Historic\?"),
        (["old-time"], "old-time is no genre of FMA's; did you mean Old-Time / Historic"),
        (["Rock", "Chip", "Zzzz"], "Chip is no .* Chip.*; Zzzz is no genre of FMA's; did you mean any title of genres"),
        (["Old-Time", "Old-Time / Historic"], "Old-Time and Old-Time / Historic are both Old-Time / Historic; name it"),
    ],
)
def test_names_that_are_no_genres(names, said):
    with pytest.raises(UserError, match=f"^genres: {said}"):
        find_genres(TREE, names)


def test_a_title_goes_before_the_beginning_of_another():
    tree = {1: FmaGenre("Old", 0), 2: FmaGenre("Old / New", 0), 3: FmaGenre("Blue / A", 0), 4: FmaGenre("Blue / B", 0)}
    assert find_genres(tree, ["Old", "Blue", "Old"]) == {1: "Old", 3: "Blue", 4: "Blue"}
