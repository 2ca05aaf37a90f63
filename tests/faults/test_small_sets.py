"""Data sets and batches that are as small as can be, and predictions that are all the same."""

import json

import pytest
from command_line import SMALL_CNN, SMALL_LSTM, error_of, fit_args, run_folder
from conftest import make_emotion_folder, make_genre_folder

from musiclab.cli import main


def keep(root, wanted):
    """Leave of each label file, and of the arrays, what is wanted."""
    for part in ("train", "test"):
        path = root / f"{part}_labels.txt"
        header, *rows = path.read_text().splitlines()
        rows = wanted(rows)
        path.write_text("\n".join([header, *rows]) + "\n")
        names = {row.split(".")[0] for row in rows}
        for array in (root / part).iterdir():
            if array.name.split(".")[0] not in names:
                array.unlink()
    return root


def test_one_genre(tmp_path, capfd):
    """Before: `check` found nothing wrong, which is right, and `fit` ended in a traceback of torchmetrics."""
    root = keep(make_genre_folder(tmp_path / "genres"), lambda rows: [row for row in rows if "Jazz" in row])
    main(["check", str(root)])
    main(["explore", str(root), f"--out={tmp_path / 'look'}"])
    error = error_of(capfd, fit_args("genre_cnn.yaml", root, tmp_path))
    assert f"{root / 'train_labels.txt'}: the only genre is Jazz; a model needs two or more to tell apart" in error


def test_two_tracks(tmp_path, capfd):
    genres = keep(make_genre_folder(tmp_path / "genres"), lambda rows: rows[:2])
    emotions = make_emotion_folder(tmp_path / "emotions", train=2, test=2)
    for root, config in ((genres, "genre_cnn.yaml"), (emotions, "emotion_multitask.yaml")):
        main(["check", str(root)])
        main(["explore", str(root), f"--out={tmp_path / 'look'}"])
        assert "cannot be split" in error_of(capfd, fit_args(config, root, tmp_path))


@pytest.mark.parametrize("config", ["genre_cnn.yaml", "genre_lstm.yaml", "emotion_cnn.yaml", "emotion_lstm.yaml"])
@pytest.mark.parametrize("size", ["one", "all but one"])
def test_batches_of_one_track(config, size, genre_root, emotion_root, tmp_path):
    root, trained = (genre_root, 32) if "genre" in config else (emotion_root, 25)
    option = f"--data.batch_size={1 if size == 'one' else trained - 1}"
    main(fit_args(config, root, tmp_path, *(SMALL_LSTM if "lstm" in config else SMALL_CNN), option))
    record = json.loads((run_folder(tmp_path) / "run.json").read_text())
    assert record["status"] == "finished"
    assert record["tracks"]["train"] == trained


def test_constant_predictions_count_as_no_correlation(emotion_root, tmp_path):
    """Where all predictions are the same, Spearman's correlation is undefined: it counts as 0, with a warning."""
    options = [
        *SMALL_CNN,
        "--model.optimizer.init_args.lr=0",
        "--model.lr_scheduler=null",
        "--trainer.callbacks+=faults.NoHead",
    ]
    with pytest.warns(UserWarning, match="predictions are equal, so that it is undefined; it counts as 0"):
        main(fit_args("emotion_cnn.yaml", emotion_root, tmp_path, *options))
    metrics = json.loads((run_folder(tmp_path) / "test_metrics.json").read_text())
    assert {value for name, value in metrics.items() if "spearman" in name} == {0.0}
