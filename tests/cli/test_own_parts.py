"""Parts of the user's own, from a file of the current folder: trained with, and found again by every command."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from command_line import TIMEOUT, environment, error_of, evaluate_args, fit_args, parallel, read_rows, run_folder

import musiclab
from musiclab.cli import main

HERE = Path(__file__).parent

PARTS = [
    "--model.backbone=own_parts.MeanMLP",
    "--model.backbone.init_args.size=3",
    "--model.loss=own_parts.Absolute",
    "--model.loss.init_args.factor=2",
    "--model.augmentations=[{class_path: own_parts.Louder, init_args: {most: 0.2}}]",
    "--model.weighting=own_parts.Halves",
    "--data=own_parts.Emotions",
]


def args_of_fit(root, folder, *more):
    args = fit_args("emotion_multitask.yaml", root, folder, *PARTS, *more)
    return [arg for arg in args if "channels" not in arg]


@pytest.fixture(autouse=True)
def unchanged(monkeypatch):
    """Leave modules and their path as they are: each command finds them anew, as in a process of its own."""
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry and Path(entry) != HERE])
    yield
    sys.modules.pop("own_parts", None)


@pytest.fixture(scope="module")
def made(emotion_root, tmp_path_factory):
    """The folder of a user's file, and the checkpoint of a model of its parts."""
    folder = tmp_path_factory.mktemp("own")
    shutil.copy(HERE / "own_parts.py", folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(sys, "path", [entry for entry in sys.path if entry and Path(entry) != HERE])
        main(args_of_fit(emotion_root, folder, "--model.lr_scheduler=null"))
    sys.modules.pop("own_parts", None)
    return folder, run_folder(folder) / "checkpoints" / "last.ckpt"


def commands(path, folder):
    song = ["--data=AudioDataModule", "--data.paths=missing.wav"]
    return {
        "fit": ["fit", f"--ckpt_path={path}", "--trainer.max_epochs=2", f"--trainer.default_root_dir={folder}"],
        "validate": evaluate_args("validate", path, folder),
        "test": evaluate_args("test", path, folder),
        "predict": evaluate_args("predict", path, folder),
        "song": evaluate_args("predict", path, folder, *song),
        "latents": ["latents", f"--ckpt_path={path}", f"--out={folder / 'latents'}"],
        "activations": ["activations", f"--ckpt_path={path}", f"--out={folder / 'activations'}"],
    }


NAMES = ["fit", "validate", "test", "predict", "latents"]


def test_all_parts_are_kept(made):
    _, path = made
    content = torch.load(path, weights_only=True)
    assert content["unkept"] == {}
    assert content["hyper_parameters"]["loss"] == {"class_path": "own_parts.Absolute", "init_args": {"factor": 2.0}}
    assert content["datamodule_hyper_parameters"]["_class_path"] == "own_parts.Emotions"


@pytest.mark.parametrize("command", NAMES)
def test_they_are_found_in_the_current_folder(command, made, tmp_path, monkeypatch):
    folder, path = made
    monkeypatch.chdir(folder)
    path = shutil.copy(path, tmp_path / "last.ckpt")
    main(commands(path, tmp_path)[command])
    assert sys.path[-1] == str(folder)


@pytest.mark.parametrize("command", [*NAMES, "song", "activations"])
def test_elsewhere_the_module_is_named(command, made, tmp_path, monkeypatch, capfd):
    _, path = made
    monkeypatch.chdir(tmp_path)
    assert re.match(
        rf"musiclab: error: {path}: needs module own_parts \(of model\.\w+\); put own_parts\.py into the current "
        "folder or name it with --import own_parts ",
        error_of(capfd, commands(path, tmp_path)[command]),
    )
    assert "own_parts" not in sys.modules
    assert not (tmp_path / "lightning_logs").exists()


@pytest.mark.parametrize("command", ["test", "latents"])
def test_elsewhere_it_can_be_named_by_the_user(command, made, tmp_path, monkeypatch, capfd):
    folder, path = made
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(folder)
    for option in (["--import=own_parts"], ["--import", "own_parts"]):
        main([*commands(path, tmp_path)[command], *option])
        del sys.modules["own_parts"]
    assert "no such module" in error_of(capfd, [*commands(path, tmp_path)[command], "--import=not_there"])


def test_a_config_of_the_user_names_it(made, tmp_path, monkeypatch):
    folder, path = made
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(folder)
    main([*commands(path, tmp_path)["test"], f"-c={path.parent.parent / 'config.yaml'}"])


def test_in_python(made, emotion_root, tmp_path, monkeypatch):
    folder, path = made
    monkeypatch.chdir(tmp_path)
    with pytest.raises(musiclab.UserError, match="needs module own_parts"):
        musiclab.load(path)
    with pytest.raises(musiclab.UserError, match="load: module own_parts: no such module"):
        musiclab.load(path, modules=["own_parts"])
    monkeypatch.syspath_prepend(folder)
    model = musiclab.load(path, modules=["own_parts"])
    arrays = sorted((emotion_root / "test").iterdir())
    answers = model.predict(arrays)
    monkeypatch.chdir(folder)
    assert musiclab.load(path).predict(arrays) == answers
    main(evaluate_args("predict", path, tmp_path))
    for answer, row in zip(answers, read_rows(run_folder(tmp_path) / "predictions.csv"), strict=True):
        assert list(answer) == ["valence", "energy"]
        assert answer == pytest.approx({axis: float(row[f"prediction_{axis}"]) for axis in answer}, abs=1e-6)
    assert model.embed(np.load(arrays[0])).shape == (3,)


def test_a_class_that_is_not_there_is_named_by_fit(emotion_root, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    shutil.copy(HERE / "own_parts.py", tmp_path)
    wrong = args_of_fit(emotion_root, tmp_path, "--model.backbone=own_parts.MeanMPL")
    assert "own_parts.MeanMPL" in error_of(capfd, wrong, code=2)


@pytest.mark.slow
def test_the_installed_script_finds_it_in_all_its_processes(emotion_root, tmp_path):
    """As of a script in a folder of its own, whose path does not hold the current folder."""
    script = tmp_path / "bin" / "musiclab"
    script.parent.mkdir()
    script.write_text("from musiclab.cli import main\nmain()\n")
    shutil.copy(HERE / "own_parts.py", tmp_path)
    args = args_of_fit(emotion_root, tmp_path, *parallel(2))
    done = subprocess.run(
        [sys.executable, script, *args],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
    )
    assert done.returncode == 0, done.stderr
    assert (run_folder(tmp_path) / "test_metrics.json").exists()
