"""Predictions to combine, and what a command that must fail leaves."""

from pathlib import Path

import numpy as np
import pytest
from command_line import error_of

from musiclab.runs.predictions import Rows, write_class_predictions, write_value_predictions

GENRES = ["Blues", "Jazz", "Rock"]
AXES = ["valence", "energy"]
IDS = [str(number) for number in range(1, 41)]
CLASSES = np.random.default_rng(0).integers(0, 3, len(IDS))
VALUES = np.random.default_rng(1).uniform(size=(len(IDS), 2)).round(3)


def probabilities(seed):
    """Of a model that is often right."""
    raw = np.random.default_rng(seed).uniform(size=(len(IDS), 3)) + 0.5 * np.eye(3)[CLASSES]
    return (raw / raw.sum(axis=1, keepdims=True)).round(6)


def values(seed):
    """Of a model whose values spread the wider, the higher its seed."""
    noise = np.random.default_rng(seed).normal(0, 0.4, VALUES.shape)
    return (seed * (VALUES + noise) - seed / 2).round(6)


def write_genres(path, seed, truth=CLASSES, artists=(), order=None):
    """Predictions of a model with its genres in some order."""
    order = order or [0, 1, 2]
    targets = np.where(truth < 0, -1, np.argsort(order)[truth])
    rows = Rows(IDS, targets, probabilities(seed)[:, order], artists)
    write_class_predictions(path, [GENRES[index] for index in order], rows)
    return str(path)


def write_values(path, seed, truth=VALUES, axes=AXES):
    """Predictions of a model with some of the axes, in some order."""
    columns = [AXES.index(axis) for axis in axes]
    write_value_predictions(path, axes, Rows(IDS, truth[:, columns], values(seed)[:, columns]))
    return str(path)


def refused(folder: Path, capfd: pytest.CaptureFixture[str], arguments: list[str]) -> str:
    """Return the error of a `combine` that must leave the folder as it was."""

    def contents() -> dict[Path, bytes | None]:
        return {path: path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}

    before = contents()
    error = error_of(capfd, ["combine", *arguments])
    assert contents() == before
    return error
