"""The end of a process group: each process leaves it in order, and exits whatever the others do."""

import re
import socket
import subprocess
import sys

import pytest
from command_line import REPOSITORY, environment

MEMBER = """
import os, signal, sys, time
import torch
from musiclab.runs import gathering
rank, fate = int(sys.argv[1]), sys.argv[2]
torch.distributed.init_process_group("gloo", rank=rank, world_size=2)
gathering.PATIENCE = 2.0
gathering.end_group_at_exit()
assert gathering.gather(rank) == [0, 1]
if rank == 1 and fate == "killed":
    os.kill(os.getpid(), signal.SIGKILL)
if rank == 1 and fate == "hangs":
    time.sleep(600)
if rank == 0 and fate != "ends":
    torch.distributed.all_reduce(torch.ones(2), async_op=True)
"""


@pytest.mark.parametrize("fate", [pytest.param("ends", marks=pytest.mark.slow), "killed", "hangs"])
def test_a_process_exits_whatever_its_neighbour_does(fate):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        meeting = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free.getsockname()[1])}
    first, second = (
        subprocess.Popen([sys.executable, "-c", MEMBER, rank, fate], env=environment(**meeting), stderr=subprocess.PIPE)
        for rank in "01"
    )
    try:
        _, printed = first.communicate(timeout=120)
        assert (first.returncode, printed.decode()) == (0, "")
    finally:
        second.kill()
        second.communicate()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="gives single threads a low priority")
def test_none_of_a_hundred_groups_on_a_busy_machine_ends_by_a_signal():
    script = [sys.executable, str(REPOSITORY / "tests" / "runs" / "group_ends.py"), "34", "3"]
    result = subprocess.run(script, env=environment(), capture_output=True, text=True, check=True)
    assert "terminate called" not in result.stderr
    assert re.search(r"^(\d+) of 204 processes died$", result.stdout, re.MULTILINE)[1] == "0"
