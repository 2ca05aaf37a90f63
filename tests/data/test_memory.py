"""A data set larger than the memory that a process may have."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import environment, fit_args, read_rows, run_folder
from conftest import make_genre_folder

TIMES, FRAMES = 60, 1293  # 720 tracks of 128 features: 477 MB as float32, 238 MB as float16

LIMITED = """
import resource, sys
from pathlib import Path
import numpy as np, torch
import matplotlib.pyplot, PIL.Image, sklearn.metrics, sklearn.model_selection, torch.utils.tensorboard
import musiclab.cli.training
from musiclab.cli import main

torch.set_num_threads(1)
root, *arguments = sys.argv[1:]
fields = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
limit = int(fields["VmSize"].split()[0]) * 1024 + 190_000_000
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
try:
    arrays = [np.load(path)[:128].astype(np.float32) for path in Path(root, "train").iterdir()]
except MemoryError:
    print("MemoryError", flush=True)
main(arguments)
"""


def repeat_tracks(root: Path, times: int) -> None:
    """Have every track of ``train/`` stand there so many times, by links."""
    header, *lines = (root / "train_labels.txt").read_text().splitlines()
    for line in lines:
        name = line.split("\t")[0].removesuffix(".gz")
        for number in range(1, times):
            (root / "train" / f"{number}{name}").hardlink_to(root / "train" / name)
    more = [f"{number}{line}" for line in lines for number in range(1, times)]
    (root / "train_labels.txt").write_text("\n".join([header, *lines, *more]) + "\n")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits of memory are Linux's")
def test_a_data_set_larger_than_the_memory_is_packed_and_trained_on(tmp_path):
    """The whole address space is limited to 190 MB more than the imports take, files that are mapped included."""
    root = make_genre_folder(tmp_path / "genres", 12, 3, frames=(FRAMES, FRAMES + 1), rows=128)
    repeat_tracks(root, TIMES)
    more = [f"--data.cache={tmp_path / 'cache'}", "--data.batch_size=4", "--trainer.log_every_n_steps=200"]
    arguments = fit_args("genre_cnn.yaml", root, tmp_path, *more)
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(root), *arguments],
        env=environment(MALLOC_ARENA_MAX="1"),  # else each thread reserves 64 MB of address space
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "MemoryError" in done.stdout  # the plain way
    assert "max_epochs=1` reached" in done.stderr
    assert json.loads((run_folder(tmp_path) / "run.json").read_text())["tracks"]["train"] == 648
    assert len(read_rows(run_folder(tmp_path) / "predictions.csv")) == 3
