"""Which folders hold runs, and what to call them."""

import os
import re
from collections import Counter
from collections.abc import Sequence
from itertools import takewhile
from pathlib import Path
from typing import NamedTuple

from musiclab.errors import UserError

LOGS = "lightning_logs"
MARKS = re.compile(r"config\.yaml|hparams\.yaml|run\.json|test_metrics\.json|events\.out\.tfevents\..*")
"""What the folder of a run holds one of, of whichever tool."""

NO_RECORD = "no run.json, which every run of musiclab has: a combination of runs, an early version's, or another tool's"


class LeftOut(NamedTuple):
    """Something that was given, or found, and is no run; and why."""

    path: Path
    reason: str


def find_folders(paths: Sequence[str]) -> tuple[list[Path], list[LeftOut]]:
    """Return the folders of runs among ``paths`` and below them, each once, and what was left out.

    Raises:
        UserError: If no path is given, or one does not exist.
    """
    if not paths:
        raise UserError("no runs: give the folders of runs, or folders that hold some, as in lightning_logs")
    found: dict[Path, Path] = {}
    left: list[LeftOut] = []
    for name in paths:
        path = Path(name).expanduser()
        if not path.exists():
            raise UserError(f"{path}: no such folder; give the folder of a run, or one that holds runs")
        folders, others = _search(path)
        for folder in folders:
            found.setdefault(folder.resolve(), folder)
        left += [other for other in others if other not in left]
    return list(found.values()), left


def _search(path: Path) -> tuple[list[Path], list[LeftOut]]:
    if not path.is_dir():
        return [], [LeftOut(path, "a file, not the folder of a run")]
    folders: list[Path] = []
    left: list[LeftOut] = []
    empty = True
    for root, below, files in os.walk(path):
        folder = Path(root)
        empty = empty and not below and not files
        below[:] = sorted((name for name in below if not name.startswith(".")), key=_natural)
        if any(map(MARKS.fullmatch, files)) and (folder.parent.name == LOGS or LOGS not in below):
            below[:] = [name for name in below if name == LOGS]  # of predictions, say, that were made within
            if "run.json" in files:
                folders.append(folder)
            else:
                left.append(LeftOut(folder, NO_RECORD))
        elif folder.parent.name == LOGS and not below and folder != path:
            left.append(LeftOut(folder, "holds no file of a run" if files else "empty"))
    if not folders and not left:
        left.append(LeftOut(path, "empty" if empty else "holds no run"))
    return folders, left


def short_names(folders: Sequence[Path]) -> dict[Path, str]:
    """Return what to call each folder: what tells it from the others, without ``lightning_logs``."""
    parts = {folder: tuple(part for part in folder.resolve().parts if part != LOGS) for folder in folders}
    levels = zip(*(part[:-1] for part in parts.values()), strict=False)
    shared = sum(1 for _ in takewhile(lambda level: len(set(level)) == 1, levels))
    names = {folder: part[shared:] for folder, part in parts.items()}
    versions = Counter(name[:-1] for name in names.values())
    for folder, name in names.items():
        if len(name) > 1 and versions[name[:-1]] == 1 and re.fullmatch(r"version_\d+", name[-1]):
            names[folder] = name[:-1]
    return {folder: "/".join(name) for folder, name in names.items()}


def _natural(name: str) -> list[tuple[int, str]]:
    """A key that puts version_10 after version_9."""
    return [(int(part) if part.isdigit() else -1, part) for part in re.split(r"(\d+)", name)]
