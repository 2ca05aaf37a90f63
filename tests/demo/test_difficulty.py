"""The demo corpus is neither trivial nor hopeless for the models that the configs train."""

import json
from pathlib import Path

import pytest

from musiclab.cli import main

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
LARGEST_CLASS = 16 / 108


@pytest.mark.slow
def test_chance_then_lstm_then_cnn_then_perfection(tmp_path):
    accuracies = {}
    for name in ("lstm", "cnn"):
        folder = tmp_path / name
        main(["fit", f"-c={CONFIGS / f'genre_{name}.yaml'}", f"--trainer.default_root_dir={folder}"])
        metrics = json.loads((folder / "lightning_logs" / "version_0" / "test_metrics.json").read_text())
        accuracies[name] = metrics["test_accuracy"]
    assert LARGEST_CLASS < accuracies["lstm"] < accuracies["cnn"] < 1
