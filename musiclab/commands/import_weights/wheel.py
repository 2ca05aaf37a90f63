"""The wheel of the Python package musicnn: its models, their tensors and their tags. Nothing in it is run."""

import ast
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from musiclab.commands.import_weights.table import TableError
from musiclab.commands.import_weights.tensors import Tensors, read_tensors
from musiclab.errors import UserError, did_you_mean
from musiclab.files import is_special

PACKAGE = "musicnn"
FETCH = f"`pip download --no-deps {PACKAGE}==0.1.0` fetches it"

INDEX, VALUES = ".index", ".data-00000-of-00001"
"""Files of a model, in a folder of its name."""

TAGS = f"{PACKAGE}/configuration.py"
"""Where the names of the tags are, in lists such as MSD_LABELS."""


def read_model(path: Path, model: str) -> tuple[Tensors, list[str]]:
    """Return the tensors and the tags of a model in a wheel.

    Args:
        path: The wheel.
        model: Name of the model, as in ``MSD_musicnn``.

    Raises:
        UserError: If it is no wheel of musicnn, is damaged, or has no such model.
    """
    if path.is_dir():
        raise UserError(f"{path}: a folder; give the wheel in it, as in {path / f'{PACKAGE}-0.1.0-py3-none-any.whl'}")
    if not path.exists():
        raise UserError(f"{path}: no such file; give the wheel of {PACKAGE}: {FETCH}")
    if is_special(path):
        raise UserError(f"{path}: not a regular file but a pipe, socket or device; give the wheel of {PACKAGE}")
    try:
        with zipfile.ZipFile(path) as wheel:
            folder = _model_folder(path, wheel.namelist(), model)
            index, values, source = (wheel.read(name) for name in (folder + INDEX, folder + VALUES, TAGS))
    except KeyError as error:
        raise UserError(f"{path}: lacks a file of {model} ({error.args[0]}); fetch it again: {FETCH}") from None
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError):  # the last if encrypted
        raise UserError(f"{path}: not a wheel, or truncated or damaged; fetch it again: {FETCH}") from None
    try:
        tensors = read_tensors(index, values)
    except TableError as error:
        raise UserError(f"{path}: {folder}{INDEX}: {error}; fetch the wheel again: {FETCH}") from None
    return tensors, _tags(path, source, model)


def _model_folder(path: Path, names: list[str], model: str) -> str:
    """Return the folder of a model in a wheel, with a slash.

    Raises:
        UserError: If the wheel is of another package or has no such model.
    """
    files = [name for name in names if name.startswith(f"{PACKAGE}/") and name.endswith(f"/{INDEX}")]
    models = [PurePosixPath(name).parent.name for name in files]
    if not models:
        package = next((name.split(".dist-info/")[0] for name in names if ".dist-info/" in name), "no package")
        raise UserError(f"{path}: a wheel of {package}, without models of {PACKAGE}; give that of {PACKAGE}: {FETCH}")
    if model not in models:
        near = did_you_mean(model, models) or f"; there are {', '.join(sorted(models))}"
        raise UserError(f"{path}: has no model {model}{near}")
    return f"{PACKAGE}/{model}/"


def _tags(path: Path, source: bytes, model: str) -> list[str]:
    """Return the tags of a model: a list in the package's source, which is read as a text.

    Raises:
        UserError: If there is none.
    """
    name = f"{model.split('_')[0]}_LABELS"
    try:
        for node in ast.parse(source).body:
            if isinstance(node, ast.Assign) and any(isinstance(to, ast.Name) and to.id == name for to in node.targets):
                tags = ast.literal_eval(node.value)
                if isinstance(tags, list) and tags and all(isinstance(tag, str) and tag for tag in tags):
                    return tags
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        pass
    raise UserError(f"{path}: {TAGS} has no list {name} with the tags of {model}; fetch the wheel again: {FETCH}")
