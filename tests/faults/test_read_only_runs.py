"""A run whose folder cannot be written, as on a Kaggle input, is resumed in a copy of it."""

import errno
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
import torch
from command_line import error_of, evaluate_args, fit_args, run_folder

from musiclab.cli import main

STEADY = ["--model.lr_scheduler=null", "--trainer.deterministic=true"]
"""What does not depend on the number of epochs."""


@pytest.fixture(scope="module")
def trained(genre_root, tmp_path_factory):
    """A run of two epochs."""
    folder = tmp_path_factory.mktemp("run")
    main(fit_args("genre_cnn.yaml", genre_root, folder, *STEADY, epochs=2))
    return run_folder(folder)


@pytest.fixture(params=["mounted", "refused"])
def read_only(request, trained, tmp_path, monkeypatch):
    """The run where it cannot be written: mounted read-only, where that may be done, or with writes that fail."""
    folder = tmp_path / "input" / "run" / "lightning_logs" / "version_7"
    shutil.copytree(trained, folder)
    if request.param == "mounted":
        mount = ["mount", "-o", "bind,ro", str(folder), str(folder)]
        try:
            if subprocess.run(mount, capture_output=True, check=False).returncode:
                pytest.skip("no file system can be mounted here")
        except OSError:
            pytest.skip("there is no mount here")
        yield folder
        subprocess.run(["umount", str(folder)], check=True)
    else:
        touch = Path.touch

        def refusing(path, *args, **more):
            if folder in path.parents:
                raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))
            touch(path, *args, **more)

        monkeypatch.setattr(Path, "touch", refusing)
        before = contents(folder)
        yield folder
        assert contents(folder) == before


def contents(folder: Path) -> dict[Path, tuple[int, int]]:
    return {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in folder.rglob("*")}


@pytest.mark.filterwarnings("error:The dirpath has changed")
def test_it_is_resumed_in_a_copy_which_says_so_and_knows_its_best(read_only, genre_root, tmp_path, capfd):
    checkpoint = read_only / "checkpoints" / "last.ckpt"
    resume = [f"--ckpt_path={checkpoint}", *STEADY]
    main(fit_args("genre_cnn.yaml", genre_root, tmp_path / "working", *resume, epochs=3))
    copy = run_folder(tmp_path / "working")
    assert f"{read_only} cannot be written: the run goes on in a copy of it, {copy}" in capfd.readouterr().err
    record, earlier = (json.loads((folder / "run.json").read_text()) for folder in (copy, read_only))
    assert (record["status"], record["epochs"]) == ("finished", 3)
    assert record["history"][:2] == earlier["history"]
    assert (copy / "config.yaml").read_text() == (read_only / "config.yaml").read_text()
    assert len(list(copy.glob("events.*"))) > len(list(read_only.glob("events.*")))
    states = torch.load(copy / "checkpoints" / "last.ckpt", weights_only=True)["callbacks"].values()
    for state in (state for state in states if "dirpath" in state):
        assert Path(state["dirpath"]) == copy / "checkpoints"
        assert Path(state["best_model_path"]).parent == copy / "checkpoints"
    main(fit_args("genre_cnn.yaml", genre_root, tmp_path / "whole", *STEADY, epochs=3))
    whole = run_folder(tmp_path / "whole")
    assert record["best"] == json.loads((whole / "run.json").read_text())["best"]
    for name in ("best", "last"):
        ours, theirs = (torch.load(run / "checkpoints" / f"{name}.ckpt", weights_only=True) for run in (copy, whole))
        for key, weights in theirs["state_dict"].items():
            assert torch.equal(ours["state_dict"][key], weights), (name, key)


def test_it_is_tested_and_predicted_with_as_any_other(read_only, tmp_path):
    checkpoint = read_only / "checkpoints" / "best.ckpt"
    main(evaluate_args("test", checkpoint, tmp_path / "working"))
    assert (run_folder(tmp_path / "working") / "test_metrics.json").is_file()


def test_a_root_that_cannot_be_written_is_an_error_of_one_line(genre_root, tmp_path, capfd):
    root = tmp_path / "root"
    root.write_text("a file")
    assert str(root) in error_of(capfd, fit_args("genre_cnn.yaml", genre_root, root))


@pytest.mark.filterwarnings("error:The dirpath has changed")
def test_a_moved_run_knows_its_best_where_it_is_now(trained, genre_root, tmp_path):
    moved = tmp_path / "elsewhere" / "lightning_logs" / "mine"
    shutil.copytree(trained, moved)
    resume = [f"--ckpt_path={moved / 'checkpoints' / 'last.ckpt'}", *STEADY]
    main(fit_args("genre_cnn.yaml", genre_root, tmp_path / "unused", *resume, epochs=3))
    main(fit_args("genre_cnn.yaml", genre_root, tmp_path / "whole", *STEADY, epochs=3))
    best = [json.loads((run / "run.json").read_text())["best"] for run in (moved, run_folder(tmp_path / "whole"))]
    assert best[0] == best[1]
    assert not (tmp_path / "unused").exists()
