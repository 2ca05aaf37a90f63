"""Training and evaluation with ``musiclab fit`` beside the plain way of a notebook, side by side from one run.

Each way trains the same network on the same made-up folder, in batches of the same size and a process of its own:

- *plain*: ``notebook.py``: all arrays preloaded as float32 and padded to the longest, PyTorch's layers and default
  loader, Adam, a loop written by hand;
- *musiclab*: ``musiclab fit`` with the config of the network, without augmentations, and with what it does besides
  training: averages of the weights, TensorBoard. The store is built in the same process. Checkpoints and what else is
  written between epochs stand in no time, but in memory;
- *musiclab, bf16*: the same with ``--trainer.precision bf16-mixed``.

The ways take turns; of each number the median over rounds and epochs is shown. PyTorch is held to one thread and
processor seconds are counted, so that others on the same machine disturb as little as possible.

The memory of a training is measured once more on a folder of the lab's size, where a few steps suffice, and there also
*as configured*: with the config's batches of 32 excerpts of 256 frames.

Run it as ``python tests/benchmarks/bench_training.py [--quick]``.
"""

import argparse
import contextlib
import io
import logging
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from bench_loading import GENRES, MEASURES, MemorySampler, use_one_thread
from tqdm import tqdm

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
WAYS = ("plain", "musiclab", "musiclab, bf16")
CONFIGURED = ("as configured", "as configured, bf16")
EPOCHS = 2

Result = dict[str, float]


class Case(NamedTuple):
    """Made-up tracks of 128 rows: how many to train and to validate on, their shortest and longest, the batches."""

    name: str
    train: int
    held_out: int
    frames: tuple[int, int]
    batch_size: int


FULL = Case("full length", 48, 16, (1291, 1293), 16)
BEATS = Case("beat-synced", 1024, 64, (25, 130), 32)
LAB = Case("lab's size", 2075, 230, (1291, 1293), 16)

MEDIAN_BEATS, SPREAD_OF_BEATS = 56, 0.235
"""Beats in 30 s: median, and standard deviation of the logarithm, of 100 clips of GTZAN (``musiclab extract``). Among
as many tracks as the lab has, the extremes of this distribution are its shortest and longest, 25 and 130."""


def draw_lengths(case: Case, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """Return the frames of each track; one of the longest there always is."""
    tracks = case.train + case.held_out
    if case.name == BEATS.name:
        lengths = rng.lognormal(np.log(MEDIAN_BEATS), SPREAD_OF_BEATS, tracks).round().clip(*case.frames)
    else:
        lengths = rng.integers(*case.frames, size=tracks, endpoint=True)
    lengths[0] = case.frames[1]
    return lengths.astype(np.int64)


def make_folder(root: Path, case: Case) -> None:
    """Make a genre data set."""
    rng = np.random.default_rng(0)
    lengths = draw_lengths(case, rng)
    validation = set(range(case.train, case.train + case.held_out))
    numbers = {"train": range(case.train + case.held_out), "test": range(len(GENRES))}
    for part, tracks in numbers.items():
        (root / part).mkdir(parents=True)
        rows = {"train": ["Id\tGenre"], "validation": ["Id\tGenre"]}
        for number in tracks:
            frames = rng.random((128, lengths[number]), dtype=np.float32)
            np.save(root / part / f"{number}.npy", -80 * frames)
            given = "validation" if part == "train" and number in validation else "train"
            rows[given].append(f"{number}.npy\t{GENRES[number % len(GENRES)]}")
        for given, lines in rows.items():
            if len(lines) > 1:
                name = given if part == "train" else part
                (root / f"{name}_labels.txt").write_text("\n".join(lines) + "\n")
    # The notebook knows one label file and holds the last tracks out.
    lines = [(root / f"{name}_labels.txt").read_text().splitlines() for name in ("train", "validation")]
    (root / "notebook").mkdir()
    (root / "notebook" / "train").symlink_to(root / "train")
    (root / "notebook" / "train_labels.txt").write_text("\n".join(lines[0] + lines[1][1:]) + "\n")


def train(way: str, network: str, case: Case, root: Path, steps: int | None) -> Result:
    """Train one way in this process; return the medians of its times and the peaks of its memory.

    With ``steps``, one epoch ends after so many steps, and its validation too.
    """
    import notebook
    import timing

    from musiclab.cli import (
        main,
        training,  # noqa: F401  (imports are measured apart)
    )

    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    sampler = MemorySampler()
    sampler.start()
    if way == "plain":
        notebook.fit(network, root / "notebook", case.held_out, 1 if steps else EPOCHS, case.batch_size, steps)
    else:
        with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
            words = command(way, network, case, root, folder)
            if steps:
                limits = [f"--trainer.limit_{part}_batches={steps}" for part in ("train", "val", "test")]
                words += ["--trainer.max_epochs=1", *limits]
            main(words)
    times = {name: statistics.median(values) for name, values in timing.TIMES.items() if values}
    return {**times, **sampler.stop()}


def command(way: str, network: str, case: Case, root: Path, folder: str) -> list[str]:
    """Return the command line of a fit."""
    same_work = [f"--data.batch_size={case.batch_size}", "--model.augmentations=[]"]
    return [
        "fit",
        f"-c={CONFIGS / f'genre_{network}.yaml'}",
        f"--data.root={root}",
        f"--data.cache={folder}",
        f"--data.beat_synced={str(case.name == BEATS.name).lower()}",
        *([] if way in CONFIGURED else same_work),
        f"--trainer.default_root_dir={folder}",
        f"--trainer.max_epochs={EPOCHS}",
        f"--trainer.precision={'bf16-mixed' if 'bf16' in way else '32-true'}",
        "--trainer.callbacks+=timing.EpochTimer",
        "--trainer.num_sanity_val_steps=0",
        "--trainer.accelerator=cpu",
        "--trainer.enable_progress_bar=false",
        "--trainer.enable_model_summary=false",
    ]


def in_fresh_process(way: str, network: str, case: Case, root: Path, steps: int | None = None) -> Result:
    """Train one way in a process of its own."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn, initializer=use_one_thread) as process:
        return process.submit(train, way, network, case, root, steps).result()


def print_table(network: str, case: Case, results: dict[str, list[Result]]) -> None:
    """Print medians of each way, and how many times better than plain musiclab's are."""
    print(
        f"\n{network.upper()}, {case.name}: {case.train} tracks of {case.frames[0]} to {case.frames[1]} frames, "
        f"{case.held_out} to validate on, batches of {case.batch_size}"
    )
    print(f"{'':<38}" + "".join(f"{way:>16}" for way in WAYS) + f"{'float32':>9}{'bf16':>7}")
    rows = {
        "epoch of training, s": "epoch",
        "  in its steps, s": "steps",
        "evaluation, s": "evaluation",
        "growth of peak memory (RSS), MB": "peak RSS",
        "  anonymous: its own, peak, MB": MEASURES[0],
        "  file-backed: libraries, peak, MB": MEASURES[1],
    }
    for title, name in rows.items():
        if name in results[WAYS[0]][0]:
            values = [statistics.median(result[name] for result in results[way]) for way in WAYS]
            line = f"{title:<38}" + "".join(f"{value:>16,.4g}" for value in values)
            if name != MEASURES[1]:
                line += f"{values[0] / values[1]:>8.2f}x{values[0] / values[2]:>6.2f}x"
            print(line, flush=True)


def measure_memory(case: Case, root: Path, steps: int) -> None:
    """Print the peak memory of training on a folder of the lab's size, and how many times less than plain's it is."""
    make_folder(root, case)
    tracks, ways = case.train + case.held_out, (*WAYS, *CONFIGURED)
    peaks: dict[str, list[float]] = {"lstm": [], "cnn": []}
    with tqdm(total=len(ways) * len(peaks), desc="Memory", unit="run") as progress:
        for network, found in peaks.items():
            for way in ways:
                found.append(in_fresh_process(way, network, case, root, steps)["peak RSS"])
                progress.update()
    size = tracks * case.frames[1] * 128 * 4 / 2**20
    print(
        f"\nGrowth of peak memory (RSS), MB: {tracks} tracks, {size:,.0f} MB as float32, batches of {case.batch_size}"
    )
    print(" " * 6 + "".join(f"{way:>24}" for way in ways))
    for network, found in peaks.items():
        print(f"{network.upper():<6}" + "".join(f"{peak:>16,.4g}{f'{found[0] / peak:.2f}x':>8}" for peak in found))


def measure_start(case: Case, root: Path, rounds: int) -> None:
    """Print how long commands take to start, and a fit until its first step has ended."""
    print("\nStart-up, seconds of the clock (median), beside Lightning and PyTorch alone")
    python = [sys.executable, "-c"]
    with tempfile.TemporaryDirectory() as folder:
        fit = [*command("musiclab", "lstm", case, root, folder), "--trainer.callbacks+=timing.ExitAfterStep"]
        commands = {
            "import torch": [*python, "import torch"],
            "import pytorch_lightning.cli": [*python, "import pytorch_lightning.cli"],
            "musiclab fit --help": [sys.executable, "-m", "musiclab", "fit", "--help"],
            "musiclab check --help": [sys.executable, "-m", "musiclab", "check", "--help"],
            "musiclab fit, until its first step ended": [sys.executable, "-m", "musiclab", *fit],
        }
        taken: dict[str, list[float]] = {name: [] for name in commands}
        here = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
        for _ in range(rounds):
            for name, words in commands.items():
                start = time.perf_counter()
                environment = {**os.environ, "PYTHONPATH": here}
                subprocess.run(words, check=True, capture_output=True, env=environment)
                taken[name].append(time.perf_counter() - start)
        for name, seconds in taken.items():
            print(f"{name:<38}{statistics.median(seconds):>16.3g}")


def main() -> None:
    """Make the folders, let the ways take turns, print a table for each network and length."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a few short tracks, one round")
    parser.add_argument("--rounds", type=int, default=2, help="how often each way takes its turn")
    arguments = parser.parse_args()
    cases, rounds, lab = [FULL, BEATS], arguments.rounds, LAB
    if arguments.quick:
        lab = LAB._replace(train=96, held_out=16)
        cases, rounds = [FULL._replace(train=8, held_out=4, batch_size=4), BEATS._replace(train=64, held_out=16)], 1
    with tempfile.TemporaryDirectory(prefix="musiclab-bench-") as place:
        for case in cases:
            make_folder(Path(place, case.name), case)
        progress = tqdm(total=len(cases) * 2 * rounds * len(WAYS), desc="Training", unit="run")
        for case in reversed(cases):
            for network in ("lstm", "cnn"):
                results: dict[str, list[Result]] = {way: [] for way in WAYS}
                for _ in range(rounds):
                    for way in WAYS:
                        results[way].append(in_fresh_process(way, network, case, Path(place, case.name)))
                        progress.update()
                print_table(network, case, results)
        progress.close()
        measure_memory(lab, Path(place, lab.name), steps=3)
        measure_start(cases[1], Path(place, cases[1].name), 1 if arguments.quick else 3)


if __name__ == "__main__":
    main()
