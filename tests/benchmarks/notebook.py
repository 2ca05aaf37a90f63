"""The plain way, as in a notebook: all arrays preloaded as float32, padded to the longest, a loop written by hand."""

import time
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from timing import TIMES
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

MELS = 128


class CNN(nn.Module):
    """The network of ``configs/genre_cnn.yaml`` from PyTorch's layers, on padded images."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 1
        for maps in (32, 64, 128, 256):
            layers += [nn.Conv2d(channels, maps, 3, padding=1), nn.BatchNorm2d(maps), nn.ReLU(), nn.MaxPool2d(2)]
            channels = maps
        self.layers = nn.Sequential(*layers)
        self.head = nn.Sequential(nn.Dropout(0.2), nn.Linear(2 * channels, classes))

    def forward(self, frames: Tensor) -> Tensor:
        maps = self.layers(frames[:, None]).mean(dim=3)
        return self.head(torch.cat([maps.mean(dim=2), maps.amax(dim=2)], dim=1))


class LSTM(nn.Module):
    """The network of ``configs/genre_lstm.yaml`` from PyTorch's layers, on padded frames."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.recurrence = nn.LSTM(MELS, 128, 2, batch_first=True, dropout=0.4, bidirectional=True)
        self.attention = nn.Sequential(nn.Linear(256, 256), nn.Tanh(), nn.Linear(256, 1, bias=False))
        self.head = nn.Sequential(nn.Dropout(0.4), nn.Linear(256, classes))

    def forward(self, frames: Tensor) -> Tensor:
        states, _ = self.recurrence(frames)
        return self.head((self.attention(states).softmax(dim=1) * states).sum(dim=1))


NETWORKS = {"cnn": CNN, "lstm": LSTM}


def preload(root: Path) -> tuple[Tensor, Tensor]:
    """Return all tracks of ``train/``, ``(tracks, longest, 128)``, and their genres' numbers."""
    lines = (root / "train_labels.txt").read_text().splitlines()[1:]
    genres = dict(line.split("\t") for line in lines)
    names = sorted(set(genres.values()))
    paths = [root / "train" / name.removesuffix(".gz") for name in genres]
    longest = max(np.load(path, mmap_mode="r").shape[1] for path in paths)
    padded = np.zeros((len(paths), longest, MELS), np.float32)
    for row, path in zip(padded, paths, strict=True):
        frames = np.load(path)[:MELS].T
        row[: len(frames)] = frames
    return torch.from_numpy(padded), torch.tensor([names.index(genre) for genre in genres.values()])


def fit(
    network: str,
    root: Path,
    held_out: int,
    epochs: int,
    batch_size: int,
    steps: int | None = None,
    device: str = "cpu",
) -> None:
    """Train, validate after each epoch, and note the times; at most so many batches of either.

    They are processor seconds on a CPU, else those of the clock: each step waits for its loss.
    """
    now = time.process_time if device == "cpu" else time.perf_counter
    frames, targets = preload(root)
    mean, std = frames[:-held_out].mean(), frames[:-held_out].std()
    train = DataLoader(TensorDataset(frames[:-held_out], targets[:-held_out]), batch_size, shuffle=True)
    validation = DataLoader(TensorDataset(frames[-held_out:], targets[-held_out:]), batch_size)
    model = NETWORKS[network](int(targets.max()) + 1).to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    loss_function = nn.CrossEntropyLoss(label_smoothing=0.1)
    for _ in range(epochs):
        model.train()
        epoch, in_steps, total = now(), 0.0, 0.0
        for images, labels in islice(train, steps):
            step = now()
            images, labels = images.to(device), labels.to(device)
            optimizer.zero_grad()
            loss = loss_function(model((images - mean) / std), labels)
            loss.backward()
            optimizer.step()
            total += loss.item()
            in_steps += now() - step
        TIMES["epoch"].append(now() - epoch)
        TIMES["steps"].append(in_steps)
        model.eval()
        evaluation = now()
        with torch.no_grad():
            correct = sum(
                (model((images.to(device) - mean) / std).argmax(dim=1) == labels.to(device)).sum().item()
                for images, labels in islice(validation, steps)
            )
        assert 0 <= correct <= held_out
        TIMES["evaluation"].append(now() - evaluation)
