"""Which checkpoint a run goes on from, and what of it is adapted to the folder that the run is in now."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from lightning_fabric.utilities.exceptions import MisconfigurationException
from lightning_fabric.utilities.types import _PATH
from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.trainer.connectors.checkpoint_connector import _CheckpointConnector
from pytorch_lightning.trainer.states import TrainerFn

from musiclab.errors import UserError, one_line

NEEDED = ("epoch", "global_step", "loops", "optimizer_states", "lr_schedulers")
"""What a training cannot go on without; Lightning would begin to count anew where there are no loops."""

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

    def resume_start(self, checkpoint_path: _PATH | None = None, weights_only: bool | None = None) -> None:
        """Read the checkpoint, and see that it has what a training goes on from.

        Raises:
            UserError: Naming the checkpoint, as all that follows: what is in it makes loading fail in any way.
        """
        with self._explained():
            super().resume_start(checkpoint_path, weights_only)
            missing = [name for name in NEEDED if name not in self._loaded_checkpoint]
            if missing and self._loaded_checkpoint and self.trainer.state.fn == TrainerFn.FITTING:
                raise UserError(
                    f"holds no {missing[0]}, so that its training cannot go on; give another of its checkpoints, or "
                    "start from its backbone with --model.pretrained"
                )

    def restore_model(self) -> None:
        """Load the weights."""
        with self._explained():
            super().restore_model()

    def restore_datamodule(self) -> None:
        """Load the state of the datamodule."""
        with self._explained():
            data = self.trainer.datamodule  # type: ignore[attr-defined]
            state = self._loaded_checkpoint.get(type(data).__qualname__)
            if data is not None and state is not None:
                _require_alike(state, data.state_dict(), type(data).__qualname__)
            super().restore_datamodule()

    def restore_callbacks(self) -> None:
        """Load the states of callbacks."""
        with self._explained():
            super().restore_callbacks()

    def restore_training_state(self) -> None:
        """Load the states of loops, optimizers and schedulers."""
        with self._explained():
            if self._loaded_checkpoint and self.trainer.state.fn == TrainerFn.FITTING:
                self._check_training_state()
            super().restore_training_state()

    def _check_training_state(self) -> None:
        """Refuse states of loops, optimizers and schedulers that are built otherwise than those of this training."""
        own = {
            "loops": {"fit_loop": self.trainer.fit_loop.state_dict()},
            "optimizer_states": [optimizer.state_dict() for optimizer in self.trainer.optimizers],
            "lr_schedulers": [config.scheduler.state_dict() for config in self.trainer.lr_scheduler_configs],
        }
        for name, state in own.items():
            _require_alike(self._loaded_checkpoint[name], state, name)
        for saved, optimizer in zip(self._loaded_checkpoint["optimizer_states"], self.trainer.optimizers, strict=True):
            weights = [weight for group in optimizer.param_groups for weight in group["params"]]
            for number, state in saved["state"].items():
                if not _is_state(state, weights[number], [one for one in saved["state"].values() if one]):
                    raise UserError(f"damaged or altered: its optimizer_states do not fit weight {number}")

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (UserError, MisconfigurationException) as error:
            raise UserError(f"{self._ckpt_path}: {one_line(error)}") from error
        except Exception as error:
            reason = f"{type(error).__name__}: {one_line(error)}"
            raise UserError(f"{self._ckpt_path}: cannot be loaded into this model and trainer ({reason})") from error


def _require_alike(saved: Any, own: Any, name: str) -> None:
    """Refuse a state that is saved if it is not built as the trainer's own, which it is to replace.

    Raises:
        UserError: Naming the first place that differs.
    """
    if isinstance(own, Mapping) and isinstance(saved, Mapping):
        for key, value in own.items():
            if not isinstance(key, str):  # not names, but what a setting had then
                continue
            if key not in saved:
                raise UserError(f"damaged or altered: it has no {name}.{key}")
            _require_alike(saved[key], value, f"{name}.{key}")
    elif isinstance(own, list | tuple) and isinstance(saved, list | tuple) and len(own) in (0, len(saved)):
        for number, (one, other) in enumerate(zip(saved, own, strict=False)):
            _require_alike(one, other, f"{name}.{number}")
    elif isinstance(own, Mapping | list | tuple) or (None not in (saved, own) and _kind(saved) != _kind(own)):
        raise UserError(f"damaged or altered: {name} is {one_line(repr(saved)):.60}")


def _kind(value: Any) -> str:
    if isinstance(value, int | float) or (torch.is_tensor(value) and value.ndim == 0):
        return "number"
    return "text" if isinstance(value, str) else type(value).__name__


def _is_state(state: Any, weight: torch.Tensor, others: list[Any]) -> bool:
    """Tell whether something can be what an optimizer remembers of a weight: as of the others, and of its shape."""
    if not isinstance(state, Mapping) or (state and state.keys() != others[0].keys()):
        return False
    moments = [value for name, value in state.items() if name.startswith("exp_avg") or name == "momentum_buffer"]
    return all(torch.is_tensor(value) and value.shape == weight.shape for value in moments)


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
