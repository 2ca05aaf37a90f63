"""Embeddings: what a network knows of a track before its output layer."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from lightning_fabric.utilities import move_data_to_device
from tqdm import tqdm

from musiclab.batch import Batch
from musiclab.data.ids import id_order
from musiclab.errors import UserError
from musiclab.tasks import SpectrogramTask


class Embeddings(NamedTuple):
    """Embeddings of tracks, in the order of their ids, numbers first.

    Attributes:
        ids: Track ids.
        targets: Class of each track, ``(tracks,)`` with -1 where it is not known, or values, ``(tracks, axes)`` with
            NaN where they are not known.
        values: ``(tracks, embedding)``.
    """

    ids: list[str]
    targets: npt.NDArray[Any]
    values: npt.NDArray[np.float32]


def embed_tracks(task: SpectrogramTask, batches: Iterable[Batch], name: str) -> Embeddings:
    """Return what the backbone of a task gives for each track, in evaluation mode; heads are not asked.

    Args:
        task: The task; it is moved to a GPU if there is one.
        batches: Batches with the features that it was trained on.
        name: Name of the model, for the progress bar and the error.

    Raises:
        UserError: If there is no track, or an embedding is not finite.
    """
    task = task.to(best_device()).eval()
    ids: list[str] = []
    targets, values = [], []
    for batch in tqdm(batches, desc=f"Embedding by {name}", unit="batch", delay=1):
        values.append(embed_batch(task, batch, name))
        targets.append(batch.targets.numpy())
        ids += batch.ids
    if not ids:
        raise UserError(f"{name}: there are no test tracks to embed")
    together = np.concatenate(values)
    order = sorted(range(len(ids)), key=lambda index: id_order(ids[index]))
    return Embeddings([ids[index] for index in order], np.concatenate(targets)[order], together[order])


def embed_batch(task: SpectrogramTask, batch: Batch, name: str) -> npt.NDArray[np.float32]:
    """Return what the backbone of a task in evaluation mode gives for each track of a batch, ``(tracks, embedding)``.

    Raises:
        UserError: If an embedding is not finite.
    """
    device = task.feature_mean.device
    with torch.inference_mode():
        spectrograms = task.normalise(move_data_to_device(batch.spectrograms, device))
        values: npt.NDArray[np.float32] = task.backbone(spectrograms, batch.lengths.to(device)).float().cpu().numpy()
    wrong = np.flatnonzero(~np.isfinite(values).all(axis=1))
    if len(wrong):
        raise UserError(f"{name}: the embedding of track {batch.ids[wrong[0]]} is not finite; train the model anew")
    return values


def best_device() -> torch.device:
    """Return the GPU if there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
