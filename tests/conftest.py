"""Small data sets made on the spot, laid out as the lab's."""

import os
import signal
from collections.abc import Sequence
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"  # before torch: runs here and in other processes are compared bit for bit

import numpy as np
import pytest

signal.signal(signal.SIGINT, signal.default_int_handler)  # which shells have their background jobs ignore

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"

GENRES = ["Blues", "Jazz", "Rock"]


def make_array(genre: int, rng: np.random.Generator, frames: int, rows: int = 140) -> np.ndarray:
    """A track whose genre can be told: each genre is loud in bands and pitch classes of its own."""
    mel = rng.uniform(-70, -40, (128, frames))
    mel[genre * 30 : genre * 30 + 30] += 25
    mel -= mel.max()
    chroma = rng.uniform(0, 0.3, (12, frames))
    chroma[genre * 3 : genre * 3 + 3] += 0.6
    return np.concatenate([np.maximum(mel, -80), chroma])[:rows].astype(np.float32)


def make_genre_folder(
    root: Path, train: int = 36, test: int = 9, rows: int = 140, frames: tuple[int, int] = (20, 40), seed: int = 0
) -> Path:
    """A genre data set of easy tracks; ids count from 100."""
    rng = np.random.default_rng(seed)
    number = 100
    for part, count in (("train", train), ("test", test)):
        (root / part).mkdir(parents=True)
        lines = ["Id\tGenre"]
        for index in range(count):
            genre = index % len(GENRES)
            array = make_array(genre, rng, int(rng.integers(*frames)), rows)
            np.save(root / part / f"{number}.fused.full.npy", array)
            lines.append(f"{number}.fused.full.npy.gz\t{GENRES[genre]}")
            number += 1
        (root / f"{part}_labels.txt").write_text("\n".join(lines) + "\n")
    return root


def make_emotion_folder(
    root: Path,
    train: int = 40,
    test: int = 8,
    rows: int = 140,
    frames: tuple[int, int] = (20, 40),
    seed: int = 0,
    axes: Sequence[str] = ("valence", "energy", "danceability"),
) -> Path:
    """An emotion data set of easy tracks on up to six axes; ids count from 100, test tracks have no labels.

    Each axis has bands and pitch classes of its own, which are the louder, the greater its value.
    """
    rng = np.random.default_rng(seed)
    lines = [",".join(["Id", *axes])]
    for part, numbers in (("train", range(100, 100 + train)), ("test", range(100 + train, 100 + train + test))):
        (root / part).mkdir(parents=True)
        for number in numbers:
            values = rng.uniform(size=len(axes)).round(3)
            array = rng.uniform(0, 0.2, (140, int(rng.integers(*frames))))
            array[:128] = -70 + 100 * array[:128]
            array[127] = 0  # the loudest band of all tracks
            for axis, value in enumerate(values):
                array[20 * axis : 20 * axis + 20] += 40 * value
                array[128 + 2 * axis : 130 + 2 * axis] += 0.8 * value
            np.save(root / part / f"{number}.fused.full.npy", array[:rows].astype(np.float32))
            if part == "train":
                lines.append(",".join([str(number), *(f"{value:.3f}" for value in values)]))
    (root / "train_labels.txt").write_text("\n".join(lines) + "\n")
    return root


def make_tag_folder(
    root: Path, train: int = 40, test: int = 8, seed: int = 0, tags: Sequence[str] = ("rock", "female vocalists", "80s")
) -> Path:
    """A data set of easy tracks with up to six tags: those of the axes of an emotion data set that are above a half."""
    make_emotion_folder(root, train, test, rows=128, seed=seed, axes=tags)
    header, *lines = (root / "train_labels.txt").read_text().splitlines()
    rows = [[int(float(value) > 0.5) for value in line.split(",")[1:]] for line in lines]
    lines = [",".join(map(str, [line.split(",")[0], *row])) for line, row in zip(lines, rows, strict=True)]
    (root / "train_labels.txt").write_text("\n".join([header, *lines]) + "\n")
    return root


def give_validation(root: Path, count: int) -> Path:
    """Have the last tracks of ``train_labels.txt`` stand in ``validation_labels.txt`` instead."""
    _move_labels(root, "validation", count)
    return root


def give_test(root: Path, count: int) -> Path:
    """Have the last tracks of an emotion data set stand in ``test_labels.txt``, and their arrays in ``test/``."""
    for line in _move_labels(root, "test", count):
        name = f"{line.split(',')[0]}.fused.full.npy"
        (root / "train" / name).rename(root / "test" / name)
    return root


def _move_labels(root: Path, part: str, count: int) -> list[str]:
    header, *lines = (root / "train_labels.txt").read_text().splitlines()
    for name, rows in (("train", lines[:-count]), (part, lines[-count:])):
        (root / f"{name}_labels.txt").write_text("\n".join([header, *rows]) + "\n")
    return lines[-count:]


@pytest.fixture(scope="session")
def genre_root(tmp_path_factory):
    """A genre data set that tests only read."""
    return make_genre_folder(tmp_path_factory.mktemp("data") / "genres")


@pytest.fixture(scope="session")
def emotion_root(tmp_path_factory):
    """An emotion data set that tests only read."""
    return make_emotion_folder(tmp_path_factory.mktemp("data") / "emotions")


@pytest.fixture(scope="session")
def tag_root(tmp_path_factory):
    """A data set of tags that tests only read."""
    return make_tag_folder(tmp_path_factory.mktemp("data") / "tags")


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory):
    """Keep the caches of a test run to itself."""
    folder = tmp_path_factory.mktemp("cache")
    os.environ["MUSICLAB_CACHE"] = str(folder)
    return folder
