"""What runs leave behind besides checkpoints: result files and figures."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypedDict

import numpy as np
import numpy.typing as npt
import torch
import torch.distributed
from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.callbacks import WeightAveraging
from pytorch_lightning.loggers import TensorBoardLogger
from sklearn.metrics import classification_report, confusion_matrix
from torch import Tensor

from musiclab.files import replacing


class StepOutput(TypedDict):
    """What the test and predict steps of a task return: one row per track."""

    ids: list[str]
    targets: Tensor
    predictions: Tensor


class Rows(NamedTuple):
    """Targets and predictions of all tracks, in the order of their ids, numbers first."""

    ids: list[str]
    targets: npt.NDArray[Any]
    predictions: npt.NDArray[np.float64]


class EMAWeights(WeightAveraging):
    """Exponential moving average of the weights, which validation, checkpoints and tests use.

    The average follows quickly at first: after t steps its share is at most (1 + t) / (10 + t), so that it does
    not remember the random start of a short run.

    Built on Lightning's callback, except that its averages end with the training. With Lightning's, a checkpoint
    loaded in the process that trained is tested with the weights in training, and validated with the last averages.

    Args:
        decay: Share of the average that stays at each step.
    """

    def __init__(self, decay: float = 0.99) -> None:
        super().__init__(multi_avg_fn=self._average)
        self.decay = decay

    def _average(self, averages: Any, weights: Any, steps: Tensor | int) -> None:
        stays = min(self.decay, (1 + int(steps)) / (10 + int(steps)))
        if averages[0].is_floating_point():
            torch._foreach_lerp_(averages, weights, 1 - stays)
        else:  # counters
            torch._foreach_copy_(averages, weights)

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Forget the averages; when training ends, they are in the model."""
        self._average_model = None


class GenreResults(Callback):
    """Writes what tests and predictions of genres give into the run's folder.

    ``test`` leaves ``test_metrics.json``, ``classification_report.txt``, ``confusion_matrix.csv`` and ``.png`` and
    ``predictions.csv``, prints the report and shows the confusion matrix in TensorBoard; ``predict`` leaves
    ``predictions.csv``.

    Args:
        genres: Names of the classes, in the order of the outputs.
    """

    def __init__(self, genres: Sequence[str]) -> None:
        self.genres = list(genres)
        self._outputs: list[StepOutput] = []

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Lay training and validation curves over each other in TensorBoard, under CUSTOM SCALARS."""
        charts = {name: ["Multiline", [f"train_{name}", f"val_{name}"]] for name in ("loss", "accuracy")}
        for logger in tensorboard_loggers(trainer):
            logger.experiment.add_custom_scalars({"training and validation": charts})

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Forget what an earlier test gave."""
        self._outputs.clear()

    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Forget what an earlier prediction gave."""
        self._outputs.clear()

    def on_test_batch_end(self, trainer: Trainer, pl_module: LightningModule, outputs: Any, *_: Any, **__: Any) -> None:
        """Keep the rows of a batch."""
        self._outputs.append(outputs)

    def on_predict_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, *_: Any, **__: Any
    ) -> None:
        """Keep the rows of a batch."""
        self._outputs.append(outputs)

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write all files of a test."""
        rows = gather_rows(self._outputs)
        folder = trainer.log_dir  # all processes have to ask for it
        metrics = {name: float(value) for name, value in trainer.callback_metrics.items() if name.startswith("test_")}
        if trainer.is_global_zero and folder:
            self._write_test(Path(folder), rows, metrics, trainer)

    def on_predict_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the predictions."""
        rows = gather_rows(self._outputs)
        folder = trainer.log_dir  # all processes have to ask for it
        if trainer.is_global_zero and folder:
            path = Path(folder) / "predictions.csv"
            write_genre_predictions(path, self.genres, rows)
            print(f"Predictions for {len(rows.ids)} tracks: {path}")

    def _write_test(self, folder: Path, rows: Rows, metrics: dict[str, float], trainer: Trainer) -> None:
        # Figures are drawn with matplotlib, which is slow to import.
        from musiclab.report.figures import confusion_figure, save_figure

        predicted = rows.predictions.argmax(axis=1)
        classes = range(len(self.genres))
        present = np.union1d(rows.targets, predicted)
        report = classification_report(
            rows.targets,
            predicted,
            labels=present,
            target_names=[self.genres[index] for index in present],
            digits=4,
            zero_division=0,
        )
        matrix = confusion_matrix(rows.targets, predicted, labels=classes)
        write_text(folder / "classification_report.txt", report)
        write_text(folder / "test_metrics.json", json.dumps(metrics, indent=2, sort_keys=True) + "\n")
        write_csv(
            folder / "confusion_matrix.csv",
            ["truth \\ prediction", *self.genres],
            ([name, *row] for name, row in zip(self.genres, matrix.tolist(), strict=True)),
        )
        write_genre_predictions(folder / "predictions.csv", self.genres, rows)
        figure = confusion_figure(matrix, self.genres)
        save_figure(figure, folder / "confusion_matrix.png")
        for logger in tensorboard_loggers(trainer):
            logger.experiment.add_figure("test_confusion_matrix", figure, trainer.global_step)
        print(report)
        print(f"Test results: {folder}")


def tensorboard_loggers(trainer: Trainer) -> list[TensorBoardLogger]:
    """Return the loggers of a trainer that write for TensorBoard."""
    return [logger for logger in trainer.loggers if isinstance(logger, TensorBoardLogger)]


def gather_rows(outputs: Sequence[StepOutput]) -> Rows:
    """Put the outputs of all batches and all processes together; every process gets all rows."""
    ids = [identifier for output in outputs for identifier in output["ids"]]
    targets = np.concatenate([output["targets"].cpu().numpy() for output in outputs])
    predictions = np.concatenate([output["predictions"].double().cpu().numpy() for output in outputs])
    parts: list[Any] = [(ids, targets, predictions)]
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        parts = [None] * torch.distributed.get_world_size()
        torch.distributed.all_gather_object(parts, (ids, targets, predictions))
    ids = [identifier for part in parts for identifier in part[0]]
    order = sorted(range(len(ids)), key=lambda index: id_order(ids[index]))
    return Rows(
        [ids[index] for index in order],
        np.concatenate([part[1] for part in parts])[order],
        np.concatenate([part[2] for part in parts])[order],
    )


def id_order(identifier: str) -> tuple[int, int, str]:
    """Sort key of track ids: numbers by value, then everything else by name."""
    return (0, int(identifier), identifier) if identifier.isdecimal() else (1, 0, identifier)


def write_genre_predictions(path: Path, genres: Sequence[str], rows: Rows) -> None:
    """Write id, truth (empty where it is not known), prediction and one probability per genre for each track."""
    write_csv(
        path,
        ["id", "truth", "prediction", *genres],
        (
            [identifier, genres[target] if target >= 0 else "", genres[row.argmax()], *(f"{p:.6f}" for p in row)]
            for identifier, target, row in zip(*rows, strict=True)
        ),
    )


def write_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all."""
    with replacing(path) as partial:
        partial.write_text(text, encoding="utf-8")


def write_csv(path: Path, header: Sequence[str], rows: Any) -> None:
    """Write a csv file whole or not at all."""
    with replacing(path) as partial, partial.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
