"""The parts of ``bench_gpu.py`` that train: by ``musiclab fit``, and in the plain way of a notebook."""

import contextlib
import json
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import notebook
import torch
from bench_training import command
from gpu_rows import Rows, Setup, clock, peak
from pytorch_lightning import Callback
from timing import TIMES

from musiclab.cli import main

NETWORKS = ("lstm", "cnn")
LONG_ENOUGH = 20
"""Seconds after which a fit ends, once it has a measured epoch."""


class DeviceTimer(Callback):
    """Seconds of the clock and peak memory of each epoch's training, and seconds of each validation."""

    training_peaks: ClassVar[list[str]] = []

    def on_fit_start(self, *_: Any) -> None:
        self.begun, self.trains = time.time(), False

    def on_train_epoch_start(self, *_: Any) -> None:
        if torch.cuda.is_available():
            torch.cuda.reset_peak_memory_stats()
        self.epoch, self.trains = clock(), True

    def on_validation_start(self, *_: Any) -> None:
        if self.trains:
            TIMES["clock epoch"].append(clock() - self.epoch)
            self.training_peaks.append(peak())
        self.validation = clock()

    def on_validation_end(self, trainer: Any, *_: Any) -> None:
        TIMES["clock evaluation"].append(clock() - self.validation)
        if len(TIMES["clock epoch"]) > 1 and time.time() - self.begun > LONG_ENOUGH:
            trainer.should_stop = True


@contextlib.contextmanager
def fitted(setup: Setup, network: str, full: bool, *more: str) -> Iterator[None]:
    """Run ``musiclab fit`` as configured, or at full length without augmentations; its times are in TIMES."""
    TIMES.clear()
    torch.compiler.reset()
    with tempfile.TemporaryDirectory(dir=setup.place) as folder:
        words = command("musiclab" if full else "as configured", network, setup.case, setup.root, folder)
        words += [f"--data.cache={setup.place / 'cache'}", f"--trainer.accelerator={setup.device}"]
        words += ["--trainer.devices=1", f"--trainer.max_epochs={setup.epochs - full}"]
        words += [f"--data.on_device={'true' if setup.device == 'cuda' else 'null'}"]
        main([*words, f"--data.batch_size={setup.case.batch_size}", *more])
        yield


WAYS = {
    "on the GPU, float32": (),
    "bf16-mixed": ("--trainer.precision=bf16-mixed",),
    "loaded by the CPU": ("--data.on_device=false",),
    "compiled": ("--model.compile=true",),
}
"""One setting changed at a time."""


def time_fits(setup: Setup, rows: Rows, full: bool) -> None:
    """Epochs of both networks, one setting changed at a time from the first row's."""
    bases: dict[str, float] = {}
    longest = 10.0

    def fit(network: str, more: tuple[str, ...]) -> str:
        nonlocal longest
        begun = time.time()
        with fitted(setup, network, full, "--trainer.callbacks+=gpu_fits.DeviceTimer", *more):
            memory = f"{DeviceTimer.training_peaks[-1]:>10}{peak():>10}"
        longest = max(longest, time.time() - begun)
        first, *others = TIMES["clock epoch"]
        epoch, evaluation = statistics.median(others), statistics.median(TIMES["clock evaluation"][1:])
        ratio, spread = bases.setdefault(network, epoch) / epoch, max(others) / min(others) - 1
        step = 1e3 * epoch / -(-setup.case.train // setup.case.batch_size)
        return f"{epoch:>9.3f}{spread:>8.1%}{ratio:>8.2f}x{step:>10.2f}{first:>10.2f}{evaluation:>14.3f}{memory}"

    what = "at full length, no augmentations" if full else "as configured: CropTime 256, augmentations"
    rows.write(f"\nEPOCHS {what}; batches of {setup.case.batch_size}; seconds of musiclab fit's training epochs")
    widths = {
        "epoch, s": 9,
        "spread": 8,
        "speed": 9,
        "ms a step": 10,
        "first, s": 10,
        "validation, s": 14,
        "peak MB": 10,
        "in all": 10,
    }
    rows.write(" " * 44 + "".join(f"{column:>{width}}" for column, width in widths.items()))
    for way, more in WAYS.items():
        for network in NETWORKS:
            # Nobody knows how long compiling takes; it comes last, so that nothing is lost if it takes too long.
            seconds = 25 if way == "compiled" else longest
            rows.attempt(f"{network.upper()}, {way}", seconds, lambda n=network, m=more: fit(n, m))


def time_configured(setup: Setup, rows: Rows) -> None:
    time_fits(setup, rows, full=False)


def time_full(setup: Setup, rows: Rows) -> None:
    time_fits(setup, rows, full=True)


def time_notebook(setup: Setup, rows: Rows) -> None:
    """The plain way at full length, for the rows of time_full."""

    def fit(network: str) -> str:
        TIMES.clear()
        if setup.device == "cuda":
            torch.cuda.reset_peak_memory_stats()
        case = setup.case
        notebook.fit(network, setup.root / "notebook", case.held_out, 2, case.batch_size, device=setup.device)
        first, epoch = TIMES["epoch"]
        step = 1e3 * epoch / -(-case.train // case.batch_size)
        return f"{epoch:>9.3f}{'':>17}{step:>10.2f}{first:>10.2f}{TIMES['evaluation'][1]:>14.3f}{'':>10}{peak():>10}"

    rows.write("\nTHE NOTEBOOK'S WAY, epochs at full length in float32 (same columns)")
    for network in NETWORKS:
        rows.attempt(f"{network.upper()}, notebook", 15, lambda n=network: fit(n))


class StepShares(Callback):
    """Times some steps by the clock and then finds out, for some more, when the GPU was busy."""

    def __init__(self, steps: int, profiled: int) -> None:
        self.start, self.middle, self.end = steps, 2 * steps, 2 * steps + profiled
        self.wall, self.profiler = 0.0, None

    def on_train_batch_start(self, trainer: Any, module: Any, batch: Any, index: int) -> None:
        if index == self.start:
            self.wall = clock()
        elif index == self.middle:
            TIMES["wall"].append((clock() - self.wall) / (self.middle - self.start))
            if torch.cuda.is_available():  # the GPU's events alone: what the CPU does would be slowed down
                self.profiler = torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA])
                self.profiler.start()
        elif index == self.end and self.profiler is not None:
            clock()
            self.profiler.stop()
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder, "trace.json")
                self.profiler.export_chrome_trace(str(path))
                kernels, busy = busy_seconds(json.loads(path.read_text())["traceEvents"])
            steps = self.end - self.middle
            TIMES["kernels"].append(kernels / steps)
            TIMES["busy"].append(busy / steps)


def busy_seconds(events: list[dict[str, Any]]) -> tuple[int, float]:
    """Return how many things a GPU did, and for how long it did at least one."""
    spans = sorted(
        (event["ts"], event["ts"] + event["dur"])
        for event in events
        if event.get("cat") in ("kernel", "gpu_memcpy", "gpu_memset")
    )
    busy, until = 0.0, -1e300
    for begin, end in spans:
        busy += max(0.0, end - max(begin, until))
        until = max(until, end)
    return len(spans), busy / 1e6


def share_steps(setup: Setup, rows: Rows) -> None:
    """The share of a step's time in which the GPU does nothing."""

    def fit(network: str, full: bool, precision: str) -> str:
        batches = 2 * setup.steps + setup.profiled + 1
        shares = [
            "--trainer.callbacks+=gpu_fits.StepShares",
            f"--trainer.callbacks.steps={setup.steps}",
            f"--trainer.callbacks.profiled={setup.profiled}",
        ]
        limits = [f"--trainer.limit_{part}_batches=1" for part in ("val", "test")]
        limits += [f"--trainer.limit_train_batches={batches}", "--trainer.max_epochs=1"]
        with fitted(setup, network, full, *shares, *limits, f"--trainer.precision={precision}"):
            wall = TIMES["wall"][0]
        if not TIMES["busy"]:
            return f"{1e3 * wall:>10.2f}{'-':>10}{'-':>10}{'-':>10}"
        busy, kernels = TIMES["busy"][0], TIMES["kernels"][0]
        if not kernels:
            raise RuntimeError("the profiler saw no kernels")
        return f"{1e3 * wall:>10.2f}{1e3 * busy:>10.2f}{1 - busy / wall:>10.1%}{kernels:>10,.0f}"

    rows.write(
        f"\nSTEPS by the clock ({setup.steps}), and how long the GPU is busy in one (profiler, {setup.profiled})"
    )
    rows.write(f"{'':<44}{'step, ms':>10}{'busy, ms':>10}{'idle':>10}{'kernels':>10}")
    for precision in ("32-true", "bf16-mixed"):
        for full in (False, True):
            for network in NETWORKS:
                name = f"{network.upper()}, {'full length' if full else 'as configured'}, {precision}"
                rows.attempt(name, 8, lambda n=network, f=full, p=precision: fit(n, f, p))
