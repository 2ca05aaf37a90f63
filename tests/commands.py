"""Command lines as a user types them, and what they leave behind."""

import csv
from pathlib import Path

import pytest

from musiclab.cli import main

REPOSITORY = Path(__file__).resolve().parents[1]
CONFIGS = REPOSITORY / "configs"
GENRE_CONFIGS = ["genre_cnn.yaml", "genre_lstm.yaml"]
SMALL_CNN = ["--model.backbone.init_args.channels=[8,8,16,16]"]
SMALL_LSTM = ["--model.backbone.init_args.hidden_size=16"]
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
        *(SMALL_LSTM if "lstm" in config else SMALL_CNN),
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
    errors = [line for line in captured.splitlines() if line.startswith("musiclab: error: ")]
    assert len(errors) == 1, captured
    return errors[0]
