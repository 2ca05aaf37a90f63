"""A command line that is killed when a file is written but not yet in its place: ``killed_in_write.py N ARGS...``.

The N-th rename is not done; one process writes all of these commands' files.
"""

import os
import signal
import sys
from pathlib import Path

from musiclab.cli import main

left = int(sys.argv[1])


def counting(rename):
    def renaming(*args, **kwargs):
        global left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return rename(*args, **kwargs)

    return renaming


Path.replace, Path.rename = counting(Path.replace), counting(Path.rename)
os.replace, os.rename = counting(os.replace), counting(os.rename)
main(sys.argv[2:])
