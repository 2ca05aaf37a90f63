"""A checkpoint and a config of the first version, whose modules lay elsewhere, are tested, predict and go on.

They are in ``earlier/``, made by ``musiclab fit -c configs/genre_cnn.yaml`` (a CNN of 2 and 4 maps on fused features,
2 epochs, averaged weights) on the tracks that :func:`make_tracks` makes again, with what ``test`` and ``predict`` gave
then.
"""

import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from command_line import TRAINER, evaluate_args, read_rows, run_folder

from musiclab.cli import main

EARLIER = Path(__file__).with_name("earlier")
GENRES = ["Blues", "Jazz", "Rock"]


def make_tracks(root: Path) -> Path:
    """12 tracks to train on and 6 to test on, by formula alone."""
    rows, frames = np.arange(140)[:, None], np.arange(12)[None]
    lines = {"train": ["Id\tGenre"], "test": ["Id\tGenre"]}
    for number in range(18):
        part = "train" if number < 12 else "test"
        (root / part).mkdir(parents=True, exist_ok=True)
        array = np.abs(np.sin(rows * (1 + number % 3) * 0.1 + frames * 0.7 + number))[:, : 8 + number % 5]
        array[:128] = -80 * array[:128]
        np.save(root / part / f"{number + 100}.fused.full.npy", array.astype(np.float16))
        lines[part].append(f"{number + 100}\t{GENRES[number % 3]}")
    for part, found in lines.items():
        (root / f"{part}_labels.txt").write_text("\n".join(found) + "\n")
    return root


@pytest.fixture
def arguments(tmp_path):
    return [f"--data.root={make_tracks(tmp_path / 'genres')}"]


def assert_same_predictions(path: Path) -> None:
    rows, expected = read_rows(path), read_rows(EARLIER / "predictions.csv")
    assert [(row["id"], row["truth"], row["prediction"]) for row in rows] == [
        (row["id"], row["truth"], row["prediction"]) for row in expected
    ]
    for row, then in zip(rows, expected, strict=True):
        assert [float(row[genre]) for genre in GENRES] == pytest.approx([float(then[g]) for g in GENRES], abs=2e-6)


@pytest.mark.parametrize("config", [[], [f"-c={EARLIER / 'config.yaml'}"]], ids=["alone", "with its config"])
def test_it_tests_and_predicts_as_then(config, arguments, tmp_path):
    def evaluate(command: str) -> None:
        main([command, *config, *evaluate_args(command, EARLIER / "genre.ckpt", tmp_path, *arguments)[1:]])

    evaluate("test")
    metrics = json.loads((run_folder(tmp_path) / "test_metrics.json").read_text())
    expected = json.loads((EARLIER / "test_metrics.json").read_text())
    own = {name: metrics[name] for name in expected}  # there were no intervals then
    assert own == pytest.approx(expected, abs=1e-6)
    assert_same_predictions(run_folder(tmp_path) / "predictions.csv")
    evaluate("predict")
    assert_same_predictions(run_folder(tmp_path, 1) / "predictions.csv")


def test_its_config_trains_anew_and_saves_and_averages_once(arguments, tmp_path):
    options = [f"--trainer.default_root_dir={tmp_path}", "--trainer.max_epochs=1", *TRAINER]
    main(["fit", f"-c={EARLIER / 'config.yaml'}", *arguments, *options])
    checkpoints = run_folder(tmp_path) / "checkpoints"
    assert sorted(path.name for path in checkpoints.iterdir()) == ["best.ckpt", "last.ckpt"]
    config = yaml.safe_load((run_folder(tmp_path) / "config.yaml").read_text())
    classes = [callback["class_path"].rsplit(".", 1)[-1] for callback in config["trainer"]["callbacks"]]
    kinds = ["EMAWeights", "ModelCheckpoint", "ModelCheckpoint", "EarlyStopping", "LearningRateMonitor"]
    assert classes == kinds
    assert config["trainer"]["callbacks"][0]["class_path"].startswith("musiclab.runs.")
