"""The house: which rooms there are, and which of them each may import from.

All imports count: those inside functions, those for typing, and strings such as ``"module:function"``.
"""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "musiclab"

GROUND = {"errors", "files", "batch", "spectrogram", "checkpoint"}
LEARNING = {"models", "losses"}
BELOW_TASKS = GROUND | LEARNING | {"augmentations"}
BELOW_RUNS = BELOW_TASKS | {"tasks", "figures", "pages", "data", "demo"}
BELOW_COMMANDS = BELOW_RUNS | {"runs", "inference"}

MAY_IMPORT = {
    **dict.fromkeys(GROUND, GROUND),
    **dict.fromkeys(("models", "losses", "figures", "pages", "data"), GROUND),
    "augmentations": GROUND | {"models"},
    "demo": GROUND | {"data"},  # of which data.audio alone
    "tasks": BELOW_TASKS,
    "runs": BELOW_RUNS,
    "inference": BELOW_RUNS,
    "commands": BELOW_COMMANDS,
    "cli": BELOW_COMMANDS | {"commands"},
    "__main__": {"cli"},
    "__init__": {"errors", "files", "runs", "inference", "tasks", "data"},  # but for errors, looked up when asked for
}
"""The rooms, and those that each may import from besides itself."""

GROUND_LIBRARIES = {
    "errors": set(),
    "files": {"filelock", "platformdirs"},
    "batch": {"numpy", "torch"},
    "spectrogram": {"numpy"},
    "checkpoint": {"numpy", "torch"},
}
"""What the ground imports of other packages than Python's own."""

STRING = re.compile(r"musiclab(\.\w+)+(:[\w.]+)?")


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def name_of(path: Path) -> str:
    """Return the dotted name of a module below the package; that of a room's ``__init__`` is the room's."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


def imports_of(path: Path) -> Iterator[str]:
    """Yield the dotted names of all that a module imports; of ``from a import b``, ``a.b``."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and STRING.fullmatch(node.value):
            yield node.value.replace(":", ".")


def own_imports(path: Path) -> Iterator[str]:
    """Yield what a module imports of this package, named from the package on."""
    for name in imports_of(path):
        if name == "musiclab.__version__":
            continue
        if name.split(".")[0] == "musiclab":
            yield name.removeprefix("musiclab").lstrip(".")


def forbidden(path: Path) -> list[str]:
    own = name_of(path).split(".")
    found = []
    for name in own_imports(path):
        other = name.split(".")
        inside = other[0] == own[0]
        if not inside and other[0] not in MAY_IMPORT.get(own[0], set()):
            found.append(name)
        if inside and own[0] == "commands" and other[1:2] != own[1:2]:
            found.append(f"{name}, another command")
        if own[0] == "demo" and other[:2] != ["data", "audio"] and other[0] == "data":
            found.append(f"{name}, of data other than audio")
    return found


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_rooms_import_from_below(path):
    assert not forbidden(path), f"{name_of(path)} must not import {', '.join(forbidden(path))}"


def test_there_are_no_other_rooms():
    rooms = {path.stem if path.is_file() else path.name for path in PACKAGE.iterdir() if path.name != "__pycache__"}
    assert rooms == set(MAY_IMPORT)
    assert sum(path.suffix == ".py" for path in PACKAGE.iterdir()) <= 7


@pytest.mark.parametrize("name", GROUND_LIBRARIES)
def test_the_ground_imports_little(name):
    outside = {imported.split(".")[0] for imported in imports_of(PACKAGE / f"{name}.py")}
    assert outside - sys.stdlib_module_names - {"musiclab"} <= GROUND_LIBRARIES[name]


def test_a_forbidden_import_is_found(tmp_path, monkeypatch):
    monkeypatch.setattr("test_rooms.PACKAGE", tmp_path)
    module = tmp_path / "data" / "audio" / "files.py"
    module.parent.mkdir(parents=True)
    module.write_text(
        "from musiclab.batch import Batch\n"
        "def later():\n    from musiclab.tasks import base\n"
        "if False:\n    import musiclab.runs.record\n"
        "TOOL = 'musiclab.commands.check:check'\n"
    )
    assert forbidden(module) == ["tasks.base", "runs.record", "commands.check.check"]
    command = tmp_path / "commands" / "explore" / "tracks.py"
    command.parent.mkdir(parents=True)
    command.write_text("from musiclab.commands.explore.page import show\nfrom musiclab.commands import check\n")
    assert forbidden(command) == ["commands.check, another command"]
