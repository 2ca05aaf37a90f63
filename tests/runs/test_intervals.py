"""Intervals: as scipy and scikit-learn have them, a resample at a time."""

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score

from musiclab.runs.intervals import accuracy, bootstrap, f1_macro, percentiles, spearman, tag_scores

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


def make_tags(tracks=TRACKS):
    """Which tracks have a tag, and probabilities with ties."""
    rng = np.random.default_rng(4)
    truth = (rng.uniform(size=tracks) < 0.3).astype(float)
    return truth, (truth / 5 + rng.uniform(size=tracks)).round(1)


def roc_auc(counts, truth, predicted):
    return tag_scores(truth, predicted)(counts)[0]


def average_precision(counts, truth, predicted):
    return tag_scores(truth, predicted)(counts)[1]


CASES = pytest.mark.parametrize(
    ("ours", "plain", "rows"),
    [
        (accuracy, plain_accuracy, make_classes()),
        (f1_macro, plain_f1, make_classes()),
        (spearman, plain_spearman, make_values()),
        (roc_auc, roc_auc_score, make_tags()),
        (average_precision, average_precision_score, make_tags()),
    ],
    ids=["accuracy", "f1_macro", "spearman", "roc_auc", "average_precision"],
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


@pytest.mark.parametrize("share", [0.02, 0.5, 0.98])
@pytest.mark.parametrize("digits", [0, 1, 8])
def test_scores_of_tags_are_scikit_learns_for_any_counts(share, digits):
    rng = np.random.default_rng(0)
    truth = (rng.uniform(size=150) < share).astype(float)
    truth[:2] = 0, 1
    predicted = rng.uniform(size=150).round(digits)
    counts = rng.integers(0, 4, (150, 20)).astype(float)
    counts[:2] += 1
    found = tag_scores(truth, predicted)(counts)
    for column, (area, precision) in zip(counts.T, found.T, strict=True):
        assert area == pytest.approx(roc_auc_score(truth, predicted, sample_weight=column))
        assert precision == pytest.approx(average_precision_score(truth, predicted, sample_weight=column))


@pytest.mark.filterwarnings("error")
def test_a_tag_that_all_tracks_of_a_resample_have_or_none_has_no_scores():
    truth, counts = np.array([1.0, 0.0, 1.0]), np.array([[1.0, 0, 2, 0], [1, 3, 0, 0], [1, 0, 1, 0]])
    found = tag_scores(truth, np.array([0.5, np.nan, 0.7]))(counts)
    np.testing.assert_array_equal(found[0], [0.75, np.nan, np.nan, np.nan])
    np.testing.assert_array_equal(np.isnan(found[1]), [False, True, True, True])
    for same in (np.zeros(3), np.ones(3)):
        assert np.isnan(tag_scores(same, np.ones(3))(counts)).all()
    assert np.isnan(percentiles(np.full(4, np.nan))).all()
    assert percentiles(np.array([np.nan, 1, 1])) == (1, 1)
