"""What every command that writes is given to work on, and places to write to."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile
from command_line import evaluate_args, fit_args, run_folder

from musiclab.cli import main

WRITING = [
    "fit",
    "validate",
    "test",
    "predict",
    "predict songs",
    "latents",
    "activations",
    "explore",
    "report",
    "extract",
    "build-genres",
    "demo-data",
    "combine",
]
"""The commands that write files, some in two ways."""


@dataclass
class World:
    """A data set of each kind, a model of each, and songs."""

    genres: Path
    emotions: Path
    genre_model: Path
    emotion_model: Path
    predictions: Path
    songs: Path

    def command(self, name: str, out: Path, cache: Path) -> list[str]:
        """Return the command line of one of WRITING that writes to ``out``, packed data to ``cache``."""
        out, songs = out / "out", str(self.songs)
        model = f"--ckpt_path={self.genre_model}"
        audio = ["--data=AudioDataModule", f"--data.paths=[{songs}]"]
        cached = [f"--data.cache={cache / 'packed'}"]
        return {
            "fit": fit_args("genre_lstm.yaml", self.genres, out, *cached),
            "validate": evaluate_args("validate", self.genre_model, out, *cached),
            "test": evaluate_args("test", self.genre_model, out, *cached),
            "predict": evaluate_args("predict", self.emotion_model, out, *cached),
            "predict songs": evaluate_args("predict", self.genre_model, out, *audio),
            "latents": ["latents", model, f"--out={out}", *cached],
            "activations": ["activations", model, f"--out={out}"],
            "explore": ["explore", str(self.genres), f"--out={out}"],
            "report": ["report", str(self.predictions.parent), f"--out={out}"],
            "extract": ["extract", songs, f"--out={out}", "--seconds=2", "--jobs=1"],
            "build-genres": ["build-genres", songs, f"--out={out}", "--test_fraction=0.5", "--seconds=2", "--jobs=1"],
            "demo-data": [
                "demo-data",
                str(out),
                "--jobs=1",
                "--genre_train=14",
                "--genre_test=3",
                "--emotion_train=3",
                "--emotion_test=3",
            ],
            "combine": ["combine", str(self.predictions), f"--out={out}", f"--solution={out / 'solution.txt'}"],
        }[name]


@pytest.fixture(scope="session")
def world(genre_root, emotion_root, tmp_path_factory):
    folder = tmp_path_factory.mktemp("world")
    main(fit_args("genre_lstm.yaml", genre_root, folder / "genre"))
    main(fit_args("emotion_multitask.yaml", emotion_root, folder / "emotion"))
    models = [run_folder(folder / kind) / "checkpoints" / "best.ckpt" for kind in ("genre", "emotion")]
    main(evaluate_args("predict", models[1], folder / "predicted"))
    rng = np.random.default_rng(0)
    for number in range(4):
        path = folder / "songs" / ("Jazz", "Rock")[number % 2] / f"song{number}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        clicks = rng.normal(0, 0.3, 44100) * np.exp(-(np.arange(44100) % 5512) / 400)
        soundfile.write(path, clicks, 22050)
    predictions = run_folder(folder / "predicted") / "predictions.csv"
    return World(genre_root, emotion_root, *models, predictions, folder / "songs")


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 30 MB, where one can be mounted."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=30m", "tmpfs", str(disk)]
    if not shutil.which("mount") or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no file system can be mounted here")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)
