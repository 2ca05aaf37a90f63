"""Environments that lack what others have: a home, a console that knows all letters, folders that can be written."""

import importlib.util
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from command_line import TIMEOUT, environment, fit_args, run_folder
from conftest import make_genre_folder
from forked import Forked

from musiclab.cli import main
from musiclab.files import cache_folder, code_folder, make_home

WITHOUT_PASSWD = """
import pwd, sys

def getpwuid(number):
    raise KeyError(number)

pwd.getpwuid = getpwuid
from musiclab.files import code_folder
from musiclab.cli import main
for command in " ".join(sys.argv[1:]).split(" then "):
    main(command.split())
"""


def run_homeless(args, folder, **more):
    """Run a command as a user who has no home; temporary files go to a folder."""
    variables = environment(TMPDIR=str(folder))
    for name in ("HOME", "MUSICLAB_CACHE", "XDG_CACHE_HOME"):
        variables.pop(name, None)
    command = [sys.executable, "-c", WITHOUT_PASSWD, *args]
    return subprocess.run(
        command, env={**variables, **more}, cwd=folder, capture_output=True, text=True, check=False, timeout=TIMEOUT
    )


class TestNoHome:
    """Before: could not determine the home directory."""

    def test_the_temporary_folder_is_used_and_that_is_said_once(self, tmp_path):
        root = make_genre_folder(tmp_path / "genres")
        explore = ["explore", str(root), f"--out={tmp_path / 'look'}"]
        result = run_homeless([*explore, "then", *fit_args("genre_lstm.yaml", root, tmp_path)], tmp_path)
        assert result.returncode == 0, result.stderr
        home = tmp_path / f"musiclab-{os.getuid()}"
        assert result.stderr.count(f"There is no home folder: {home} stands in") == 1
        assert home.is_dir()
        assert run_folder(tmp_path).is_dir()

    def test_a_path_in_the_home_is_refused_in_a_line(self, tmp_path):
        result = run_homeless(["check", "~/data"], tmp_path)
        assert result.returncode == 1
        assert len(result.stderr.splitlines()) == 2
        assert f"{tmp_path}/musiclab-{os.getuid()}/data: no such folder" in result.stderr


def test_a_home_that_cannot_be_written_gets_a_place_for_caches(monkeypatch, tmp_path, capsys):
    """Before, songs ended in numba's `cannot cache function` where neither it nor the package could be written."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("MUSICLAB_CACHE", "MPLCONFIGDIR", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    make_home()
    assert "MUSICLAB_CACHE" not in os.environ
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    make_home()
    folder = tmp_path / f"musiclab-{os.getuid()}"
    assert cache_folder() == folder
    assert os.environ["HOME"] == str(tmp_path / "home")
    assert f"cannot be made: {folder} stands in" in capsys.readouterr().err
    make_home()
    assert capsys.readouterr().err == ""


def test_librosa_is_compiled_into_our_cache_where_its_own_folder_cannot_be_written(monkeypatch, cache):
    """Before, `extract` listed `RuntimeError: cannot cache function` as the fault of each song."""
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    assert code_folder() == Path(importlib.util.find_spec("librosa").origin).parent / "__pycache__"
    assert "NUMBA_CACHE_DIR" not in os.environ
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert code_folder() == cache / "numba"
    assert os.environ["NUMBA_CACHE_DIR"] == str(cache / "numba")
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(cache / "chosen"))
    assert code_folder() == cache / "chosen"


@pytest.mark.slow
def test_processes_that_compile_librosa_at_once_leave_code_that_runs(tmp_path):
    """Before, some left code with which every later process ended by a signal (numba issue 10128)."""
    script = (
        "import numpy; from musiclab.data.audio.features import beat_frames;"
        "clicks = numpy.zeros(66150, 'f4'); clicks[::11025] = 1; print(len(beat_frames(clicks)))"
    )
    variables = environment(NUMBA_CACHE_DIR=str(tmp_path))
    started = [
        subprocess.Popen([sys.executable, "-c", script], env=variables, stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    assert [process.communicate(timeout=TIMEOUT)[0] for process in started] == 3 * ["5\n"]
    assert subprocess.run([sys.executable, "-c", script], env=variables, check=True).returncode == 0


@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
def test_names_that_a_console_cannot_show_are_shown_as_far_as_it_can(tmp_path, encoding):
    """Before: everything was done, then a UnicodeEncodeError."""
    root = make_genre_folder(tmp_path / "ジャンル")
    for path in root.glob("*_labels.txt"):
        path.write_text(path.read_text().replace("Blues", "ブルース"), encoding="utf-8")
    fit = fit_args("genre_lstm.yaml", root, tmp_path)
    checked, fitted, broken = (
        Forked(main_printing, encoding, command).ended()
        for command in (["check", str(root)], fit, ["check", str(tmp_path / "無")])
    )
    assert checked.returncode == 0, checked.stderr
    assert "????" in checked.stdout
    assert fitted.returncode == 0, fitted.stderr
    assert broken.returncode == 1
    assert "Traceback" not in broken.stderr


def main_printing(encoding: str, command: list[str]) -> None:
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(encoding=encoding, errors="strict")
    main(command)
