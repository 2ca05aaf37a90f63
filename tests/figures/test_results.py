"""Figures: what they show."""

import io

import numpy as np
import pytest
from PIL import Image

from musiclab.figures import confusion_figure, f1_figure, png_bytes, save_figure, scatter_figure


def test_a_confusion_matrix_of_a_genre_without_tracks():
    figure = confusion_figure(np.array([[3, 1], [0, 0]]), ["Jazz", "Rock"], 0.75)
    axes = figure.axes[0]
    assert [text.get_text() for text in axes.texts] == ["3", "1", "0", "0"]
    np.testing.assert_allclose(axes.images[0].get_array(), [[0.75, 0.25], [0, 0]])
    assert axes.get_title() == "4 tracks, accuracy 0.750"
    assert len({text.get_color() for text in axes.texts[1:]}) == 2  # zeros are faint


@pytest.mark.parametrize("names", [["energy"], ["valence", "energy", "danceability"]])
def test_a_scatter_plot_has_a_panel_for_each_axis_with_title_and_equal_limits(names):
    rng = np.random.default_rng(0)
    truth, predictions = rng.uniform(size=(30, len(names))), rng.normal(size=(30, len(names)))
    panels = scatter_figure(truth, predictions, names, [0.12345, -0.5, 1.0][: len(names)]).axes
    titles = [
        f"{name}\n30 tracks, Spearman {value}" for name, value in zip(names, ["0.123", "-0.500", "1.000"], strict=False)
    ]
    assert [panel.get_title() for panel in panels] == titles
    for number, panel in enumerate(panels):
        points = np.stack([truth[:, number], predictions[:, number]], axis=1)
        np.testing.assert_array_equal(panel.collections[0].get_offsets(), points)
        low, high = panel.get_xlim()
        assert panel.get_ylim() == (low, high)
        assert low < points.min() < points.max() < high
        assert panel.get_aspect() == 1
        np.testing.assert_array_equal(panel.lines[0].get_xydata(), [[low, low], [high, high]])


def test_values_from_0_to_1_are_drawn_on_that_range():
    truth, predictions = np.array([[0.3], [0.6]]), np.array([[0.4], [0.5]])
    (panel,) = scatter_figure(truth, predictions, ["energy"], [1.0]).axes
    np.testing.assert_allclose(panel.get_xlim(), (-0.03, 1.03))


@pytest.mark.parametrize("predictions", [[[0.5], [0.5]], [[np.nan], [0.5]]])
@pytest.mark.filterwarnings("ignore")
def test_a_scatter_plot_of_degenerate_predictions_is_drawn(tmp_path, predictions):
    figure = scatter_figure(np.array([[0.5], [0.5]]), np.array(predictions), ["energy"], [0.0])
    save_figure(figure, tmp_path / "scatter.png")
    assert (tmp_path / "scatter.png").read_bytes().startswith(b"\x89PNG")


def test_a_scatter_survives_predictions_that_are_not_finite():
    truth, predictions = np.random.default_rng(0).random((2, 10, 2))
    predictions[0, 0], predictions[1, 1] = np.inf, np.nan
    figure = scatter_figure(truth, predictions, ["valence", "energy"], [0.1, 0.2])
    assert all(np.isfinite(panel.get_xlim()).all() for panel in figure.axes)


def test_a_small_confusion_matrix_needs_no_colour_bar():
    matrix, names = np.array([[3, 1], [0, 2]]), ["Jazz", "Rock"]
    wide, narrow = confusion_figure(matrix, names, 0.5), confusion_figure(matrix, names, 0.5, 0.36, bar=False)
    assert (len(wide.axes), len(narrow.axes)) == (2, 1)
    assert narrow.get_figwidth() < wide.get_figwidth()
    assert [text.get_text() for text in narrow.axes[0].texts] == ["3", "1", "0", "2"]


def test_f1_bars_are_means_with_a_dot_for_each_run():
    scores = np.array([[0.5, 0.25], [0.75, 0.25]])
    (axes,) = f1_figure(["Jazz", "Rock"], scores).axes
    assert [bar.get_width() for bar in axes.patches] == [0.625, 0.25]
    assert [text.get_text() for text in axes.texts] == ["0.625", "0.250"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["Jazz", "Rock"]
    np.testing.assert_array_equal([line.get_xdata() for line in axes.lines], scores)
    assert axes.yaxis_inverted()  # the first genre at the top
    (single,) = f1_figure(["Jazz", "Rock"], scores[:1]).axes
    assert not single.lines
    assert single.get_xlabel() == "F1 on the test set"


@pytest.mark.parametrize("names", [["Jazz", "Rock"], [f"Genre {number:02}" for number in range(20)]])
def test_nothing_is_cut_off(names):
    scores = np.ones((2, len(names)))
    matrix = np.full((len(names), len(names)), 1234)
    points = np.random.default_rng(0).uniform(size=(2, 30, 1))
    for figure in (
        f1_figure(names, scores),
        confusion_figure(matrix, names, 0.5, 0.36, bar=False),
        scatter_figure(*points, ["danceability"], [-0.123], 2.9),
    ):
        png_bytes(figure)
        inside, (width, height) = figure.get_tightbbox(), figure.get_size_inches()
        assert min(inside.x0, inside.y0) >= 0
        assert inside.x1 <= width
        assert inside.y1 <= height


def test_a_picture_of_few_colours_is_the_same_size_and_looks_alike():
    figure = f1_figure(["Jazz", "Rock"], np.array([[0.5, 0.25]]))
    full, few = png_bytes(figure), png_bytes(figure, colours=64)
    assert full[16:24] == few[16:24]  # width and height
    assert len(few) < len(full) / 2
    pixels = [np.asarray(Image.open(io.BytesIO(png)).convert("RGB"), dtype=int) for png in (full, few)]
    assert np.abs(pixels[0] - pixels[1]).mean() < 1
