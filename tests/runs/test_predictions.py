"""predictions.csv, written and read back."""

import numpy as np
import pytest

from musiclab.errors import UserError
from musiclab.runs.predictions import (
    Rows,
    as_predictions,
    read_predictions,
    write_class_predictions,
    write_tag_predictions,
    write_value_predictions,
)

GENRES = ["Blues", "Jazz", "Rock"]
PROBABILITIES = np.array([[0.2, 0.5, 0.3], [0.6, 0.25, 0.15]])
CLASSES = np.array([2, -1])
VALUES = np.array([[0.25, 0.5], [np.nan, 1.0]])
ANSWERED = np.array([[0.125, -0.5], [1.5, 0.75]])
ARTISTS = ["Ada, Bob", ""]


def assert_same(found, expected):
    for name, value in expected._asdict().items():
        np.testing.assert_array_equal(getattr(found, name), value, err_msg=name)


@pytest.mark.parametrize("artists", [(), ARTISTS])
def test_genres_are_read_as_they_were_written(artists, tmp_path):
    path, rows = tmp_path / "predictions.csv", Rows(["2", "b"], CLASSES, PROBABILITIES, artists)
    write_class_predictions(path, GENRES, rows)
    found = read_predictions(path)
    assert_same(found, as_predictions(path, GENRES, rows))
    assert (found.genres, found.axes, found.artists) == (GENRES, [], list(artists or ["", ""]))
    assert found.answers.tolist() == [1, 0]
    assert found.known.tolist() == [True, False]
    header = path.read_text().splitlines()[0]
    assert header == f"id,{'artist,' if artists else ''}truth,prediction,Blues,Jazz,Rock"


@pytest.mark.parametrize("artists", [(), ARTISTS])
def test_values_are_read_as_they_were_written(artists, tmp_path):
    path, rows = tmp_path / "predictions.csv", Rows(["2", "b"], VALUES, ANSWERED, artists)
    write_value_predictions(path, ["valence", "energy"], rows)
    found = read_predictions(path)
    assert_same(found, as_predictions(path, ["valence", "energy"], rows))
    assert (found.genres, found.axes, found.artists) == ([], ["valence", "energy"], list(artists or ["", ""]))
    assert found.known.tolist() == [True, False]
    assert path.read_text().startswith("id,artist,truth_valence" if artists else "id,truth_valence,prediction_valence,")


def test_tags_are_read_as_they_were_written_and_are_no_axes(tmp_path):
    path, tags = tmp_path / "predictions.csv", ["rock", "prediction_x"]
    rows = Rows(["2", "b"], np.array([[1.0, 0.0], [np.nan, 1.0]]), np.array([[0.125, 0.5], [0.75, 1.0]]))
    write_tag_predictions(path, tags, rows)
    found = read_predictions(path)
    assert_same(found, as_predictions(path, tags, rows, of_tags=True))
    assert (found.genres, found.axes, found.of_tags, found.subject) == ([], tags, True, "tags")
    assert path.read_text().startswith("id,truth_rock,probability_rock,truth_prediction_x,probability_prediction_x\n")
    write_value_predictions(path, tags, rows)
    assert not read_predictions(path).of_tags


def test_a_tag_that_is_neither_true_nor_false_is_named(tmp_path):
    path = tmp_path / "predictions.csv"
    path.write_text("id,truth_rock,probability_rock\n1,,0.5\n7,0.5,0.5\n")
    with pytest.raises(UserError, match=r"track 7: truth_rock is 0\.5, and a tag is 0 or 1"):
        read_predictions(path)


def test_the_answer_is_the_column_not_the_likeliest(tmp_path):
    """Rounded to six digits, probabilities may be equal that were not."""
    path = tmp_path / "predictions.csv"
    path.write_text("id,truth,prediction,Blues,Jazz\n1,Jazz,Jazz,0.500000,0.500000\n")
    assert read_predictions(path).answers.tolist() == [1]


def test_a_genre_may_be_called_artist(tmp_path):
    path = tmp_path / "predictions.csv"
    path.write_text("id,truth,prediction,artist,Jazz\n1,Jazz,artist,0.6,0.4\n")
    found = read_predictions(path)
    assert (found.genres, found.artists, found.answers.tolist()) == (["artist", "Jazz"], [""], [0])


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("1,Soul,Jazz,0.5,0.5", "line 2: track 1: truth is 'Soul', which has no column"),
        ("1,,Soul,0.5,0.5", "line 2: track 1: prediction is 'Soul', which has no column"),
        ("1,Jazz,,0.5,0.5", "track 1: prediction is empty"),
        ("1,Jazz,Jazz,much,0.5", "line 2: track 1: Blues is 'much', not a number"),
    ],
)
def test_bad_rows_of_genres_are_named(row, said, tmp_path):
    path = tmp_path / "predictions.csv"
    path.write_text(f"id,truth,prediction,Blues,Jazz\n{row}\n")
    with pytest.raises(UserError, match=said) as raised:
        read_predictions(path)
    assert str(path) in str(raised.value)


def test_genres_without_probabilities_are_no_predictions(tmp_path):
    path = tmp_path / "predictions.csv"
    path.write_text("id,truth,prediction\n1,Jazz,Jazz\n")
    with pytest.raises(UserError, match="not a model's predictions"):
        read_predictions(path)
