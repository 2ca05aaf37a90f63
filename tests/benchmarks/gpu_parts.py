"""The parts of ``bench_gpu.py``; each runs in a process of its own."""

import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import bench_soft_rank
import bench_training
import torch
from gpu_fits import share_steps, time_configured, time_full, time_notebook
from gpu_norms import time_norms
from gpu_recurrences import time_recurrences
from gpu_rows import Rows, Setup, clock, peak

from musiclab.data.datamodules import GenreDataModule
from musiclab.losses import soft_rank

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]


def run_tests(setup: Setup, rows: Rows) -> None:
    """Those that need CUDA, of all files that have such."""
    paths = sorted((REPOSITORY / "tests").rglob("test_*.py"))
    files = [path for path in paths if "cuda.is_available" in path.read_text() and path.parent != HERE]
    words = [sys.executable, "-m", "pytest", "-k", "cuda", "-rfE", "-p", "no:cacheprovider", *map(str, files)]
    limit = max(1, rows.deadline - time.time())
    process = subprocess.Popen(words, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        output = process.communicate(timeout=limit)[0]
    except subprocess.TimeoutExpired:
        process.kill()
        output = process.communicate()[0] + f"\nnot done after {limit:.0f} s"
    print(output, flush=True)
    lines = output.strip().splitlines()
    summary = [line[:240] for line in lines if line.startswith(("FAILED", "ERROR"))]
    rows.write("\n".join([f"\nCUDA TESTS ({', '.join(path.name for path in files)})", *summary, *lines[-1:]]))


def make_data(setup: Setup, rows: Rows) -> None:
    """The folder that all fits train on, and its packed store."""

    def make() -> str:
        begun = time.time()
        bench_training.make_folder(setup.root, setup.case)
        made = time.time() - begun
        module = GenreDataModule(root=setup.root, cache=setup.place / "cache")
        for stage in ("fit", "test"):
            module.setup(stage)
        return f"{made:.1f} s; packed in {time.time() - begun - made:.1f} s"

    case = setup.case
    rows.write(f"\nDATA: {case.train} tracks of {case.frames[1]} frames x 128 to train on, {case.held_out} to validate")
    rows.attempt("made in", 0, make)


def time_ranks(setup: Setup, rows: Rows) -> None:
    """Soft ranks and their backward pass on the device and on the CPU."""

    def times(device: str, count: int, size: int) -> tuple[float, float]:
        drawn = bench_soft_rank.draw(count, size).to(device)
        taken = []
        for _ in range(25 if setup.device == "cuda" else 2):
            values, directions = drawn[0].clone().requires_grad_(), drawn[1]
            start = clock()
            ranks = soft_rank(values, bench_soft_rank.STRENGTH / size)
            middle = clock()
            ranks.backward(directions)
            taken.append((1e3 * (middle - start), 1e3 * (clock() - middle)))
        forward, backward = [statistics.median(column[5:] or column) for column in zip(*taken, strict=True)]
        return forward, backward

    def row(count: int, size: int) -> str:
        here = "{:.3f} + {:.3f}".format(*times("cpu", count, size))
        there, memory = "-", "-"
        if setup.device == "cuda":
            torch.cuda.reset_peak_memory_stats()
            there, memory = "{:.3f} + {:.3f}".format(*times("cuda", count, size)), peak()
        return f"{there:>20}{here:>20}{memory:>12}"

    rows.write("\nSOFT RANKS, forward + backward, median ms")
    rows.write(f"{'':<44}{'GPU':>20}{'CPU':>20}{'GPU peak MB':>12}")
    for count in (1, 3):
        for size in setup.sizes:
            rows.attempt(f"{count} x {size:,}", 3, lambda c=count, s=size: row(c, s))


PARTS: dict[str, Callable[[Setup, Rows], None]] = {
    "tests": run_tests,
    "data": make_data,
    "configured": time_configured,
    "share": share_steps,
    "ranks": time_ranks,
    "norms": time_norms,
    "recurrences": time_recurrences,
    "full": time_full,
    "notebook": time_notebook,
}
