"""Intervals: as scipy and scikit-learn have them, a resample at a time."""

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import f1_score

from musiclab.runs.intervals import accuracy, bootstrap, f1_macro, percentiles, spearman

TRACKS = 60


def make_classes(tracks=TRACKS, classes=4):
    """Truths and answers; the last class is never told, and rare."""
    rng = np.random.default_rng(3)
    truth = rng.integers(0, classes - 1, tracks)
    answers = np.where(rng.uniform(size=tracks) < 0.6, truth, rng.integers(0, classes - 1, tracks))
    truth[5] = classes - 1
    return truth, answers


def make_values(tracks=TRACKS):
    """Truths and predictions with ties in both."""
    rng = np.random.default_rng(4)
    truth = rng.normal(size=tracks).round(1)
    return truth, (truth + rng.normal(size=tracks)).round(1)


def plain_accuracy(truth, answers):
    return np.mean(truth == answers)


def plain_f1(truth, answers):
    present = np.union1d(truth, answers)
    return f1_score(truth, answers, labels=present, average="macro", zero_division=0)


def plain_spearman(truth, predicted):
    return stats.spearmanr(truth, predicted).statistic


CASES = pytest.mark.parametrize(
    ("ours", "plain", "rows"),
    [
        (accuracy, plain_accuracy, make_classes()),
        (f1_macro, plain_f1, make_classes()),
        (spearman, plain_spearman, make_values()),
    ],
    ids=["accuracy", "f1_macro", "spearman"],
)


@CASES
def test_intervals_over_tracks_are_those_of_scipy(ours, plain, rows):
    expected = stats.bootstrap(
        rows,
        plain,
        paired=True,
        vectorized=False,
        method="percentile",
        n_resamples=400,
        random_state=np.random.default_rng(7),
    ).confidence_interval
    values = bootstrap(lambda counts: ours(counts, *rows), np.arange(TRACKS), 400, np.random.default_rng(7))
    assert tuple(percentiles(values)) == pytest.approx(tuple(expected), abs=1e-12)


@CASES
def test_all_tracks_once_give_the_score_itself(ours, plain, rows):
    assert ours(np.ones((TRACKS, 1)), *rows)[0] == pytest.approx(plain(*rows), abs=1e-12)


@CASES
def test_groups_come_with_all_their_tracks(ours, plain, rows):
    groups = np.random.default_rng(5).permutation(np.repeat(np.arange(12), 5))
    groups[:12] = np.arange(12)
    values = bootstrap(lambda counts: ours(counts, *rows), groups, 50, np.random.default_rng(7))
    rng = np.random.default_rng(7)
    for value in values:
        members = [track for group in rng.integers(0, 12, 12) for track in np.flatnonzero(groups == group)]
        assert value == pytest.approx(plain(*(row[members] for row in rows)), abs=1e-12)


def test_what_is_computed_at_once_changes_nothing(monkeypatch):
    rows = make_values()
    values = []
    for chunk in (1, 1000, 10**6):
        monkeypatch.setattr("musiclab.runs.intervals.CHUNK", chunk)
        values.append(bootstrap(lambda counts: spearman(counts, *rows), np.arange(TRACKS), 100))
    np.testing.assert_array_equal(values[0], values[1])
    np.testing.assert_array_equal(values[0], values[2])


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("bad", [np.full(9, 0.5), np.full(9, np.nan), np.r_[np.nan, np.arange(8.0)]])
def test_a_correlation_that_is_undefined_is_0(bad):
    truth = np.linspace(0, 1, 9)
    for rows in ((truth, bad), (bad, truth)):
        assert not bootstrap(lambda counts, rows=rows: spearman(counts, *rows), np.arange(9), 20).any()


def test_infinite_predictions_have_ranks():
    truth, predicted = np.arange(4.0), np.array([-np.inf, 0.0, np.inf, 1.0])
    assert spearman(np.ones((4, 1)), truth, predicted)[0] == pytest.approx(plain_spearman(truth, [0, 1, 3, 2]))
