"""The parts of ``bench_gpu.py``; each runs in a process of its own."""

import contextlib
import copy
import gc
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import bench_soft_rank
import bench_steps
import bench_training
import notebook
import torch
import torch.nn.functional as F
from bench_pooled_norm import leave_to_autograd
from bench_training import Case, command
from pytorch_lightning import Callback
from timing import TIMES
from torch import Tensor, nn

from musiclab.cli import main
from musiclab.data.datamodules import GenreDataModule
from musiclab.losses import soft_rank
from musiclab.models import CNN
from musiclab.models.cnn import Block, find_padding

NETWORKS = ("lstm", "cnn")
REPOSITORY = Path(__file__).resolve().parents[2]
LONG_ENOUGH = 20
"""Seconds after which a fit ends, once it has a measured epoch."""


class Setup(NamedTuple):
    """How large everything is, and where."""

    place: Path
    device: str = "cuda"
    case: Case = Case("lab's size", 2075, 230, (1293, 1293), 32)
    sizes: tuple[int, ...] = bench_soft_rank.SIZES
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
        finally:
            gc.collect()
            torch.cuda.empty_cache()

    def close(self) -> None:
        if self.left:
            self.write(f"left out for want of time: {'; '.join(self.left)}")


def peak() -> str:
    return f"{torch.cuda.max_memory_allocated() / 1e6:,.0f}" if torch.cuda.is_available() else "-"


def run_tests(setup: Setup, rows: Rows) -> None:
    """Those that need CUDA, of all files that have such."""
    tests = REPOSITORY / "tests"
    files = [path for path in sorted(tests.rglob("test_*.py")) if "cuda.is_available" in path.read_text()]
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
    rows.write("\n".join([f"\nCUDA TESTS ({', '.join(path.name for path in files)})", *summary, lines[-1]]))


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


def clock() -> float:
    """Return seconds of the clock, once the GPU has done what it was asked."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


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
        with fitted(setup, network, full, "--trainer.callbacks+=gpu_parts.DeviceTimer", *more):
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
        "": 9,
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
            "--trainer.callbacks+=gpu_parts.StepShares",
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


class PlainBlock(nn.Module):
    """PyTorch's layers one after the other, as a block of the CNN.

    Padding counts in the statistics, but is zero before pooling and convolution: no maximum and no neighbour sees it.
    """

    def __init__(self, block: Block) -> None:
        super().__init__()
        self.convolution, self.pool_size = block.convolution, block.pool_size
        self.norm = nn.BatchNorm2d(block.convolution.out_channels).to(block.convolution.weight.device)

    def forward(self, images: Tensor, lengths: Tensor, padding: Tensor | None) -> tuple[Tensor, Tensor, Tensor | None]:
        maps = self.norm(self.convolution(images))
        if padding is not None:
            maps.permute(0, 2, 3, 1)[tuple(padding)] = 0.0
        pooled = F.max_pool2d(F.relu_(maps), self.pool_size, ceil_mode=True)
        lengths = -(-lengths // self.pool_size)
        return pooled, lengths, None if padding is None else find_padding(lengths, pooled.shape[2], maps.device)


def use_plain_layers(backbone: CNN) -> CNN:
    backbone.blocks = nn.ModuleList(PlainBlock(block) for block in backbone.blocks)
    return backbone


NORMS: dict[str, Callable[[Any], nn.Module]] = {
    "PooledBatchNorm2d": lambda backbone: backbone,
    "pool, then normalise; autograd": leave_to_autograd,
    "BatchNorm2d, ReLU, MaxPool2d": use_plain_layers,
}


def time_norms(setup: Setup, rows: Rows) -> None:
    """The CNN's forward and backward passes with three kinds of batch norm."""
    bench_steps.DEVICE = torch.device(setup.device)
    batch, frames = setup.case.batch_size, setup.case.frames[1]
    torch.manual_seed(0)
    backbone, head = bench_steps.make_network("cnn")
    spectrograms = torch.randn(batch, frames, bench_steps.ROWS, device=setup.device)
    targets = torch.arange(batch, device=setup.device) % bench_steps.GENRES

    def row(way: str, lengths: Tensor, precision: torch.dtype) -> str:
        network = NORMS[way](copy.deepcopy(backbone))
        taken, losses = [], []
        for step in range(3 + setup.steps):
            if step == 3 and setup.device == "cuda":
                torch.cuda.reset_peak_memory_stats()
            torch.manual_seed(step)
            begun = clock()
            with torch.autocast(setup.device, torch.bfloat16, enabled=precision == torch.bfloat16):
                loss = F.cross_entropy(head(network(spectrograms, lengths)), targets)
            loss.backward()
            taken.append(1e3 * (clock() - begun))
            losses.append(loss.item())
            network.zero_grad()
        return f"{statistics.median(taken[3:]):>12.2f}{peak():>10}{losses[0]:>10.4f}"

    ragged = torch.linspace(frames // 2, frames, batch).long()
    shapes = f"{batch} x {frames} frames; ragged: from {frames // 2}"
    rows.write(f"\nBATCH NORMS: forward and backward passes of the CNN, {shapes}")
    rows.write("(BatchNorm2d counts padding in its statistics; the others do not)")
    rows.write(f"{'':<44}{'step, ms':>12}{'peak MB':>10}{'loss':>10}")
    for precision in (torch.float32, torch.bfloat16):
        for shape, lengths in (("full", torch.full_like(ragged, frames)), ("ragged", ragged)):
            for way in NORMS:
                name = f"{way}, {shape}{', bf16' if precision == torch.bfloat16 else ''}"
                there = lengths.to(setup.device)
                rows.attempt(name, 3, lambda w=way, t=there, p=precision: row(w, t, p))


PARTS: dict[str, Callable[[Setup, Rows], None]] = {
    "tests": run_tests,
    "data": make_data,
    "configured": time_configured,
    "share": share_steps,
    "ranks": time_ranks,
    "norms": time_norms,
    "full": time_full,
    "notebook": time_notebook,
}
