"""Runs, read back from their folders alone."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np

from musiclab.commands.report.events import EVENT_FILES, Curve, curves, fit_seconds, read_events
from musiclab.runs.files import (
    Best,
    Confusion,
    Predictions,
    class_name,
    pick,
    read_confusion,
    read_metrics,
    read_predictions,
    read_record,
    read_yaml,
)

Kind = Literal["genre", "emotion"]
Command = Literal["fit", "test", "predict", "validate"]

_Content = TypeVar("_Content")


@dataclass(frozen=True, eq=False)
class Run:
    """What the folder of a run holds; empty where there is no such file, or it is damaged.

    Attributes:
        folder: ``lightning_logs/version_N``, or what it was renamed to.
        config: Of config.yaml; ``hparams`` likewise.
        record: Of run.json, which runs of earlier versions lack.
        metrics: Of test_metrics.json.
        confusion: Of confusion_matrix.csv.
        predictions: Of predictions.csv.
        curves: What was logged once an epoch, by its name.
        logged_seconds: From the first event to the last of the training.
        has_checkpoints: Whether there is a folder of checkpoints.
        damaged: Each damaged file with what is wrong with it.
    """

    folder: Path
    config: dict[str, Any]
    hparams: dict[str, Any]
    record: dict[str, Any]
    metrics: dict[str, float]
    confusion: Confusion | None
    predictions: Predictions | None
    curves: dict[str, Curve]
    logged_seconds: float | None
    has_checkpoints: bool
    damaged: tuple[str, ...]

    @property
    def command(self) -> Command | None:
        """The command that made the folder, as far as can be told."""
        if self.record or self.has_checkpoints or any(name.startswith("train_") for name in self.curves):
            return "fit"
        if self.metrics:
            return "test"
        if self.predictions is not None:
            return "predict"
        return "validate" if self.curves else None

    @property
    def task(self) -> str | None:
        """Class of the task."""
        return self.record.get("task") or class_name(pick(self.config, "model", "class_path"))

    @property
    def backbone(self) -> str | None:
        """Class of the backbone."""
        return self.record.get("backbone") or class_name(self.model("backbone", "class_path"))

    @property
    def features(self) -> str | None:
        """Name of the features."""
        return self.record.get("features") or self.data("features") or self.hparams.get("features")

    @property
    def beat_synced(self) -> bool:
        """Whether a frame is a beat."""
        return bool(self.record.get("beat_synced") or self.data("beat_synced") or self.hparams.get("beat_synced"))

    @property
    def target_names(self) -> list[str]:
        """Genres or axes."""
        names = self.record.get("target_names") or self.hparams.get("target_names")
        if not names and self.confusion is not None:
            names = self.confusion.names
        if not names and self.predictions is not None:
            names = self.predictions.axes
        return [str(name) for name in names or []]

    @property
    def kind(self) -> Kind | None:
        """Whether genres or emotions are recognised, as far as can be told."""
        names = f"{self.task} {class_name(pick(self.config, 'data', 'class_path'))}"
        if "Classification" in names or "Genre" in names or self.confusion is not None:
            return "genre"
        emotional = "Regression" in names or "Emotion" in names or "val_spearman" in self.curves
        return "emotion" if emotional or "test_spearman" in self.metrics else None

    @property
    def seed(self) -> Any:
        """What seed_everything was."""
        return self.config.get("seed_everything")

    @property
    def epochs(self) -> int:
        """Number of epochs that ended."""
        logged = int(max((curve.epochs[-1] for curve in self.curves.values()), default=0))
        return int(self.record.get("epochs", logged))

    @property
    def seconds(self) -> float | None:
        """Seconds of the training."""
        return self.record.get("seconds", self.logged_seconds)

    @property
    def status(self) -> str:
        """Whether the training ended; without run.json, a test or the last epoch says so."""
        status = self.record.get("status")
        if status == "running":
            return "running, or killed"
        if status == "interrupted":
            return f"interrupted ({self.record.get('reason', 'unknown')})"
        if status is None:
            planned = pick(self.config, "trainer", "max_epochs")
            ended = bool(self.metrics) or (isinstance(planned, int) and 0 < planned <= self.epochs)
            status = "finished" if ended else "unfinished, or stopped early"
        return str(status)

    @property
    def finished(self) -> bool:
        """Whether the training ended as it was meant to."""
        return self.status == "finished"

    @cached_property
    def best(self) -> Best | None:
        """The best on the validation part, by what the first ModelCheckpoint monitors."""
        if self.record:
            return Best(**self.record["best"]) if self.record["best"] else None
        callbacks = pick(self.config, "trainer", "callbacks")
        for callback in callbacks if isinstance(callbacks, list) else []:
            if class_name(pick(callback, "class_path")) == "ModelCheckpoint":
                monitor, mode = (pick(callback, "init_args", name) for name in ("monitor", "mode"))
                curve = self.curves.get(monitor) if isinstance(monitor, str) else None
                if curve is None or not np.isfinite(curve.values).any():
                    return None
                index = int(np.nanargmin(curve.values) if mode == "min" else np.nanargmax(curve.values))
                return Best(str(monitor), str(mode), float(curve.values[index]), int(np.ceil(curve.epochs[index])))
        return None

    @property
    def tested_tracks(self) -> int | None:
        """Number of tracks of the test."""
        if not self.metrics:
            return None
        if self.confusion is not None:
            return int(self.confusion.matrix.sum())
        return None if self.predictions is None else len(self.predictions.truth)

    def model(self, *keys: str) -> Any:
        """Return an argument of the task."""
        return pick(self.config, "model", "init_args", *keys)

    def data(self, *keys: str) -> Any:
        """Return an argument of the datamodule."""
        return pick(self.config, "data", "init_args", *keys)


def read_run(folder: Path) -> Run:
    """Read the folder of a run; what is missing stays empty, what is damaged is named."""
    damaged: list[str] = []

    def read(path: Path, parse: Callable[[Path], _Content], default: _Content) -> _Content:
        if not path.is_file():
            return default
        try:
            return parse(path)
        except (ValueError, OSError) as error:
            damaged.append(f"{path.name}: {str(error).removeprefix(f'{path}: ')}")
            return default

    files = [read(path, read_events, None) for path in sorted(folder.glob(EVENT_FILES))]
    events = [file for file in files if file is not None]
    for path, file in zip(sorted(folder.glob(EVENT_FILES)), files, strict=True):
        if file is not None and not file.whole:
            damaged.append(f"{path.name}: ends within a record; what stands before it is used")
    return Run(
        folder=folder,
        config=read(folder / "config.yaml", read_yaml, {}),
        hparams=read(folder / "hparams.yaml", read_yaml, {}),
        record=read(folder / "run.json", read_record, {}),
        metrics=read(folder / "test_metrics.json", read_metrics, {}),
        confusion=read(folder / "confusion_matrix.csv", read_confusion, None),
        predictions=read(folder / "predictions.csv", read_predictions, None),
        curves=curves(events),
        logged_seconds=fit_seconds(events),
        has_checkpoints=(folder / "checkpoints").is_dir(),
        damaged=tuple(damaged),
    )
