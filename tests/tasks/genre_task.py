"""A small genre task, its batches and its trainer."""

from functools import partial

import torch
from pytorch_lightning.loggers import CSVLogger
from torch import nn
from torch.utils.data import DataLoader

from musiclab import Trainer
from musiclab.batch import Batch
from musiclab.models import CNN, LSTM
from musiclab.tasks import ClassificationTask

GENRES = ["Blues", "Folk", "Jazz", "Rock"]

tiny_lstm = partial(LSTM, hidden_size=4, num_layers=1)
tiny_cnn = partial(CNN, channels=(3, 4), pools=(2, 2), dropout=0.5)


class Mean(nn.Module):
    """A backbone that runs in any precision on any device."""

    embedding_size = 6

    def __init__(self, num_features):
        super().__init__()
        self.layer = nn.Linear(num_features, 6)

    def forward(self, spectrograms, lengths):
        return self.layer(spectrograms.mean(dim=1)).tanh()


def make_task(features=6, names=GENRES, backbone=tiny_lstm, sharpness=15, **arguments):
    """A task whose predictions differ from track to track, untrained as it is."""
    torch.manual_seed(3)
    task = ClassificationTask(num_features=features, target_names=names, backbone=backbone, **arguments)
    with torch.no_grad():
        task.head.weight *= sharpness
    return task


def make_batches(classes=4, tracks=23, size=5, features=6):
    """The same tracks of random classes and lengths for each size; the last batch is smaller."""
    rng = torch.Generator().manual_seed(0)
    lengths = torch.randint(2, 9, (tracks,), generator=rng)
    spectrograms = torch.randn(tracks, 9, features, generator=rng) * 3
    targets = torch.randint(classes, (tracks,), generator=rng)
    ids = [str(number) for number in range(tracks)]
    return [
        Batch(spectrograms[part], lengths[part], targets[part], ids[part])
        for part in (slice(start, start + size) for start in range(0, tracks, size))
    ]


def loader(batches):
    return DataLoader(batches, batch_size=None, collate_fn=lambda batch: batch)


def make_trainer(folder, **arguments):
    settings = {"logger": CSVLogger(folder), "accelerator": "cpu", "enable_checkpointing": False}
    settings |= {"enable_progress_bar": False, "enable_model_summary": False, "default_root_dir": folder}
    return Trainer(**settings | arguments)
