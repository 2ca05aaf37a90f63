"""Files of tracks and artists that a model must not have heard."""

from pathlib import Path

import pytest

from musiclab.data.artists import Artists
from musiclab.data.leaving_out import LeftOut, read_left_out
from musiclab.errors import UserError


@pytest.mark.parametrize(
    ("content", "ids", "artists"),
    [
        ("1\n2.fused.full.npy\n2\n", {"1", "2"}, set()),
        ("1\n", {"1"}, set()),
        ("\n1\n2\n", {"1", "2"}, set()),
        ("\n \nId\tArtist\n1\tCan\n", {"1"}, {"Can"}),
        ("Id\tGenre\n1.npy\tRock\n", {"1"}, set()),
        ("Id,valence,energy\n1,0.5,0.5\n", {"1"}, set()),
        ("id,artist,truth,prediction,Rock\n1,Can,Rock,Rock,1\n2,,Rock,Rock,1\n", {"1", "2"}, {"Can"}),
        ("Artist\nCan\nNeu!\nCan\n", set(), {"Can", "Neu!"}),
        ("song\tARTIST\nx\tCan\n", set(), {"Can"}),
        ("Id\tArtist\n1\tCan\n1\tCan\n", {"1"}, {"Can"}),
    ],
)
def test_lists_and_tables_name_tracks_and_artists(content, ids, artists, tmp_path):
    (tmp_path / "out.txt").write_text(content)
    assert read_left_out(tmp_path / "out.txt") == (ids, artists)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "empty; give an id a line"),
        ("track,genre\n1,Rock\n", r"the header is 'track \| genre'; give an id a line, or a table"),
        ("1\n../2\n", r"line 2: '\.\./2' is no track name"),
        ("Id,Artist\n1\n", "line 2 has 1 fields"),
        ("Id,Artist\n,Can\n", "line 2: '' is no track name"),
    ],
)
def test_a_wrong_file_is_refused_in_one_line(content, message, tmp_path):
    (tmp_path / "out.txt").write_text(content)
    with pytest.raises(UserError, match=message) as error:
        read_left_out(tmp_path / "out.txt")
    assert str(error.value).startswith(str(tmp_path / "out.txt"))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"none\.txt: cannot be read"):
        read_left_out(tmp_path / "none.txt")


def test_all_tracks_by_a_named_artist_are_meant():
    left_out = LeftOut({"1", "9"}, {"Can"})
    assert left_out.of(["1", "2", "3"], None) == {"1"}
    assert left_out.of(["1", "2", "3"], Artists(Path("artists.txt"), {"2": "Can", "3": "Neu!"})) == {"1", "2"}


def test_a_checkpoint_names_what_its_run_was_tested_on(tmp_path):
    (tmp_path / "predictions.csv").write_text("id,artist,truth_energy,prediction_energy\n7,Can,0.5,0.4\n8,,0.1,0.2\n")
    assert read_left_out(tmp_path / "checkpoints" / "best.ckpt") == ({"7", "8"}, {"Can"})


def test_a_checkpoint_whose_run_was_not_tested(tmp_path):
    checkpoint = tmp_path / "checkpoints" / "best.ckpt"
    with pytest.raises(UserError, match=r"predictions\.csv, which would name what its run was tested on") as error:
        read_left_out(checkpoint)
    assert str(error.value).startswith(f"{checkpoint}: ")
