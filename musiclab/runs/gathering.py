"""What the processes of a run know, put together; and the end of their group."""

import atexit
import functools
import gc
import threading
from typing import Any, TypeVar

import torch.distributed

T = TypeVar("T")

PATIENCE = 20.0
"""Seconds that a process waits for the threads of its group when it exits."""


def gather(value: T) -> list[T]:
    """Return the values of all processes, in the order of their ranks; every process has to ask for them."""
    if not _grouped():
        return [value]
    values: list[Any] = [None] * torch.distributed.get_world_size()
    torch.distributed.all_gather_object(values, value)
    return values


@functools.cache
def end_group_at_exit() -> None:
    """Have this process leave its group in order when it exits, before the interpreter is taken down.

    Threads of the gloo backend may still hold the tensors of the last exchange then; one that lets go of them while
    the interpreter ends aborts the process ("terminate called without an active exception"). Leaving joins these
    threads. A thread of our own does it, so that the process exits even where one of them waits for a dead neighbour;
    it is started here, since none can be at exit.
    """
    exiting, left = threading.Event(), threading.Event()

    def leave() -> None:
        exiting.wait()
        try:
            torch.distributed.destroy_process_group()
        finally:
            left.set()

    def wait_for_it() -> None:
        if _grouped():
            gc.collect()  # a model wrapped for training in parallel is a cycle that keeps the group, and its threads
            exiting.set()
            left.wait(PATIENCE)

    threading.Thread(target=leave, daemon=True).start()
    atexit.register(wait_for_it)


def _grouped() -> bool:
    return torch.distributed.is_available() and torch.distributed.is_initialized()
