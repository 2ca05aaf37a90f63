"""Runs that go on: with what they had decided."""

import json
import logging

import torch
from command_line import TRAINER, fit_args, run_folder

from musiclab.cli import main

STOP = ["--early_stopping.patience=1", "--early_stopping.min_delta=10"]  # no epoch is that much better


def test_a_run_that_had_stopped_early_only_tests_when_it_is_resumed(genre_root, tmp_path, caplog):
    """Before, it trained on, and last.ckpt was written over."""
    caplog.set_level(logging.INFO)
    main(fit_args("genre_lstm.yaml", genre_root, tmp_path, *STOP, epochs=6))
    run = run_folder(tmp_path)
    last = run / "checkpoints" / "last.ckpt"
    epochs = torch.load(last, weights_only=True)["epoch"] + 1
    assert epochs < 6
    metrics = (run / "test_metrics.json").read_text()
    (run / "test_metrics.json").unlink()
    before = {path: path.read_bytes() for path in last.parent.iterdir()}
    resume = ["fit", f"-c={run / 'config.yaml'}", f"--ckpt_path={last}"]
    main(resume)
    assert {path: path.read_bytes() for path in last.parent.iterdir()} == before
    assert (run / "test_metrics.json").read_text() == metrics
    assert "The run had stopped early: Monitored metric val_accuracy did not improve" in caplog.text
    record = json.loads((run / "run.json").read_text())
    assert record["status"] == "finished"
    assert record["epochs"] == len(record["history"]) == epochs

    main([*resume, "--early_stopping=null", *TRAINER])
    assert torch.load(last, weights_only=True)["epoch"] == 5


def test_a_run_that_had_come_to_its_end_only_tests(genre_root, tmp_path):
    main(fit_args("genre_lstm.yaml", genre_root, tmp_path, epochs=2))
    run = run_folder(tmp_path)
    (run / "test_metrics.json").unlink()
    before = {path: path.read_bytes() for path in (run / "checkpoints").iterdir()}
    main(["fit", f"-c={run / 'config.yaml'}", f"--ckpt_path={run / 'checkpoints' / 'last.ckpt'}"])
    assert {path: path.read_bytes() for path in before} == before
    assert (run / "test_metrics.json").exists()
    assert json.loads((run / "run.json").read_text())["epochs"] == 2
