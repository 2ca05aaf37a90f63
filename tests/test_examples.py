"""The examples run as they are."""

import json
import re
import runpy
import shutil
import sys

import pytest
from command_line import REPOSITORY, TRAINER, evaluate_args, run_folder
from data.audio.sounds import clicks, write

from musiclab.cli import main

EXAMPLES = REPOSITORY / "examples"


def run(name, *args, monkeypatch):
    monkeypatch.setattr(sys, "argv", [name, *map(str, args)])
    runpy.run_path(str(EXAMPLES / name), run_name="__main__")


@pytest.fixture(scope="module")
def checkpoint(genre_root, tmp_path_factory):
    """What train_in_python.py leaves."""
    folder = tmp_path_factory.mktemp("example")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        run("train_in_python.py", "--root", genre_root, "--epochs", 1, monkeypatch=patch)
    return run_folder(folder) / "checkpoints" / "best.ckpt"


def test_train_in_python(checkpoint, tmp_path):
    record = json.loads((checkpoint.parent.parent / "run.json").read_text())
    assert (record["status"], record["test"]["tracks"]) == ("finished", 9)
    main(evaluate_args("test", checkpoint, tmp_path))


def test_predict_song(checkpoint, tmp_path, monkeypatch, capsys):
    song = write(tmp_path / "song.wav", clicks(7.0))
    run("predict_song.py", checkpoint, song, song, monkeypatch=monkeypatch)
    lines = capsys.readouterr().out.splitlines()
    assert re.match(r"<musiclab model .*best\.ckpt: CNN on mel \(128 rows", lines[0])
    assert lines[1] == lines[2]
    assert re.fullmatch(rf"{song}: \w+ 0\.\d\d, \w+ 0\.\d\d, \w+ 0\.\d\d", lines[1])
    assert [line.split()[0] for line in lines[3:]] == ["0.5", "5.5"]
    for args in ([], [checkpoint, "missing.mp3"]):
        with pytest.raises(SystemExit, match=r"missing\.mp3: no such file" if args else "Ask a trained model"):
            run("predict_song.py", *args, monkeypatch=monkeypatch)


def test_own_backbone(genre_root, tmp_path, monkeypatch):
    for path in EXAMPLES.glob("own_backbone.*"):
        shutil.copy(path, tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    main(["fit", "-c=own_backbone.yaml", f"--data.root={genre_root}", "--trainer.max_epochs=1", *TRAINER])
    run = run_folder(tmp_path)
    assert json.loads((run / "run.json").read_text())["backbone"] == "MeanMLP"
    del sys.modules["own_backbone"]
    main(["test", f"--ckpt_path={run / 'checkpoints' / 'best.ckpt'}", *TRAINER])
    del sys.modules["own_backbone"]
