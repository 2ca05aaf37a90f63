"""Figures: what they show."""

import numpy as np
import pytest

from musiclab.report.figures import confusion_figure, save_figure, scatter_figure


def test_a_confusion_matrix_of_a_genre_without_tracks():
    figure = confusion_figure(np.array([[3, 1], [0, 0]]), ["Jazz", "Rock"])
    axes = figure.axes[0]
    assert [text.get_text() for text in axes.texts] == ["3", "1", "0", "0"]
    np.testing.assert_allclose(axes.images[0].get_array(), [[0.75, 0.25], [0, 0]])
    assert axes.get_title() == "4 tracks, accuracy 0.750"


@pytest.mark.parametrize("names", [["energy"], ["valence", "energy", "danceability"]])
def test_a_scatter_plot_has_a_panel_for_each_axis_with_title_and_equal_limits(names):
    rng = np.random.default_rng(0)
    truth, predictions = rng.uniform(size=(30, len(names))), rng.normal(size=(30, len(names)))
    panels = scatter_figure(truth, predictions, names, [0.12345, -0.5, 1.0][: len(names)]).axes
    titles = [f"{name}: Spearman {value}" for name, value in zip(names, ["0.123", "-0.500", "1.000"], strict=False)]
    assert [panel.get_title() for panel in panels] == titles
    for number, panel in enumerate(panels):
        points = np.stack([truth[:, number], predictions[:, number]], axis=1)
        np.testing.assert_array_equal(panel.collections[0].get_offsets(), points)
        low, high = panel.get_xlim()
        assert panel.get_ylim() == (low, high)
        assert low < points.min() < points.max() < high
        assert panel.get_aspect() == 1
        np.testing.assert_array_equal(panel.lines[0].get_xydata(), [[low, low], [high, high]])


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
