"""What is said of a run in ``run.json``: task, data, machine."""

import math
import os
import platform
from importlib.metadata import version
from typing import Any

import torch
from pytorch_lightning import LightningModule, Trainer
from torch import nn

from musiclab import __version__
from musiclab.data.datamodules import FolderDataModule, SpectrogramDataModule
from musiclab.demo.corpus import DESCRIPTION
from musiclab.runs.slurm import current_job


def describe_task(task: LightningModule) -> dict[str, Any]:
    """Return the kind of a task's outputs, the names of its classes, its inputs and targets, and its parameters."""
    backbone = getattr(task, "backbone", None)
    return {
        "kind": getattr(task, "output_kind", None),
        "task": type(task).__name__,
        "backbone": type(backbone).__name__ if isinstance(backbone, nn.Module) else None,
        "features": task.hparams.get("features"),
        "beat_synced": task.hparams.get("beat_synced"),
        "target_names": list(getattr(task, "target_names", [])),
        "parameters": sum(parameter.numel() for parameter in task.parameters()),
        "trainable_parameters": sum(parameter.numel() for parameter in task.parameters() if parameter.requires_grad),
    }


def describe_data(datamodule: Any) -> dict[str, Any]:
    """Return the folder of a datamodule's data, the tracks of each part that was set up, and what tells its files."""
    data = datamodule if isinstance(datamodule, SpectrogramDataModule) else SpectrogramDataModule()
    root = None if data.root is None else data.root.absolute()
    return {
        "data_root": None if root is None else str(root),
        "demo": root is not None and (root.parent / DESCRIPTION).is_file(),
        "limit": _limit(data) if isinstance(data, FolderDataModule) else None,
        "tracks": data.track_counts(),
        "checksums": data.checksums() if isinstance(data, FolderDataModule) else {},
    }


def _limit(data: FolderDataModule) -> int | None:
    """Return to how many tracks the data is limited; a limit of the training part counts if that is as large."""
    limits = [data.draw.limit]
    if data.track_counts().get("train", data.draw.train_limit) == data.draw.train_limit:
        limits.append(data.draw.train_limit)
    return min((limit for limit in limits if limit is not None), default=None)


def describe_machine(trainer: Trainer) -> dict[str, Any]:
    """Return on what a run is made: seed, devices, job of a scheduler, versions."""
    seed, device, job = os.environ.get("PL_GLOBAL_SEED"), trainer.strategy.root_device, current_job()
    name = f" {torch.cuda.get_device_name(device)}" if device.type == "cuda" else ""
    versions = {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "lightning": version("pytorch-lightning"),
    }
    return {
        "seed": None if seed is None else int(seed),
        "device": f"{device}{name}",
        "precision": str(trainer.precision),
        "threads": torch.get_num_threads(),
        "processes": trainer.world_size,
        "job": None if job is None else job._asdict(),
        "versions": {"musiclab": __version__, **versions},
    }


def describe_problems(trainer: Trainer) -> list[str]:
    """Return what is the matter with a training that has come to its end all the same."""
    problems = []
    checkpoints: Any = trainer.checkpoint_callback
    if getattr(checkpoints, "monitor", None) and not checkpoints.best_model_path:
        problems.append(
            f"nothing was validated by {checkpoints.monitor}, so that there is no best checkpoint and nothing to test; "
            "see check_val_every_n_epoch, limit_val_batches and max_epochs"
        )
    loss = trainer.callback_metrics.get("train_loss")
    if loss is not None and not math.isfinite(loss):
        problems.append(f"the training loss of the last epoch is {float(loss)}; lower the learning rate")
    return problems


def command_of(trainer: Trainer) -> str:
    """Return ``fit``, ``validate``, ``test`` or ``predict``."""
    return str(trainer.state.fn.value) if trainer.state.fn else ""


def plain(value: Any) -> float | str:
    """Return a value as JSON can hold it: a number, or ``nan``, ``inf`` or ``-inf``."""
    number = float(value)
    return number if math.isfinite(number) else str(number)
