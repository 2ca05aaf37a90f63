"""Loading full-length spectrograms: the packed store beside preloading every file, side by side from one run.

Each way has a process of its own and loads epochs of mel features in batches of 32:

- *store, first run*: ``GenreDataModule`` on a folder that it has not seen, so preparation builds the store;
- *store, later run*: the same again, so preparation only opens the store that is there;
- *preloaded*: a dataset that reads every ``.npy`` into RAM as float32 and pads to the longest, with PyTorch's
  default loader.

PyTorch is held to one thread: stacking a batch is bound by memory, and on processors that others use too, its
threads wait for each other so long (up to 100 times the work) that nothing else would be measured. Times are processor
seconds, for the same reason: nothing waits for a disk, since the files have just been written.

Run it as ``python tests/benchmarks/bench_loading.py [--quick]``.
"""

import argparse
import math
import multiprocessing
import resource
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

ROWS, FRAMES, MELS = 140, 1293, 128
BATCH_SIZE = 32
EPOCHS = 2
GENRES = ("Blues", "Jazz", "Rock")
STATUS = Path("/proc/self/status")
MEASURES = ("RssAnon", "RssFile")

Result = dict[str, float]


class MemorySampler:
    """Peaks of this process's memory by kind, in MB of growth since :meth:`start`.

    The peak of the whole is the kernel's own; those of its kinds are sampled every 2 ms, where ``/proc`` is.
    """

    def start(self) -> None:
        """Take what is in use now for zero, and sample from now on."""
        self._first_peak = peak_memory()
        self._first = self._peaks = memory_by_kind()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._thread.start()

    def stop(self) -> Result:
        """Stop sampling and return the growth of each peak."""
        self._stopped.set()
        self._thread.join()
        growth = {kind: self._peaks[kind] - self._first[kind] for kind in self._first}
        return {"peak RSS": peak_memory() - self._first_peak, **growth}

    def _sample(self) -> None:
        while not self._stopped.wait(0.002):
            now = memory_by_kind()
            self._peaks = {kind: max(now[kind], self._peaks[kind]) for kind in now}


def peak_memory() -> float:
    """Return this process's peak resident memory in MB (Linux counts in KiB)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


def memory_by_kind() -> Result:
    """Return this process's anonymous and file-backed resident memory in MB; nothing without ``/proc``."""
    if not STATUS.exists():
        return {}
    fields = dict(line.split(":", 1) for line in STATUS.read_text().splitlines())
    return {kind: int(fields[kind].split()[0]) * 1024 / 1e6 for kind in MEASURES}


def make_folder(root: Path, tracks: int) -> None:
    """Make a genre data set of float64 ``(140, 1291..1293)`` arrays, the test part as small as can be."""
    rng = np.random.default_rng(0)
    for part, count in (("train", tracks), ("test", len(GENRES))):
        (root / part).mkdir(parents=True)
        lines = ["Id\tGenre"]
        for number in tqdm(range(count), desc=f"Making {part}", unit="track"):
            frames = FRAMES - number % 3
            array = np.concatenate([rng.uniform(-80, 0, (MELS, frames)), rng.uniform(0, 1, (ROWS - MELS, frames))])
            np.save(root / part / f"{number}.fused.full.npy", array)
            lines.append(f"{number}.fused.full.npy.gz\t{GENRES[number % len(GENRES)]}")
        (root / f"{part}_labels.txt").write_text("\n".join(lines) + "\n")


def time_epochs(make_loader: Callable[[], Any], tracks: int) -> Result:
    """Go through the loader's batches and return tracks a processor second of each epoch."""
    speeds = {}
    for epoch in range(EPOCHS):
        start = time.process_time()
        seen = sum(len(batch[0]) for batch in make_loader())
        assert seen == tracks
        speeds[f"epoch {epoch + 1}"] = tracks / (time.process_time() - start)
    return speeds


def load_from_store(root: Path, cache: Path) -> Result:
    """Load the training part through GenreDataModule."""
    import logging

    from musiclab.data.datamodules import GenreDataModule
    from musiclab.runs.allocator import keep_freed_memory

    keep_freed_memory()  # as ``musiclab fit`` does
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    import sklearn.model_selection  # noqa: F401  (imports are no part of what is measured)

    sampler = MemorySampler()
    sampler.start()
    start = time.process_time()
    module = GenreDataModule(root=root, batch_size=BATCH_SIZE, cache=cache)
    module.setup("fit")
    preparation = time.process_time() - start
    tracks = len(module.train_targets())
    speeds = time_epochs(module.train_dataloader, tracks)
    return {"tracks": tracks, "preparation": preparation, **speeds, **sampler.stop()}


def load_preloaded(root: Path, cache: Path) -> Result:
    """Preload every file of train/, then load the same training part through PyTorch's default loader."""
    import torch
    from torch.utils.data import DataLoader, Dataset, Subset

    from musiclab.data.datamodules import GenreDataModule

    class Preloaded(Dataset[tuple[torch.Tensor, int]]):
        def __init__(self, files: list[Path]) -> None:
            # Contiguous frames and one file at a time: as fast and as small as preloading can be.
            self.arrays = [np.ascontiguousarray(np.load(file)[:MELS].T, np.float32) for file in files]
            self.lengths = [len(array) for array in self.arrays]
            longest = max(self.lengths)
            for index, array in enumerate(self.arrays):
                self.arrays[index] = np.pad(array, ((0, longest - len(array)), (0, 0)))

        def __len__(self) -> int:
            return len(self.arrays)

        def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
            return torch.from_numpy(self.arrays[index]), self.lengths[index]

    # As many tracks are held out as by the other way, which reads them when it prepares too.
    part = GenreDataModule(root=root, cache=cache)
    held_out = math.ceil(part.draw.val_fraction * len(part.parts.labelled("train").ids))
    sampler = MemorySampler()
    sampler.start()
    start = time.process_time()
    dataset = Preloaded(sorted((root / "train").iterdir()))
    preparation = time.process_time() - start
    chosen = Subset(dataset, range(len(dataset) - held_out))
    speeds = time_epochs(lambda: DataLoader(chosen, batch_size=BATCH_SIZE, shuffle=True), len(chosen))
    return {"tracks": len(chosen), "preparation": preparation, **speeds, **sampler.stop()}


def use_one_thread() -> None:
    """Hold PyTorch to one thread in this process."""
    import torch

    torch.set_num_threads(1)


def measure(way: Callable[[Path, Path], Result], root: Path, cache: Path) -> Result:
    """Run one way in a fresh process."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn, initializer=use_one_thread) as process:
        return process.submit(way, root, cache).result()


def first_epoch_seconds(result: Result) -> float:
    """Return how long it takes until the first epoch is over, preparation included."""
    return result["preparation"] + result["tracks"] / result["epoch 1"]


def print_table(first: Result, later: Result, preloaded: Result) -> None:
    """Print what was measured, and how many times better the store does than preloading."""
    rows: list[tuple[str, Callable[[Result], float], bool]] = [
        ("preparation, s", lambda result: result["preparation"], False),
        ("first epoch, tracks/s", lambda result: result["epoch 1"], True),
        ("second epoch, tracks/s", lambda result: result["epoch 2"], True),
        ("preparation and first epoch, s", first_epoch_seconds, False),
        ("growth of peak memory (RSS), MB", lambda result: result["peak RSS"], False),
    ]
    if MEASURES[0] in first:
        rows += [
            ("  anonymous: its own, peak, MB", lambda result: result["RssAnon"], False),
            ("  file-backed: libraries, peak, MB", lambda result: result["RssFile"], False),
        ]
    header = f"{'':<34}{'store, first run':>18}{'store, later run':>18}{'preloaded':>12}{'first':>9}{'later':>9}"
    print(header)
    for name, value, more_is_better in rows:
        values = [value(result) for result in (first, later, preloaded)]
        shown = [f"{number:,.0f}" if number >= 100 else f"{number:.3g}" for number in values]
        cells = f"{shown[0]:>18}{shown[1]:>18}{shown[2]:>12}"
        for own in values[:2]:
            better, worse = (own, values[2]) if more_is_better else (values[2], own)
            cells += f"{better / worse:>8.1f}x"
        print(f"{name:<34}{cells}")
    print(
        "The last two columns: how many times better the store is than preloading (below 1: worse).\n"
        "RSS is what a process has in memory: what is its own (anonymous), and pages of files that it maps, such as\n"
        "those of libraries. The store is read, not mapped. Peaks of the kinds need not fall together. The files had\n"
        "just been written: both ways read them from the page cache, which is no process's own and is not counted."
    )


def main() -> None:
    """Make the folder, measure each way, print the table, clean up."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="60 tracks instead of 400")
    parser.add_argument("--tracks", type=int, default=400, help="how many tracks, such as the lab's 2305 (3.3 GB)")
    arguments = parser.parse_args()
    tracks = 60 if arguments.quick else arguments.tracks
    with tempfile.TemporaryDirectory(prefix="musiclab-bench-") as folder:
        root, cache = Path(folder) / "genres", Path(folder) / "cache"
        make_folder(root, tracks)
        first = measure(load_from_store, root, cache)
        later = measure(load_from_store, root, cache)
        preloaded = measure(load_preloaded, root, cache)
        source, store = (sum(path.stat().st_size for path in place.rglob("*")) / 1e6 for place in (root, cache))
    assert first["tracks"] == later["tracks"] == preloaded["tracks"]
    print(
        f"\n{tracks} tracks of {FRAMES} frames, {ROWS} rows, float64: {source:.0f} MB; "
        f"the store, float16: {store:.0f} MB\n"
        f"Epochs of {first['tracks']:.0f} tracks, mel, batches of {BATCH_SIZE}, one thread, processor seconds\n"
    )
    print_table(first, later, preloaded)


if __name__ == "__main__":
    main()
