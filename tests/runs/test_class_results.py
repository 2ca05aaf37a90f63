"""Result files of genres, of rows given by hand: Rock is never told, Blues and Jazz are mixed up."""

import json

import numpy as np
import pytest
import torch
from pytorch_lightning.loggers import TensorBoardLogger
from sklearn.metrics import classification_report, confusion_matrix

from runs.made_runs import GENRES, make_loader, make_results, make_task, make_trainer, read_table, run_stage

pytestmark = pytest.mark.filterwarnings("ignore")

IDS = ["30", "9", "b7", "100", "a1", "10"]
TARGETS = torch.tensor([0, 0, 1, 1, 1, 0])
PREDICTIONS = torch.tensor([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.0, 1.0, 0.0]]).repeat(2, 1)
METRICS = {"test_loss": torch.tensor(0.5), "test_accuracy": torch.tensor(0.5), "test_f1_Rock": torch.tensor(0.0)}


def run(stage, folder, targets=TARGETS):
    run_stage(make_results("classes", GENRES), stage, folder, (IDS, targets, PREDICTIONS), callback_metrics=METRICS)
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
        "test_f1_Rock": 0.0,
        "test_loss": 0.5,
    }
    assert (folder / "confusion_matrix.png").read_bytes().startswith(b"\x89PNG")


def test_report_covers_the_genres_that_occur(folder):
    names = [GENRES[target] for target in TARGETS]
    predicted = [GENRES[row.argmax()] for row in PREDICTIONS]
    expected = classification_report(names, predicted, digits=4, zero_division=0)
    assert (folder / "classification_report.txt").read_text() == expected
    assert "Rock" not in expected


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
    assert json.loads((folder / "test_metrics.json").read_text()) == pytest.approx(logged)
    assert {"test_accuracy", "test_f1_macro", "test_f1_Blues", "test_recall_Rock"} < set(logged)
    assert [row[0] for row in read_table(folder / "predictions.csv")] == ["id", *map(str, range(10, 21))]


def test_a_task_predicts_probabilities(tmp_path):
    make_trainer(tmp_path).predict(make_task(), make_loader(known=False), return_predictions=False)
    rows = read_table(tmp_path / "lightning_logs" / "version_0" / "predictions.csv")[1:]
    assert [row[1] for row in rows] == [""] * 11
    np.testing.assert_allclose(np.array([row[3:] for row in rows], float).sum(axis=1), 1, atol=2e-6)
