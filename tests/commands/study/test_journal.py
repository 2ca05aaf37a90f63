"""The journal of a search outlives the processes that write it."""

import os
import signal
import subprocess
import sys

from musiclab.commands.study.journal import JOURNAL, open_journal

KILLED_AT_WORK = """
import os, signal, sys
from pathlib import Path
from optuna.storages.journal import JournalFileBackend
from musiclab.commands.study.journal import open_journal

def append(self, logs):
    self._lock.acquire()
    os.kill(os.getpid(), signal.SIGKILL)

study = open_journal(Path("search"), "search", "max")
JournalFileBackend.append_logs = append
study.ask()
"""


def test_a_process_that_was_killed_while_it_wrote_keeps_no_other_waiting(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # by a path that is not absolute, Optuna's own lock waited for ever
    killed = subprocess.run([sys.executable, "-c", KILLED_AT_WORK], cwd=tmp_path, env=os.environ, check=False)
    assert killed.returncode == -signal.SIGKILL
    study = open_journal(tmp_path.joinpath("search").relative_to(tmp_path), "search", "max")
    study.tell(study.ask(), 0.5)
    assert open_journal(tmp_path / "search", "search", "max").best_value == 0.5
    assert (tmp_path / "search" / JOURNAL).is_file()
    assert not list((tmp_path / "search").glob(f"{JOURNAL}.lock"))
