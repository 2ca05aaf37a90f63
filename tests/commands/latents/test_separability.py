"""Projections and numbers of separation, against scikit-learn and cases worked out by hand."""

import math

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.metrics import silhouette_score
from sklearn.model_selection import LeaveOneOut, cross_val_predict
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

from musiclab.commands.latents.analysis import fit_settings, smallest_class
from musiclab.commands.latents.separability import (
    class_silhouette,
    neighbour_accuracy,
    neighbour_correlation,
    project_pca,
    project_tsne,
    standardise,
)

RNG = np.random.default_rng(0)
CLASSES = RNG.integers(4, size=60)
VALUES = RNG.normal(size=(60, 7)) + CLASSES[:, None] * np.linspace(0, 1, 7)


def test_standardised_values_have_mean_0_and_deviation_1_and_rounding_is_no_variation():
    values = np.float32(RNG.normal(3, 5, (20, 4)))
    values[:, 1] = 0.7 * (1 + 1e-7 * RNG.normal(size=20))
    values[:, 2] = 0
    standard = standardise(values)
    np.testing.assert_allclose(standard.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(standard.std(axis=0), [1, 0, 0, 1], atol=1e-12)


def test_pca_is_that_of_the_singular_values():
    points, explained = project_pca(VALUES)
    centred = VALUES - VALUES.mean(axis=0)
    singular = np.linalg.svd(centred, compute_uv=False)
    np.testing.assert_allclose(explained, (singular**2 / (singular**2).sum())[:2])
    np.testing.assert_allclose(points.std(axis=0), singular[:2] / math.sqrt(60))


def test_a_single_value_is_projected_to_a_line():
    points, explained = project_pca(VALUES[:, :1])
    assert explained == (1, 0)
    assert not points[:, 1].any()
    assert project_tsne(VALUES[:, :1], 5, 0).shape == (60, 2)


def test_tsne_is_the_same_for_the_same_seed_and_keeps_groups_together():
    groups = np.repeat([0, 1], 20)
    values = RNG.normal(size=(40, 6)) + 30 * groups[:, None]
    points = project_tsne(values, 8, seed=3)
    np.testing.assert_array_equal(points, project_tsne(values, 8, seed=3))
    assert neighbour_accuracy(points, groups, 5) == 1


@pytest.mark.parametrize("neighbours", [1, 2, 5, 10])
def test_accuracy_and_correlation_are_scikit_learns_leaving_one_out(neighbours):
    leave_out = LeaveOneOut()
    predicted = cross_val_predict(KNeighborsClassifier(neighbours), VALUES, CLASSES, cv=leave_out)
    assert neighbour_accuracy(VALUES, CLASSES, neighbours) == (predicted == CLASSES).mean()
    targets = VALUES[:, 0] + RNG.normal(size=60)
    predicted = cross_val_predict(KNeighborsRegressor(neighbours), VALUES, targets, cv=leave_out)
    expected = spearmanr(predicted, targets).statistic
    assert neighbour_correlation(VALUES, targets, neighbours) == pytest.approx(expected, abs=1e-12)


def test_neighbours_by_hand():
    line = np.array([[0.0], [1.0], [3.0], [10.0], [11.0]])
    # Nearest other: 1, 0, 1, 4, 3.
    assert neighbour_accuracy(line, np.array([0, 0, 1, 1, 1]), 1) == 0.8
    # Their values 2, 1, 2, 5, 4 for 1, 2, 3, 4, 5: ranks 2.5, 1, 2.5, 5, 4.
    expected = spearmanr([2.5, 1, 2.5, 5, 4], [1, 2, 3, 4, 5]).statistic
    assert neighbour_correlation(line, np.arange(1.0, 6.0), 1) == pytest.approx(expected)


def test_tracks_without_labels_are_left_out():
    unknown = np.arange(60) % 3 == 0
    classes = np.where(unknown, -1, CLASSES)
    targets = np.where(unknown, np.nan, VALUES[:, 1])
    assert class_silhouette(VALUES, classes) == silhouette_score(VALUES[~unknown], CLASSES[~unknown])
    assert neighbour_accuracy(VALUES, classes, 3) == neighbour_accuracy(VALUES[~unknown], CLASSES[~unknown], 3)
    assert neighbour_correlation(VALUES, targets, 3) == neighbour_correlation(VALUES[~unknown], targets[~unknown], 3)


@pytest.mark.parametrize("neighbours", [1, 3, 10])
def test_tracks_by_the_same_artist_are_not_asked(neighbours):
    artists = RNG.integers(-1, 9, size=60)
    accuracy, means = [], []
    for track in range(60):
        distances = np.linalg.norm(VALUES - VALUES[track], axis=1)
        others = [i for i in distances.argsort() if i != track and (artists[i] != artists[track] or artists[i] < 0)]
        asked = others[:neighbours]
        accuracy.append(np.bincount(CLASSES[asked]).argmax() == CLASSES[track])
        means.append(VALUES[asked, 1].mean())
    assert neighbour_accuracy(VALUES, CLASSES, neighbours, artists) == np.mean(accuracy)
    expected = spearmanr(means, VALUES[:, 1]).statistic
    assert neighbour_correlation(VALUES, VALUES[:, 1], neighbours, artists) == pytest.approx(expected, abs=1e-12)
    unknown = np.full(60, -1)
    assert neighbour_accuracy(VALUES, CLASSES, 3, unknown) == neighbour_accuracy(VALUES, CLASSES, 3)


def test_artists_who_made_nearly_all_tracks():
    line, classes = np.array([[0.0], [1.0], [3.0], [10.0]]), np.array([0, 0, 1, 1])
    # The first three ask the fourth alone, which asks the three, two of which are of class 0.
    assert neighbour_accuracy(line, classes, 3, np.array([5, 5, 5, 6])) == 0.25
    assert neighbour_accuracy(line, classes, 1, np.array([5, 5, 5, 6])) == 0.5
    assert math.isnan(neighbour_accuracy(line, classes, 3, np.array([5, 5, 5, 5])))


def test_what_is_not_defined_is_nan():
    assert math.isnan(class_silhouette(VALUES, np.zeros(60, int)))
    assert math.isnan(class_silhouette(VALUES, np.arange(60)))
    assert math.isnan(class_silhouette(VALUES, np.full(60, -1)))
    assert math.isnan(neighbour_accuracy(VALUES, np.full(60, -1), 3))
    assert math.isnan(neighbour_correlation(VALUES, np.full(60, np.nan), 3))
    assert math.isnan(neighbour_correlation(VALUES, np.full(60, 0.5), 3))


def test_neighbours_are_no_more_than_the_smallest_genre_has_tracks():
    classes = np.array([0] * 40 + [2] * 4 + [-1] * 3 + [1] * 50)
    smallest = smallest_class(classes, ["Blues", "Jazz", "Rock", "Folk"])
    assert smallest == ("Rock", 4)
    settings = fit_settings(97, 30, 10, 0, None, smallest)
    assert (settings.perplexity, settings.neighbours) == (30, 4)
    assert settings.notes == [
        "neighbours 10 is more than the smallest genre has tracks (Rock: 4); 4 was taken",
    ]
    assert fit_settings(97, 30, 4, 0, None, smallest).notes == []
    (note, _) = fit_settings(11, 30, 10, 0, None, ("Rock", 5)).notes[::-1]
    assert note == "neighbours 10 is too many for 11 tracks; 3 was taken"
    both = fit_settings(11, 3, 10, 0, None, ("Rock", 2))
    assert (both.neighbours, len(both.notes)) == (2, 1)
    assert smallest_class(np.full(5, -1), ["Blues"]) is None
    assert smallest_class(np.zeros((5, 2)), ["valence", "energy"]) is None


def test_few_tracks_have_few_neighbours():
    assert [fit_settings(tracks, 30, 10, 0).neighbours for tracks in (100, 31, 30, 5)] == [10, 10, 9, 1]
    assert [fit_settings(tracks, 30, 10, 0).perplexity for tracks in (100, 91, 61, 5)] == [30, 30, 20, 4 / 3]
