"""Whether a model is judged on tracks that its own training had."""

from collections.abc import Mapping
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback

from musiclab.batch import KnownParts


class KnownTracks(Callback):
    """Has the parts of the data compared with those of the training that a checkpoint is of.

    A task that was restored has ``restored``, and what its checkpoint says of its parts as ``parts_before``.
    """

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Compare all parts of a training that goes on."""
        self._compare(trainer, pl_module, "fit")

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Compare the validation part, unless it is that of a training."""
        if trainer.state.fn == "validate":
            self._compare(trainer, pl_module, "validate")

    def on_test_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Compare the test part."""
        self._compare(trainer, pl_module, "test")

    def _compare(self, trainer: pl.Trainer, task: Any, command: str) -> None:
        if task.restored:
            compare_parts(trainer, task.parts_before, command)


def compare_parts(trainer: pl.Trainer, kept: Mapping[str, Any] | None, command: str, **how: bool) -> None:
    """Have the datamodule of a trainer compare its parts, if it can; see :class:`musiclab.batch.KnownParts`."""
    data = trainer.datamodule  # type: ignore[attr-defined]
    if isinstance(data, KnownParts):
        data.compare_parts(kept, command, **how)
