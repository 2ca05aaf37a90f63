"""What a checkpoint file says about itself."""

import warnings
import zipfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from musiclab.batch import OutputKind
from musiclab.errors import UserError

MACHINE_SETTINGS = ("cache", "num_workers", "pin_memory", "on_device")
"""Data settings of a checkpoint that say nothing about another machine."""


def read_checkpoint(path: str | Path) -> dict[str, Any]:
    """Read a checkpoint that musiclab wrote; nothing in it is executed.

    Raises:
        UserError: If there is no such file, or it is no checkpoint of musiclab.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path}: no such checkpoint; give the path of a .ckpt file, as in RUN/checkpoints/last.ckpt")
    try:
        if zipfile.is_zipfile(path):  # torch writes checksums, but does not look at them
            with zipfile.ZipFile(path) as archive:
                if damaged := archive.testzip():
                    raise zipfile.BadZipFile(damaged)
        with warnings.catch_warnings(action="ignore"):  # of pickle protocols, where the bytes are no pickle at all
            checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except Exception:  # bytes that are no checkpoint make the unpickler fail in any way
        raise UserError(f"{path}: not a checkpoint, or damaged; give a .ckpt file that `musiclab fit` wrote") from None
    hparams = checkpoint.get("hyper_parameters") if isinstance(checkpoint, dict) else None
    if not isinstance(hparams, dict) or "target_names" not in hparams:
        raise UserError(f"{path}: a checkpoint, but not of musiclab; give a .ckpt file that `musiclab fit` wrote")
    if not is_finite(checkpoint.get("state_dict", {})):
        raise UserError(f"{path}: its weights are not finite, so it can answer nothing; train the model anew")
    return checkpoint  # type: ignore[no-any-return]


def newest_whole(folder: Path) -> Path | None:
    """Return the checkpoint in a folder that was written last of those that can be read, None if none can."""
    for path in sorted(folder.glob("*.ckpt"), key=lambda path: path.stat().st_mtime, reverse=True):
        with suppress(UserError):
            read_checkpoint(path)
            return path
    return None


def is_finite(weights: Mapping[str, Any]) -> bool:
    """Tell whether all weights of a state dict are finite numbers; a GPU is waited for once."""
    found = [value.isfinite().all() for value in weights.values() if torch.is_tensor(value)]
    return not found or bool(torch.stack(found).all())


def data_settings(checkpoint: Mapping[str, Any]) -> tuple[str, dict[str, Any]] | None:
    """Return class and arguments of the datamodule that a checkpoint was trained with; None if it names none.

    What belongs to the machine, and what was allowed once, is left out.
    """
    settings = dict(checkpoint.get("datamodule_hyper_parameters", {}))
    class_path = settings.pop("_class_path", None)
    if class_path is None:
        return None
    for name in ("_instantiator", "any_scale", *MACHINE_SETTINGS):
        settings.pop(name, None)
    return class_path, settings


def output_kind(checkpoint: Mapping[str, Any]) -> OutputKind:
    """Return what the outputs of a checkpoint's task are; those that do not say so have class weights if classes."""
    kind: OutputKind | None = checkpoint.get("output_kind")
    return kind or ("classes" if "class_weights" in checkpoint["state_dict"] else "values")


def is_plain(value: Any) -> bool:
    """Tell whether a hyperparameter can be safely loaded from a checkpoint; the command line gives parts as dicts."""
    if isinstance(value, dict):
        return all(isinstance(key, str) and is_plain(item) for key, item in value.items())
    if isinstance(value, list | tuple):
        return all(map(is_plain, value))
    return isinstance(value, str | int | float | None)
