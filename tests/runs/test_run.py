"""Runs read back: what their files say, with and without run.json, whole and damaged."""

import json
import subprocess
import sys

import numpy as np
import pytest
from commands.report.making import AXES, GENRES, make_run

from musiclab.runs.run import read_run


def test_a_run_with_its_record(tmp_path):
    folder = make_run(tmp_path / "run", "emotion", seed=3, record={"processes": 2})
    run = read_run(folder)
    record = json.loads((folder / "run.json").read_text())
    assert (run.command, run.kind, run.task, run.backbone) == ("fit", "emotion", "MultitaskRegressionTask", "CNN")
    assert (run.features, run.beat_synced, run.target_names, run.seed) == ("mel", False, AXES, 3)
    assert (run.epochs, run.seconds, run.status, run.finished) == (3, 64.5, "finished", True)
    assert run.best._asdict() == record["best"]
    assert run.metrics == json.loads((folder / "test_metrics.json").read_text())
    assert run.tested_tracks == 25
    assert run.damaged == ()


@pytest.mark.parametrize("kind", ["genre", "emotion"])
def test_a_run_of_an_earlier_version_says_the_same_but_for_its_parameters(tmp_path, kind):
    old, new = (
        read_run(make_run(tmp_path / name, kind, record=record)) for name, record in (("o", False), ("n", None))
    )
    for name in ("command", "kind", "task", "backbone", "features", "target_names", "epochs", "status", "best"):
        assert getattr(old, name) == getattr(new, name), name
    assert old.record == {}
    assert old.seconds == pytest.approx(30, abs=1)


def test_genres_are_known_from_any_file_that_has_them(tmp_path):
    folder = make_run(tmp_path / "run", record=False)
    (folder / "hparams.yaml").unlink()
    run = read_run(folder)
    assert run.target_names == GENRES
    assert run.tested_tracks == run.confusion.matrix.sum()


def test_the_best_is_the_lowest_where_that_is_monitored(tmp_path):
    folder = make_run(tmp_path / "run", record=False)
    config = (folder / "config.yaml").read_text()
    (folder / "config.yaml").write_text(config.replace("mode: max", "mode: min"))
    run = read_run(folder)
    assert run.best.value == run.curves["val_accuracy"].values.min()
    (folder / "config.yaml").write_text(config.replace("val_accuracy", "val_other"))
    assert read_run(folder).best is None


@pytest.mark.parametrize(
    ("record", "tested", "epochs", "status"),
    [
        ({"status": "running"}, False, 2, "running, or killed"),
        ({"status": "interrupted", "reason": "KeyboardInterrupt"}, False, 2, "interrupted (KeyboardInterrupt)"),
        ({"status": "finished"}, False, 2, "finished"),
        (False, True, 2, "finished"),
        (False, False, 3, "finished"),
        (False, False, 2, "unfinished, or stopped early"),
    ],
)
def test_the_state_of_a_run(tmp_path, record, tested, epochs, status):
    run = read_run(make_run(tmp_path / "run", record=record, tested=tested, epochs=epochs))
    assert (run.status, run.finished, run.epochs) == (status, status == "finished", epochs)


def keep(folder, *names):
    for path in folder.iterdir():
        if path.name not in names:
            path.unlink()


@pytest.mark.parametrize(
    ("names", "command"),
    [
        (["config.yaml", "test_metrics.json", "predictions.csv"], "test"),
        (["config.yaml", "predictions.csv"], "predict"),
        (["config.yaml", "hparams.yaml"], None),
        (["config.yaml", "run.json"], "fit"),
    ],
)
def test_which_command_made_a_folder(tmp_path, names, command):
    folder = make_run(tmp_path / "run")
    keep(folder, *names)
    assert read_run(folder).command == command
    (folder / "checkpoints").mkdir()
    assert read_run(folder).command == "fit"


@pytest.mark.parametrize(
    ("name", "lost"),
    [
        ("config.yaml", "config"),
        ("hparams.yaml", "hparams"),
        ("run.json", "record"),
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


def test_damaged_events_are_named(tmp_path):
    folder = make_run(tmp_path / "run")
    (events,) = folder.glob("events*")
    events.write_bytes(events.read_bytes()[:-5])
    run = read_run(folder)
    assert run.damaged == (f"{events.name}: ends within a record; what stands before it is used",)
    np.testing.assert_array_equal(run.curves["val_loss"].epochs, [1, 2, 3])
    events.write_bytes(b"not events")
    run = read_run(folder)
    assert run.damaged == (f"{events.name}: holds no TensorBoard events",)
    assert run.curves == {}


def test_neither_genres_nor_emotions(tmp_path):
    folder = make_run(tmp_path / "run")
    keep(folder, "run.json")
    record = json.loads((folder / "run.json").read_text()) | {"task": "TempoTask"}
    (folder / "run.json").write_text(json.dumps(record))
    assert read_run(folder).kind is None


def test_torch_is_not_imported(tmp_path):
    folder = make_run(tmp_path / "run")
    code = (
        "import sys, musiclab.commands.report.report; from pathlib import Path; from musiclab.runs.run import read_run\n"
        f"assert read_run(Path({str(folder)!r})).curves; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
