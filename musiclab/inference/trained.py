"""Trained models: a checkpoint, and what is made again of it for use without a trainer."""

import copy
import warnings
from collections.abc import Iterator, MutableMapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from pydoc import locate
from typing import Any

import torch
from jsonargparse import ArgumentParser
from pytorch_lightning.cli import instantiate_module

from musiclab.checkpoint import data_settings, read_checkpoint
from musiclab.data.datamodules import (
    EmotionDataModule,
    FolderDataModule,
    GenreDataModule,
    SpectrogramDataModule,
    TagDataModule,
)
from musiclab.data.labels import is_emotion, looks_like_tags, read_table
from musiclab.demo import demo_folder
from musiclab.errors import UserError, describe_user_error, one_line
from musiclab.inference.own_parts import import_parts
from musiclab.tasks import SpectrogramTask
from musiclab.tasks.base import INPUT_HPARAMS
from musiclab.tasks.scale import require_recipe

FIT = "give a .ckpt file that `musiclab fit` wrote"
LIKE_IT = "make it with the class and arguments of the one that was trained"

LIGHTNING_FOLDERS = ("lightning_logs", "checkpoints")


class TrainedModel:
    """A checkpoint that has been read, once, and what can be made again of it.

    Args:
        path: The checkpoint.

    Raises:
        UserError: If there is no such checkpoint.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path).expanduser()
        self.checkpoint = read_checkpoint(self.path)

    @property
    def hyperparameters(self) -> dict[str, Any]:
        """Those of the task."""
        return dict(self.checkpoint["hyper_parameters"])

    def task(self, given: SpectrogramTask | None = None) -> SpectrogramTask:
        """Return the task, of its own class, with its weights, in evaluation mode.

        The weights are those that a test uses: of a run that averages weights, their averages.

        Args:
            given: A task made like it, which gets its weights; None to make it again.

        Raises:
            UserError: If the checkpoint does not say what it is a checkpoint of, or it cannot be made again; or if the
                weights do not fit.
        """
        if given is not None:
            self._require_alike(given)
        task = given or self._made_again()
        try:
            task.load_state_dict(self.checkpoint["state_dict"])
        except RuntimeError as error:
            what, advice = ("its own settings", FIT) if given is None else ("the task that is given", LIKE_IT)
            raise UserError(f"{self.path}: its weights do not fit {what} ({one_line(error)}); {advice}") from None
        return task.eval()

    def _made_again(self) -> SpectrogramTask:
        self.require_kept("model")
        arguments = {name: value for name, value in self.hyperparameters.items() if name != "_instantiator"}
        if "_class_path" not in arguments:
            raise UserError(
                f"{self.path}: does not say which task it is of, as a task made in Python by an earlier version; "
                f"{self._given_task()}"
            )
        import_parts(self.path, self.checkpoint, "model")
        with torch.random.fork_rng(devices=[]):  # what is drawn here is overwritten
            task: SpectrogramTask = self._instantiate(SpectrogramTask, arguments)
        task.hparams.update(self.hyperparameters)  # as they were given, for its own checkpoints
        task.unkept.clear()
        return task

    def require_kept(self, section: str) -> None:
        """Refuse to make again what was made in Python of parts that a checkpoint cannot hold.

        Args:
            section: ``model`` or ``data``.

        Raises:
            UserError: Naming the first such part.
        """
        for name, what in (self.checkpoint.get("unkept") or {}).items():
            if name.split(".")[0] == section:
                raise UserError(f"{self.path}: {name} was {what}, which cannot be made again; {self._given_task()}")

    def _given_task(self) -> str:
        return f'in Python, use musiclab.load("{self.path}", task=task) with a task made as then'

    def _require_alike(self, task: SpectrogramTask) -> None:
        """Refuse weights for a task of other inputs or outputs: they might fit, and mean something else."""
        for name in ("target_names", "num_features", *INPUT_HPARAMS):
            theirs, own = self.hyperparameters[name], task.hparams[name]
            if theirs != own:
                raise UserError(f"{self.path}: was trained with {name} {theirs}, but the task has {own}; {LIKE_IT}")
        require_recipe(self.hyperparameters.get("recipe"), task.hparams["recipe"], self.path)

    def data_settings(self, root: str | Path | None = None) -> tuple[str, dict[str, Any]]:
        """Return class and arguments of the datamodule that it was trained with, but for the machine's.

        Args:
            root: A data set folder that says which kind of data is meant where the checkpoint names none, as one of
                imported weights; its labels tell.

        Raises:
            UserError: If neither says it.
        """
        self.require_kept("data")
        settings = data_settings(self.checkpoint)
        if settings is not None:
            return settings
        if root is None:
            raise UserError(f"{self.path}: does not say what data it was trained on; name a folder by --data.root")
        table = read_table(Path(root).expanduser() / "train_labels.txt")
        kind: type[FolderDataModule] = EmotionDataModule if is_emotion(table) else GenreDataModule
        kind = TagDataModule if looks_like_tags(table) else kind
        inputs = {name: self.hyperparameters[name] for name in INPUT_HPARAMS}
        return f"{kind.__module__}.{kind.__name__}", {"root": str(root), **inputs}

    def check_data_settings(self) -> None:
        """Make sure that the settings of the datamodule are settings of it, wherever the data are.

        Raises:
            UserError: If they are not.
        """
        class_path, arguments = self.data_settings()
        parser = ArgumentParser(exit_on_error=False)
        parser.add_subclass_arguments(SpectrogramDataModule, "module", fail_untyped=False)
        import_parts(self.path, self.checkpoint, "data")
        with self._explained(class_path):
            parser.parse_object({"module": {"class_path": class_path, "init_args": arguments}})

    def data(self, **changes: Any) -> FolderDataModule:
        """Return the datamodule that it was trained with, its targets in the order of the model's outputs.

        ``limit``, and what belongs to the machine, is not restored.

        Args:
            changes: Arguments of the datamodule to be changed.

        Raises:
            UserError: If the checkpoint names no datamodule, or it cannot be made.
        """
        class_path, arguments = self.data_settings(changes.get("root"))
        arguments.pop("limit", None)
        if "target_names" in arguments:
            arguments["target_names"] = self.hyperparameters["target_names"]
        arguments |= changes
        import_parts(self.path, self.checkpoint, "data")
        fill_root(class_path, arguments)
        data: FolderDataModule = self._instantiate(FolderDataModule, {**arguments, "_class_path": class_path})
        return data

    def _instantiate(self, kind: type[Any], arguments: dict[str, Any]) -> Any:
        with self._explained(arguments["_class_path"]), warnings.catch_warnings():
            # No matter here: what is no plain value is not kept among the hyperparameters.
            warnings.filterwarnings("ignore", ".*is an instance of `nn.Module` and is already saved")
            return instantiate_module(kind, copy.deepcopy(arguments))  # the parser changes lists in their place

    @contextmanager
    def _explained(self, name: str) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # settings that are none make parser and constructors fail in any way
            reason = describe_user_error(error) or one_line(error)
            raise UserError(f"{self.path}: {name} cannot be made again from it: {reason}") from error


def results_folder(checkpoint: Path, *names: str) -> Path:
    """Return a folder below that of the run that a checkpoint is of."""
    folder = checkpoint.parent
    return (folder.parent if folder.name == "checkpoints" else folder).joinpath(*names)


def name_models(paths: Sequence[Path], tasks: Sequence[SpectrogramTask]) -> list[str]:
    """Return a name for each checkpoint: its backbone, and as much of its path as tells it from the others."""
    folders = [path.absolute().parent for path in paths]
    parts = [[part for part in folder.parts[1:] if part not in LIGHTNING_FOLDERS] for folder in folders]
    several = len(set(folders)) < len(folders)
    files = [f" {path.stem}" if several else "" for path in paths]
    for depth in range(1, max(map(len, parts)) + 1):
        names = [f"{'/'.join(part[-depth:])}{file}" for part, file in zip(parts, files, strict=True)]
        if len(set(names)) == len(names):
            break
    else:  # told apart by nothing but Lightning's own folders
        names = [str(path.absolute()) for path in paths]
    return [f"{type(task.backbone).__name__} {name}" for task, name in zip(tasks, names, strict=True)]


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
