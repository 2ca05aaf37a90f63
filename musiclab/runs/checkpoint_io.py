"""How checkpoints are written: whole or not at all, on any file system."""

import io
import os
from pathlib import Path
from typing import Any

import torch
from lightning_fabric.plugins.io.torch_io import TorchCheckpointIO
from lightning_fabric.utilities.types import _PATH

from musiclab.files import replacing


class WholeCheckpointIO(TorchCheckpointIO):
    """Writes a checkpoint beside its place, has the disk keep it, and renames it.

    Lightning writes it to ``$TMPDIR`` and moves it, which copies where that is another file system: a process that is
    killed, or a disk that is full, then leaves a part of it under its name. Places with a protocol, as in ``s3://``,
    are written by Lightning.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: _PATH, storage_options: Any = None) -> None:
        """Write a checkpoint.

        Raises:
            OSError: If it cannot be written, with its path; a checkpoint that was there before is left then.
        """
        if storage_options is not None or "://" in str(path):
            super().save_checkpoint(checkpoint, path, storage_options)
            return
        content = io.BytesIO()  # torch would hide what the system says of a file that cannot be written
        torch.save(checkpoint, content)
        with replacing(Path(path)) as partial, partial.open("wb") as stream:
            stream.write(content.getbuffer())
            stream.flush()
            os.fsync(stream.fileno())
