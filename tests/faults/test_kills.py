"""Every command that writes, killed amid its writes: what is there is whole, and the next start does the rest."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from command_line import TIMEOUT, environment

from faults.conftest import WRITING
from musiclab.cli import main

SCRIPT = Path(__file__).with_name("killed_in_write.py")
COMPARED = (".csv", ".txt", ".npy", ".json")
"""Files without the time of day in them, but for run.json."""


def killed(args: list[str], time: int) -> bool:
    """Run a command that is to be killed at its n-th write; return whether it was, having had as many."""
    process = subprocess.run(
        [sys.executable, str(SCRIPT), str(time), *args],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    assert process.returncode in (0, -9), process.stderr
    return process.returncode == -9


def made(out: Path) -> dict[str, bytes | None]:
    """Return the files of a command; of a training or evaluation, those of its last run."""
    versions = sorted(out.glob("*/lightning_logs/version_*"), key=lambda path: int(path.name.split("_")[1]))
    folder = versions[-1] if versions else out
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.suffix in COMPARED else None
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith((".", "events")) and path.name != "run.json"
    }


def assert_whole(out: Path) -> None:
    """Assert that arrays can be read, and that files of any kind end as they should."""
    for path in out.rglob("[!.]*"):
        if path.suffix == ".npy":
            np.load(path)
        elif path.is_file() and path.suffix in (".csv", ".html", ".json"):
            assert path.read_text().endswith(("\n", "</html>", "}")), path


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in WRITING if name != "fit"])  # see test_checkpoints
def test_a_command_that_was_killed_at_any_write_is_run_again(name, world, tmp_path):
    reference = tmp_path / "whole"
    main(world.command(name, reference, tmp_path / "cache"))
    expected = made(reference)
    time = 1
    while killed(world.command(name, tmp_path / f"killed{time}", tmp_path / f"cache{time}"), time):
        out = tmp_path / f"killed{time}"
        assert_whole(out)
        main(world.command(name, out, tmp_path / f"cache{time}"))
        assert made(out) == expected
        time *= 2
    assert time > 1, "it writes nothing"
