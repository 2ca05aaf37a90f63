"""Tasks and data of a run, made again from its checkpoint, for use without a trainer."""

import warnings
from argparse import ArgumentError
from collections.abc import MutableMapping
from pathlib import Path
from pydoc import locate
from typing import Any

from pytorch_lightning.cli import instantiate_module

from musiclab.checkpoint import data_settings, read_checkpoint
from musiclab.data.datamodules import FolderDataModule, SpectrogramDataModule
from musiclab.demo import demo_folder
from musiclab.errors import UserError
from musiclab.tasks import SpectrogramTask

FIT = "give a .ckpt file that `musiclab fit` wrote"


def restore_task(path: str | Path) -> SpectrogramTask:
    """Return the task of a checkpoint, of its own class, with its weights, in evaluation mode.

    The weights are those that a test uses: of a run that averages weights, their averages.

    Raises:
        UserError: If there is no such checkpoint, or it does not say what it is a checkpoint of.
    """
    checkpoint = read_checkpoint(path)
    arguments = {name: value for name, value in checkpoint["hyper_parameters"].items() if name != "_instantiator"}
    if "_class_path" not in arguments:
        raise UserError(f"{path}: does not say which task it is of, as a task made in Python; {FIT}")
    task: SpectrogramTask = _instantiate(SpectrogramTask, arguments, path)
    try:
        task.load_state_dict(checkpoint["state_dict"])
    except RuntimeError as error:
        raise UserError(f"{path}: its weights do not fit its own settings ({_first_line(error)}); {FIT}") from None
    return task.eval()


def trained_data(path: str | Path) -> tuple[str, dict[str, Any]]:
    """Return class and arguments of the datamodule that a checkpoint was trained with, but for the machine's.

    Raises:
        UserError: If there is no such checkpoint, or it names no datamodule.
    """
    settings = data_settings(read_checkpoint(path))
    if settings is None:
        raise UserError(f"{path}: does not say what data it was trained on; {FIT}")
    return settings


def restore_data(path: str | Path, **changes: Any) -> FolderDataModule:
    """Return the datamodule that a checkpoint was trained with, its targets in the order of the model's outputs.

    ``limit``, and what belongs to the machine, is not restored.

    Args:
        path: The checkpoint.
        changes: Arguments of the datamodule to be changed.

    Raises:
        UserError: If there is no such checkpoint, it names no datamodule, or the datamodule cannot be made.
    """
    class_path, arguments = trained_data(path)
    arguments.pop("limit", None)
    if "target_names" in arguments:
        arguments["target_names"] = read_checkpoint(path)["hyper_parameters"]["target_names"]
    arguments = {**arguments, **changes}
    fill_root(class_path, arguments)
    arguments["_class_path"] = class_path
    data: FolderDataModule = _instantiate(FolderDataModule, arguments, path)
    return data


def fill_root(class_path: str, arguments: MutableMapping[str, Any]) -> bool:
    """Have a null ``root`` among a datamodule's arguments be the demo corpus; tell whether it was null.

    Args:
        class_path: Class of the datamodule, which says which folder of the corpus it is for.
        arguments: Those of its constructor.
    """
    kind = locate(class_path)
    folder = kind.folder_name if isinstance(kind, type) and issubclass(kind, SpectrogramDataModule) else None
    if folder is None or "root" not in arguments or arguments["root"] is not None:
        return False
    arguments["root"] = str(demo_folder(folder, arguments.get("beat_synced", False)))
    return True


def _instantiate(kind: type[Any], arguments: dict[str, Any], path: str | Path) -> Any:
    try:
        with warnings.catch_warnings():
            # No matter here: what is no plain value is not kept among the hyperparameters.
            warnings.filterwarnings("ignore", ".*is an instance of `nn.Module` and is already saved")
            return instantiate_module(kind, arguments)
    except ArgumentError as error:
        name = arguments["_class_path"]
        raise UserError(f"{path}: {name} cannot be made again from it: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]
