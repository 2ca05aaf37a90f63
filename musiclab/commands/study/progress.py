"""How far a training is, by its folder alone: done, begun, or not at all; and whether it was begun otherwise."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from musiclab.errors import UserError
from musiclab.runs.files import pick, read_json, read_yaml

LOGS = "lightning_logs"
KINDS = {"status": str, "tracks": dict, "command_line": list, "best": dict, "history": list}
"""What is read of a run.json, which anybody may have damaged."""

BEST, LAST = "checkpoints/best.ckpt", "checkpoints/last.ckpt"
ROOT = "--trainer.default_root_dir"


def folder_of(root: Path) -> Path:
    """Return the folder of a training that was not interrupted before its first checkpoint."""
    return root / LOGS / "version_0"


def versions_of(root: Path) -> list[Path]:
    """Return the folders of a training, the newest last: of one that was interrupted early there may be several."""
    found = (path for path in folder_of(root).parent.glob("version_*") if path.name[8:].isdecimal())
    return sorted(found, key=lambda version: int(version.name[8:]))


def done_version(root: Path) -> Path | None:
    """Return the folder of a training that has been tested, or has ended where there is nothing to test; else None."""
    return next((version for version in reversed(versions_of(root)) if _is_done(version)), None)


def _is_done(version: Path) -> bool:
    if (version / "test_metrics.json").exists():
        return True
    record = record_of(version)
    if record.get("status") != "finished":
        return False
    if "test" not in (record.get("tracks") or {}):
        return True
    try:
        trainer = read_yaml(version / "config.yaml").get("trainer")
    except (UserError, OSError):
        return False
    return (
        pick(trainer, "limit_test_batches") == 0
        or bool(pick(trainer, "overfit_batches"))
        or pick(trainer, "enable_checkpointing") is False
    )


def record_of(version: Path) -> dict[str, Any]:
    """Return what the run.json in a folder says and is of its kind; nothing if there is none that can be read."""
    try:
        record = read_json(version / "run.json")
    except (UserError, OSError, ValueError):
        return {}
    return {name: value for name, value in record.items() if isinstance(value, KINDS.get(name, object))}


def next_arguments(root: Path, fresh: Sequence[str]) -> list[str] | None:
    """Return the arguments that begin a training, or go on with it; None if it has been done.

    Args:
        root: Its folder, below which its runs are.
        fresh: The arguments that begin it.
    """
    if done_version(root):
        return None
    started = [version for version in versions_of(root) if any(version.glob("checkpoints/*.ckpt"))]
    if started:
        return ["fit", "-c", str(started[-1] / "config.yaml"), "--ckpt_path", str(started[-1] / LAST)]
    return list(fresh)


def busy_version(root: Path) -> Path | None:
    """Return a folder of a training in which a process still trains, as one whose study was killed; else None."""
    for version in versions_of(root):
        if (version / ".lock").exists():
            try:
                with FileLock(version / ".lock", timeout=0):
                    pass
            except Timeout:
                return version
            except (OSError, NotImplementedError):  # of file systems without locks
                pass
    return None


def changes(root: Path, name: str, fresh: Sequence[str]) -> str | None:
    """Return in words what a training was begun with otherwise than it would be now; None if nothing.

    Args:
        root: Its folder.
        name: The end of it, below the folder of the study, which may have been moved.
        fresh: The arguments that would begin it now.
    """
    found = [version for version in versions_of(root) if record_of(version).get("command_line")]
    if not found:
        return None
    version = done_version(root) or found[-1]
    line = record_of(version).get("command_line") or []
    return difference(settings([str(word) for word in line[1:]], name), settings(fresh, name))


def difference(then: Sequence[str], now: Sequence[str]) -> str | None:
    """Return in words what settings had or had not that they have not or have now; None if they are the same."""
    if list(then) == list(now):
        return None
    had, has = ([word for word in one if word not in other] for one, other in ((then, now), (now, then)))
    words = [f"with {' '.join(had)}" if had else "", f"without {' '.join(has)}" if has else ""]
    return " and ".join(filter(None, words)) or "with its options in another order"


def settings(arguments: Sequence[str], name: str) -> list[str]:
    """Return the options of a command line, each with its value; the folder of the study, wherever it is, is OUT.

    Args:
        arguments: The command line, without the program.
        name: The end of the training's folder, below that of the study.
    """
    words = list(arguments)
    if ROOT in words[:-1]:
        folder = words[words.index(ROOT) + 1]
        out = folder.removesuffix(str(Path(name)))
        words = [f"OUT/{word.removeprefix(out)}" if out and word.startswith(out) else word for word in words]
        words = [ROOT if word == folder else word for word in words]
    options: list[str] = []
    for word in words:
        if word.startswith("-") or not options:
            options.append(word)
        else:
            options[-1] += f" {word}"
    return options
