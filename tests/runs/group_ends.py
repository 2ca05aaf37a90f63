"""Process groups that are made and ended, many times, on a busy machine, where their threads hardly ever get to run.

``python group_ends.py ROUNDS PAIRS [--unmended]`` prints how many of the processes died: of ``ROUNDS`` times ``PAIRS``
groups of two, all pairs of a round at once. With 34 rounds of 3 pairs on two busy cores: none, and 29 of 204 without
our end of a group.
"""

import argparse
import os
import signal
import socket
from pathlib import Path

import pytorch_lightning as pl
import torch

from musiclab import Trainer
from musiclab.runs.gathering import gather

SPINNING = 2
"""Processes beside them that keep the machine busy."""


def member(rank: int, port: int, mended: bool) -> None:
    """Exchange tensors and values in a group as a run does, and leave its threads behind."""
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port), NODE_RANK=str(rank), LOCAL_RANK="0")
    options = {"accelerator": "cpu", "devices": 1, "num_nodes": 2, "strategy": "ddp", "logger": False}
    trainer = (Trainer if mended else pl.Trainer)(**options)  # type: ignore[arg-type]
    trainer.strategy.setup_environment()
    parallel = torch.nn.parallel.DistributedDataParallel(torch.nn.Linear(4, 4))
    parallel(torch.ones(2, 4)).sum().backward()
    for task in Path("/proc/self/task").iterdir():
        if "runloop" in (task / "comm").read_text():
            os.sched_setscheduler(int(task.name), os.SCHED_IDLE, os.sched_param(0))
    gather(rank)


def spin() -> int:
    if (pid := os.fork()) == 0:
        while True:
            pass
    return pid


def pair(mended: bool) -> list[int]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    pids = []
    for rank in range(2):
        if (pid := os.fork()) == 0:
            member(rank, port, mended)
            raise SystemExit(0)  # the interpreter is taken down as at the end of any script
        pids.append(pid)
    return pids


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("rounds", type=int)
    parser.add_argument("pairs", type=int)
    parser.add_argument("--unmended", action="store_true")
    given = parser.parse_args()
    spinning = [spin() for _ in range(SPINNING)]
    died, counting = 0, os.getpid()
    try:
        for _ in range(given.rounds):
            pids = [pid for _ in range(given.pairs) for pid in pair(not given.unmended)]
            died += sum(os.waitpid(pid, 0)[1] != 0 for pid in pids)
    finally:
        for pid in spinning if os.getpid() == counting else ():
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
    print(f"{died} of {2 * given.rounds * given.pairs} processes died")


if __name__ == "__main__":
    main()
