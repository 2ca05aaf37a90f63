"""A song's answers over time: what is drawn where, and that it can be read."""

import numpy as np
import pytest
from matplotlib.colors import to_hex

from figures.looks import assert_readable
from musiclab.figures import Answers, Clip, song_figure

RNG = np.random.default_rng(0)
CLIP = Clip(RNG.uniform(-80, 0, (120, 128)), "mel", 0.5)  # 60 s
MIDDLES = np.array([5.0, 20.0, 35.0, 55.0])


def make_answers(count, windows=4):
    names = [f"genre {number}" for number in range(count)]
    return Answers(MIDDLES[:windows], RNG.dirichlet(np.ones(count), windows), names)


def panel_of(figure, label):
    (panel,) = [axes for axes in figure.axes if axes.get_ylabel() == label]
    return panel


def legend_of(panel):
    return [text.get_text() for text in panel.get_legend().get_texts()]


def test_probabilities_lie_end_to_end_the_most_likely_at_the_bottom():
    answers = Answers(np.array([10.0, 50.0]), np.array([[0.2, 0.7, 0.1], [0.1, 0.6, 0.3]]), ["Folk", "Jazz", "Rock"])
    figure = song_figure(CLIP, "a song", answers)
    panel = panel_of(figure, "probability")
    assert legend_of(panel) == ["Folk", "Rock", "Jazz"]  # from top to bottom, as the layers lie
    jazz, rock, folk = panel.collections
    assert [layer.get_label() for layer in (jazz, rock, folk)] == ["Jazz", "Rock", "Folk"]
    edges = [layer.get_paths()[0].vertices for layer in (jazz, rock, folk)]
    assert {tuple(point) for point in edges[0]} >= {(0, 0.7), (10, 0.7), (50, 0.6), (60, 0.6), (0, 0), (60, 0)}
    np.testing.assert_allclose(edges[2][:, 1].max(), 1)
    assert (panel.get_ylim(), panel.get_xlim()) == ((0, 1), (0, 60))
    assert figure.axes[0].get_title() == "a song"
    np.testing.assert_array_equal(figure.axes[0].images[0].get_array(), CLIP.frames.T)


@pytest.mark.parametrize(("count", "named", "others"), [(2, 2, 0), (7, 7, 0), (8, 6, 2), (20, 6, 14)])
def test_hardly_likely_genres_are_one_layer(count, named, others):
    panel = panel_of(song_figure(CLIP, "", make_answers(count)), "probability")
    said = legend_of(panel)
    assert len(said) == named + bool(others)
    assert (said[0] == f"{others} others") == bool(others)
    colours = [to_hex(layer.get_facecolor()[0]) for layer in panel.collections]
    assert len(set(colours)) == len(colours)
    tops = [layer.get_paths()[0].vertices[:, 1].max() for layer in panel.collections]
    assert tops[-1] == pytest.approx(1)


def test_emotions_are_lines_with_a_dot_a_window_that_reach_the_ends():
    values = np.array([[0.2, 0.8], [0.4, 0.6]])
    figure = song_figure(CLIP, "", emotions=Answers(np.array([10.0, 50.0]), values, ["valence", "energy"]))
    panel = panel_of(figure, "value")
    assert legend_of(panel) == ["valence", "energy"]
    line, dots, *_ = panel.lines
    np.testing.assert_array_equal(line.get_xydata(), [[0, 0.2], [10, 0.2], [50, 0.4], [60, 0.4]])
    np.testing.assert_array_equal(dots.get_xydata(), [[10, 0.2], [50, 0.4]])
    low, high = panel.get_ylim()
    assert -0.05 < low < 0 < 1 < high < 1.05
    assert panel.get_xlabel() == "time (s)"


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("silent", [slice(0, 1), slice(1, 3), slice(None)])
def test_windows_without_an_answer_are_blank(silent):
    answers = make_answers(3)
    answers.values[silent] = np.nan
    figure = song_figure(CLIP, "", answers, answers)
    figure.draw_without_rendering()
    drawn = panel_of(figure, "probability").collections[0].get_paths()
    times = {x for path in drawn for x, _ in path.vertices}
    assert times.isdisjoint(MIDDLES[silent])
    if silent == slice(1, 3):
        assert {0, 5, 55, 60} <= times


def test_all_panels_have_the_same_axis_of_time():
    figure = song_figure(CLIP, "", make_answers(20), make_answers(3))
    figure.draw_without_rendering()
    panels = [axes for axes in figure.axes if axes.get_ylabel() in ("frequency (Hz)", "probability", "value")]
    assert len(panels) == 3
    boxes = [panel.get_window_extent() for panel in panels]
    for box in boxes:
        assert (box.x0, box.x1) == pytest.approx((boxes[0].x0, boxes[0].x1))
    assert {panel.get_xlim() for panel in panels} == {(0, 60)}
    assert [panel.get_xlabel() for panel in panels] == ["", "", "time (s)"]


@pytest.mark.parametrize("features", ["mel", "chroma", "fused"])
@pytest.mark.parametrize("windows", [1, 4])
def test_it_can_be_read(features, windows):
    rows = {"mel": 128, "chroma": 12, "fused": 140}[features]
    clip = Clip(RNG.uniform(-80, 0, (120, rows)), features, None if features == "chroma" else 0.5)
    assert_readable(song_figure(clip, "A song: Jazz", make_answers(20, windows), make_answers(9, windows)), 800)
