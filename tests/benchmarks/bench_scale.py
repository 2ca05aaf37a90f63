"""Many tracks: building the store, opening it and an epoch of loading, and how they grow with the number of tracks.

Made-up short arrays (128 rows, 26 beats, float16) with a genre each, loaded as ``musiclab fit`` does for
beat-synchronised data, in batches of 32 by length. Each size has processes of its own: one builds the store, a later
one opens it and loads an epoch. Files have just been written, so they are read from the page cache.
Times are processor seconds on one thread, those of an epoch the median of three.

Run it as ``python tests/benchmarks/bench_scale.py [--quick]``.
"""

import argparse
import logging
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from bench_loading import GENRES, MEASURES, MemorySampler, Result, use_one_thread
from tqdm import tqdm

FRAMES = 26
TRACKS = (12_500, 25_000, 50_000, 100_000)


def make_folder(root: Path, tracks: int) -> None:
    """Make a genre data set, the test part as small as can be; 64 different arrays take turns."""
    rng = np.random.default_rng(0)
    arrays = rng.uniform(-80, 0, (64, 128, FRAMES)).astype(np.float16)
    for part, count in (("train", tracks), ("test", len(GENRES))):
        (root / part).mkdir(parents=True)
        for number in tqdm(range(count), desc=f"Making {part}", unit="track", delay=1):
            np.save(root / part / f"{number}.npy", arrays[number % len(arrays)])
        lines = [f"{number}.npy\t{GENRES[number % len(GENRES)]}" for number in range(count)]
        (root / f"{part}_labels.txt").write_text("\n".join(["Id\tGenre", *lines]) + "\n")


def build(root: Path, cache: Path) -> Result:
    """Build the store of ``train/``."""
    from musiclab.data.packing import open_store

    sampler = MemorySampler()
    sampler.start()
    start = time.process_time()
    open_store(root / "train", cache=cache)
    return {"build": time.process_time() - start, **sampler.stop()}


def load(root: Path, cache: Path) -> Result:
    """Prepare the datamodule with a store that is there, then load an epoch."""
    from musiclab.data.datamodules import GenreDataModule

    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    import sklearn.model_selection  # noqa: F401  (imports are no part of what is measured)

    sampler = MemorySampler()
    sampler.start()
    start = time.process_time()
    module = GenreDataModule(root=root, cache=cache, beat_synced=True)
    module.setup("fit")
    prepared = time.process_time()
    epochs = []
    for _ in range(3):
        begin = time.process_time()
        seen = sum(len(batch.ids) for batch in module.train_dataloader())
        epochs.append(time.process_time() - begin)
        assert seen == len(module.train_targets())
    return {"open": prepared - start, "epoch": statistics.median(epochs), **sampler.stop()}


def measure(way: Callable[[Path, Path], Result], root: Path, cache: Path) -> Result:
    """Run one way in a fresh process."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn, initializer=use_one_thread) as process:
        return process.submit(way, root, cache).result()


def main() -> None:
    """Measure each size and print a line of it, then the growth."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="1 000 and 2 000 tracks")
    sizes = (1_000, 2_000) if parser.parse_args().quick else TRACKS
    columns = ("build, s", "anon, MB", "file, MB", "open, s", "epoch, s", "anon, MB", "file, MB")
    rows: list[list[float]] = []
    for tracks in sizes:
        with tempfile.TemporaryDirectory(prefix="musiclab-bench-") as folder:
            root, cache = Path(folder) / "beats", Path(folder) / "cache"
            make_folder(root, tracks)
            built = measure(build, root, cache)
            loaded = measure(load, root, cache)
        kinds = [MEASURES[0], MEASURES[1]]
        rows.append([built[name] for name in ("build", *kinds)] + [loaded[name] for name in ("open", "epoch", *kinds)])
        if len(rows) == 1:
            print(f"\n{'':<12}{'building the store':^30}{'a later run':^40}")
            print(f"{'tracks':>12}" + "".join(f"{name:>10}" for name in columns))
        print(f"{tracks:>12,}" + "".join(f"{value:>10.3g}" for value in rows[-1]), flush=True)
    times = sizes[-1] / sizes[0]
    print(
        f"{f'x{times:.0f} tracks':>12}"
        + "".join(f"{f'x{b / a:.1f}':>10}" for a, b in zip(rows[0], rows[-1], strict=True))
    )
    extra = 1e6 / (sizes[-1] - sizes[0])
    print(
        f"Anonymous memory a track more: {(rows[-1][1] - rows[0][1]) * extra:.0f} bytes to build, "
        f"{(rows[-1][5] - rows[0][5]) * extra:.0f} bytes to load; peaks of growth in each process, imports apart"
    )


if __name__ == "__main__":
    main()
