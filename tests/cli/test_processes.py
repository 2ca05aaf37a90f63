"""The command line on several processes: the same as on one, on sets whose size no number of processes divides."""

import json
import signal
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from command_line import (
    CONFIGS,
    error_of,
    errors_in,
    evaluate_args,
    fit_args,
    musiclab,
    parallel,
    read_rows,
    run_folder,
)
from conftest import make_emotion_folder, make_genre_folder
from data.audio.sounds import clicks, write
from forked import forked, schedule
from together import run

from musiclab.cli import main
from musiclab.runs.gathering import gather

EXACT = [
    "--model.augmentations=[]",
    "--model.backbone.init_args.dropout=0",
    "--model.optimizer.init_args.eps=1e-5",  # where gradients are next to nothing, Adam would magnify their rounding
]
EVALUATIONS = ("validate", "test", "predict")


@pytest.fixture(scope="module")
def genres(tmp_path_factory):
    """30 tracks to train on, 7 to validate on, 11 to test on."""
    return make_genre_folder(tmp_path_factory.mktemp("data") / "genres", train=37, test=11)


@pytest.fixture(scope="module")
def emotions(tmp_path_factory):
    """24 tracks to train on, 7 to validate on, 7 to test on, 7 to predict."""
    return make_emotion_folder(tmp_path_factory.mktemp("data") / "emotions", train=38, test=7)


def genre_args(root: Path, folder: Path, *more: str, processes: int = 1) -> list[str]:
    """2.5 steps of 12 tracks an epoch; the loss is weighted and its targets are smoothed."""
    options = [f"--data.batch_size={12 // processes}", "--data.val_fraction=0.18", "--model.class_weights=balanced"]
    return fit_args("genre_lstm.yaml", root, folder, *EXACT, *options, *more, epochs=4)


def emotion_args(root: Path, folder: Path, pretrained: Path, *more: str, processes: int = 1) -> list[str]:
    """2 steps of 12 tracks an epoch; Spearman loss, learned weights, a backbone that is frozen for an epoch."""
    config = yaml.safe_load((CONFIGS / "emotion_lstm.yaml").read_text())
    config["model"]["class_path"] = "MultitaskRegressionTask"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "emotion_lstm.yaml"
    path.write_text(yaml.safe_dump(config))
    overlays = [f"-c={CONFIGS / name}.yaml" for name in ("loss_spearman", "weighting_learned")]
    options = [
        f"--data.batch_size={12 // processes}",
        "--data.test_fraction=0.18",
        "--data.val_fraction=0.22",
        f"--model.pretrained={pretrained}",
        "--model.frozen_epochs=1",
    ]
    args = fit_args(str(path), root, folder, *EXACT, *options, *more, epochs=4)
    return [*args[:2], *overlays, *args[2:]]


def assert_same_weights(run: Path, expected: Path) -> None:
    """Compare what two runs have ended with: the weights in training and their averages."""
    last, last_expected = (
        torch.load(path / "checkpoints" / "last.ckpt", weights_only=True) for path in (run, expected)
    )
    for part in ("state_dict", "current_model_state"):
        assert last[part].keys() == last_expected[part].keys()
        for name, weights in last_expected[part].items():
            torch.testing.assert_close(last[part][name], weights, atol=1e-5, rtol=0, msg=f"{part} {name}")


def assert_same_predictions(run: Path, expected: Path) -> None:
    """Compare all cells: numbers to 1e-5, everything else, the order of the tracks too, as text."""
    rows, rows_expected = read_rows(run / "predictions.csv"), read_rows(expected / "predictions.csv")
    assert len(rows) == len(rows_expected)
    for row, row_expected in zip(rows, rows_expected, strict=True):
        assert list(row) == list(row_expected)
        for name, cell in row_expected.items():
            close = "." in cell and abs(float(row[name]) - float(cell)) < 1.5e-5
            assert close or row[name] == cell, (row, row_expected)


@pytest.fixture(scope="module")
def genre_run(genres, tmp_path_factory):
    """What the trainings on several processes are compared with."""
    folder = tmp_path_factory.mktemp("genre")
    main(genre_args(genres, folder))
    return run_folder(folder)


@pytest.fixture(scope="module")
def emotion_run(emotions, genre_run, tmp_path_factory):
    """The same for emotion."""
    folder = tmp_path_factory.mktemp("emotion")
    main(emotion_args(emotions, folder, genre_run / "checkpoints" / "last.ckpt"))
    return run_folder(folder)


@pytest.mark.parametrize("processes", [2, pytest.param(3, marks=pytest.mark.slow)])
def test_evaluations_are_those_of_one_process(processes, genres, emotion_run, tmp_path):
    main(fit_args("genre_cnn.yaml", genres, tmp_path / "fit", "--data.val_fraction=0.18"))
    checkpoints = {
        "genre": run_folder(tmp_path / "fit") / "checkpoints" / "last.ckpt",
        "emotion": emotion_run / "checkpoints" / "last.ckpt",
    }

    def commands(folder: Path) -> list[list[str]]:
        """With batches of 4, 7 tracks are 2 batches for one of two processes and 1 for the other."""
        return [
            evaluate_args(command, checkpoint, folder / task, "--data.batch_size=4")
            for task, checkpoint in checkpoints.items()
            for command in EVALUATIONS
        ]

    alone = [run(command) for command in commands(tmp_path / "alone")]
    assert [len(metrics) > 2 for metrics in alone] == [True, True, False] * 2
    for measured in schedule(commands(tmp_path / "together"), processes, tmp_path):
        for metrics, expected in zip(measured, alone, strict=True):
            assert metrics == pytest.approx(expected, abs=1e-5)
    for task in checkpoints:
        ours, theirs = (tmp_path / name / task for name in ("together", "alone"))
        runs = sorted(path.name for path in (ours / "lightning_logs").iterdir())
        assert runs == ["version_0", "version_1", "version_2"]  # one for all processes
        files = [json.loads((run_folder(folder, 1) / "test_metrics.json").read_text()) for folder in (ours, theirs)]
        assert files[0] == pytest.approx(files[1], abs=1e-5)
        for version in (1, 2):
            assert_same_predictions(run_folder(ours, version), run_folder(theirs, version))
    solutions = [run_folder(tmp_path / name / "emotion", 2) / "solution.txt" for name in ("together", "alone")]
    ids = [[line.split(",")[0] for line in path.read_text().splitlines()] for path in solutions]
    assert ids[0] == ids[1]
    assert len(ids[0]) == 8


@pytest.mark.parametrize("processes", [2, pytest.param(3, marks=pytest.mark.slow)])
def test_emotion_is_learnt_as_by_one_process(processes, emotions, genre_run, emotion_run, tmp_path):
    pretrained = genre_run / "checkpoints" / "last.ckpt"
    args = emotion_args(emotions, tmp_path, pretrained, *parallel(processes), processes=processes)
    result = forked(args)
    assert result.returncode == 0, result.stderr
    assert_same_weights(run_folder(tmp_path), emotion_run)
    assert_same_predictions(run_folder(tmp_path), emotion_run)


@pytest.mark.slow
def test_genres_are_learnt_by_three_processes_as_by_one(genres, genre_run, tmp_path):
    result = musiclab(genre_args(genres, tmp_path, *parallel(3), processes=3))
    assert result.returncode == 0, result.stderr
    assert_same_weights(run_folder(tmp_path), genre_run)


def test_a_killed_process_ends_the_run_which_resumes_on_one(genres, genre_run, tmp_path, capfd):
    kill = ["--trainer.callbacks+=faults.KillAt", "--trainer.callbacks.batch=7", "--trainer.callbacks.rank=1"]
    assert forked(genre_args(genres, tmp_path, *parallel(2), *kill, processes=2)).returncode != 0

    checkpoint = run_folder(tmp_path) / "checkpoints" / "last.ckpt"
    resume = ["fit", f"-c={run_folder(tmp_path) / 'config.yaml'}", f"--ckpt_path={checkpoint}"]
    main_alone = ["--trainer.devices=1", "--trainer.strategy=auto", "--trainer.callbacks.batch=99"]
    error = error_of(capfd, [*resume, *main_alone])
    assert "12 steps, but this run 20" in error
    assert "6 for each process (2): use --data.batch_size 12" in error
    main([*resume, *main_alone, "--data.batch_size=12"])
    assert_same_weights(run_folder(tmp_path), genre_run)


def test_a_run_resumes_on_two_processes_of_which_one_builds_the_store(genres, genre_run, tmp_path):
    fail = ["--trainer.callbacks+=faults.FailAt", "--trainer.callbacks.batch=7"]
    with pytest.raises(ZeroDivisionError):
        main(genre_args(genres, tmp_path, *fail))
    checkpoint = run_folder(tmp_path) / "checkpoints" / "last.ckpt"
    builds = tmp_path / "builds.txt"
    count = ["--trainer.callbacks+=faults.CountBuilds", f"--trainer.callbacks.path={builds}"]
    args = genre_args(genres, tmp_path, *parallel(2), *count, f"--ckpt_path={checkpoint}", processes=2)
    result = forked(args, MUSICLAB_CACHE=str(tmp_path / "cache"))
    assert result.returncode == 0, result.stderr
    assert sorted(builds.read_text().split()) == [str(genres / "test"), str(genres / "train")]
    assert_same_weights(run_folder(tmp_path), genre_run)
    assert [path.name for path in (tmp_path / "lightning_logs").iterdir()] == ["version_0"]


def test_a_killed_first_process_leaves_none_behind(genres, tmp_path):
    kill = ["--trainer.callbacks+=faults.KillAt", "--trainer.callbacks.batch=1"]
    result = musiclab(genre_args(genres, tmp_path, *parallel(2), *kill, processes=2))  # returns when both have ended
    assert result.returncode == -signal.SIGKILL


@pytest.mark.slow
def test_songs_are_shared_out_and_one_that_cannot_be_used_stops_no_process(genres, tmp_path):
    main(fit_args("genre_cnn.yaml", genres, tmp_path / "fit", "--data.val_fraction=0.18"))
    songs = tmp_path / "songs"
    for name, seconds in (("a", 1.5), ("c", 2.5)):
        write(songs / f"{name}.wav", clicks(seconds))
    write(songs / "b.wav", np.zeros(44100))  # all that the second process has
    checkpoint = run_folder(tmp_path / "fit") / "checkpoints" / "last.ckpt"
    ask = ["--data=AudioDataModule", f"--data.paths={songs}", "--data.window=1"]
    result = musiclab([*evaluate_args("predict", checkpoint, tmp_path, *ask), *parallel(2)])
    assert result.returncode == 1
    (error,) = errors_in(result.stderr)
    assert "b.wav: silent" in error
    assert [row["id"] for row in read_rows(run_folder(tmp_path) / "predictions.csv")] == ["a", "c"]


def test_synchronised_batch_norms_are_refused(genres, tmp_path, capfd):
    args = fit_args("genre_cnn.yaml", genres, tmp_path, "--trainer.sync_batchnorm=true")
    assert "leave it false" in error_of(capfd, args)


def test_a_run_that_is_asked_to_end_says_so(genres, tmp_path):
    end = ["--trainer.callbacks+=faults.TerminateAt", "--trainer.callbacks.batch=1"]
    result = forked(genre_args(genres, tmp_path, *end))
    assert result.returncode == 143
    assert "musiclab: terminated" in result.stderr
    assert "Traceback" not in result.stderr


def test_one_process_gathers_its_own_value():
    assert gather("value") == ["value"]
