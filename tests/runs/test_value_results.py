"""Result files of emotional axes, of rows given by hand."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from matplotlib.image import imread

from musiclab.runs.comparison import mean_interval
from musiclab.runs.predictions import Rows, as_predictions, read_predictions
from musiclab.runs.value_results import ValueResults
from musiclab.tasks.metrics import regression_scores
from runs.made_runs import make_results, run_stage

AXES = ["valence", "danceability"]
IDS = ["30", "b7", "9", "100"]
TRUTHS = torch.tensor([[0.25, 0.5], [0.0, 1.0], [0.75, 0.125], [0.1, 0.2]])
PREDICTIONS = torch.tensor([[0.5, 0.25], [-0.125, 1.5], [0.625, 0.0], [1 / 3, 2e-7]])
METRICS = {
    "test_spearman_valence": 0.8, "test_mse_valence": 0.0347, "test_spearman_danceability": -0.25,
    "test_mse_danceability": 0.1, "test_spearman": 0.275, "test_mse": 0.06735, "test_loss": 1.5,
}  # fmt: skip
TABLE = """\
              Spearman  95 % interval       MSE
valence         0.8000  1.000 to 1.000   0.0347
danceability   -0.2500  1.000 to 1.000   0.1000
all             0.2750  1.000 to 1.000   0.0673
Intervals: bootstrap over 4 tracks
"""


def run(stage, folder, axes=AXES, truths=TRUTHS, predictions=PREDICTIONS):
    metrics = {name: torch.tensor(value, dtype=torch.float64) for name, value in METRICS.items()}
    run_stage(make_results("values", axes), stage, folder, (IDS, truths, predictions), callback_metrics=metrics)
    return folder


def test_predictions_have_truth_and_prediction_of_each_axis(tmp_path):
    run("test", tmp_path)
    assert (tmp_path / "predictions.csv").read_bytes() == (
        b"id,truth_valence,prediction_valence,truth_danceability,prediction_danceability\n"
        b"9,0.750000,0.625000,0.125000,0.000000\n"
        b"30,0.250000,0.500000,0.500000,0.250000\n"
        b"100,0.100000,0.333333,0.200000,0.000000\n"
        b"b7,0.000000,-0.125000,1.000000,1.500000\n"
    )


def test_a_truth_that_is_not_known_is_empty(tmp_path, capsys):
    truths = torch.tensor([[torch.nan, 0.5], [torch.nan, torch.nan], [0.75, torch.nan], [0.0, 1.0]])
    run("predict", tmp_path, truths=truths)
    assert (tmp_path / "predictions.csv").read_text().splitlines()[1:] == [
        "9,0.750000,0.625000,,0.000000",
        "30,,0.500000,0.500000,0.250000",
        "100,0.000000,0.333333,1.000000,0.000000",
        "b7,,-0.125000,,1.500000",
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["predictions.csv"]
    assert capsys.readouterr().out.splitlines() == [
        "9    valence 0.625   danceability 0.000",
        "30   valence 0.500   danceability 0.250",
        "100  valence 0.333   danceability 0.000",
        "b7   valence -0.125  danceability 1.500",
        f"Predictions for 4 tracks: {tmp_path / 'predictions.csv'}",
    ]


def test_a_test_writes_flat_metrics_and_prints_a_table(tmp_path, capsys):
    run("test", tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"test_metrics.json", "predictions.csv", "scatter.png"}
    metrics = json.loads((tmp_path / "test_metrics.json").read_text())
    rows = as_predictions(tmp_path, AXES, Rows(IDS, TRUTHS.numpy(), PREDICTIONS.double().numpy()))
    ends = {
        f"test_{name}_{end}": pytest.approx(getattr(mean_interval([rows], name), end))
        for name in ("spearman", "spearman_valence", "spearman_danceability")
        for end in ("low", "high")
    }
    assert metrics == {**METRICS, **ends}
    assert capsys.readouterr().out == f"{TABLE}Test results of 4 tracks: {tmp_path}\n"


@pytest.mark.parametrize("axes", [AXES, AXES[:1]])
def test_the_scatter_plot_shows_the_rows(tmp_path, axes):
    count = len(axes)
    rows = TRUTHS[:, :count], PREDICTIONS[:, :count]
    folders = [run("test", tmp_path / str(shift), axes, rows[0], rows[1] + shift) for shift in (0.0, 0.2)]
    pictures = [imread(folder / "scatter.png") for folder in folders]
    assert len(np.unique(pictures[0].reshape(-1, 4), axis=0)) > 50
    assert pictures[0].shape == pictures[1].shape
    assert (pictures[0] != pictures[1]).any()
    assert (
        abs(pictures[0].shape[1] / pictures[0].shape[0] - (3.6 * count + 0.4) / 4.2) < 0.01
    )  # a panel for each axis, the count of tracks above


def test_scores_of_rows_are_what_the_task_logs():
    rows = Rows(IDS, TRUTHS.double().numpy(), PREDICTIONS.double().numpy())
    assert ValueResults(AXES).scores(rows) == pytest.approx(regression_scores(PREDICTIONS, TRUTHS, AXES, "test"))


def test_artists_are_drawn_where_they_are_known(tmp_path, capsys):
    data = SimpleNamespace(groups={"30": "Ada", "9": "Ada", "b7": "Bob, the"})
    metrics = {name: torch.tensor(value) for name, value in METRICS.items()}
    rows = (IDS, TRUTHS, PREDICTIONS)
    run_stage(make_results("values", AXES), "test", tmp_path, rows, callback_metrics=metrics, datamodule=data)
    assert "Intervals: bootstrap over 3 artists\n" in capsys.readouterr().out
    assert json.loads((tmp_path / "test_metrics.json").read_text())["test_artists"] == 3
    assert read_predictions(tmp_path / "predictions.csv").artists == ["Ada", "Ada", "", "Bob, the"]
