"""Scores from predictions alone, their intervals, and what two models differ by."""

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score, roc_auc_score
from torchmetrics.classification import MulticlassF1Score

from musiclab.errors import UserError
from musiclab.runs.comparison import Difference, count_artists, difference, intervals, mean_interval, scores
from musiclab.runs.intervals import Interval
from musiclab.runs.predictions import Rows, as_predictions
from musiclab.tasks.metrics import regression_scores

GENRES = ["Blues", "Jazz", "Rock", "Pop"]
AXES = ["valence", "energy"]
TAGS = ["rock", "sitar", "roc_auc"]


def make_genres(right=0.6, tracks=120, seed=0, artists=0, ids=None, name="a"):
    """Predictions of genres, of which about so many are right; Pop is never true and never told."""
    truth = np.random.default_rng(9).integers(0, 3, tracks)
    rng = np.random.default_rng(seed)
    answers = np.where(rng.uniform(size=tracks) < right, truth, rng.integers(0, 3, tracks))
    probabilities = np.full((tracks, 4), 0.1)
    probabilities[np.arange(tracks), answers] = 0.7
    return as_predictions(name, GENRES, Rows(*of(tracks, ids), truth, probabilities, by(tracks, artists)))


def make_values(noise=1.0, tracks=120, seed=0, artists=0, ids=None, axes=AXES, name="a"):
    truth = np.random.default_rng(9).uniform(size=(tracks, len(axes)))
    predicted = truth + noise * np.random.default_rng(seed).normal(size=truth.shape)
    return as_predictions(name, axes, Rows(*of(tracks, ids), truth, predicted, by(tracks, artists)))


def make_tags(noise=1.0, tracks=120, seed=0, artists=0, ids=None, tags=TAGS, name="a"):
    """Predictions of tags, which a third of the tracks have."""
    truth = (np.random.default_rng(9).uniform(size=(tracks, len(tags))) < 1 / 3).astype(float)
    predicted = truth + noise * np.random.default_rng(seed).normal(size=truth.shape)
    return as_predictions(name, tags, Rows(*of(tracks, ids), truth, predicted, by(tracks, artists)), of_tags=True)


def of(tracks, ids):
    return [list(map(str, ids or range(tracks)))]


def by(tracks, artists):
    return [f"artist {track % artists}" for track in range(tracks)] if artists else ()


def some(predictions, chosen):
    """The predictions of some of the tracks."""
    parts = {
        name: [value[index] for index in chosen] if isinstance(value, list) else value[chosen]
        for name in ("ids", "artists", "truth", "predicted", *(["answers"] if predictions.genres else []))
        for value in [getattr(predictions, name)]
    }
    return predictions._replace(**parts)


def test_scores_of_genres_are_those_of_torchmetrics():
    made = make_genres()
    answers, truth = torch.from_numpy(made.answers), torch.from_numpy(made.truth)
    f1 = MulticlassF1Score(4, average="macro")(answers, truth).item()
    assert scores(made) == {
        "accuracy": pytest.approx(np.mean(made.answers == made.truth)),
        "f1_macro": pytest.approx(f1, abs=1e-6),
    }


def test_scores_of_values_are_those_of_the_task():
    made = make_values()
    expected = regression_scores(torch.from_numpy(made.predicted), torch.from_numpy(made.truth), AXES, "test")
    assert scores(made) == {
        name: pytest.approx(expected[f"test_{name}"]) for name in ("spearman", "spearman_valence", "spearman_energy")
    }


def test_scores_of_tags_are_scikit_learns():
    made = make_tags()
    found = scores(made)
    assert list(found) == ["roc_auc", "average_precision", *(f"{m}_{t}" for m in list(found)[:2] for t in TAGS)]
    for name, metric in (("roc_auc", roc_auc_score), ("average_precision", average_precision_score)):
        own = [metric(made.truth[:, index], made.predicted[:, index]) for index in range(3)]
        assert [found[f"{name}_{tag}"] for tag in TAGS] == pytest.approx(own)
        assert found[name] == pytest.approx(np.mean(own))


@pytest.mark.filterwarnings("error")
def test_a_tag_that_no_track_has_is_in_no_mean():
    made = make_tags()
    without = made._replace(truth=made.truth * [1, 0, 1])
    kept = make_tags(tags=TAGS)._replace(
        axes=["rock", "roc_auc"], truth=made.truth[:, [0, 2]], predicted=made.predicted[:, [0, 2]]
    )
    assert scores(without) == pytest.approx(scores(kept))
    assert intervals(without) == intervals(kept)
    for metric in scores(kept):
        assert mean_interval([without], metric) == pytest.approx(mean_interval([kept], metric))
    none = made._replace(truth=0 * made.truth)
    assert (scores(none), intervals(none)) == ({}, {})
    assert np.isnan(mean_interval([none], "roc_auc")).all()


def test_tracks_whose_truth_is_not_known_do_not_count():
    genres, values = make_genres(), make_values()
    known = np.arange(120) % 3 > 0
    for made, truth in (
        (genres, np.where(known, genres.truth, -1)),
        (values, np.where(known[:, None], values.truth, np.nan)),
    ):
        unknown, without = made._replace(truth=truth), some(made, np.flatnonzero(known))
        assert scores(unknown) == scores(without)
        for metric in scores(unknown):
            assert mean_interval([unknown], metric) == mean_interval([without], metric)
    assert scores(genres._replace(truth=np.full(120, -1))) == {}


@pytest.mark.parametrize("artists", [0, 40])
@pytest.mark.parametrize("make", [make_genres, make_values, make_tags])
def test_an_interval_surrounds_its_score(make, artists):
    made = make(artists=artists)
    found = intervals(made)
    assert list(found) == list(scores(made))
    for metric, score in scores(made).items():
        low, high = found[metric]
        assert low < score < high
        assert mean_interval([made], metric) == pytest.approx((low, high), abs=1e-12)
        assert mean_interval([made, made], metric) == pytest.approx((low, high), abs=1e-12)


def test_intervals_over_artists_are_wider_where_tracks_of_one_artist_are_alike():
    made = make_genres(tracks=60)
    copies = some(made, np.tile(np.arange(60), 5))._replace(
        ids=[str(n) for n in range(300)], artists=[f"{n % 60}" for n in range(300)]
    )
    low, high = mean_interval([copies], "accuracy")
    assert (low, high) == mean_interval([made], "accuracy")
    alone = mean_interval([copies._replace(artists=[""] * 300)], "accuracy")
    assert alone.high - alone.low < 0.6 * (high - low)
    assert (count_artists([copies]), count_artists([made])) == (60, 0)


def test_tracks_without_an_artist_are_groups_by_themselves():
    made = make_genres(tracks=6)._replace(artists=["x", "", "x", "", "0", "y"], ids=["0", "x", "1", "y", "2", "3"])
    assert count_artists([made]) == 5  # x, y and 0; and the tracks that are called x and y


def test_the_mean_of_seeds_is_surer_than_one():
    runs = [make_values(seed=seed) for seed in range(5)]
    low, high = mean_interval(runs, "spearman")
    assert low < np.mean([scores(run)["spearman"] for run in runs]) < high
    assert high - low < np.subtract(*mean_interval(runs[:1], "spearman")[::-1])


def test_folds_are_scored_on_their_own_tracks():
    made = make_genres()
    folds = [some(made, np.arange(fold, 120, 3)) for fold in range(3)]
    low, high = mean_interval(folds, "accuracy")
    whole = mean_interval([made], "accuracy")
    assert (low, high) == pytest.approx(whole, abs=0.01)
    found = difference(folds, [make_genres(right=0.9, seed=1)], "accuracy")
    assert found.tracks == 120
    assert found.value == pytest.approx(scores(made)["accuracy"] - scores(make_genres(right=0.9, seed=1))["accuracy"])


@pytest.mark.filterwarnings("error")
def test_a_resample_may_miss_a_fold():
    made = make_genres(tracks=12)
    low, high = mean_interval([some(made, [0]), some(made, np.arange(1, 12))], "f1_macro")
    assert 0 <= low < high <= 1


@pytest.mark.parametrize("artists", [0, 40])
@pytest.mark.parametrize(
    ("make", "much", "little", "metric"),
    [
        (make_genres, 0.9, 0.6, "accuracy"),
        (make_genres, 0.9, 0.6, "f1_macro"),
        (make_values, 0.2, 1.0, "spearman"),
        (make_values, 0.2, 1.0, "spearman_energy"),
        (make_tags, 0.2, 1.0, "roc_auc"),
        (make_tags, 0.2, 1.0, "average_precision_sitar"),
    ],
)
def test_a_planted_difference_is_found(make, much, little, metric, artists):
    good, bad = make(much, artists=artists), make(little, seed=1)
    found = difference([good], [bad], metric)
    expected = scores(good)[metric] - scores(bad)[metric]
    assert found.value == pytest.approx(expected)
    assert 0 < found.low < expected < found.high
    assert (found.tracks, found.artists) == (120, artists)
    back = difference([bad], [good], metric)
    assert (back.value, back.low, back.high) == pytest.approx((-found.value, -found.high, -found.low))
    assert back.words.startswith(f"{found.value:.3f} lower")


@pytest.mark.parametrize("make", [make_genres, make_values, make_tags])
def test_two_copies_do_not_differ(make):
    for metric in scores(make()):
        found = difference([make()], [make(name="b")], metric)
        assert found[:3] == (0, 0, 0)
        assert found.words == "no difference that 120 tracks can show (0.000, 0.000 to 0.000)"


def test_models_of_the_same_quality_do_not_differ_in_most_cases():
    found = [difference([make_genres(seed=seed)], [make_genres(seed=seed + 50)], "accuracy") for seed in range(20)]
    assert sum(low <= 0 <= high for _, low, high, *_ in found) >= 17


def test_a_difference_is_paired():
    """Two models that are wrong on the same tracks but for a few are told apart, where their intervals overlap."""
    made = make_genres()
    wrong = np.flatnonzero(made.answers != made.truth)[:8]
    answers = made.answers.copy()
    answers[wrong] = made.truth[wrong]
    better = made._replace(answers=answers)
    assert mean_interval([better], "accuracy").low < mean_interval([made], "accuracy").high
    assert difference([better], [made], "accuracy").low > 0


def test_only_tracks_that_both_have_count():
    made, other = make_genres(), make_genres(0.9, seed=1)
    found = difference([some(made, np.arange(80))], [some(other, np.arange(50, 120))], "accuracy")
    assert found == difference([some(made, np.arange(50, 80))], [some(other, np.arange(50, 80))], "accuracy")
    assert found.tracks == 30


def test_genres_and_axes_may_be_in_another_order():
    made = make_genres()
    order = [2, 0, 3, 1]
    back = np.argsort(order)
    turned = made._replace(
        genres=[GENRES[index] for index in order], truth=back[made.truth], answers=back[made.answers]
    )
    assert difference([made], [turned], "f1_macro")[:3] == pytest.approx((0, 0, 0))
    values = make_values()
    turned = values._replace(axes=AXES[::-1], truth=values.truth[:, ::-1], predicted=values.predicted[:, ::-1])
    assert difference([values], [turned], "spearman_energy")[:3] == (0, 0, 0)


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ((0.0212, 0.0041, 0.0379, 290, 0), "0.021 higher, 95 % interval 0.004 to 0.038, on 290 tracks"),
        (
            (-0.0212, -0.0379, -0.0041, 290, 31),
            "0.021 lower, 95 % interval 0.004 to 0.038, on 290 tracks by 31 artists",
        ),
        ((0.0041, -0.0201, 0.0279, 290, 0), "no difference that 290 tracks can show (0.004, -0.020 to 0.028)"),
        ((0.5, np.nan, np.nan, 1, 1), "no difference that 1 track by 1 artist can show (0.500, nan to nan)"),
    ],
)
def test_a_difference_in_words(found, words):
    assert Difference(*found).words == words


def test_of_a_single_track_or_artist_there_is_no_interval():
    made = make_genres(artists=1)
    for runs in ([made], [some(made, [0])]):
        assert str(mean_interval(runs, "accuracy")) == str(Interval(np.nan, np.nan))
        assert intervals(runs[0]) == {}
    assert not difference([make_genres(1.0, artists=1)], [made], "accuracy").low > 0


def test_what_cannot_be_compared_is_named():
    genres, values = make_genres(name="g.csv"), make_values(name="v.csv")
    unknown = genres._replace(path="u.csv", truth=np.full(120, -1))
    other = np.where(np.arange(120) == 7, (genres.truth + 1) % 3, genres.truth)
    tags, many = make_tags(name="t.csv"), make_tags(tags=[str(number) for number in range(50)], name="m.csv")
    cases = [
        (
            [values],
            [make_tags(tags=AXES, name="t.csv")],
            "spearman",
            "of the tags valence, energy, but v.csv of val",
        ),
        ([tags], [many], "roc_auc", "m.csv: of 50 tags with 0, but t.csv of the tags rock, sitar, roc_auc; compare"),
        ([tags], [tags], "accuracy", "had of it, but roc_auc, average_precision, roc_auc_rock, ..."),
        ([genres], [values], "accuracy", r"v\.csv: of valence, energy, but g\.csv of Blues, Jazz, Rock, Pop;"),
        ([values], [make_values(axes=["valence"])], "spearman", "of valence, but"),
        ([genres], [make_genres(ids=range(500, 620), name="b")], "accuracy", "no track is in both"),
        ([genres], [unknown], "accuracy", r"u\.csv: the truth of no track is known"),
        ([genres], [genres], "spearman", "no spearman can be had of it, but accuracy, f1_macro"),
        (
            [genres],
            [genres._replace(path="b", truth=other)],
            "accuracy",
            r"b: the truth of track 7 is .* in g\.csv",
        ),
    ]
    for a, b, metric, said in cases:
        with pytest.raises(UserError, match=said):
            difference(a, b, metric)
    with pytest.raises(UserError, match="no valence can be had"):
        mean_interval([values], "valence")


def test_an_axis_is_judged_on_all_tracks_whose_value_on_it_is_known():
    both, energy = make_values(tracks=60), make_values(tracks=60, seed=1, axes=["energy"])
    energy = energy._replace(truth=both.truth[:, [1]])
    holes = both._replace(truth=np.where([[False, False]] * 40 + [[True, False]] * 20, np.nan, both.truth))
    assert scores(holes)["spearman_energy"] == scores(both)["spearman_energy"]
    assert mean_interval([holes], "spearman_energy") == mean_interval([both], "spearman_energy")
    assert difference([holes], [energy], "spearman_energy") == difference([both], [energy], "spearman_energy")
    assert difference([holes], [energy], "spearman_energy").tracks == 60
    assert scores(holes)["spearman"] == scores(some(both, range(40)))["spearman"]
