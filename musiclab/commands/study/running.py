"""Several trainings at once, each a process of its own, in the order that they need."""

import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import IO, Protocol

from filelock import FileLock, Timeout

from musiclab.errors import UserError
from musiclab.files import shown

LOG = "output.log"
LOCK = ".study.lock"
PAUSE = 0.1
"""Seconds between two looks at the processes."""


class Work(Protocol):
    """Something to be run: a training, or a trial of a search.

    Attributes:
        name: What to call it.
        group: Others wait for this.
        needs: The groups that it waits for.
        folder: Its folder, known once it has begun.
    """

    name: str
    group: str
    needs: Sequence[str]
    folder: Path

    def begin(self) -> list[str] | None:
        """Return the arguments of its process; None if there is nothing to do.

        Raises:
            UserError: If it cannot be run, as what it needs is not there: nor can others of its group.
        """

    def end(self, code: int) -> str:
        """Note with which code it has ended, and return in words what came of it.

        Raises:
            UserError: If others of its group should not be run either.
        """

    def release(self) -> None:
        """Let go of its folder, which it has taken when it began."""


@dataclass
class _Process:
    work: Work
    process: subprocess.Popen[bytes]
    gpu: str | None
    began: float


def run_all(works: Sequence[Work], gpus: Sequence[str | None]) -> list[str]:
    """Run all, as many at once as there are ``gpus``, and return the names of those that failed.

    One at a time prints what it prints; of several, each writes to a file. If this process is asked to end, so are
    those that it has started, and they are waited for.

    Args:
        works: What to run; those that need no other are begun in this order.
        gpus: For each that runs at once, what ``CUDA_VISIBLE_DEVICES`` is set to; None to leave it as it is.
    """
    waiting, running, free = list(works), list[_Process](), list(gpus)
    failed: list[str] = []
    numbers = {id(work): f"[{number}/{len(works)}] {work.name}" for number, work in enumerate(works, 1)}

    def fail(work: Work, error: UserError) -> None:
        failed.append(work.name)
        waiting[:] = [other for other in waiting if other.group != work.group]
        print(f"{numbers[id(work)]}: {shown(error)}", flush=True)

    def begin(work: Work) -> None:
        waiting.remove(work)
        try:
            arguments = work.begin()
        except UserError as error:
            work.release()
            fail(work, error)
            return
        if arguments is None:
            work.release()
            print(f"{numbers[id(work)]}: done already", flush=True)
            return
        gpu = free.pop(0)
        log = work.folder / LOG if len(gpus) > 1 else None
        line = shlex.join(["musiclab", *arguments])
        print(f"{numbers[id(work)]}: {line} > {log}" if log else f"\n{numbers[id(work)]}\n{line}", flush=True)
        running.append(_Process(work, start(arguments, log, gpu), gpu, time.monotonic()))

    def end(one: _Process, code: int) -> None:
        running.remove(one)
        free.append(one.gpu)
        try:
            words = one.work.end(code)
        except UserError as error:
            fail(one.work, error)
            return
        finally:
            one.work.release()
        if code:
            failed.append(one.work.name)
            words = f"failed{_reason(one.work.folder / LOG) if len(gpus) > 1 else ''}"
        seconds = round(time.monotonic() - one.began)
        print(f"{numbers[id(one.work)]}: {words} ({seconds // 60}:{seconds % 60:02d})", flush=True)

    try:
        while waiting or running:
            open_groups = {work.group for work in waiting} | {one.work.group for one in running}
            ready = [work for work in waiting if not open_groups.intersection(work.needs)]
            if ready and free:
                begin(ready[0])
                continue
            ended = [(one, code) for one in running if (code := one.process.poll()) is not None]
            for one, code in ended:
                end(one, code)
            if not ended:
                time.sleep(PAUSE)
    except BaseException:
        for one in running:
            one.process.terminate()
        for one in running:
            one.process.wait()
            one.work.release()
        raise
    return failed


def start(arguments: Sequence[str], log: Path | None = None, gpu: str | None = None) -> subprocess.Popen[bytes]:
    """Start a command in a process of its own.

    Args:
        arguments: Without the program.
        log: File that its output is added to; None to print it.
        gpu: The only GPU that it is to see; None for all.
    """
    environment = os.environ if gpu is None else {**os.environ, "CUDA_VISIBLE_DEVICES": gpu}
    command = [sys.executable, "-m", "musiclab", *arguments]
    if log is None:
        return subprocess.Popen(command, env=environment)
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as stream:
        _write(stream, shlex.join(["musiclab", *arguments]))
        return subprocess.Popen(command, env=environment, stdout=stream, stderr=subprocess.STDOUT)


def take(folder: Path) -> FileLock | None:
    """Return a lock that keeps other studies from a folder until it is released; None if one of them has it.

    Where the file system has no locks, nobody is kept out.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / LOCK, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        return None
    except (OSError, NotImplementedError):
        pass
    return lock


def end_by_signal() -> None:
    """Have SIGTERM end this process as Ctrl+C does, so that those that it has started end, too."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _terminated)


def _terminated(received: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + received)  # as shells report it


def _write(stream: IO[bytes], line: str) -> None:
    stream.write(f"{line}\n".encode(errors="backslashreplace"))
    stream.flush()


def _reason(log: Path) -> str:
    """Return the last error that a file of output tells of since the last command in it, as something to add."""
    lines = log.read_text(encoding="utf-8", errors="backslashreplace").splitlines()
    begun = max((number for number, line in enumerate(lines) if line.startswith("musiclab fit ")), default=0)
    lines = lines[begun:]
    errors = [line.partition("musiclab: error: ")[2] for line in lines if "musiclab: error: " in line]
    return f": {errors[-1]}" if errors else f"; see {log}"
