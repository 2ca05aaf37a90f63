"""Models beside each other: what is drawn of each, and that it can be read."""

import pytest

from figures.looks import assert_readable
from musiclab.figures import Apart, Place, png_bytes, ranking_figure
from musiclab.figures.style import COLOURS

BEST = Place("2: CNN, mel", 0.5, "0.500", (0.4, 0.6), [0.45, 0.55])
LOWER = Place("1: LSTM, mel", 0.3, "0.300", (0.25, 0.35), is_lower=True)
OTHERS = Apart("published, on this data", [Place("AST", 0.7, "0.70", end="* (Doe 2024)")])


def texts(figure):
    return [text.get_text() for text in figure.axes[0].texts]


def test_a_model_is_a_dot_with_its_interval_and_its_runs():
    figure = ranking_figure([BEST, LOWER], "FMA, 8 genres", "accuracy", [OTHERS], ("largest genre 0.125", 0.125))
    (axes,) = figure.axes
    lines = [line.get_xdata() for line in axes.lines]
    assert [list(line) for line in lines[:3]] == [[0.4, 0.6], [0.5], [0.45, 0.55]]
    assert [list(line) for line in lines[3:6]] == [[0.25, 0.35], [0.3], []]
    dots = [line for line in axes.lines if line.get_marker() in ("o", "D") and line.get_markersize() > 4]
    assert [dot.get_xdata()[0] for dot in dots] == [0.5, 0.3, 0.7]
    assert [dot.get_markerfacecolor() for dot in dots[:2]] == [COLOURS[0], "white"]
    assert dots[2].get_color() not in COLOURS
    rows = [dot.get_ydata()[0] for dot in dots]
    assert rows == sorted(rows)
    low, high = axes.get_xlim()
    assert low < 0.125
    assert high > 0.7
    bottom, top = axes.get_ylim()
    assert bottom > rows[-1]
    assert top < rows[0]
    assert texts(figure) == [
        "0.500",
        "2: CNN, mel",
        "0.300",
        "1: LSTM, mel",
        "published, on this data",
        "0.70",
        "AST* (Doe 2024)",
        "largest genre 0.125",
    ]
    assert axes.get_xlabel() == "accuracy"
    assert axes.get_title(loc="left") == "FMA, 8 genres"


@pytest.mark.parametrize("count", [1, 20])
def test_many_models_with_long_names_are_readable(count):
    name = "12: valence + energy + danceability LSTM, fused in beats, dropout 0.5"
    places = [Place(name, 0.9 - 0.01 * n, "0.123", (0.1, 0.95), [0.2, 0.9], end=" (some source)") for n in range(count)]
    long = "published, on 800 test tracks, ours 797 or 798 or 799: does not compare"
    figure = ranking_figure(places, "archive_of_music/genres_" + "x" * 60, "accuracy", [Apart(long, places)])
    png_bytes(figure)
    assert_readable(figure)
    (axes,) = figure.axes
    boxes = {text.get_text(): text.get_window_extent() for text in axes.texts}
    (shown,) = [text for text in boxes if text.startswith("12: ")]
    assert shown.endswith("… (some source)")
    assert boxes[shown].x1 < boxes["0.123"].x0
    width = figure.get_size_inches()[0] * figure.dpi
    assert all(box.x1 <= width for box in boxes.values())


def test_a_single_score_has_a_scale():
    figure = ranking_figure([Place("1: CNN", 0.5, "0.500")], "data", "accuracy")
    low, high = figure.axes[0].get_xlim()
    assert low < 0.5 < high
    assert not any(line.get_marker() == "o" and len(line.get_xdata()) > 1 for line in figure.axes[0].lines)
