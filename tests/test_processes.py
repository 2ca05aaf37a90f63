"""What ends with what, and who says so; with processes that only sleep."""

import os
import signal
import subprocess
import sys

import pytest
import torch
from command_line import REPOSITORY
from pytorch_lightning.strategies.launchers import subprocess_script
from pytorch_lightning.utilities.exceptions import SIGTERMException

from musiclab import processes
from musiclab.errors import UserError
from musiclab.processes import FOLLOWED, LAUNCHER, ended_together
from musiclab.runs.gathering import gather

LOST = torch.distributed.DistBackendError("gloo/transport/tcp/pair.cc:553] Connection closed by peer. GLHF!")

SLEEP = "import time; time.sleep(200)"

RUN = """
import subprocess, sys, time
from pytorch_lightning.strategies.launchers import subprocess_script
from musiclab import processes
processes.GRACE = 0.2
with processes.ended_together():
    if sys.argv[1:]:
        print("started", flush=True)
    else:
        started = subprocess.Popen([sys.executable, __file__, "second"])
        subprocess_script._launch_process_observer([started])
        print(started.pid, flush=True)
    time.sleep(200)  # as a process that waits for an answer: it notices nothing
"""


@pytest.fixture(autouse=True)
def in_the_process_of_the_tests(monkeypatch):
    """Be quick, and have no watch that would end this process."""
    monkeypatch.setattr(processes, "GRACE", 0.3)
    monkeypatch.setattr(processes, "PATIENCE", 0.3)
    monkeypatch.setattr(processes.Watch, "_start", lambda *_: None)


def run(code, error=None):
    """Run something that starts a process as Lightning does, and return that process."""
    with ended_together():
        process = subprocess.Popen([sys.executable, "-c", code])
        subprocess_script._launch_process_observer([process])
        if code != SLEEP:
            process.wait(timeout=60)
        if error:
            raise error
    return process


def test_what_a_run_has_started_ends_with_it():
    assert run(SLEEP).poll() == -signal.SIGKILL
    assert run("raise SystemExit").poll() == 0


@pytest.mark.parametrize("error", [UserError("bad data"), LOST, KeyboardInterrupt()])
def test_what_a_run_has_started_ends_with_it_after_an_error(error, monkeypatch):
    started = []
    popen = subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", lambda *arguments: started.append(popen(*arguments)) or started[0])
    with pytest.raises((UserError, KeyboardInterrupt)):
        run(SLEEP, error)
    assert started[0].poll() == -signal.SIGKILL


def test_a_run_leaves_things_as_they_were():
    observer = subprocess_script._launch_process_observer
    with ended_together():
        assert subprocess_script._launch_process_observer != observer
        assert os.environ[LAUNCHER] == str(os.getpid())
    assert subprocess_script._launch_process_observer == observer
    assert LAUNCHER not in os.environ


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import os; os.kill(os.getpid(), 9)", "process 2 of 2 was killed by SIGKILL"),
        ("import os; os.abort()", "process 2 of 2 was killed by SIGABRT"),
        ("raise SystemExit(3)", "process 2 of 2 has failed; what it said is above"),
        (f"raise SystemExit({FOLLOWED})", "the connection to another machine is lost"),
        (SLEEP, r"to another process is lost \(Connection closed by peer\)"),
    ],
)
def test_a_lost_connection_says_how_the_other_process_has_ended(code, said):
    with pytest.raises(UserError, match=said):
        run(code, LOST)


def test_a_process_that_musiclab_has_started_leaves_the_word_to_the_first(monkeypatch):
    monkeypatch.setenv(LAUNCHER, str(os.getppid()))
    with pytest.raises(SystemExit) as exit_info, ended_together():
        raise LOST
    assert exit_info.value.code == FOLLOWED


def test_other_errors_stay_as_they_are():
    with pytest.raises(RuntimeError, match="shapes"), ended_together():
        raise RuntimeError("shapes do not fit")
    with pytest.raises(RuntimeError, match="Timed out"), ended_together():
        raise RuntimeError("Timed out, but not for want of another process")


def test_a_request_to_end_is_no_success(capfd):
    with pytest.raises(SystemExit) as exit_info, ended_together():
        raise SIGTERMException
    assert exit_info.value.code == 143
    assert capfd.readouterr().err == "musiclab: terminated\n"


@pytest.mark.parametrize("killed", ["first", "second"])
def test_a_process_that_waits_for_one_that_was_killed_does_not_wait_for_ever(killed, tmp_path):
    script = tmp_path / "run.py"
    script.write_text(RUN)
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    first = subprocess.Popen(
        [sys.executable, str(script)], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    second = None
    try:
        second = int(first.stdout.readline())
        assert first.stdout.readline() == "started\n"
        os.kill(first.pid if killed == "first" else second, signal.SIGKILL)
        errors = first.communicate(timeout=60)[1]  # until both have closed their output
    finally:
        first.kill()
    said = {"first": "the first process was killed", "second": "process 2 of 2 was killed by SIGKILL"}[killed]
    assert errors.startswith(f"musiclab: error: {said}")
    assert errors.count("\n") == 1
    assert first.returncode == (-signal.SIGKILL if killed == "first" else 1)


def test_one_process_gathers_its_own_value():
    assert gather("value") == ["value"]
