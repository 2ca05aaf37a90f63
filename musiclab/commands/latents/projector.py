"""Embeddings for TensorBoard's projector."""

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from torch.utils.tensorboard import SummaryWriter

from musiclab.inference.embeddings import Embeddings

CONFIG = "projector_config.pbtxt"


def write_projector(
    folder: Path, embeddings: Mapping[str, Embeddings], header: Sequence[str], labels: Sequence[Sequence[str]]
) -> None:
    """Write a folder with embeddings for TensorBoard's PROJECTOR, in place of what an earlier call wrote.

    Args:
        folder: Folder to make, which TensorBoard shows as a run.
        embeddings: Those of each model by its name, all of the same tracks.
        header: What the labels of a track are, ``id`` first.
        labels: Labels of each track.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}.partial-", dir=folder.parent) as temporary:
        made = Path(temporary, folder.name)
        with SummaryWriter(str(made)) as writer:
            for tag, model in embeddings.items():
                writer.add_embedding(model.values, list(map(list, labels)), metadata_header=list(header), tag=tag)
        if (folder / CONFIG).is_file():
            shutil.rmtree(folder)
        made.rename(folder)
