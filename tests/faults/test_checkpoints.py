"""Checkpoints are whole or absent; a run goes on from its newest whole one, in a folder that is its own."""

import json

import pytest
import torch
from command_line import error_of, fit_args, run_folder
from filelock import FileLock
from forked import forked

from musiclab.cli import main
from musiclab.commands.study.progress import next_arguments

STEADY = "--model.lr_scheduler=null"  # does not depend on the number of epochs


def epoch_of(path):
    return torch.load(path, weights_only=True)["epoch"]


def test_a_kill_while_a_checkpoint_is_written_leaves_the_one_before(genre_root, tmp_path):
    """Before, where $TMPDIR is another file system, it left a part of the new one under its name."""
    args = fit_args("genre_lstm.yaml", genre_root, tmp_path, epochs=3)
    # The first epoch writes best and last; the second may write best, and writes last.
    killed = forked([*args, "--trainer.callbacks+=faults.KillInWrite", "--trainer.callbacks.time=3"])
    assert killed.returncode == -9
    checkpoints = run_folder(tmp_path) / "checkpoints"
    (half,) = checkpoints.glob(".*")
    assert "partial" in half.name
    assert epoch_of(checkpoints / "last.ckpt") == 0
    main([*args, f"--ckpt_path={checkpoints / 'last.ckpt'}"])
    assert sorted(path.name for path in checkpoints.iterdir()) == ["best.ckpt", "last.ckpt"]
    assert epoch_of(checkpoints / "last.ckpt") == 2


@pytest.mark.parametrize("damage", ["cut off", "empty", "a byte changed", "gone"])
def test_a_damaged_last_checkpoint_is_passed_over_for_the_newest_whole_one(damage, genre_root, tmp_path, capfd):
    args = fit_args("genre_lstm.yaml", genre_root, tmp_path, STEADY, epochs=3)
    main([*args, "--trainer.max_epochs=2"])
    run = run_folder(tmp_path)
    last = run / "checkpoints" / "last.ckpt"
    content = bytearray(last.read_bytes())
    if damage == "gone":
        last.unlink()
    elif damage == "a byte changed":
        content[len(content) // 2] ^= 255
        last.write_bytes(content)
    else:
        last.write_bytes(content[: len(content) // 2 if damage == "cut off" else 0])
    best = last.with_name("best.ckpt")
    main([*args, f"--ckpt_path={last}"])
    assert f"{last} is damaged, or gone: the run goes on from {best}" in capfd.readouterr().err
    assert epoch_of(last) == 2
    kept = [] if damage == "gone" else ["last.damaged"]
    assert sorted(path.name for path in last.parent.iterdir()) == ["best.ckpt", "last.ckpt", *kept]
    assert len(json.loads((run / "run.json").read_text())["history"]) == 3


def test_without_a_whole_checkpoint_the_damaged_one_is_named(genre_root, tmp_path, capfd):
    args = fit_args("genre_lstm.yaml", genre_root, tmp_path)
    main(args)
    checkpoints = run_folder(tmp_path) / "checkpoints"
    for path in checkpoints.iterdir():
        path.write_bytes(b"")
    error = error_of(capfd, [*args, f"--ckpt_path={checkpoints / 'last.ckpt'}"])
    assert f"{checkpoints / 'last.ckpt'}: not a checkpoint, or damaged" in error
    assert sorted(path.name for path in checkpoints.iterdir()) == ["best.ckpt", "last.ckpt"]


def test_a_study_goes_on_from_any_checkpoint(tmp_path):
    checkpoints = run_folder(tmp_path) / "checkpoints"
    checkpoints.mkdir(parents=True)
    assert next_arguments(tmp_path, ["fit"]) == ["fit"]
    (checkpoints / "best.ckpt").touch()
    assert next_arguments(tmp_path, ["fit"])[-2:] == ["--ckpt_path", str(checkpoints / "last.ckpt")]


def test_a_folder_in_which_a_run_is_training_is_refused(genre_root, tmp_path, capfd):
    """Before, both wrote there, each over what the other had written."""
    args = fit_args("genre_lstm.yaml", genre_root, tmp_path, STEADY, epochs=2)
    main([*args, "--trainer.max_epochs=1"])
    run = run_folder(tmp_path)
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    resume = [*args, f"--ckpt_path={run / 'checkpoints' / 'last.ckpt'}"]
    with FileLock(run / ".lock"):
        assert f"{run}: another process trains in this folder" in error_of(capfd, resume)
        assert {path: path.read_bytes() for path in before} == before
    main(resume)
    assert epoch_of(run / "checkpoints" / "last.ckpt") == 1
    assert not (run / ".lock").exists()
