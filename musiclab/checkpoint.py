"""What a checkpoint file says about itself."""

import functools
import hashlib
import inspect
import re
import sys
import warnings
import zipfile
from collections.abc import Callable, Mapping, MutableMapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Self, get_args

import numpy as np
import torch

from musiclab.batch import OutputKind
from musiclab.errors import UserError, one_line
from musiclab.spectrogram import Recipe

MACHINE_SETTINGS = ("cache", "num_workers", "pin_memory", "on_device")
"""Data settings of a checkpoint that say nothing about another machine."""

DATA_SETTINGS = "datamodule_hyper_parameters"
"""Under which name a checkpoint holds the arguments of the datamodule, by Lightning."""

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


def _are_texts(value: Any) -> bool:
    return isinstance(value, dict) and all(_is_text(text) for pair in value.items() for text in pair)


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


def _is_recipe(value: Any) -> bool:
    try:
        return is_plain(value) and isinstance(Recipe.of(value), Recipe)
    except (UserError, TypeError):
        return False


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
    "hyper_parameters.recipe": _is_recipe,
    "datamodule_hyper_parameters": lambda value: isinstance(value, dict),
    "datamodule_hyper_parameters._class_path": _is_text,
    "datamodule_hyper_parameters.batch_size": _is_count,
    "output_kind": lambda value: value in get_args(OutputKind),
    "track_frames": _is_count,
    "world_size": _is_count,
    "precision": lambda value: isinstance(value, str) and PRECISION.fullmatch(value) is not None,
    "parts": _are_parts,
    "unkept": _are_texts,
}
"""What is missing, or None, in some."""


def is_finite(weights: Mapping[str, Any]) -> bool:
    """Tell whether all weights of a state dict are finite numbers; a GPU is waited for once."""
    found = [value.isfinite().all() for value in weights.values() if torch.is_tensor(value)]
    return not found or bool(torch.stack(found).all())


def fingerprint(weights: Mapping[str, torch.Tensor]) -> str:
    """Return what tells a model from all others, 16 hexadecimal digits: a checksum of its state dict."""
    digest = hashlib.sha256()
    for name, value in sorted(weights.items()):
        digest.update(f"{name}\0{value.dtype}\0{tuple(value.shape)}\0".encode())
        digest.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()[:16]


def data_settings(checkpoint: Mapping[str, Any]) -> tuple[str, dict[str, Any]] | None:
    """Return class and arguments of the datamodule that a checkpoint was trained with; None if it names none.

    What belongs to the machine, and what was allowed once, is left out. Parts of earlier versions, which knew no
    ``groups``, were drawn without regard to artists.
    """
    settings = dict(checkpoint.get(DATA_SETTINGS, {}))
    class_path = settings.pop("_class_path", None)
    if class_path is None:
        return None
    for name in ("_instantiator", "any_scale", *MACHINE_SETTINGS):
        settings.pop(name, None)
    if "root" in settings and class_path.startswith("musiclab."):
        settings.setdefault("groups", None)
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


class KeepsArguments:
    """A part of a model that remembers what it was made with, so that a checkpoint can say so."""

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Make one and note its arguments."""
        made = super().__new__(cls)
        made.__dict__["_made_with"] = args, kwargs
        return made


def keep_arguments(arguments: MutableMapping[str, Any], owner: object, name: str) -> dict[str, str]:
    """Turn the arguments of a task or a datamodule into what a checkpoint can hold, and add its class.

    Arguments that cannot be made again are removed.

    Args:
        arguments: By name. With ``_class_path`` among them, as the command line has it, the class is left alone.
        owner: What was made with them.
        name: What it is called in configs, ``model`` or ``data``.

    Returns:
        What was removed, under the name that it has in configs, and what it was.
    """
    removed = {}
    for key, value in list(arguments.items()):
        try:
            arguments[key] = kept(value)
        except ValueError as error:
            removed[f"{name}.{key}"] = str(error)
            del arguments[key]
    if "_class_path" not in arguments:
        try:
            arguments["_class_path"] = kept(type(owner))["class_path"]
            arguments["_instantiator"] = "pytorch_lightning.cli.instantiate_module"
        except ValueError as error:
            removed[name] = str(error)
    return removed


def kept(value: Any) -> Any:
    """Return a value as a checkpoint can hold it: plain, with parts as their class and its arguments.

    Args:
        value: A plain value, an array, a path; a class, or a :class:`functools.partial` of one, with such values; a
            part that :class:`KeepsArguments`; or lists and dicts of all these.

    Raises:
        ValueError: Saying what it is, if it cannot be made again.
    """
    for kind in (bool, int, float, str):  # not NumPy's, which are subclasses of them
        if isinstance(value, kind):
            return kind(value)
    if isinstance(value, np.generic | np.ndarray | torch.Tensor):
        return kept(value.tolist())
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {str(key): kept(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [kept(item) for item in value]
    if isinstance(value, type):
        return {"class_path": _class_path(value), "init_args": {}}
    if isinstance(value, functools.partial) and isinstance(value.func, type) and not value.args:
        return {"class_path": _class_path(value.func), "init_args": kept(value.keywords)}
    if isinstance(value, KeepsArguments):
        args, kwargs = value.__dict__["_made_with"]
        given = inspect.signature(type(value)).bind(*args, **kwargs)
        named = dict(zip(list(given.signature.parameters), given.args, strict=False))
        return {"class_path": _class_path(type(value)), "init_args": kept({**named, **given.kwargs})}
    if value is not None:
        what = "a function" if inspect.isroutine(value) else f"an object of {type(value).__qualname__}"
        raise ValueError(f"{what} ({getattr(value, '__qualname__', None) or one_line(repr(value)):.60})")
    return None


def _class_path(kind: type) -> str:
    module, name = kind.__module__, kind.__qualname__
    if module == "__main__":
        raise ValueError(f"class {name} of the script or notebook itself")
    if getattr(sys.modules.get(module), name, None) is not kind:
        raise ValueError(f"class {name}, which {module} does not hold under that name")
    return f"{module}.{name}"
