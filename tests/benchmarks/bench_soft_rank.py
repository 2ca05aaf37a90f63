"""Soft ranks, forward and backward, beside a straightforward way to compute them, side by side from one run.

The straightforward way is numpy's sort, an isotonic regression for each row, once scipy's and once scikit-learn's, and
for the backward pass the means of the pools by ``numpy.add.reduceat``. It gets and gives arrays: what autograd costs
is counted for musiclab's only. All are held to one thread, take turns, and are checked to give the same.

Run it as ``python tests/benchmarks/bench_soft_rank.py [--quick]``.
"""

import argparse
import multiprocessing
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import scipy.optimize
import sklearn.isotonic
import torch
from tqdm import tqdm

from musiclab.losses.soft_rank import soft_rank

SIZES = (32, 128, 512, 4096, 65536)
ROWS = (1, 3)
STRENGTH = 0.5 * 12**0.5  # times 1 / n: that of the Spearman loss, for values with a standard deviation of 1
STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")

Array = np.ndarray
Timed = tuple[float, float]
Way = Callable[[Array, Array, float], tuple[Array, Array, float, float]]


def ours(values: Array, directions: Array, strength: float) -> tuple[Array, Array, float, float]:
    """Return ranks, gradients, and the seconds that each took."""
    leaf = torch.from_numpy(values).requires_grad_()
    passed = torch.from_numpy(directions)
    start = time.perf_counter()
    ranks = soft_rank(leaf, strength)
    middle = time.perf_counter()
    ranks.backward(passed)
    end = time.perf_counter()
    return ranks.detach().numpy(), leaf.grad.numpy(), middle - start, end - middle


def row_by_row(isotonic: Callable[[Array], Array]) -> Way:
    """Return the straightforward way, with an isotonic regression of one row."""

    def way(values: Array, directions: Array, strength: float) -> tuple[Array, Array, float, float]:
        start = time.perf_counter()
        order = np.argsort(values, axis=-1)
        ordered = np.take_along_axis(values, order, axis=-1).astype(np.float64) / strength
        gaps = ordered - np.arange(1, values.shape[-1] + 1)
        fitted = np.stack([isotonic(row) for row in gaps])
        ranks = np.empty_like(values)
        np.put_along_axis(ranks, order, (ordered - fitted).astype(values.dtype), axis=-1)
        middle = time.perf_counter()
        passed = np.take_along_axis(directions, order, axis=-1).astype(np.float64)
        for row, pools in zip(passed, fitted, strict=True):
            starts = np.append(0, np.flatnonzero(np.diff(pools)) + 1)
            sizes = np.diff(np.append(starts, len(row)))
            row -= np.repeat(np.add.reduceat(row, starts) / sizes, sizes)
        gradients = np.empty_like(directions)
        np.put_along_axis(gradients, order, (passed / strength).astype(directions.dtype), axis=-1)
        end = time.perf_counter()
        return ranks, gradients, middle - start, end - middle

    return way


WAYS: dict[str, Way] = {
    "musiclab": ours,
    "scipy": row_by_row(lambda row: scipy.optimize.isotonic_regression(row).x),
    "scikit-learn": row_by_row(sklearn.isotonic.isotonic_regression),
}


def draw(rows: int, size: int) -> tuple[Array, Array]:
    """Return normally distributed values, and directions of gradients."""
    rng = np.random.default_rng(0)
    values, directions = rng.standard_normal((2, rows, size), dtype=np.float32)
    return values, directions


def measure(rows: int, size: int) -> dict[str, Timed]:
    """Return the median milliseconds of each way, forward and backward."""
    values, directions = draw(rows, size)
    strength = STRENGTH / size
    expected = ours(values, directions, strength)[:2]
    seconds: dict[str, list[Timed]] = {name: [] for name in WAYS}
    for repeat in range(max(15, min(300, 200_000 // size))):
        for name, way in WAYS.items():
            *results, forward, backward = way(values, directions, strength)
            if not repeat:
                for result, right in zip(results, expected, strict=True):
                    np.testing.assert_allclose(result, right, rtol=1e-4, atol=1e-4 * np.abs(right).max())
            seconds[name].append((forward, backward))
    return {name: tuple(1e3 * statistics.median(one) for one in zip(*timed)) for name, timed in seconds.items()}


def growth_of_memory(name: str, rows: int, size: int) -> float:
    """Return by how many MB the peak resident memory of this process grows in one pass forward and backward."""
    torch.set_num_threads(1)
    WAYS[name](*draw(rows, 8), 1.0)
    values, directions = draw(rows, size)
    CLEAR.write_text("5")  # the peak begins anew at what is in use now
    before = peak_memory()
    WAYS[name](values, directions, STRENGTH / size)
    return peak_memory() - before


def peak_memory() -> float:
    """Return the peak resident memory of this process in MB, as Linux shows it."""
    fields = dict(line.split(":", 1) for line in STATUS.read_text().splitlines())
    return int(fields["VmHWM"].split()[0]) * 1024 / 1e6


def in_fresh_process(name: str, rows: int, size: int) -> float:
    """Return the growth of memory, measured in a process of its own."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process:
        return process.submit(growth_of_memory, name, rows, size).result()


def print_table(results: dict[tuple[int, int], dict[str, Timed]]) -> None:
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
    cases = [(rows, size) for rows in ROWS for size in sizes]
    print_table({case: measure(*case) for case in tqdm(cases, desc="Measuring", unit="size")})
    if CLEAR.exists():
        rows, size = cases[-1]
        grown = "; ".join(f"{name} {in_fresh_process(name, rows, size):.1f} MB" for name in WAYS)
        print(f"\nGrowth of peak memory (RSS) in one pass, {rows} rows of n = {size}: {grown}")


if __name__ == "__main__":
    main()
