"""Tracks as points: which colours and markers, and what the legend says."""

import numpy as np
import pytest
from matplotlib.colors import to_hex

from musiclab.figures import class_points_figure, png_bytes, value_points_figure
from musiclab.figures.style import COLOURS

LABELS = ("1st", "2nd")
POINTS = np.random.default_rng(0).normal(size=(40, 2))


def test_each_class_has_its_points_and_its_name():
    classes = np.arange(40) % 5 - 1
    figure = class_points_figure(POINTS, classes, ["Blues", "Folk", "Jazz", "Rock", "none"], "title", LABELS)
    (axes,) = figure.axes
    names = ["Blues", "Folk", "Jazz", "Rock"]
    said = [*(f"{name} (8)" for name in names), "not known (8)"]
    assert [part.get_label() for part in axes.collections] == said
    for index, part in enumerate(axes.collections[:4]):
        np.testing.assert_array_equal(part.get_offsets(), POINTS[classes == index])
        assert to_hex(part.get_facecolor()[0]).upper() == COLOURS[index]
    np.testing.assert_array_equal(axes.collections[4].get_offsets(), POINTS[classes == -1])
    assert [text.get_text() for text in figure.legends[0].get_texts()] == said
    assert (axes.get_title(), axes.get_xlabel(), axes.get_ylabel()) == ("title of 40 tracks", *LABELS)


@pytest.mark.parametrize("stretch", [(1, 1), (100, 1), (1, 100), (0, 0)])
def test_points_lie_in_a_square_of_one_scale(stretch):
    points = POINTS * stretch
    values = np.linspace(0, 1, 40)
    for figure in (
        class_points_figure(points, np.arange(40) % 2, ["a", "b"], "PCA", LABELS),
        value_points_figure(points, values, "valence", "PCA", LABELS),
    ):
        figure.draw_without_rendering()
        axes, *_ = figure.axes
        box = axes.get_window_extent()
        assert box.width == pytest.approx(box.height, abs=1)
        limits = np.array([axes.get_xlim(), axes.get_ylim()])
        assert np.ptp(limits[0]) == pytest.approx(np.ptp(limits[1]))
        assert ((points > limits[:, 0]) & (points < limits[:, 1])).all()
        assert axes.get_title() == "PCA of 40 tracks"
        inside, (width, height) = figure.get_tightbbox(), figure.get_size_inches()
        assert min(inside.x0, inside.y0) >= 0
        assert inside.x1 <= width
        assert inside.y1 <= height
        assert box.width > 0.8 * width * figure.dpi  # the legend takes no room from the points


def test_no_two_of_20_classes_look_the_same():
    figure = class_points_figure(POINTS, np.arange(40) % 20, [f"genre {n}" for n in range(20)], "", LABELS)
    looks = {
        (to_hex(part.get_facecolor()[0]), part.get_paths()[0].vertices.tobytes()) for part in figure.axes[0].collections
    }
    assert len(looks) == 20


def test_the_legend_of_many_long_names_is_not_clipped():
    names = [f"a rather long name {number}" for number in range(20)]
    figure = class_points_figure(POINTS, np.arange(40) % 20, names, "", LABELS)
    png_bytes(figure)
    width, _ = figure.canvas.get_width_height()
    box = figure.legends[0].get_window_extent()
    assert box.x0 >= 0
    assert box.y0 >= 0
    assert box.x1 <= width
    assert box.y1 <= figure.axes[0].get_tightbbox().y0


def test_values_are_colours_with_a_bar_that_names_them():
    values = np.linspace(0.2, 0.9, 40)
    figure = value_points_figure(POINTS, values, "valence", "title", LABELS)
    axes, bar = figure.axes
    (points,) = axes.collections
    np.testing.assert_array_equal(points.get_array(), values)
    assert points.get_clim() == (0.2, 0.9)
    assert bar.get_xlabel() == "valence"


@pytest.mark.parametrize("known", [0, 1, 39])
@pytest.mark.filterwarnings("error")
def test_tracks_without_a_value_are_grey(known):
    values = np.where(np.arange(40) < known, 0.5, np.nan)
    figure = value_points_figure(POINTS, values, "valence", "title", LABELS)
    axes, bar = figure.axes
    grey, coloured = axes.collections
    assert (len(grey.get_offsets()), len(coloured.get_offsets())) == (40 - known, known)
    assert bar.get_xlabel() == "valence (grey: not known)"
    png_bytes(figure)
