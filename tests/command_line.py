"""Command lines as a user types them, and what they leave behind."""

import csv
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from musiclab.cli import main

TIMEOUT = 240
"""Seconds that processes have, on a busy machine."""

REPOSITORY = Path(__file__).resolve().parents[1]
CONFIGS = REPOSITORY / "configs"
GENRE_CONFIGS = ["genre_cnn.yaml", "genre_lstm.yaml"]
PUBLISHED_CONFIGS = ["published/genre_cnn.yaml", "published/genre_lstm.yaml"]
MORE_GENRE_CONFIGS = ["genre_crnn.yaml", *(["genre_ast.yaml"] if find_spec("transformers") else [])]
SMALL_CNN = ["--model.backbone.init_args.channels=[8,8,16,16]"]
SMALL_LSTM = ["--model.backbone.init_args.hidden_size=16"]
SMALL_AST = [*SMALL_LSTM, "--model.backbone.init_args.num_heads=2", "--model.backbone.init_args.num_layers=1"]
SMALL = {"probe": [], "lstm": SMALL_LSTM, "ast": SMALL_AST}
"""What makes the networks of configs small, by a word in their names; of all others, ``SMALL_CNN``."""
TRAINER = [
    "--trainer.accelerator=cpu",
    "--trainer.enable_progress_bar=false",
    "--trainer.enable_model_summary=false",
]


def fit_args(config: str, root: Path, folder: Path, *more: str, epochs: int = 1) -> list[str]:
    return [
        "fit",
        f"-c={CONFIGS / config}",
        f"--data.root={root}",
        "--data.batch_size=8",
        f"--trainer.max_epochs={epochs}",
        f"--trainer.default_root_dir={folder}",
        *TRAINER,
        *next((options for word, options in SMALL.items() if word in config), SMALL_CNN),
        *more,
    ]


def evaluate_args(command: str, checkpoint: Path, folder: Path, *more: str) -> list[str]:
    return [command, f"--ckpt_path={checkpoint}", f"--trainer.default_root_dir={folder}", *TRAINER, *more]


def run_folder(folder: Path, version: int = 0) -> Path:
    return folder / "lightning_logs" / f"version_{version}"


def read_rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def error_of(capfd: pytest.CaptureFixture[str], args: list[str], code: int = 1) -> str:
    """Run a command that must fail, and return its error: one line, no traceback."""
    with pytest.raises(SystemExit) as exit_info:
        main(args)
    assert exit_info.value.code == code
    captured = capfd.readouterr().err
    assert "Traceback" not in captured
    errors = errors_in(captured)
    assert len(errors) == 1, captured
    return errors[0]


def errors_in(output: str) -> list[str]:
    return [line for line in output.splitlines() if line.startswith("musiclab: error: ")]


def parallel(processes: int) -> list[str]:
    return ["--trainer.strategy=ddp", f"--trainer.devices={processes}"]


def environment(**more: str) -> dict[str, str]:
    paths = [str(REPOSITORY), str(REPOSITORY / "tests")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1", **more}


def musiclab(args: list[str], **more: str) -> subprocess.CompletedProcess[str]:
    """Run a command as a user does; it returns once all processes that it started have closed their output."""
    command = [sys.executable, "-m", "musiclab", *args]
    return subprocess.run(
        command, env=environment(**more), capture_output=True, text=True, check=False, timeout=TIMEOUT
    )
