"""Clips that are the same music, by checksum and by fingerprint."""

from itertools import pairwise

import numpy as np
import pytest

from musiclab.data import duplicates, fingerprints
from musiclab.data.duplicates import MusicIndex
from musiclab.data.fingerprints import coarse_grid, likeness, take_fingerprints


def clip(seed, frames=200):
    """Bands that come and go on their own, each with a few turns."""
    rng = np.random.default_rng(seed)
    turns = rng.normal(0, 8, (32, 40))
    smooth = np.stack([np.interp(np.linspace(0, 39, frames), np.arange(40), row) for row in turns])
    mel = np.repeat(smooth, 4, axis=0) - np.linspace(20, 60, 128)[:, None] + rng.normal(0, 2, (128, frames))
    return np.maximum(mel - mel.max(), -80).astype(np.float32)


def indexed(clips):
    index = MusicIndex()
    for array in clips:
        index.add(array)
    return index


def test_identical_clips_are_grouped_whatever_they_hold():
    short = np.zeros((140, 3), np.float32)
    index = indexed([clip(0), short, clip(1), clip(0), short, clip(0)])
    assert index.identical() == [[0, 3, 5], [1, 4]]
    assert index.likely() == []  # one of each stands for all


def test_another_gain_balance_and_cut_is_likely_the_same():
    quiet = np.maximum(clip(0) - 5, -80)
    tilted = np.maximum(clip(1) - np.linspace(0, 15, 128, dtype=np.float32)[:, None], -80)
    late = clip(2)[:, 2:]
    pairs = indexed([*map(clip, range(40)), quiet, tilted, late]).likely()
    assert {pair[:2] for pair in pairs} == {(0, 40), (1, 41), (2, 42)}
    assert all(pair.alike > 0.8 and not pair.identical for pair in pairs)


@pytest.mark.parametrize("columns", [32, 33, 100, fingerprints.SHORT, fingerprints.SHORT + 1, 1292])
def test_a_cell_is_the_mean_of_its_values(columns):
    mel = clip(0, columns)
    grid = coarse_grid(mel)
    starts = np.arange(33) * columns // 32
    expected = [
        [mel[4 * band : 4 * band + 4, first:last].mean() for first, last in pairwise(starts)] for band in range(32)
    ]
    np.testing.assert_allclose(grid, expected, rtol=1e-4)


def test_clips_of_few_columns_are_only_compared_as_a_whole():
    assert coarse_grid(clip(0, 31)) is None
    assert indexed([clip(0, 31), clip(0, 31) - 1]).likely() == []


def test_likeness_is_what_agrees_less_what_does_not():
    grids = np.stack([coarse_grid(clip(seed)) for seed in (0, 1)])
    prints = take_fingerprints(grids)
    steps = grids[:, :-1] - grids[:, 1:]
    steps -= np.sort(steps, axis=2)[:, :, 16:17]
    signs = np.sign(steps) * (np.abs(steps) > 1)
    both = (signs[0] != 0) & (signs[1] != 0)
    expected = (signs[0] * signs[1])[both].mean()
    assert likeness(prints, np.array([0]), np.array([1])) == pytest.approx(expected)
    assert likeness(prints, np.array([0]), np.array([0])) == 1


def test_clips_that_say_nothing_are_like_none():
    flat = [np.full((128, 50), level, np.float32) for level in (-10, -20, -30)]
    assert indexed(flat).likely() == []


def test_without_the_newest_numpy_ones_are_counted_by_a_table(monkeypatch):
    prints = take_fingerprints(np.stack([coarse_grid(clip(seed)) for seed in (0, 1)]))
    first, second = np.array([0, 0]), np.array([1, 0])
    expected = likeness(prints, first, second)
    monkeypatch.delattr(np, "bitwise_count", raising=False)
    np.testing.assert_array_equal(likeness(prints, first, second), expected)


def test_a_crowd_of_copies_takes_no_quadratic_time(monkeypatch):
    compared = []
    count = duplicates.likeness
    monkeypatch.setattr(duplicates, "likeness", lambda *given: compared.append(len(given[1])) or count(*given))
    rng = np.random.default_rng(0)
    crowd = [clip(0, 40) + rng.normal(0, 0.1, (128, 40)).astype(np.float32) for _ in range(1500)]
    pairs = indexed(crowd).likely()
    assert {position for pair in pairs for position in pair[:2]} == set(range(1500))
    assert sum(compared) < 1500**2 / 10
