"""Figures of whole data sets: what they show, and that they can be read."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from figures.looks import assert_readable
from musiclab.data.labels import LAB_CLASS_MAP
from musiclab.figures import axis_figure, class_figure, length_figure, pair_figure

RNG = np.random.default_rng(0)
COUNTS = {"train": np.array([30, 4, 0]), "test": np.array([10, 1, 2])}


def test_classes_are_bars_with_their_numbers_and_those_dropped_are_grey():
    figure = class_figure(["Rock", "Jazz", "Punk"], COUNTS, "before merging", ["Jazz"])
    (axes,) = figure.axes
    bars = [(bar.get_y() + bar.get_height() / 2, bar.get_x(), bar.get_width()) for bar in axes.patches]
    assert bars == [(0, 0, 30), (1, 0, 4), (2, 0, 0), (0, 30, 10), (1, 4, 1), (2, 0, 2)]
    assert [text.get_text() for text in axes.texts] == ["30 + 10", "4 + 1", "0 + 2"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["Rock", "Jazz", "Punk"]
    assert axes.yaxis_inverted()
    colours = [bar.get_facecolor() for bar in axes.patches]
    assert colours[1] == colours[4] != colours[0] != colours[3]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["train", "test", "dropped"]
    patches = [patch.get_facecolor() for patch in figure.legends[0].get_patches()]
    assert patches == [colours[0], colours[3], colours[1]]
    assert_readable(figure)


def test_classes_of_one_part_have_one_number():
    figure = class_figure(["Rock", "Jazz"], {"train": np.array([3, 2])}, "")
    assert [text.get_text() for text in figure.axes[0].texts] == ["3", "2"]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["train"]


@pytest.mark.parametrize("scale", [1, 1000, 100_000])
def test_twenty_classes_can_be_read(scale):
    counts = {part: scale * RNG.integers(1, 10, 20) for part in ("train", "test")}
    assert_readable(class_figure(list(LAB_CLASS_MAP), counts, "before merging: 20 genres, 100000 tracks"))


def test_lengths_count_every_track():
    lengths = {"train": RNG.integers(600, 900, 70), "test": RNG.integers(600, 900, 30)}
    axes = length_figure(lengths, "100 tracks", 0.25).axes[0]
    assert sum(bar.get_height() for bar in axes.patches) == 100
    edges = sorted({round(bar.get_x(), 6) for bar in axes.patches})
    assert np.allclose(np.diff(edges), np.diff(edges)[0])
    assert (np.array(edges) % 1 == 0.5).all()
    assert axes.get_xlabel() == "length (frames)"
    (above,) = axes.child_axes
    axes.figure.draw_without_rendering()
    assert above.get_xlabel() == "length (s)"
    np.testing.assert_allclose(above.get_xlim(), 0.25 * np.array(axes.get_xlim()))


def test_lengths_in_beats_have_no_seconds():
    axes = length_figure({"train": np.array([40, 50])}, "", None).axes[0]
    assert axes.get_xlabel() == "length (beats)"
    assert not axes.child_axes


@pytest.mark.parametrize("columns", [[128] * 9, [1291, 1292, 1293], [1], [20, 26000], list(range(25, 130))])
@pytest.mark.parametrize("seconds", [0.0232, 0.234375, None])
def test_lengths_of_any_spread_can_be_read(columns, seconds):
    figure = length_figure({"train": np.array(columns)}, "3 tracks", seconds)
    assert len(figure.axes[0].patches) <= 31
    assert_readable(figure)


@pytest.mark.parametrize(
    ("values", "limits"),
    [
        ([0.2, 0.4, 0.9], (0, 1)),
        ([0, 1], (0, 1)),
        ([1, 5, 9], (1, 9)),
        ([-0.1, 0.5], (-0.1, 0.5)),
        ([5, 5], (4.5, 5.5)),
    ],
)
def test_values_are_counted_in_20_bins_of_their_range(values, limits):
    figure = axis_figure(np.array(values, float), "danceability", float(np.median(values)))
    (axes,) = figure.axes
    assert axes.get_xlim() == limits
    assert len(axes.patches) == 20
    assert sum(bar.get_height() for bar in axes.patches) == len(values)
    assert axes.get_title() == f"{len(values)} tracks, median {np.median(values):.3g}"
    assert axes.get_xlabel() == "danceability"
    assert axes.lines[0].get_xdata()[0] == np.median(values)
    assert_readable(figure)


@pytest.mark.parametrize(("correlation", "said"), [(0.31249, "0.312"), (-1.0, "-1.000"), (np.nan, "undefined")])
def test_pairs_are_points_with_spearmans_correlation(correlation, said):
    first, second = RNG.uniform(size=50), RNG.uniform(1, 9, 50)
    figure = pair_figure(first, second, ("valence", "arousal"), correlation)
    (axes,) = figure.axes
    np.testing.assert_array_equal(axes.collections[0].get_offsets(), np.stack([first, second], axis=1))
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("valence", "arousal")
    assert axes.get_title() == f"50 tracks, Spearman {said}"
    assert_readable(figure)


def test_pyplot_knows_nothing_of_the_figures():
    class_figure(["Rock"], {"train": np.array([1])}, "")
    length_figure({"train": np.array([1])}, "", 1.0)
    assert plt.get_fignums() == []
