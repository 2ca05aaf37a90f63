"""Which checkpoint a run goes on from, and what of it is adapted to the folder that the run is in now."""

from pathlib import Path
from typing import Any

from lightning_fabric.utilities.types import _PATH
from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.trainer.connectors.checkpoint_connector import _CheckpointConnector
from pytorch_lightning.trainer.states import TrainerFn

PATHS = ("best_model_path", "kth_best_model_path", "last_model_path")


class OwnCheckpoints(_CheckpointConnector):
    """Loads the checkpoint that is asked for, or none.

    Lightning would start from one that it finds: ``hpc_ckpt_*.ckpt`` of any SLURM job in the root, or what an
    OnExceptionCheckpoint has left of another run. It has no setting for that.
    """

    _hpc_resume_path = None

    def _parse_ckpt_path(
        self, state_fn: TrainerFn, ckpt_path: _PATH | None, model_provided: bool, model_connected: bool
    ) -> _PATH | None:
        if ckpt_path is None and model_provided:
            return None
        return super()._parse_ckpt_path(state_fn, ckpt_path, model_provided, model_connected)


class MovedCheckpoints(Callback):
    """Lets a run whose folder was moved or copied know its best checkpoint when it is resumed there.

    A ModelCheckpoint forgets what it has kept in another folder than its own, and says so at a test, too.
    """

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Name the checkpoints where they are now, those that are in the run's folder."""
        folder = trainer.log_dir
        if not folder or not trainer.ckpt_path:
            return
        now = Path(folder).absolute() / "checkpoints"
        if not (now / Path(trainer.ckpt_path).name).is_file():  # another run's
            return
        for callback in trainer.checkpoint_callbacks:
            state = checkpoint.get("callbacks", {}).get(callback.state_key, {})
            if getattr(callback, "dirpath", None) != str(now) or state.get("dirpath") in (None, str(now)):
                continue
            moved = {name: now / Path(state[name]).name for name in PATHS if state.get(name)}
            if not all(path.is_file() for path in moved.values()):  # not all of them were moved along
                continue
            state |= {name: str(path) for name, path in moved.items()}
            kept = state.get("best_k_models", {})
            state["best_k_models"] = {str(now / Path(path).name): score for path, score in kept.items()}
            state["dirpath"] = str(now)
