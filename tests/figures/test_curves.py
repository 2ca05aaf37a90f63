"""Curves over epochs: what they show, for one run and for several."""

import numpy as np
import pytest

from musiclab.figures import curves_figure, png_bytes
from musiclab.figures.style import DPI


def line(*values):
    return np.arange(1.0, len(values) + 1), np.array(values)


def labels(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_learning_curves_of_one_run():
    figure = curves_figure({"validation": [line(4, 3.5)], "training": [line(3, 2)]}, "loss (nats)", [(2, 3.5)])
    (axes,) = figure.axes
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("epoch", "loss (nats)")
    assert labels(figure) == ["validation", "training", "best"]
    for drawn, expected in zip(axes.lines, [line(4, 3.5), line(3, 2), ([2], [3.5])], strict=True):
        np.testing.assert_array_equal(drawn.get_data(), expected)
    assert axes.lines[0].get_color() != axes.lines[1].get_color()
    assert axes.lines[0].get_linestyle() != axes.lines[1].get_linestyle()


def test_learning_curves_of_several_runs_are_named_once():
    figure = curves_figure({"validation": [line(4, 3), line(1)], "training": [line(3, 2), line(5)]}, "loss")
    assert len(figure.axes[0].lines) == 4
    assert labels(figure) == ["validation", "training"]
    assert [drawn.get_marker() for drawn in figure.axes[0].lines] == ["None", "o", "None", "o"]


def test_nine_lines_all_look_different_and_the_chart_keeps_its_height():
    few, many = (curves_figure({f"axis {n}": [line(n, n + 1)] for n in range(count)}, "Spearman") for count in (2, 9))
    looks = {(drawn.get_color(), drawn.get_linestyle()) for drawn in many.axes[0].lines}
    assert len(looks) == 9
    heights = []
    for figure in (few, many):
        figure.draw_without_rendering()
        heights.append(figure.axes[0].get_window_extent().height)
    assert heights[1] > 0.9 * heights[0]


def test_a_line_for_each_axis():
    figure = curves_figure({"valence": [line(1, 2)], "energy": [line(1, 3)]}, "weight")
    assert labels(figure) == ["valence", "energy"]
    first, second = figure.axes[0].lines
    assert (first.get_color(), first.get_linestyle()) != (second.get_color(), second.get_linestyle())


@pytest.mark.parametrize("values", [(np.nan, np.nan), (1.0, np.inf), (1.0, np.nan)])
def test_a_run_that_has_diverged_is_drawn(values):
    figure = curves_figure({"validation": [line(*values)], "training": []}, "loss", [(1, values[0])])
    assert png_bytes(figure).startswith(b"\x89PNG")


def test_nothing_at_all_is_drawn():
    assert png_bytes(curves_figure({"validation": [], "training": []}, "loss")).startswith(b"\x89PNG")


def test_all_of_a_picture_lies_within_it_and_it_is_no_wider_than_a_phone():
    emotions = [
        "amazement",
        "solemnity",
        "tenderness",
        "nostalgia",
        "calmness",
        "power",
        "joyful_activation",
        "tension",
        "sadness",
    ]
    for names in (
        ["valence", "energy", "danceability"],
        emotions,
        [f"a rather long name of an axis {n}" for n in "ab"],
    ):
        figure = curves_figure({name: [line(0.1, 1234.5)] for name in names}, "Spearman, mean of the axes")
        png_bytes(figure)
        inside = figure.get_tightbbox()
        width, height = figure.get_size_inches()
        assert inside.x0 >= 0
        assert inside.y0 >= 0
        assert inside.x1 <= width
        assert inside.y1 <= height
        assert width * DPI < 390
