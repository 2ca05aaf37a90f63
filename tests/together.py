"""What one of several processes does that run the same command lines one after the other, as a scheduler has them."""

import json
import os
from pathlib import Path

from musiclab.cli.dispatch import run_training


def metrics_of(arguments: list[str]) -> dict[str, float]:
    metrics = run_training(arguments).trainer.callback_metrics
    return {name: float(value) for name, value in metrics.items()}


def run(arguments: list[str]) -> dict[str, float] | int:
    """Return what a command line measures, or its exit code if that is not 0."""
    try:
        return metrics_of(arguments)
    except SystemExit as end:
        return end.code


def run_all(commands: list[list[str]], folder: Path) -> None:
    """Leave the metrics of each command in ``FOLDER/RANK.json``."""
    results = [run(arguments) for arguments in commands]
    Path(folder, f"{os.environ['NODE_RANK']}.json").write_text(json.dumps(results))
