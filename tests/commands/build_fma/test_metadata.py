"""FMA's tables, with the headers that they have."""

import pytest

from commands.build_fma.fma_tree import Row, write_metadata, write_table
from musiclab.commands.build_fma.metadata import (
    FmaGenre,
    FmaTrack,
    read_columns,
    read_emotions,
    read_genres,
    read_tracks,
)
from musiclab.errors import UserError


@pytest.fixture
def folder(tmp_path):
    tracks = {
        20: Row("validation", "Old-Time  / Historic", "[8]", "medium", [0.5, 1, "1e-3"]),
        3: Row(subset="large"),
        10: Row("test", "", "", "", ["", 0.5, 0.5]),
        155320: Row("training", "Hip-Hop", "[26, 12]", emotions=["nan", 0.5, "x"]),
    }
    return write_metadata(tmp_path / "fma_metadata", tracks)


def test_tracks_in_the_order_of_their_ids(folder):
    tracks = read_tracks(folder / "tracks.csv", "full")
    assert list(tracks) == [3, 10, 20, 155320]
    assert tracks[20] == FmaTrack("validation", "Old-Time / Historic", "[8]", "10")
    assert tracks[10] == FmaTrack("test", "", "", "5")
    assert tracks[155320] == FmaTrack("train", "Hip-Hop", "[26, 12]", "77660")
    assert list(read_tracks(folder / "tracks.csv", "large")) == [3, 20, 155320]
    assert list(read_tracks(folder / "tracks.csv", "small")) == [155320]


def test_genres_and_emotions(folder):
    genres = read_genres(folder / "genres.csv")
    assert genres[58] == FmaGenre("Psych-Rock", 12)
    assert genres[8] == FmaGenre("Old-Time / Historic", 0)
    assert read_emotions(folder / "echonest.csv") == {20: [0.5, 1.0, 0.001], 10: None, 155320: None}


def test_pandas_reads_the_trees_of_these_tests_as_it_reads_fmas(folder):
    import pandas

    tracks = pandas.read_csv(folder / "tracks.csv", index_col=0, header=[0, 1])
    assert tracks.index.name == "track_id"
    assert tracks["set", "split"][20] == "validation"
    echonest = pandas.read_csv(folder / "echonest.csv", index_col=0, header=[0, 1, 2])
    assert echonest["echonest", "audio_features", "valence"][20] == 0.5


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_the_row_below_the_header_may_be_missing(tmp_path, encoding):
    path = tmp_path / "table.csv"
    path.write_text("x,a,b\ny, c ,d\n2,é ,NA\n30,,\n4\n", encoding=encoding)
    assert read_columns(path, [("b", "d"), ("a", "c")]) == {2: ("NA", "é"), 30: ("", ""), 4: ("", "")}


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([["", "a"], ["x", 1]], "row 1 begins with 'x', which is no id"),
        ([["", "a"], [1, 1], ["track_id", 1]], "row 2 begins with 'track_id', which is no id"),
        ([["", "a"], ["../../2", 1]], "row 1 begins with '../../2', which is no id"),
        ([["", "a"], ["-1", 1]], "begins with '-1'"),
        ([["", "a"], ["2.0", 1]], "begins with '2.0'"),
        ([["", "a"], ["9" * 5000, 1]], "which is no id"),
        ([["", "a"], [7, 1], ["007", 1]], "id 7 stands there twice"),
        ([["", "b"], [7, 1]], "has no column a; give the file of that name from FMA's own"),
        ([], "not a csv table, or damaged (No columns"),
        ([["", "a"]], "not a csv table, or damaged (No columns"),
    ],
)
def test_tables_that_are_wrong(tmp_path, rows, said):
    path = tmp_path / "table.csv"
    write_table(path, rows)
    with pytest.raises(UserError) as raised:
        read_columns(path, [("a",)])
    assert str(raised.value).startswith(f"{path}: ")
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


def test_tables_that_cannot_be_read(tmp_path):
    for content in (b"id,a\n1,\xff\xfe\n", b'id,a\n1,"cut', b"\x00\x01"):
        (tmp_path / "table.csv").write_bytes(content)
        with pytest.raises(UserError, match=r"table\.csv: (not a csv table, or damaged|has no column)"):
            read_columns(tmp_path / "table.csv", [("a",)])
    with pytest.raises(UserError, match="cannot be read"):
        read_columns(tmp_path, [("a",)])


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (Row("train"), "track 2: split is 'train'; expected one of training, validation, test"),
        (Row(subset="tiny"), "track 2: subset is 'tiny'; expected one of small, medium, large, full"),
        (Row(subset="large"), "has no track of the subset small"),
    ],
)
def test_rows_of_tracks_that_are_wrong(tmp_path, row, said):
    folder = write_metadata(tmp_path, {2: row})
    with pytest.raises(UserError) as raised:
        read_tracks(folder / "tracks.csv", "small")
    assert str(raised.value).startswith(f"{folder / 'tracks.csv'}: {said}")


def test_a_parent_that_is_no_genre(tmp_path):
    write_table(tmp_path / "genres.csv", [["genre_id", "parent", "title"], [1, "", "A"], [2, "A", "B"]])
    with pytest.raises(UserError, match=r"genres\.csv: genre 2: parent is 'A'; expected the id of a genre, or 0"):
        read_genres(tmp_path / "genres.csv")
