"""The files of a run's folder, each read by itself and checked: no torch, no checkpoint."""

import csv
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import UnionType
from typing import Any, NamedTuple, get_args, get_origin, get_type_hints

import numpy as np
import numpy.typing as npt
import yaml

from musiclab.errors import UserError


@dataclass(frozen=True, eq=False)
class Record:
    """What the run.json of any command says; ``tracks`` are the numbers of tracks of each part."""

    command: str
    status: str
    kind: str | None
    task: str
    backbone: str | None
    features: str | None
    beat_synced: bool | None
    target_names: list[str]
    parameters: int
    trainable_parameters: int
    data_root: str | None
    demo: bool
    limit: int | None
    tracks: dict[str, int]
    seed: int | None
    processes: int


class Training(NamedTuple):
    """What there is besides of a training; numbers that JSON has none for are text."""

    epochs: int
    seconds: float
    best: dict[str, str | float] | None
    history: list[dict[str, str | float]]
    command_line: list[str] | None


class Best(NamedTuple):
    """The best that a training reached on its validation part, and after how many epochs."""

    monitor: str
    mode: str
    value: float
    epoch: int


class Confusion(NamedTuple):
    """Numbers of tracks ``(truth, prediction)`` of each genre."""

    names: list[str]
    matrix: npt.NDArray[np.int64]


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Reads plain values; what Lightning writes of Python objects (tuples, say) is read as far as it is plain."""


def _construct_plain(loader: Any, suffix: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    return loader.construct_scalar(node)


_Loader.add_multi_constructor("tag:yaml.org,2002:python/", _construct_plain)


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a mapping from a yaml file."""
    with path.open(encoding="utf-8") as stream:
        try:
            value = yaml.load(stream, Loader=_Loader)
        except yaml.YAMLError as error:
            raise UserError(f"not YAML: {' '.join(str(error).split())}") from None
    return _mapping({} if value is None else value)


def read_json(path: Path) -> dict[str, Any]:
    """Read a mapping from a JSON file."""
    try:
        return _mapping(json.loads(path.read_text(encoding="utf-8")))
    except (json.JSONDecodeError, RecursionError) as error:
        raise UserError(f"not JSON: {error}") from None


def read_metrics(path: Path) -> dict[str, float]:
    """Read test_metrics.json."""
    values = read_json(path)
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise UserError(f"{name} is {value!r}, not a number")
    return {name: float(value) for name, value in values.items()}


def read_record(path: Path) -> dict[str, Any]:
    """Read run.json."""
    record = read_json(path)
    check_types(record, Record)
    if record["command"] == "fit":
        check_types(record, Training)
    return record


def check_types(record: Mapping[str, Any], kind: type) -> None:
    """Refuse a mapping whose values are not as the fields of a class say.

    Raises:
        UserError: Naming the value.
    """
    for name, expected in get_type_hints(kind).items():
        if not _is_a(record.get(name), expected):
            raise UserError(f"{name} is {record.get(name)!r:.80}, which no run.json of this version has")


def _is_a(value: Any, kind: Any) -> bool:
    """Tell whether a value is of a type, with all that it holds; what is too large for a float is no number."""
    if isinstance(kind, UnionType):
        return any(_is_a(value, one) for one in get_args(kind))
    if get_origin(kind) is not None:
        items = value.values() if isinstance(value, dict) else value
        return isinstance(value, get_origin(kind)) and all(_is_a(item, get_args(kind)[-1]) for item in items)
    if kind is float:
        return isinstance(value, float) or _is_a(value, int)
    return isinstance(value, kind) and (kind is not int or (not isinstance(value, bool) and abs(value) < 2**63))


def read_confusion(path: Path) -> Confusion:
    """Read confusion_matrix.csv."""
    with path.open(newline="", encoding="utf-8") as stream:
        try:
            header, *rows = [row for row in csv.reader(stream) if row] or [[]]
        except csv.Error as error:
            raise UserError(f"not a csv file: {error}") from None
    names = header[1:]
    if not names or [row[0] for row in rows] != names or any(len(row) != len(header) for row in rows):
        raise UserError("not a square table with the same genres as rows and columns")
    try:
        return Confusion(names, np.array([[int(cell) for cell in row[1:]] for row in rows]))
    except ValueError as error:
        raise UserError(f"a count is no number: {error}") from None


def pick(tree: Any, *keys: str) -> Any:
    """Return what stands in nested mappings under ``keys``, None if there is nothing."""
    for key in keys:
        tree = tree.get(key) if isinstance(tree, Mapping) else None
    return tree


def _mapping(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise UserError(f"holds a {type(value).__name__} where names and values were expected")
    return value
