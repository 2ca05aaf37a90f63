"""Runs on several processes: none outlives another that has failed, and one line says which one that was.

Lightning starts the other processes of a machine from the first one, with the same command line. When one of them is
killed, the others either fail at once, with a traceback each, or wait half an hour for its answer, whichever the
backend of torch.distributed does. So the first process watches those that it has started, and they watch it.
"""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch.distributed
from pytorch_lightning.strategies.launchers import subprocess_script
from pytorch_lightning.utilities.exceptions import SIGTERMException

from musiclab.errors import UserError, describe_user_error
from musiclab.runs.gathering import is_one_of_several

LAUNCHER = "MUSICLAB_LAUNCHER"
"""Environment variable by which a process knows that musiclab has started it: the number of its parent."""

OBSERVER = "_launch_process_observer"
"""What Lightning calls with the processes that it has started. Its own kills all of them, the first one included,
without a word that tells a user what has happened."""

GRACE = 5.0
"""Seconds that a process has to notice that another has ended, and to end with words of its own."""

PATIENCE = 60.0
"""Seconds that the other processes have to end after a run that went well."""

FOLLOWED = 75
"""Exit code of a process that has ended because another did; the first process is left to say so."""

TERMINATED = 128 + signal.SIGTERM
"""Exit code after SIGTERM, as shells report it."""

CONNECTION_LOST = re.compile(
    "Connection (closed|reset) by peer|Broken pipe|(Read|Write) error|[Tt]imed out|remote process exited|aborted"
)
"""What torch.distributed says where another process has ended or does not answer."""

ADVICE = "to go on with a training, give its last checkpoint: --ckpt_path RUN/checkpoints/last.ckpt"


@contextmanager
def ended_together() -> Iterator[None]:
    """Run one of Lightning's commands, and see to it that the processes it starts end with it.

    Raises:
        UserError: If another process of the run has ended before its time.
        SystemExit: If another process has said already what is wrong, or will; or if the run was asked to end.
    """
    watch = Watch()
    try:
        yield
        watch.end_started(PATIENCE)
    except SIGTERMException:
        if watch.parent is None:
            print("musiclab: terminated", file=sys.stderr)
        raise SystemExit(TERMINATED) from None
    except Exception as error:
        watch.spoken = True
        message = describe_user_error(error)
        if message is not None and not _first_to_say(message):
            raise SystemExit(1) from None
        reason = _reason_of_loss(error)
        if message is None and reason is not None:
            raise watch.connection_lost(reason) from None
        raise
    finally:
        watch.spoken = True
        watch.end_started(GRACE)
        watch.close()


class Watch:
    """A process's eye on those that it has started, or on the one that started it.

    Attributes:
        parent: Number of the process of musiclab that has started this one; None if none has.
        spoken: Whether this process is about to end by itself, having said why.
    """

    def __init__(self) -> None:
        self.spoken = False
        self._over = threading.Event()
        self._lost = False
        self._started: Sequence[subprocess.Popen[bytes]] = []
        parent = os.getppid()
        self.parent = parent if os.environ.get(LAUNCHER) == str(parent) else None
        os.environ[LAUNCHER] = str(os.getpid())
        self._observer = getattr(subprocess_script, OBSERVER, None)
        setattr(subprocess_script, OBSERVER, self._watch_started)
        if self.parent is not None:
            self._start(self._parent_ended)

    def close(self) -> None:
        """Leave things as they were, and watch no longer."""
        # With a connection lost, torch.distributed may still wait for others when the interpreter exits.
        if not self._lost:
            self._over.set()
        os.environ.pop(LAUNCHER, None)
        setattr(subprocess_script, OBSERVER, self._observer)

    def end_started(self, patience: float) -> None:
        """Wait for the processes that this one has started; kill those that do not end in time, in seconds."""
        deadline = time.monotonic() + patience
        for process in self._started:
            try:
                process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def connection_lost(self, reason: str) -> UserError | SystemExit:
        """Return what to raise after the connection to another process was lost."""
        self._lost = True
        ended = self._started_ended if self.parent is None else self._parent_ended
        deadline = time.monotonic() + GRACE
        while (message := ended()) is None and time.monotonic() < deadline:
            time.sleep(0.1)
        if message is None and self.parent is not None:
            return SystemExit(FOLLOWED)
        return UserError(message or f"the connection to another process is lost ({reason}); {ADVICE}")

    def _watch_started(self, processes: Sequence[subprocess.Popen[bytes]]) -> None:
        self._started = processes
        self._start(self._started_ended)

    def _start(self, ended: Callable[[], str | None]) -> None:
        threading.Thread(target=self._watch, args=(ended,), daemon=True, name="watch").start()

    def _watch(self, ended: Callable[[], str | None]) -> None:
        while (message := ended()) is None:
            if self._over.wait(0.5):
                return
        if self._over.wait(GRACE):
            return
        if not self.spoken:
            print(f"musiclab: error: {message}", file=sys.stderr, flush=True)
        elif self._over.wait(3 * GRACE):  # the main thread waits for others to end
            return
        for process in self._started:
            process.kill()
        os._exit(1)  # the main thread waits for an answer that will never come

    def _parent_ended(self) -> str | None:
        return f"the first process was killed; {ADVICE}" if os.getppid() != self.parent else None

    def _started_ended(self) -> str | None:
        codes = [process.poll() for process in self._started]
        failed = {code: number for number, code in enumerate(codes, start=1) if code}
        if not failed:
            return None
        code = min(failed, key=lambda code: code == FOLLOWED)
        which = f"process {failed[code] + 1} of {len(codes) + 1}"
        if code == FOLLOWED:
            return f"the connection to another machine is lost; {ADVICE}"
        if code > 0:
            return f"{which} has failed; what it said is above"
        perhaps = ", perhaps for want of memory" if -code == signal.SIGKILL else ""
        return f"{which} was killed by {signal.Signals(-code).name}{perhaps}; {ADVICE}"


def _reason_of_loss(error: Exception) -> str | None:
    """Return what an error says of the loss of a connection to another process, None for any other error."""
    if not isinstance(error, RuntimeError if is_one_of_several() else torch.distributed.DistError):
        return None
    reason = CONNECTION_LOST.search(str(error))
    return reason and reason[0]


def _first_to_say(message: str) -> bool:
    """Tell whether no other process of the run has said this: what is wrong with data is so for all of them."""
    if not is_one_of_several():
        return True
    try:
        store = torch.distributed.distributed_c10d._get_default_store()
        return int(store.add(f"musiclab said {message}", 1)) == 1
    except RuntimeError:  # the first process, which keeps the store, has ended with the same words
        return False
