"""Precisions that a training may ask for: they train, or are refused in one line."""

import json

import pytest
from command_line import error_of, fit_args, run_folder

from musiclab.cli import main


@pytest.mark.parametrize("config", ["genre_cnn.yaml", "genre_lstm.yaml", "emotion_multitask.yaml"])
@pytest.mark.parametrize("precision", ["64-true", "64", "bf16-mixed", "16-mixed"])
def test_double_and_mixed_precision_train(config, precision, genre_root, emotion_root, tmp_path):
    """Before, Mixup ended in a traceback in double precision."""
    root = genre_root if config.startswith("genre") else emotion_root
    main(fit_args(config, root, tmp_path, f"--trainer.precision={precision}"))
    record = json.loads((run_folder(tmp_path) / "run.json").read_text())
    assert record["status"] == "finished"
    assert record["test"]["metrics"]


@pytest.mark.parametrize("precision", ["bf16-true", "16-true"])
def test_weights_in_half_precision_are_refused(precision, genre_root, tmp_path, capfd):
    """Before, "mat1 and mat2 must have the same dtype" and a traceback."""
    error = error_of(capfd, fit_args("genre_cnn.yaml", genre_root, tmp_path, f"--trainer.precision={precision}"))
    assert f"precision {precision} would keep weights" in error
    assert f"use {precision.removesuffix('true')}mixed" in error
    assert not run_folder(tmp_path).exists()
