"""A folder of arrays, and a cache for its store."""

import numpy as np
import pytest

FRAMES = {"7": 5, "30": 9, "100": 1, "41": 30}


@pytest.fixture
def own_cache(tmp_path):
    """A cache of each test's own."""
    return tmp_path / "cache"


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "genres" / "train"
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for identifier, frames in FRAMES.items():
        array = np.concatenate([rng.uniform(-80, 0, (128, frames)), rng.uniform(0, 1, (12, frames))])
        np.save(folder / f"{identifier}.fused.full.npy", array)
    return folder
