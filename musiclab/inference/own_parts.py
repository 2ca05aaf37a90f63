"""Parts of models that are not musiclab's: from which modules a checkpoint may take them.

Importing a module runs it. So a checkpoint by itself has nothing imported but of :data:`KNOWN`; any other module that
it names has to be named by the user as well (``--import``, ``load(..., modules=[...])``, a class on the command line or
in a config), to lie in the current folder, or to have been imported by whoever asks.
"""

import importlib
import importlib.util
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml

from musiclab.checkpoint import DATA_SETTINGS
from musiclab.errors import UserError, describe_user_error, one_line

KNOWN = ("musiclab", "torch", "pytorch_lightning")
"""Packages whose classes any checkpoint may name."""

SECTIONS = {"model": "hyper_parameters", "data": DATA_SETTINGS}
"""What a checkpoint says of a task and of a datamodule, by their names in configs."""

DOTTED = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)+")
"""What looks like the path of a class."""

TEXTS = ("target_names", "axes", "tags", "class_map", "pretrained", "root", "cache")
"""Arguments whose text is never a class."""


def find_in_current_folder() -> None:
    """Have modules of the current folder found, after all others, as ``python -m musiclab`` finds them."""
    try:
        here = os.getcwd()  # noqa: PTH109  (a plain string, as the others of the path)
    except OSError:  # it has been removed
        return
    if not {here, ""} & set(sys.path):
        sys.path.append(here)


def import_modules(names: Sequence[str], what: str) -> None:
    """Import modules that the user has named.

    Args:
        names: Dotted names.
        what: Where they were named, for the error.

    Raises:
        UserError: If one is not found, or fails.
    """
    for name in names:
        find_in_current_folder()
        if not all(part.isidentifier() for part in name.split(".")):
            raise UserError(f"{what} {name}: not the name of a module, as own_backbone for own_backbone.py")
        _import(name, f"{what} {name}", f"put {name.replace('.', '/')}.py into the current folder")


def import_parts(path: Path, checkpoint: Mapping[str, Any], section: str, text: str = "") -> None:
    """Import what the classes that a checkpoint names are defined in, as far as that is allowed.

    Args:
        path: Of the checkpoint, for errors.
        checkpoint: Its content.
        section: ``model`` or ``data``.
        text: Command line and configs of the user, which may name the same classes.

    Raises:
        UserError: If a module is needed that nobody has named, or does not hold what the checkpoint names.
    """
    named = set(DOTTED.findall(text))
    for where, class_path in _class_paths(checkpoint.get(SECTIONS[section]) or {}, section):
        module, _, name = class_path.rpartition(".")
        if not module or module.split(".")[0] in KNOWN:
            continue
        file = f"{module.replace('.', '/')}.py"
        advice = f"put {file} into the current folder or name it with --import {module}"
        if module not in sys.modules:
            if class_path not in named and not _is_here(module):
                in_python = f' (in Python, load(..., modules=["{module}"]))'
                raise UserError(f"{path}: needs module {module} (of {where}); {advice}{in_python}")
            find_in_current_folder()
            _import(module, f"{path}: module {module} (of {where})", advice)
        if not hasattr(sys.modules[module], name):
            found = getattr(sys.modules[module], "__file__", None) or module
            raise UserError(f"{path}: needs {class_path} (of {where}), but {found} has no {name}; it has been renamed")


def _class_paths(value: Any, where: str, depth: int = 0) -> Iterator[tuple[str, str]]:
    """Yield what names, or may be taken to name, a class, and the argument that it is in."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            if (key in TEXTS and depth == 0) or key == "_instantiator":
                continue
            if key in ("class_path", "_class_path") and isinstance(item, str):
                yield where, item
            else:
                yield from _class_paths(item, f"{where}.{key}" if depth == 0 else where, depth + 1)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _class_paths(item, where, depth + 1)
    elif isinstance(value, str):
        if (loaded := _as_parsed(value)) is not None:  # the parser reads texts as YAML, and files that they name
            yield from _class_paths(loaded, where, depth + 1)
        elif DOTTED.fullmatch(value) and _is_installed(value.split(".")[0]):
            yield where, value


def _as_parsed(text: str) -> Any:
    """Return the mapping or list that the parser would make of a text; None if it is no more than text."""
    with suppress(OSError, ValueError):
        if Path(text).is_file():
            text = Path(text).read_text(encoding="utf-8")
    try:
        loaded = yaml.safe_load(text)
    except yaml.YAMLError:
        return None
    return loaded if isinstance(loaded, Mapping | list) else None


def _is_here(module: str) -> bool:
    place = Path(*module.split("."))
    return place.with_suffix(".py").is_file() or (place / "__init__.py").is_file()


def _is_installed(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):  # __main__, and what others have put among the modules, have none
        return True


def _import(name: str, what: str, advice: str) -> None:
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:
        missing = error.name or name
        if name == missing or name.startswith(f"{missing}."):
            raise UserError(f"{what}: no such module; {advice}") from None
        raise UserError(f"{what} cannot be imported: it needs module {missing}, which is not there") from error
    except Exception as error:  # any module may fail in any way
        reason = describe_user_error(error) or f"{type(error).__name__}: {one_line(error)}"
        raise UserError(f"{what} cannot be imported: {reason}") from error
