"""Predictions to combine, and what a command that must fail leaves."""

from pathlib import Path

import numpy as np
import pytest
from command_line import error_of

from musiclab.runs.predictions import Rows, write_class_predictions, write_tag_predictions, write_value_predictions

GENRES = ["Blues", "Jazz", "Rock"]
AXES = ["valence", "energy"]
TAGS = ["rock", "piano", "80s"]
IDS = [str(number) for number in range(1, 41)]
CLASSES = np.random.default_rng(0).integers(0, 3, len(IDS))
VALUES = np.random.default_rng(1).uniform(size=(len(IDS), 2)).round(3)

TAGGED = np.random.default_rng(2).integers(0, 2, (len(IDS), 3)).astype(float)


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


def write_tags(path, seed, truth=TAGGED, tags=TAGS):
    """Predictions of a model with its tags in some order."""
    columns = [TAGS.index(tag) for tag in tags]
    write_tag_predictions(path, tags, Rows(IDS, truth[:, columns], tag_probabilities(seed)[:, columns]))
    return str(path)


def tag_probabilities(seed):
    return (TAGGED / 4 + np.random.default_rng(seed).uniform(size=TAGGED.shape) * 3 / 4).round(6)


def refused(folder: Path, capfd: pytest.CaptureFixture[str], arguments: list[str]) -> str:
    """Return the error of a `combine` that must leave the folder as it was."""

    def contents() -> dict[Path, bytes | None]:
        return {path: path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}

    before = contents()
    error = error_of(capfd, ["combine", *arguments])
    assert contents() == before
    return error
