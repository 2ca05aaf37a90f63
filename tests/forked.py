"""Commands in processes of their own, forked from one that has imported everything.

A new process spends five seconds of processor time on imports before it does anything. `command_line.musiclab` starts
one for what has to be known before them, as an encoding, and for commands that start further processes.
"""

import atexit
import json
import multiprocessing
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from command_line import REPOSITORY, TIMEOUT, environment
from lightning_fabric.utilities.rank_zero import rank_zero_only
from together import run_all

from musiclab.cli import main

PRELOADED = ["forked", "faults", "together", "musiclab.cli.training", "musiclab.demo", "sklearn.metrics"]
PRELOADED += ["matplotlib.pyplot", "tensorboard", "torch._dynamo", "torch.utils.tensorboard"]

STARTED = multiprocessing.get_start_method()
"""How Python itself starts processes, as those that load data: their watchdog sees a parent that was killed."""


class Forked:
    """A process that runs a function.

    Args:
        function: What to run; to be found by its name, as what it is given.
        arguments: What it is given.
        variables: Environment variables to be set; None for those to be removed.
    """

    def __init__(self, function: Callable[..., Any], *arguments: Any, **variables: str) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(PRELOADED)
        self._folder = tempfile.TemporaryDirectory()
        self._outputs = [Path(self._folder.name, name) for name in ("stdout.txt", "stderr.txt")]
        target = (self._outputs, environment(**variables), function, arguments)
        self.process = context.Process(target=_run, args=target)
        self.process.start()

    def ended(self) -> subprocess.CompletedProcess[str]:
        """Wait for its end; return its exit code, negative after a signal, and what it has printed."""
        self.process.join(TIMEOUT)
        if self.process.exitcode is None:
            self.process.kill()
            self.process.join()
        with self._folder:
            printed = [path.read_text() if path.exists() else "" for path in self._outputs]
        return subprocess.CompletedProcess([], self.process.exitcode, *printed)


def forked(args: Sequence[str], **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a command."""
    return Forked(main, list(args), **variables).ended()


def schedule(commands: list[list[str]], processes: int, folder: Path) -> list[list[dict[str, float] | int]]:
    """Run commands on several machines of a process each, as a scheduler does; return what each process measures."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        meeting = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free.getsockname()[1])}
    options = ["--trainer.strategy=ddp", "--trainer.devices=1", f"--trainer.num_nodes={processes}"]
    commands = [[*command, *options] for command in commands]
    started = [
        Forked(run_all, commands, folder, **meeting, NODE_RANK=str(rank), LOCAL_RANK="0") for rank in range(processes)
    ]
    for process in [process.ended() for process in started]:
        assert process.returncode == 0, process.stderr
    return [json.loads((folder / f"{rank}.json").read_text()) for rank in range(processes)]


def on_two(function: Callable[..., None], *arguments: Any) -> None:
    """Have two processes run a function at once, given the number of each first."""
    for process in [Forked(function, rank, *arguments) for rank in range(2)]:
        ended = process.ended()
        assert ended.returncode == 0, ended.stderr


def _run(outputs: list[Path], variables: dict[str, str], function: Callable[..., Any], arguments: Sequence) -> None:
    os.environ.clear()
    os.environ.update(variables)
    for descriptor, path in enumerate(outputs, 1):
        opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(opened, descriptor)
        os.close(opened)
    script = str(REPOSITORY / "musiclab" / "__main__.py")  # which Lightning starts further processes by
    sys.argv = [script, *(arguments[0] if function is main else [])]
    multiprocessing.set_start_method(STARTED, force=True)
    rank_zero_only.rank = int(variables.get("SLURM_PROCID", variables.get("LOCAL_RANK", 0)))  # as when it is imported
    try:
        function(*arguments)
    finally:
        atexit._run_exitfuncs()
