"""Runs read back: what their files say, whole and damaged."""

import json
import subprocess
import sys

import numpy as np
import pytest
from commands.report.making import AXES, make_evaluation, make_run

from musiclab.errors import UserError
from musiclab.runs.run import read_run


def test_a_training(tmp_path):
    folder = make_run(tmp_path / "run", "emotion", seed=3, record={"processes": 2})
    run = read_run(folder)
    record = json.loads((folder / "run.json").read_text())
    assert (run.command, run.kind, run.task, run.backbone) == ("fit", "values", "MultitaskRegressionTask", "CNN")
    assert (run.features, run.beat_synced, run.target_names, run.seed) == ("mel", False, AXES, 3)
    assert (run.epochs, run.seconds, run.state, run.finished) == (3, 64.5, "finished", True)
    assert (run.data_root, run.demo, run.limit, run.processes) == ("/data/small/emotions", False, None, 2)
    assert run.best._asdict() == record["best"]
    assert run.metrics == run.evaluations["test"].metrics == json.loads((folder / "test_metrics.json").read_text())
    assert run.evaluations["test"].tracks == 25
    assert run.model("augmentations")[0]["class_path"] == "musiclab.augmentations.RollTime"
    assert run.damaged == ()


def test_curves_are_those_of_the_history(tmp_path):
    history = [
        {"epoch": 1, "train_loss": 2.5, "param_x": "nan"},
        {"epoch": 2, "train_loss": "inf", "val_loss": 1.5, "param_x": "-inf"},
    ]
    curves = read_run(make_run(tmp_path / "run", record={"history": history})).curves
    assert list(curves) == ["train_loss", "param_x", "val_loss"]
    np.testing.assert_array_equal(curves["train_loss"], [[1, 2], [2.5, np.inf]])
    np.testing.assert_array_equal(curves["val_loss"], [[2], [1.5]])
    np.testing.assert_array_equal(curves["param_x"].values, [np.nan, -np.inf])
    assert read_run(make_run(tmp_path / "new", record={"history": [], "best": None})).curves == {}


@pytest.mark.parametrize(
    ("record", "state"),
    [
        ({"status": "running"}, "running, or killed"),
        ({"status": "interrupted", "reason": "KeyboardInterrupt"}, "interrupted (KeyboardInterrupt)"),
        ({"status": "finished"}, "finished"),
    ],
)
def test_the_state_of_a_run(tmp_path, record, state):
    run = read_run(make_run(tmp_path / "run", record=record, tested=False))
    assert (run.state, run.finished, run.evaluations) == (state, state == "finished", {})


@pytest.mark.parametrize("command", ["validate", "test", "predict"])
def test_an_evaluation_by_itself(tmp_path, command):
    run = read_run(make_evaluation(tmp_path / "run", command, metrics={"val_loss": "nan"}))
    assert (run.command, run.epochs, run.seconds, run.best, run.curves) == (command, 0, None, None, {})
    checkpoint, tracks, seconds, metrics = run.evaluations[command]
    assert (checkpoint, tracks, seconds) == ("/runs/a/best.ckpt", 25, 0.5)
    assert np.isnan(metrics["val_loss"])


@pytest.mark.parametrize(
    ("name", "lost"),
    [
        ("config.yaml", "config"),
        ("test_metrics.json", "metrics"),
        ("confusion_matrix.csv", "confusion"),
        ("predictions.csv", "predictions"),
    ],
)
def test_a_damaged_file_is_named_and_the_others_are_read(tmp_path, name, lost):
    folder = make_run(tmp_path / "run")
    whole = read_run(folder)
    (folder / name).write_bytes(b"\x00\xff{")
    run = read_run(folder)
    (problem,) = run.damaged
    assert problem.startswith(f"{name}: ")
    assert str(tmp_path) not in problem
    assert not getattr(run, lost)
    assert (run.kind, run.command, run.target_names) == (whole.kind, whole.command, whole.target_names)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "run.json: not JSON"),
        ("{}", "run.json: command is None"),
        ("[" * 100_000, "run.json: not JSON"),
        ({"best": {"value": 1}}, "run.json: monitor is None"),
        ({"best": {"monitor": "val_accuracy", "mode": "max", "value": "x", "epoch": 1}}, "run.json: value is 'x'"),
        ({"target_names": [1, None, {}]}, "run.json: target_names is"),
        ({"tracks": {"train": "x"}}, "run.json: tracks is"),
        ({"parameters": 10**400}, "run.json: parameters is"),
        ({"demo": 1}, "run.json: demo is 1"),
        ({"history": [{"epoch": 1, "val_loss": "low"}]}, "run.json: could not convert"),
        ({"history": [{"val_loss": 1}]}, "run.json: 'epoch'"),
        ({"test": {}}, "run.json: metrics are None"),
        ({"test": {"metrics": {}, "tracks": "many"}}, "run.json: tracks is 'many'"),
    ],
)
def test_a_damaged_record_is_an_error(tmp_path, content, message):
    folder = make_run(tmp_path / "run", record=content if isinstance(content, dict) else None)
    if isinstance(content, str):
        (folder / "run.json").write_text(content)
    with pytest.raises(UserError, match=message):
        read_run(folder)


def test_torch_is_not_imported(tmp_path):
    folder = make_run(tmp_path / "run")
    code = (
        "import sys, musiclab.commands.report.report; from pathlib import Path\n"
        "from musiclab.runs.run import read_run\n"
        f"assert read_run(Path({str(folder)!r})).curves; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_folder_of_no_run_is_an_error(tmp_path):
    with pytest.raises(UserError, match=r"run\.json: not there, so that .* is the folder of no run"):
        read_run(str(tmp_path))
