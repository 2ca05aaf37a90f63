"""One of several processes that run the same command lines one after the other, started as a scheduler starts them.

``python together.py COMMANDS.json FOLDER`` leaves the metrics of each command in ``FOLDER/RANK.json``.
"""

import json
import os
import sys
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


if __name__ == "__main__":
    results = [run(arguments) for arguments in json.loads(Path(sys.argv[1]).read_text())]
    Path(sys.argv[2], f"{os.environ['NODE_RANK']}.json").write_text(json.dumps(results))
