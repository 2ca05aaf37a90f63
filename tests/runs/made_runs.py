"""Runs of small models, and stages of a run by hand, for the tests of callbacks."""

import csv
from types import SimpleNamespace

import torch
from pytorch_lightning.loggers import CSVLogger
from torch.utils.data import DataLoader

from musiclab import Trainer
from musiclab.batch import Batch
from musiclab.models import CNN
from musiclab.runs.results import FILES, TaskResults
from musiclab.tasks import ClassificationTask

GENRES = ["Blues", "Jazz", "Rock"]


def make_loader(tracks=11, size=4, known=True):
    rng = torch.Generator().manual_seed(0)
    spectrograms = torch.randn(tracks, 6, 5, generator=rng)
    lengths = torch.randint(2, 7, (tracks,), generator=rng)
    targets = torch.randint(3, (tracks,), generator=rng) if known else torch.full((tracks,), -1)
    ids = [str(20 - number) for number in range(tracks)]
    parts = [slice(start, start + size) for start in range(0, tracks, size)]
    batches = [Batch(spectrograms[part], lengths[part], targets[part], ids[part]) for part in parts]
    return DataLoader(batches, batch_size=None, collate_fn=lambda batch: batch)


def make_task():
    torch.manual_seed(1)
    return ClassificationTask(
        num_features=5,
        target_names=GENRES,
        backbone=lambda features: CNN(features, channels=(3,), pools=(2,), dropout=0.2),
        optimizer=lambda parameters: torch.optim.SGD(parameters, lr=0.2),
    )


def make_trainer(folder, **arguments):
    settings = {"logger": CSVLogger(folder), "accelerator": "cpu", "default_root_dir": folder}
    settings |= {"enable_checkpointing": False, "enable_progress_bar": False, "enable_model_summary": False}
    return Trainer(**settings | arguments)


def make_results(kind, names):
    """The writer of results of a task with such outputs."""
    writer = TaskResults()
    writer._files = FILES[kind](names)
    return writer


def run_stage(writer, stage, folder, rows, model=None, **trainer):
    """Let a writer of results have the rows ``(ids, targets, predictions)`` of a test or prediction, in two batches."""
    defaults = {"is_global_zero": True, "log_dir": str(folder), "loggers": [], "callback_metrics": {}, "global_step": 0}
    trainer = SimpleNamespace(**defaults | trainer)
    getattr(writer, f"on_{stage}_start")(trainer, model)
    for part in (slice(0, 2), slice(2, None)):
        output = dict(zip(("ids", "targets", "predictions"), (values[part] for values in rows), strict=True))
        getattr(writer, f"on_{stage}_batch_end")(trainer, model, output, None, 0)
    getattr(writer, f"on_{stage}_end")(trainer, model)


def read_table(path):
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.reader(stream))
