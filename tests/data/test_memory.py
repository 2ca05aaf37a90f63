"""Data sets larger than the memory that a process may have."""

import subprocess
import sys

import pytest
from conftest import make_genre_folder

TRACKS, FRAMES = 60, 4000  # of 128 features: 123 MB as float32, 67 MB as float16

LIMITED = """
import resource, sys
from pathlib import Path
import numpy as np, torch
import sklearn.model_selection
from musiclab.data.datamodules import GenreDataModule

torch.set_num_threads(1)
way, root, cache = sys.argv[1:]
fields = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
now = int(fields["VmData"].split()[0]) * 1024
resource.setrlimit(resource.RLIMIT_DATA, (now + 60_000_000,) * 2)
if way == "store":
    module = GenreDataModule(root=root, cache=cache, batch_size=2)
    module.setup("fit")
    for epoch in range(2):
        print(sum(len(batch.ids) for batch in module.train_dataloader()))
else:
    try:
        arrays = [np.load(path)[:128].astype(np.float32) for path in Path(root, "train").iterdir()]
    except MemoryError:
        print("MemoryError")
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits of memory are Linux's")
def test_a_data_set_larger_than_the_memory_is_packed_and_loaded(tmp_path):
    """Private memory is limited to 60 MB more than the imports take: half the data set as float32."""
    root = make_genre_folder(tmp_path / "genres", TRACKS, 3, frames=(FRAMES, FRAMES + 1))

    def run(way):
        command = [sys.executable, "-c", LIMITED, way, str(root), str(tmp_path / "cache")]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout.split()[-2:]

    assert run("preload") == ["MemoryError"]
    assert run("store") == ["54", "54"]  # a tenth is held out
