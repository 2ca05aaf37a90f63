"""Result files of tags, of rows given by hand."""

import json

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from musiclab.runs.predictions import Rows, read_predictions
from musiclab.runs.tag_results import TagResults
from musiclab.tasks.tagging import tag_scores

TAGS = ["rock", "sad", "80s", "piano", "loud", "house"]
RNG = np.random.default_rng(0)
TRUTH = (RNG.random((30, 6)) < 0.4).astype(np.float32)
TRUTH[:, 5] = 0
ROWS = Rows([str(number) for number in range(30)], TRUTH, RNG.random((30, 6)))


@pytest.mark.filterwarnings("ignore:test_roc_auc")
def test_scores_are_those_of_the_task():
    found = TagResults(TAGS).scores(ROWS)
    logits = torch.from_numpy(ROWS.predictions).logit()
    assert found == pytest.approx(tag_scores(logits, torch.from_numpy(TRUTH), TAGS, "test"), abs=1e-6)
    assert found["test_roc_auc_sad"] == pytest.approx(roc_auc_score(TRUTH[:, 1], ROWS.predictions[:, 1]))
    assert "test_roc_auc_house" not in found  # which no track has


def test_the_strongest_tags_of_a_song_are_printed(tmp_path, capsys):
    rows = Rows(["song"], np.full((1, 6), np.nan), np.array([[0.1, 0.9, 0.25, 0.0625, 0.5, 0.75]]))
    TagResults(TAGS).write_predictions(tmp_path, rows)
    assert capsys.readouterr().out.splitlines()[0] == "song  sad 0.900  house 0.750  loud 0.500  80s 0.250  rock 0.100"
    predictions = read_predictions(tmp_path / "predictions.csv")
    assert predictions.axes == TAGS
    assert predictions.of_tags
    np.testing.assert_array_equal(predictions.predicted, rows.predictions)


def test_the_picture_has_a_bar_for_each_tag_that_is_scored():
    (axes,) = TagResults(TAGS).draw(ROWS).axes
    assert [label.get_text() for label in axes.get_yticklabels()] == TAGS[:5]
    assert axes.get_xlabel() == "area under the ROC curve, 30 tracks"


def test_predictions_that_are_not_finite_do_not_stop_it(tmp_path, capsys):
    rows = ROWS._replace(predictions=np.full((30, 6), np.nan))
    results = TagResults(TAGS)
    metrics = results.scores(rows)
    assert metrics["test_roc_auc"] == 0.5
    results.write_test(tmp_path, rows, metrics)
    assert "Test results of 30 tracks" in capsys.readouterr().out


def test_a_test_has_intervals_by_artists(tmp_path, capsys):
    rows = ROWS._replace(artists=[f"artist {number // 2}" for number in range(30)])
    results = TagResults(TAGS)
    results.write_test(tmp_path, rows, results.scores(rows))
    metrics = json.loads((tmp_path / "test_metrics.json").read_text())
    for name in ("test_roc_auc", "test_average_precision", "test_roc_auc_sad"):
        assert metrics[f"{name}_low"] < metrics[name] < metrics[f"{name}_high"]
    assert metrics["test_artists"] == 15
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["ROC", "AUC", "average", "precision"]
    ends = [f"{metrics[f'test_roc_auc_{end}']:.3f}" for end in ("low", "high")]
    (line,) = [line for line in lines if line.startswith("all ")]
    assert f"all    {metrics['test_roc_auc']:.4f} ({ends[0]} to {ends[1]})" in line
    assert "95 % intervals: bootstrap over 15 artists" in lines


def test_a_picture_of_no_truth_is_empty():
    rows = ROWS._replace(targets=np.full((30, 6), np.nan))
    assert TagResults(TAGS).scores(rows) == {"test_roc_auc": 0.0, "test_average_precision": 0.0}
    assert TagResults(TAGS).draw(rows).axes
