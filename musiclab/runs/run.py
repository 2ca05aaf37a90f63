"""Runs, read back from their folders alone: no torch, no checkpoint."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from musiclab.errors import UserError
from musiclab.files import is_special
from musiclab.runs.files import (
    Best,
    Confusion,
    Record,
    check_types,
    pick,
    read_confusion,
    read_metrics,
    read_record,
    read_yaml,
)
from musiclab.runs.predictions import Predictions, read_predictions

_Content = TypeVar("_Content")


class Curve(NamedTuple):
    """A quantity over a training: epochs, counted from 1, and its value in each."""

    epochs: npt.NDArray[np.int64]
    values: npt.NDArray[np.float64]


class Evaluation(NamedTuple):
    """What a validation, test or prediction was of, and what it gave."""

    checkpoint: str | None
    tracks: int
    seconds: float
    metrics: dict[str, float]


@dataclass(frozen=True, eq=False)
class Run(Record):
    """What the folder of a run holds; what its other files say is empty where there is no such file.

    Attributes:
        folder: ``lightning_logs/version_N``, or what it was renamed to.
        reason: Why it was interrupted. This, and what follows to ``evaluations``, is from run.json, too.
        epochs: Of a training, as are ``seconds``, ``best`` and ``curves``: what was logged once an epoch, by its name.
        evaluations: What was validated, tested or predicted, by the name of the command.
        config: Of config.yaml.
        metrics: Of test_metrics.json.
        confusion: Of confusion_matrix.csv.
        predictions: Of predictions.csv.
        damaged: Each damaged file with what is wrong with it.
    """

    folder: Path
    reason: str
    epochs: int
    seconds: float | None
    best: Best | None
    curves: dict[str, Curve]
    evaluations: dict[str, Evaluation]
    config: dict[str, Any]
    metrics: dict[str, float]
    confusion: Confusion | None
    predictions: Predictions | None
    damaged: tuple[str, ...]

    @property
    def state(self) -> str:
        """In words, whether the run ended."""
        words = {"running": "running, or killed", "interrupted": f"interrupted ({self.reason})"}
        return words.get(self.status, self.status)

    @property
    def finished(self) -> bool:
        """Whether the run ended as it was meant to."""
        return self.status == "finished"

    def model(self, *keys: str) -> Any:
        """Return an argument of the task."""
        return pick(self.config, "model", "init_args", *keys)


def read_run(folder: str | Path) -> Run:
    """Read the folder of a run; of what is damaged but for run.json, no more is lost than that.

    Raises:
        UserError: If run.json is damaged.
    """
    folder = Path(folder)
    damaged: list[str] = []

    def read(name: str, parse: Callable[[Path], _Content], default: _Content) -> _Content:
        path = folder / name
        if not path.is_file():
            return default
        try:
            return parse(path)
        except (ValueError, OSError) as error:
            damaged.append(f"{name}: {str(error).removeprefix(f'{path}: ')}")
            return default

    try:
        if is_special(folder / "run.json"):  # to open a pipe would wait for ever
            raise UserError("not a regular file but a pipe, socket or device")
        record = read_record(folder / "run.json")
        facts = {name: record[name] for name in Record.__annotations__}
        best = record.get("best")
        if best is not None:
            check_types(best, Best)
        facts |= {
            "reason": record.get("reason", "unknown"),
            "epochs": record.get("epochs", 0),
            "seconds": record.get("seconds"),
            "best": None if best is None else Best(*(best[name] for name in Best._fields)),
            "curves": curves(record.get("history", [])),
            "evaluations": {
                name: evaluation(record[name]) for name in ("validate", "test", "predict") if name in record
            },
        }
    except FileNotFoundError:
        raise UserError(f"run.json: not there, so that {folder} is the folder of no run") from None
    except (ValueError, OSError, TypeError, KeyError, AttributeError) as error:
        raise UserError(f"run.json: {error}") from None
    return Run(
        folder=folder,
        **facts,
        config=read("config.yaml", read_yaml, {}),
        metrics=read("test_metrics.json", read_metrics, {}),
        confusion=read("confusion_matrix.csv", read_confusion, None),
        predictions=read("predictions.csv", read_predictions, None),
        damaged=tuple(damaged),
    )


def evaluation(found: Mapping[str, Any]) -> Evaluation:
    """Return what a run.json says of a validation, test or prediction."""
    given = found.get("metrics")
    if not isinstance(given, dict):
        raise UserError(f"metrics are {given!r}, which no run.json of this version has")
    metrics = {name: float(value) for name, value in given.items()}
    check_types({**found, "metrics": metrics}, Evaluation)
    return Evaluation(found["checkpoint"], found["tracks"], found["seconds"], metrics)


def curves(history: Sequence[Mapping[str, Any]]) -> dict[str, Curve]:
    """Return the curve of each quantity of the history in a run.json."""
    names = dict.fromkeys(name for row in history for name in row if name != "epoch")
    rows = {name: [(row["epoch"], float(row[name])) for row in history if name in row] for name in names}
    return {name: Curve(*map(np.array, zip(*points, strict=True))) for name, points in rows.items()}
