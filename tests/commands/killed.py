"""A command line that is killed, without any chance to tidy up: ``python killed.py HOW COUNT ARGUMENTS...``.

``writing``: while array file number COUNT is half written. ``waiting``: when COUNT tracks have come back from the
processes that extract them.
"""

import os
import signal
import sys
from pathlib import Path

from musiclab.cli import main
from musiclab.data.audio import extraction


def kill_while_writing(count: int) -> None:
    write_bytes = Path.write_bytes
    written = 0

    def write(path, content):
        nonlocal written
        written += 1
        if written == count:
            write_bytes(path, content[: len(content) // 2])
            os.kill(os.getpid(), signal.SIGKILL)
        return write_bytes(path, content)

    Path.write_bytes = write


def kill_while_waiting(count: int) -> None:
    run = extraction._run

    def run_some(*args):
        for number, outcome in enumerate(run(*args), start=1):
            yield outcome
            if number == count:
                os.kill(os.getpid(), signal.SIGKILL)

    extraction._run = run_some


if __name__ == "__main__":
    {"writing": kill_while_writing, "waiting": kill_while_waiting}[sys.argv[1]](int(sys.argv[2]))
    main(sys.argv[3:])
