"""Disks that are full: a line, nothing half-written, and it goes on once there is space again."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from command_line import error_of, fit_args, run_folder

from faults.conftest import WRITING
from musiclab.cli import main


def fill(disk: Path) -> Path:
    """Take all the space that is left on a disk; return the file that takes it."""
    filler = disk / "filler"
    filler.write_bytes(bytes(shutil.disk_usage(disk).free))
    return filler


def files_in(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("name", WRITING)
def test_a_command_says_so_and_works_once_there_is_space(name, world, small_disk, capfd, monkeypatch):
    monkeypatch.setenv("MUSICLAB_CACHE", str(small_disk / "cache"))
    (small_disk / "cache").mkdir()
    filler = fill(small_disk)
    args = world.command(name, small_disk, small_disk / "cache")
    assert "No space left on device" in error_of(capfd, args)
    assert not [path for path in files_in(small_disk) if "partial" in path]
    filler.unlink()
    main(args)


@pytest.mark.parametrize(("batch", "free"), [(1, 0), (6, 0), (6, 60_000)])
def test_a_training_goes_on_from_its_last_checkpoint(batch, free, genre_root, small_disk, capfd):
    """In the first or second of three epochs of four steps; some bytes are enough for run.json, not a checkpoint."""
    options = [f"--trainer.callbacks.{name}={value}" for name, value in (("batch", batch), ("free", free))]
    at = ["--trainer.callbacks+=faults.FillAt", f"--trainer.callbacks.folder={small_disk}", *options]
    args = fit_args("genre_lstm.yaml", genre_root, small_disk, epochs=3)
    assert "No space left on device; free some space" in error_of(capfd, [*args, *at])
    (small_disk / "filler").unlink()
    run = run_folder(small_disk)
    last = run / "checkpoints" / "last.ckpt"
    record = json.loads((run / "run.json").read_text())
    if free:
        assert record["status"] == "interrupted"
        assert "No space left on device" in record["reason"]
    assert not list(run.rglob("*partial*"))
    if batch < 4:
        assert not last.exists()
        return
    assert torch.load(last, weights_only=True)["epoch"] == 0
    main([*args, f"--ckpt_path={last}"])
    assert torch.load(last, weights_only=True)["epoch"] == 2
    assert json.loads((run / "run.json").read_text())["status"] == "finished"
    shutil.rmtree(run)
