"""How models stand: intervals and paired differences are those of their functions; when there are none."""

import json
import math

import numpy as np
import pytest

from commands.report.making import AXES, GENRES, answer, make_run, write_rows
from musiclab.commands.report.datasets import assign
from musiclab.commands.report.groups import make_groups
from musiclab.commands.report.standings import count_tested, interval_of, rank
from musiclab.runs.comparison import difference, mean_interval
from musiclab.runs.predictions import read_predictions
from musiclab.runs.run import read_run

TRUTH = [number % 3 for number in range(60)]
GOOD = [genre if number % 5 else 0 for number, genre in enumerate(TRUTH)]
BAD = [0 for _ in TRUTH]


def groups_of(*folders):
    runs = [read_run(folder) for folder in folders]
    return make_groups(runs, assign(runs))


def genre_run(folder, answers, truth=TRUTH, ids=None, artists=None, **kwargs):
    return answer(make_run(folder, **kwargs), truth, answers, ids, artists=artists)


def test_the_best_is_first_and_the_others_are_compared_with_it(tmp_path):
    good = [genre_run(tmp_path / f"good{seed}", GOOD, seed=seed, model_dropout=0.5) for seed in range(2)]
    bad = genre_run(tmp_path / "bad", BAD)
    groups = groups_of(bad, *good)
    (ranking,) = rank(groups)
    assert (ranking.metric, ranking.said) == ("accuracy", "accuracy")
    best, other = ranking.standings
    assert best.scores == [np.mean(np.equal(TRUTH, GOOD))] * 2
    assert (len(best.group.runs), best.to_best, best.is_lower) == (2, None, False)
    files = [read_predictions(folder / "predictions.csv") for folder in (*good, bad)]
    assert best.interval == mean_interval(files[:2], "accuracy")
    assert other.interval == mean_interval(files[2:], "accuracy")
    assert other.to_best == difference(files[2:], files[:2], "accuracy")
    assert other.is_lower
    assert other.to_best.tracks == count_tested(other.group, "accuracy") == 60


def test_two_copies_do_not_differ(tmp_path):
    groups = groups_of(genre_run(tmp_path / "a", GOOD), genre_run(tmp_path / "b", GOOD, model_dropout=0.5))
    (ranking,) = rank(groups)
    assert ranking.standings[1].to_best[:3] == (0, 0, 0)
    assert not ranking.standings[1].is_lower


def test_artists_of_the_predictions_are_drawn(tmp_path):
    artists = [str(number // 6) for number in range(60)]
    runs = [genre_run(tmp_path / "a", GOOD, artists=artists), genre_run(tmp_path / "b", BAD, model_dropout=0.5)]
    (ranking,) = rank(groups_of(*runs))
    assert ranking.standings[1].to_best.artists == 10


def test_folds_are_of_one_model_tested_on_all_their_tracks(tmp_path):
    folds = [
        genre_run(
            tmp_path / f"fold{fold}",
            GOOD[fold::3],
            TRUTH[fold::3],
            [str(n) for n in range(fold, 60, 3)],
            data_folds=3,
            data_fold=fold,
            data_test_fraction=0.2,
        )
        for fold in range(3)
    ]
    (group,) = groups_of(*folds)
    assert group.count == "3 (3 folds)"
    assert count_tested(group, "accuracy") == 60
    files = [read_predictions(folder / "predictions.csv") for folder in folds]
    assert interval_of(group, "accuracy") == mean_interval(files, "accuracy")


def test_a_single_run_without_predictions_has_the_interval_of_its_metrics(tmp_path):
    folder = make_run(tmp_path / "run")
    (folder / "predictions.csv").unlink()
    metrics = json.loads((folder / "test_metrics.json").read_text())
    (group,) = groups_of(folder)
    assert interval_of(group, "accuracy") is None
    metrics |= {"test_accuracy_low": 0.25, "test_accuracy_high": 0.75}
    (folder / "test_metrics.json").write_text(json.dumps(metrics))
    (group,) = groups_of(folder)
    assert interval_of(group, "accuracy") == (0.25, 0.75)
    assert interval_of(group, "f1_macro") is None
    assert count_tested(group, "accuracy") == 25


def test_of_other_tracks_truths_or_genres_there_is_no_difference(tmp_path):
    others = {
        "tracks": {"ids": [f"x{number}" for number in range(60)]},
        "truth": {"truth": [(genre + 1) % 3 for genre in TRUTH]},
    }
    for name, changes in others.items():
        first = genre_run(tmp_path / name / "a", GOOD)
        second = genre_run(tmp_path / name / "b", BAD, model_dropout=0.5, **changes)
        (ranking,) = rank(groups_of(first, second))
        assert [standing.to_best for standing in ranking.standings] == [None, None], name
        assert all(standing.interval for standing in ranking.standings)


def test_a_model_without_scores_or_that_diverged_is_not_ranked(tmp_path):
    folders = [make_run(tmp_path / "untested", tested=False), make_run(tmp_path / "nan", model_dropout=0.5)]
    (folders[1] / "test_metrics.json").write_text('{"test_accuracy": NaN}')
    assert rank(groups_of(*folders)) == []


def test_predictions_without_truth_have_no_interval(tmp_path):
    folder = make_run(tmp_path / "run")
    write_rows(folder / "predictions.csv", [["id", "truth", "prediction", *GENRES], ["1", "", "Rock", 0, 0, 1]])
    (group,) = groups_of(folder)
    assert interval_of(group, "accuracy") is None


@pytest.fixture
def emotions(tmp_path):
    """A model of three axes, two seeds, and one of energy, on the same tracks and truths."""
    rng = np.random.default_rng(0)
    truth = rng.uniform(size=(40, 3)).round(6)
    folders = []
    for number, names in enumerate((AXES, AXES, ["energy"])):
        folder = make_run(tmp_path / str(number), "emotion", seed=number % 2, names=names)
        columns = [AXES.index(name) for name in names]
        told = (truth[:, columns] + rng.normal(0, 0.2, (40, len(names)))).round(6)
        header = ["id", *(f"{part}_{name}" for name in names for part in ("truth", "prediction"))]
        values = np.stack([truth[:, columns], told], axis=2).reshape(40, -1)
        write_rows(folder / "predictions.csv", [header, *([str(row), *line] for row, line in enumerate(values))])
        folders.append(folder)
    return folders


def test_models_of_single_axes_are_ranked_on_these_beside_those_of_several(emotions):
    groups = groups_of(*emotions)
    mean, energy = rank(groups)
    assert (mean.metric, mean.axes, len(mean.standings)) == ("spearman", tuple(AXES), 1)
    assert (energy.metric, len(energy.standings)) == ("spearman_energy", 2)
    found = {len(standing.group.axes): standing for standing in energy.standings}
    files = [read_predictions(folder / "predictions.csv") for folder in emotions]
    assert found[3].interval == mean_interval(files[:2], "spearman_energy")
    assert found[1].interval == mean_interval(files[2:], "spearman_energy")
    (lower,) = [standing for standing in energy.standings if standing.to_best]
    assert lower.to_best.tracks == 40
    assert math.isfinite(lower.to_best.low)
