"""Result files of genres, of rows given by hand: Rock is never told, Blues and Jazz are mixed up."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from pytorch_lightning.loggers import TensorBoardLogger
from sklearn.metrics import classification_report, confusion_matrix

from musiclab.runs.class_results import ClassResults
from musiclab.runs.comparison import mean_interval
from musiclab.runs.predictions import Rows, read_predictions
from runs.made_runs import GENRES, make_loader, make_results, make_task, make_trainer, read_table, run_stage

pytestmark = pytest.mark.filterwarnings("ignore")

IDS = ["30", "9", "b7", "100", "a1", "10"]
TARGETS = torch.tensor([0, 0, 1, 1, 1, 0])
PREDICTIONS = torch.tensor([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.0, 1.0, 0.0]]).repeat(2, 1)
METRICS = {"test_loss": torch.tensor(0.5), "test_accuracy": torch.tensor(0.5), "test_f1_Rock": torch.tensor(0.0)}


ARTISTS = {"30": "Ada", "9": "Bob", "b7": "Ada", "100": "Bob", "elsewhere": "Eve"}


def run(stage, folder, targets=TARGETS, artists=None, rows=slice(None)):
    given = ([*IDS[rows]], targets[rows], PREDICTIONS[rows])
    data = SimpleNamespace(groups=artists)
    run_stage(make_results("classes", GENRES), stage, folder, given, callback_metrics=METRICS, datamodule=data)
    return folder


@pytest.fixture
def folder(tmp_path):
    return run("test", tmp_path / "run")


def test_a_test_writes_all_files(folder):
    assert {path.name for path in folder.iterdir()} == {
        "test_metrics.json",
        "classification_report.txt",
        "confusion_matrix.csv",
        "confusion_matrix.png",
        "predictions.csv",
    }
    assert json.loads((folder / "test_metrics.json").read_text()) == {
        "test_accuracy": 0.5,
        "test_accuracy_low": pytest.approx(1 / 6),
        "test_accuracy_high": pytest.approx(5 / 6),
        "test_f1_Rock": 0.0,
        "test_f1_macro_low": pytest.approx(1 / 7),
        "test_f1_macro_high": pytest.approx(0.829, abs=0.01),
        "test_loss": 0.5,
    }
    assert (folder / "confusion_matrix.png").read_bytes().startswith(b"\x89PNG")


def test_report_covers_the_genres_that_occur(folder):
    names = [GENRES[target] for target in TARGETS]
    predicted = [GENRES[row.argmax()] for row in PREDICTIONS]
    expected = classification_report(names, predicted, digits=4, zero_division=0)
    text = (folder / "classification_report.txt").read_text()
    assert text.startswith(
        f"{expected}\naccuracy 0.500, 95 % interval 0.167 to 0.833 (bootstrap over 6 tracks)\nmacro F1 "
    )
    assert "Rock" not in text


def test_artists_are_drawn_where_they_are_known(tmp_path, capsys):
    folder = run("test", tmp_path, artists=ARTISTS)
    assert "(bootstrap over 4 artists)\n" in capsys.readouterr().out
    metrics = json.loads((folder / "test_metrics.json").read_text())
    read = read_predictions(folder / "predictions.csv")
    assert metrics["test_artists"] == 4  # two of them have no name
    assert (metrics["test_accuracy_low"], metrics["test_accuracy_high"]) == mean_interval([read], "accuracy")
    assert [row[:3] for row in read_table(folder / "predictions.csv")[:4]] == [
        ["id", "artist", "truth"],
        ["9", "Bob", "Blues"],
        ["10", "", "Blues"],
        ["30", "Ada", "Blues"],
    ]
    predicted = run("predict", tmp_path / "predicted", artists=ARTISTS)
    assert (predicted / "predictions.csv").read_text() == (folder / "predictions.csv").read_text()


def test_artists_of_other_tracks_are_none(tmp_path):
    folder = run("test", tmp_path, artists={"elsewhere": "Eve"})
    assert read_table(folder / "predictions.csv")[0][1] == "truth"
    assert "test_artists" not in json.loads((folder / "test_metrics.json").read_text())


def test_of_a_single_track_no_interval_is_given(tmp_path):
    folder = run("test", tmp_path, rows=slice(0, 1))
    assert not [name for name in json.loads((folder / "test_metrics.json").read_text()) if name.endswith("_low")]
    assert "interval" not in (folder / "classification_report.txt").read_text()


def test_confusion_matrix_has_truths_as_rows(folder):
    header, *rows = read_table(folder / "confusion_matrix.csv")
    assert header == ["truth \\ prediction", *GENRES]
    assert [row[0] for row in rows] == GENRES
    expected = confusion_matrix(TARGETS, PREDICTIONS.argmax(dim=1), labels=range(3))
    np.testing.assert_array_equal(np.array([row[1:] for row in rows], int), expected)


def test_predictions_are_in_the_order_of_ids(folder):
    assert read_table(folder / "predictions.csv") == [
        ["id", "truth", "prediction", *GENRES],
        ["9", "Blues", "Jazz", "0.100000", "0.800000", "0.100000"],
        ["10", "Blues", "Jazz", "0.000000", "1.000000", "0.000000"],
        ["30", "Blues", "Blues", "0.700000", "0.200000", "0.100000"],
        ["100", "Jazz", "Blues", "0.700000", "0.200000", "0.100000"],
        ["a1", "Jazz", "Jazz", "0.100000", "0.800000", "0.100000"],
        ["b7", "Jazz", "Jazz", "0.000000", "1.000000", "0.000000"],
    ]


def test_predict_writes_predictions_alone_with_empty_truth_where_it_is_not_known(tmp_path):
    folder = run("predict", tmp_path, torch.tensor([-1, 0, -1, -1, 2, -1]))
    assert [path.name for path in folder.iterdir()] == ["predictions.csv"]
    truth = {row[0]: row[1] for row in read_table(folder / "predictions.csv")[1:]}
    assert truth == {"9": "Blues", "10": "", "30": "", "100": "", "a1": "Rock", "b7": ""}


def test_a_tested_task_writes_what_it_logs(tmp_path):
    trainer = make_trainer(tmp_path, logger=TensorBoardLogger(tmp_path))
    logged = trainer.test(make_task(), make_loader(), verbose=False)[0]
    folder = tmp_path / "lightning_logs" / "version_0"
    metrics = json.loads((folder / "test_metrics.json").read_text())
    assert {name: metrics[name] for name in logged} == pytest.approx(logged)
    assert metrics["test_f1_macro_low"] < metrics["test_f1_macro"] < metrics["test_f1_macro_high"]
    assert {"test_accuracy", "test_f1_macro", "test_f1_Blues", "test_recall_Rock"} < set(logged)
    assert [row[0] for row in read_table(folder / "predictions.csv")] == ["id", *map(str, range(10, 21))]


def test_scores_of_rows_are_what_the_task_logs(tmp_path):
    """Of a file whose probabilities are rounded, too; but for the loss, which needs the logits."""
    trainer = make_trainer(tmp_path)
    logged = trainer.test(make_task(), make_loader(), verbose=False)[0]
    read = read_predictions(tmp_path / "lightning_logs" / "version_0" / "predictions.csv")
    found = ClassResults(GENRES).scores(Rows(read.ids, read.truth, read.predicted))
    assert found == pytest.approx({name: value for name, value in logged.items() if name != "test_loss"}, abs=1e-6)


def test_a_task_predicts_probabilities(tmp_path):
    make_trainer(tmp_path).predict(make_task(), make_loader(known=False), return_predictions=False)
    rows = read_table(tmp_path / "lightning_logs" / "version_0" / "predictions.csv")[1:]
    assert [row[1] for row in rows] == [""] * 11
    np.testing.assert_allclose(np.array([row[3:] for row in rows], float).sum(axis=1), 1, atol=2e-6)
