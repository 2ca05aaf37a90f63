"""Soft ranks, forward and backward, beside a straightforward way to compute them, side by side from one run.

The straightforward way is numpy's sort, an isotonic regression for each row, once scipy's and once scikit-learn's, and
for the backward pass the means of the pools by ``numpy.add.reduceat``, as an autograd function like musiclab's. All are
held to one thread, take turns, and are checked to give the same.

Run it as ``python tests/benchmarks/bench_soft_rank.py [--quick]``.
"""

import argparse
import multiprocessing
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import scipy.optimize
import sklearn.isotonic
import torch
from tqdm import tqdm

from musiclab.losses.soft_rank import soft_rank

SIZES = (32, 128, 512, 4096, 65536)
ROWS = (1, 3, 256)
MOST = 2**18  # elements of a case
STRENGTH = 12**0.5  # times 1 / n: that of the Spearman loss, for values with a standard deviation of 1
STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")

Array = np.ndarray
Milliseconds = tuple[float, float]
Way = Callable[[torch.Tensor, float], torch.Tensor]


def row_by_row(isotonic: Callable[[Array], Array]) -> Way:
    """Return the straightforward way, with an isotonic regression of one row."""

    class RowByRow(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, values: torch.Tensor, strength: float) -> torch.Tensor:
            array = values.numpy()
            order = np.argsort(array, axis=-1)
            ordered = np.take_along_axis(array, order, axis=-1).astype(np.float64) / strength
            gaps = ordered - np.arange(1, array.shape[-1] + 1)
            fitted = np.stack([isotonic(row) for row in gaps])
            ranks = np.empty_like(array)
            np.put_along_axis(ranks, order, (ordered - fitted).astype(array.dtype), axis=-1)
            ctx.kept = order, fitted, strength
            return torch.from_numpy(ranks)

        @staticmethod
        def backward(ctx: Any, gradients: torch.Tensor) -> tuple[torch.Tensor, None]:
            order, fitted, strength = ctx.kept
            array = gradients.numpy()
            passed = np.take_along_axis(array, order, axis=-1).astype(np.float64)
            for row, pools in zip(passed, fitted, strict=True):
                starts = np.append(0, np.flatnonzero(np.diff(pools)) + 1)
                sizes = np.diff(np.append(starts, len(row)))
                row -= np.repeat(np.add.reduceat(row, starts) / sizes, sizes)
            result = np.empty_like(array)
            np.put_along_axis(result, order, (passed / strength).astype(array.dtype), axis=-1)
            return torch.from_numpy(result), None

    return RowByRow.apply


WAYS: dict[str, Way] = {
    "musiclab": soft_rank,
    "scipy": row_by_row(lambda row: scipy.optimize.isotonic_regression(row).x),
    "scikit-learn": row_by_row(sklearn.isotonic.isotonic_regression),
}


def draw(rows: int, size: int) -> torch.Tensor:
    """Return normally distributed values, and as many directions of gradients."""
    return torch.randn(2, rows, size, generator=torch.Generator().manual_seed(0))


def run(way: Way, drawn: torch.Tensor, strength: float) -> tuple[list[torch.Tensor], Milliseconds]:
    """Return ranks and gradients, and how long they took."""
    values, directions = drawn.clone()
    leaf = values.detach().requires_grad_()
    start = time.perf_counter()
    ranks = way(leaf, strength)
    middle = time.perf_counter()
    ranks.backward(directions)
    end = time.perf_counter()
    return [ranks.detach(), leaf.grad], (1e3 * (middle - start), 1e3 * (end - middle))


def measure(rows: int, size: int) -> dict[str, Milliseconds]:
    """Return the medians of each way."""
    drawn, strength = draw(rows, size), STRENGTH / size
    expected, _ = run(soft_rank, drawn, strength)
    times: dict[str, list[Milliseconds]] = {name: [] for name in WAYS}
    for repeat in range(max(25, min(300, 200_000 // (rows * size)))):
        for name, way in WAYS.items():
            results, time_taken = run(way, drawn, strength)
            if not repeat:
                for result, right in zip(results, expected, strict=True):
                    torch.testing.assert_close(result, right, rtol=1e-4, atol=1e-4 * right.abs().max().item())
            times[name].append(time_taken)
    return {
        name: (statistics.median(forward for forward, _ in taken), statistics.median(backward for _, backward in taken))
        for name, taken in times.items()
    }


def growth_of_memory(name: str, rows: int, size: int) -> float:
    """Return by how many MB the peak resident memory of this process grows in one pass forward and backward."""
    torch.set_num_threads(1)
    run(WAYS[name], draw(rows, 8), 1.0)
    drawn = draw(rows, size)
    CLEAR.write_text("5")  # the peak begins anew at what is in use now
    before = peak_memory()
    run(WAYS[name], drawn, STRENGTH / size)
    return peak_memory() - before


def peak_memory() -> float:
    """Return the peak resident memory of this process in MB, as Linux shows it."""
    fields = dict(line.split(":", 1) for line in STATUS.read_text().splitlines())
    return int(fields["VmHWM"].split()[0]) * 1024 / 1e6


def in_fresh_process(name: str, rows: int, size: int) -> float:
    """Return the growth of memory, measured in a process of its own."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process:
        return process.submit(growth_of_memory, name, rows, size).result()


def print_table(results: dict[tuple[int, int], dict[str, Milliseconds]]) -> None:
    """Print the milliseconds of each way, and how many times as long as musiclab the others take."""
    print("\nMedian ms, forward + backward; in brackets: how many times as long as musiclab, both together\n")
    print(f"{'rows':>4}{'n':>8}{'musiclab':>20}" + "".join(f"{name:>29}" for name in list(WAYS)[1:]))
    for (rows, size), timed in results.items():
        own, *others = timed.values()
        line = f"{rows:>4}{size:>8}{f'{own[0]:.3f} + {own[1]:.3f}':>20}"
        for other in others:
            ratio = f"({sum(other) / sum(own):.2f}x)"
            line += f"{f'{other[0]:.3f} + {other[1]:.3f}':>20}{ratio:>9}"
        print(line)


def main() -> None:
    """Measure each size and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="n up to 512 instead of 65536")
    sizes = SIZES[:3] if parser.parse_args().quick else SIZES
    torch.set_num_threads(1)
    cases = [(rows, size) for rows in ROWS for size in sizes if rows * size <= MOST]
    print_table({case: measure(*case) for case in tqdm(cases, desc="Measuring", unit="size")})
    if CLEAR.exists():
        rows, size = max(cases, key=lambda case: case[0] * case[1])
        grown = "; ".join(f"{name} {in_fresh_process(name, rows, size):.1f} MB" for name in WAYS)
        print(f"\nGrowth of peak memory (RSS) in one pass, {rows} rows of n = {size}: {grown}")


if __name__ == "__main__":
    main()
