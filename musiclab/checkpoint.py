"""What a checkpoint file says about itself."""

import re
import warnings
import zipfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, get_args

import torch

from musiclab.batch import OutputKind
from musiclab.errors import UserError

MACHINE_SETTINGS = ("cache", "num_workers", "pin_memory", "on_device")
"""Data settings of a checkpoint that say nothing about another machine."""

BUFFERS = ("feature_mean", "feature_std")
"""What a backbone's inputs are normalised by, among the weights."""

PRECISION = re.compile(r"(bf)?16-(true|mixed)|(32|64)-true|transformer-engine(-float16)?")


def read_checkpoint(path: str | Path) -> dict[str, Any]:
    """Read a checkpoint that musiclab wrote; nothing in it is executed.

    Whoever reads it can rely on what musiclab's own modules look at: that it is there, and of its type.

    Raises:
        UserError: If there is no such file, it is no checkpoint of musiclab, or something in it is not as musiclab
            writes it.
    """
    path = Path(path)
    if path.is_dir():
        best = path / "best.ckpt" if path.name == "checkpoints" else path / "checkpoints" / "best.ckpt"
        raise UserError(f"{path}: a folder; give a checkpoint in it, as in {best}")
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
    if fault := _fault(checkpoint):
        raise UserError(f"{path}: damaged or altered: {fault}; give a .ckpt file as `musiclab fit` wrote it")
    if not is_finite(checkpoint["state_dict"]):
        raise UserError(f"{path}: its weights are not finite, so it can answer nothing; train the model anew")
    return checkpoint  # type: ignore[no-any-return]


def newest_whole(folder: Path) -> Path | None:
    """Return the checkpoint in a folder that was written last of those that can be read, None if none can."""
    for path in sorted(folder.glob("*.ckpt"), key=lambda path: path.stat().st_mtime, reverse=True):
        with suppress(UserError):
            read_checkpoint(path)
            return path
    return None


def _fault(checkpoint: Mapping[str, Any]) -> str | None:
    """Return what in a checkpoint is not as musiclab writes it, None if all is."""
    for name, check in (*NEEDED.items(), *OPTIONAL.items()):
        *above, last = name.split(".")
        group = (checkpoint.get(above[0]) or {}) if above else checkpoint
        if last not in group and name in NEEDED:
            return f"it has no {name}"
        if not check(group.get(last)) and (name in NEEDED or group.get(last) is not None):
            return f"{name} is {' '.join(f'{group[last]!r:.60}'.split())}"
    weights, features = checkpoint["state_dict"], checkpoint["hyper_parameters"]["num_features"]
    for name in BUFFERS:
        if name not in weights or weights[name].shape != (features,) or not weights[name].is_floating_point():
            return f"state_dict.{name} has no value for each of the {features} features"
    return None if weights["feature_std"].min() > 0 else "state_dict.feature_std has values of 0 or below"


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _are_names(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(map(_is_text, value)) and len(set(value)) == len(value)


def _are_weights(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(name, str) and _is_dense(one) for name, one in value.items())


def _is_dense(value: Any) -> bool:
    return torch.is_tensor(value) and value.layout == torch.strided and not (value.is_quantized or value.is_meta)


def _are_parts(value: Any) -> bool:
    """Tell whether a value is what a datamodule keeps of its parts: folder, checksums, two numbers for each track."""
    if not isinstance(value, dict) or not _is_text(value.get("folder")) or not is_plain(value.get("checksums")):
        return False
    tracks = [two for name, two in value.items() if name not in ("folder", "checksums")]
    return isinstance(value["checksums"], dict) and all(
        _is_dense(two) and two.dtype == torch.int64 and two.ndim == 2 and two.shape[1] == 2 for two in tracks
    )


NEEDED: dict[str, Callable[[Any], bool]] = {
    "state_dict": _are_weights,
    "hyper_parameters.target_names": _are_names,
    "hyper_parameters.num_features": _is_count,
    "hyper_parameters.features": _is_text,
    "hyper_parameters.beat_synced": lambda value: isinstance(value, bool),
    "hyper_parameters.seconds": lambda value: isinstance(value, float | int) and value > 0,
}
"""What musiclab's own modules look at in any checkpoint, and whether it can be that."""

OPTIONAL: dict[str, Callable[[Any], bool]] = {
    "hyper_parameters._class_path": _is_text,
    "datamodule_hyper_parameters": lambda value: isinstance(value, dict),
    "datamodule_hyper_parameters._class_path": _is_text,
    "datamodule_hyper_parameters.batch_size": _is_count,
    "output_kind": lambda value: value in get_args(OutputKind),
    "track_frames": _is_count,
    "world_size": _is_count,
    "precision": lambda value: isinstance(value, str) and PRECISION.fullmatch(value) is not None,
    "parts": _are_parts,
}
"""What is missing, or None, in some."""


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
