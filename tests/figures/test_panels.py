"""Panels without letters: they fill their picture from the song's beginning to its end."""

import numpy as np
import pytest

from musiclab.figures import Answers
from musiclab.figures.panels import beats_panel, chroma_panel, lines_panel, mel_panel, plane_panel, shares_panel
from musiclab.figures.song import genre_layers
from musiclab.figures.style import svg_bytes

RNG = np.random.default_rng(0)
GENRES = Answers(np.array([10.0, 50.0]), np.array([[0.2, 0.7, 0.1], [0.1, 0.6, 0.3]]), ["Folk", "Jazz", "Rock"])
EMOTIONS = Answers(np.array([10.0, 50.0]), np.array([[0.2, 0.7], [0.1, 0.6]]), ["valence", "energy"])


@pytest.mark.parametrize(
    "figure",
    [
        mel_panel(RNG.uniform(-80, 0, (128, 50))),
        chroma_panel(RNG.uniform(0, 1, (12, 50))),
        beats_panel(np.array([1.0, 2.0]), 60.0),
        shares_panel(GENRES, 60.0),
        lines_panel(EMOTIONS, 60.0)[0],
        plane_panel(EMOTIONS.values[:, 0], EMOTIONS.values[:, 1])[0],
    ],
)
def test_axes_fill_the_picture_without_letters(figure):
    (axes,) = figure.axes
    assert axes.get_position().bounds == (0, 0, 1, 1)
    assert not axes.axison
    assert axes.get_legend() is None
    assert not axes.texts


def test_time_reaches_from_edge_to_edge():
    for figure in (beats_panel(np.array([1.0]), 60.0), shares_panel(GENRES, 60.0), lines_panel(EMOTIONS, 60.0)[0]):
        assert figure.axes[0].get_xlim() == (0, 60)
    rows = RNG.uniform(-80, 0, (128, 50))
    (image,) = mel_panel(rows).axes[0].images
    np.testing.assert_array_equal(image.get_array(), rows)
    assert image.origin == "lower"
    assert lines_panel(EMOTIONS, 60.0)[1] == (-0.02, 1.02) == lines_panel(EMOTIONS, 60.0)[0].axes[0].get_ylim()


def test_layers_say_which_genres_they_are_of():
    layers = [(layer.label, layer.columns) for layer in genre_layers(GENRES)]
    assert layers == [
        ("Jazz", [1]),
        ("Rock", [2]),
        ("Folk", [0]),
    ]
    many = Answers(np.array([1.0]), RNG.dirichlet(np.ones(9), 1), [str(number) for number in range(9)])
    *_, last = genre_layers(many)
    assert last.label == "3 others"
    assert sorted(column for layer in genre_layers(many) for column in layer.columns) == list(range(9))


def test_a_plane_shows_what_there_is_of_the_path_and_leaves_gaps():
    across, up = np.array([0.3, 0.5, np.nan, 0.6, 0.7]), np.array([0.5, 0.5, np.nan, 0.5, 0.6])
    figure, across_limits, up_limits = plane_panel(across, up)
    (path,) = figure.axes[0].collections
    assert [segment.vertices.tolist() for segment in path.get_paths()] == [
        [[0.3, 0.5], [0.5, 0.5]],
        [[0.6, 0.5], [0.7, 0.6]],
    ]
    assert across_limits == pytest.approx((0.26, 0.74))  # as wide as the wider one, with room around
    assert up_limits == pytest.approx((0.55 - 0.24, 0.55 + 0.24))
    _, across_limits, _ = plane_panel(np.array([0.5]), np.array([0.5]))
    assert across_limits == pytest.approx((0.4, 0.6))


def test_an_svg_stretches_and_is_the_same_each_time():
    text = svg_bytes(shares_panel(GENRES, 60.0)).decode()
    root = text[text.index("<svg") : text.index(">", text.index("<svg"))]
    assert 'preserveAspectRatio="none"' in root
    assert "viewBox" in root
    assert "width=" not in root
    assert "height=" not in root
    assert "vector-effect: non-scaling-stroke" in text
    assert "<!DOCTYPE" not in text
    assert "<text" not in text
    assert svg_bytes(shares_panel(GENRES, 60.0)).decode() == text
