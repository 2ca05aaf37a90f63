"""The lines of the table of ``bench_gpu.py``, how large everything is, and the GPU's clock and memory."""

import gc
import os
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
from bench_soft_rank import SIZES
from bench_training import Case


class Setup(NamedTuple):
    """How large everything is, and where."""

    place: Path
    device: str = "cuda"
    case: Case = Case("lab's size", 2075, 230, (1293, 1293), 32)
    sizes: tuple[int, ...] = SIZES
    epochs: int = 4
    steps: int = 20
    profiled: int = 4

    @classmethod
    def dry(cls, place: Path) -> "Setup":
        """Return what a CPU does in seconds."""
        return cls(place, "cpu", Case("lab's size", 16, 4, (24, 24), 4), (32, 128), 3, 1, 1)

    @property
    def root(self) -> Path:
        return self.place / "data"


class Rows:
    """Lines of the table: written to its file and to the console at once, until a time."""

    def __init__(self, out: Path, console: int, deadline: float) -> None:
        self.out, self.console, self.deadline = out, console, deadline
        self.left: list[str] = []

    def write(self, line: str) -> None:
        with self.out.open("a") as stream:
            stream.write(line + "\n")
        os.write(self.console, (line + "\n").encode())

    def attempt(self, name: str, seconds: float, measure: Callable[[], str]) -> None:
        """Write the row of a measurement that takes some seconds, or why there is none."""
        if time.time() + seconds > self.deadline:
            self.left.append(name)
            return
        try:
            self.write(f"{name:<44}{measure()}")
        except (Exception, SystemExit) as error:
            traceback.print_exc()
            cause = error.__context__ or error if isinstance(error, SystemExit) else error
            reason = (str(cause).strip() or repr(cause)).splitlines()[0]
            self.write(f"{name:<44}failed: {type(cause).__name__}: {reason[:200]}")
            del cause  # its traceback holds on to what is on the GPU
        finally:
            gc.collect()
            torch.cuda.empty_cache()

    def close(self) -> None:
        if self.left:
            self.write(f"left out for want of time: {'; '.join(self.left)}")


def peak() -> str:
    return f"{torch.cuda.max_memory_allocated() / 1e6:,.0f}" if torch.cuda.is_available() else "-"


def clock() -> float:
    """Return seconds of the clock, once the GPU has done what it was asked."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()
