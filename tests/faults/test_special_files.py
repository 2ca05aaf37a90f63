"""Pipes, sockets and devices in place of files: one line, and nobody waits."""

import os
import shutil
import signal
import socket

import pytest
from command_line import error_of, evaluate_args, fit_args, run_folder
from conftest import make_genre_folder
from data.audio.sounds import write

from musiclab.cli import main

LIMIT = 60
"""Seconds, on a busy machine."""


@pytest.fixture(autouse=True)
def limit():
    """End a test that waits."""

    def stop(*_):
        pytest.fail("it waits")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(LIMIT)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture(scope="module")
def run(genre_root, tmp_path_factory):
    folder = tmp_path_factory.mktemp("genre")
    main(fit_args("genre_cnn.yaml", genre_root, folder))
    return run_folder(folder)


@pytest.fixture(params=["pipe", pytest.param("socket", marks=pytest.mark.slow), "device"])
def put(request, monkeypatch):
    """Put what is no file where one is expected."""

    def put(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        if request.param == "pipe":
            os.mkfifo(path)
        elif request.param == "device":
            path.symlink_to("/dev/zero")
        else:
            monkeypatch.chdir(path.parent)  # names of sockets are short
            with socket.socket(socket.AF_UNIX) as opened:
                opened.bind(path.name)
        return path

    return put


@pytest.mark.parametrize("command", ["fit", "test", "predict", "latents", "activations", "pretrained"])
def test_checkpoints(command, put, genre_root, emotion_root, tmp_path, capfd):
    path = put(tmp_path / "a.ckpt")
    args = {
        "fit": fit_args("genre_cnn.yaml", genre_root, tmp_path, f"--ckpt_path={path}"),
        "pretrained": fit_args("emotion_transfer.yaml", emotion_root, tmp_path, f"--model.pretrained={path}"),
        "latents": ["latents", f"--ckpt_path={path}"],
        "activations": ["activations", f"--ckpt_path={path}"],
    }
    assert f"{path}: no such checkpoint" in error_of(capfd, args.get(command) or evaluate_args(command, path, tmp_path))


def test_configs(put, tmp_path, capfd):
    """Before, `fit` waited for ever for what comes out of a pipe."""
    path = put(tmp_path / "a.yaml")
    for option in (["-c", str(path)], [f"-c={path}"], [f"--config={path}"]):
        assert f"{path}: not a regular file" in error_of(capfd, ["fit", *option])


def test_predictions(put, tmp_path, capfd):
    """Before, `submit`, now `combine`, waited, or filled the memory."""
    path = put(tmp_path / "predictions.csv")
    assert f"{path}: not a regular file" in error_of(capfd, ["combine", str(path), f"--out={tmp_path / 'out'}"])


@pytest.mark.parametrize(
    "name", ["run.json", "config.yaml", "test_metrics.json", "predictions.csv", "confusion_matrix.csv"]
)
def test_files_of_a_run(name, put, run, tmp_path, capfd):
    """Before, `report` waited for run.json, or filled the memory with it."""
    copy = shutil.copytree(run, tmp_path / "lightning_logs" / "version_0")
    put(copy / name)
    main(["report", str(tmp_path), f"--out={tmp_path / 'report'}"])
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.parametrize("name", ["train_labels.txt", "test_labels.txt", "validation_labels.txt", "train/100.npy"])
def test_files_of_a_data_set(name, put, tmp_path, capfd):
    root = make_genre_folder(tmp_path / "genres")
    (root / "train" / "100.fused.full.npy").rename(root / "train" / "100.npy")
    path = put(root / name)
    with pytest.raises(SystemExit) as end:
        main(["check", str(root)])
    assert end.value.code == 1
    assert f"{path}: not a regular file but a pipe, socket or device" in capfd.readouterr().out
    assert f"{path}: not a regular file" in error_of(capfd, fit_args("genre_cnn.yaml", root, tmp_path))
    if name.endswith(".txt"):
        assert f"{path}: not a regular file" in error_of(capfd, ["explore", str(root), f"--out={tmp_path / 'look'}"])


@pytest.mark.parametrize("name", ["song.wav", "songs.txt"])
def test_songs_and_lists_of_them(name, put, run, tmp_path, capfd):
    write(tmp_path / "good.wav")
    path = put(tmp_path / name)
    options = ["--data=AudioDataModule", f"--data.paths={path}"]
    args = evaluate_args("predict", run / "checkpoints" / "last.ckpt", tmp_path, *options)
    assert f"{path}: not a regular file" in error_of(capfd, args)
    with pytest.raises(SystemExit) as end:
        main(["extract", str(path), f"--out={tmp_path / 'out'}", "--jobs=1"])
    assert end.value.code == 1
    assert f"{path}: not a regular file" in capfd.readouterr().err
