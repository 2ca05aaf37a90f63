"""Files: written whole or not at all, their names as they can be shown, and those that can be made again."""

import csv
import errno
import functools
import gc
import importlib
import importlib.util
import multiprocessing
import os
import re
import shutil
import signal
import stat
import sys
import tempfile
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

import platformdirs
from filelock import FileLock

from musiclab.errors import UserError, did_you_mean

CACHE_VARIABLE = "MUSICLAB_CACHE"

HOW_TO_LIST = " (`musiclab configs` lists them)"

CONTROLS = "\x00-\x1f\x7f-\x9f"
"""Characters that tear lines or steer a terminal, as in a pattern; names on disk may hold them."""

SURROGATES = "\ud800-\udfff"
"""What stands for bytes of a name that are not UTF-8."""

_UNSHOWN = re.compile(f"[{CONTROLS}{SURROGATES}\u202a-\u202e\u2066-\u2069]")
"""What is escaped on a screen; the last of these change the order of what follows."""


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary name beside ``path`` to write to; it is renamed to ``path`` if all went well.

    The temporary name keeps the suffix, by which some writers choose a format, and is this process's own.

    Raises:
        OSError: If it cannot be written, as on a full disk: it names ``path``.
    """
    partial = path.with_name(f".{path.stem}.partial-{os.getpid()}{path.suffix}")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield partial
        partial.replace(path)
    except OSError as error:
        if error.filename in (None, str(partial)) and error.errno is not None:
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise
    finally:
        partial.unlink(missing_ok=True)


def remove_leftovers(folder: Path, name: str = "*") -> None:
    """Remove what killed processes have left half-written in a folder; not while others write there.

    Args:
        folder: The folder; those in it are not looked at.
        name: Of which file, without its suffix.
    """
    for leftover in folder.glob(f".{name}.partial-*"):
        leftover.unlink(missing_ok=True)


def shown(text: object) -> str:
    """Return a line to be printed, in which control characters, and bytes that are not UTF-8, are escaped."""
    return _UNSHOWN.sub(lambda found: found[0].encode("unicode_escape").decode(), str(text))


def stands_there(path: Path) -> bool:
    """Tell whether there is anything of that name, be it a link that leads nowhere: what is meant is not missing."""
    return path.exists() or path.is_symlink()


def write_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all, in UTF-8 whatever names are in it."""
    with replacing(path) as partial:
        partial.write_text(text, encoding="utf-8", newline="\n", errors="backslashreplace")  # the same on every system


def is_special(path: Path) -> bool:
    """Whether a path is a pipe, socket or device, of which reading may wait for ever.

    Raises:
        OSError: If there is nothing there.
    """
    mode = path.stat().st_mode
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write a csv file whole or not at all."""
    with (
        replacing(path) as partial,
        partial.open("w", newline="", encoding="utf-8", errors="backslashreplace") as stream,
    ):
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def is_writable(folder: Path) -> bool:
    """Return whether files can be made in a folder, by making one: modes say nothing of what is mounted read-only.

    Raises:
        OSError: If they cannot for another reason than that the folder must not be written, as on a full disk.
    """
    trial = folder / f".trial-{os.getpid()}"  # in such a folder on Windows, tempfile would try names for ever
    try:
        trial.touch()
        trial.unlink(missing_ok=True)
    except OSError as error:
        if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
            return False
        raise
    return True


def copy_files(source: Path, folder: Path) -> None:
    """Copy what is in ``source`` and the folders in it, but not who may write it."""
    for path in sorted(source.rglob("*")):
        if path.is_file():
            copy = folder / path.relative_to(source)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)


def cache_folder(argument: str | Path | None = None) -> Path:
    """Return the folder of what can be made again: packed stores and the demo corpus. It is not made here.

    Args:
        argument: The folder; None for ``$MUSICLAB_CACHE``, else the user's cache folder.
    """
    folder = argument or os.environ.get(CACHE_VARIABLE) or platformdirs.user_cache_dir("musiclab")
    return Path(folder).expanduser().absolute()


def own_configs(kind: str = "configs") -> dict[str, Path]:
    """Return the configs that come along, by name: those in the installed package, or, in a clone, beside it.

    The name of one in a folder has that in front, as in ``published/genre_cnn.yaml``.

    Args:
        kind: ``configs``, or ``studies`` for the files of studies.
    """
    package = Path(__file__).parent
    folder = package / kind
    folder = folder if folder.is_dir() else package.parent / kind
    found = [*sorted(folder.glob("*.yaml")), *sorted(folder.glob("*/*.yaml"))]
    return {path.relative_to(folder).as_posix(): path for path in found}


def find_config(name: str, kind: str = "configs") -> Path:
    """Return a config: the file of that path, or else the one of that name that comes along, as in ``configs/``.

    Args:
        name: Its name, or the path of a file.
        kind: As of :func:`own_configs`.

    Raises:
        UserError: If there is neither.
    """
    path, own = Path(name).expanduser(), own_configs(kind)
    if stands_there(path):
        return path
    known = path.as_posix().removeprefix(f"{kind}/")
    if known in own:
        return own[known]
    near = did_you_mean(path.name if path.name in own else known, own)
    what = "config" if kind == "configs" else "study"
    raise UserError(f"{name}: no such {what}, neither here nor among those that come along{near or HOW_TO_LIST}")


def make_home() -> None:
    """Give a user who has no home, as in some containers, one among the temporary files, and say so.

    Matplotlib, numba and librosa keep files there, too. One whose home cannot be written gets a place for these alone.
    """
    homeless = os.path.expanduser("~").startswith("~")  # noqa: PTH111  (Path.expanduser raises)
    if not homeless and (CACHE_VARIABLE in os.environ or _can_be_made(cache_folder())):
        return
    user = os.getuid() if hasattr(os, "getuid") else "home"  # on Windows, the folder of temporary files is a user's own
    folder = Path(tempfile.gettempdir(), f"musiclab-{user}")
    folder.mkdir(mode=0o700, exist_ok=True)
    what = "There is no home folder"
    if homeless:
        os.environ["USERPROFILE" if os.name == "nt" else "HOME"] = str(folder)
    else:
        what = f"{cache_folder()} cannot be made"
        os.environ[CACHE_VARIABLE] = str(folder)
        os.environ.setdefault("MPLCONFIGDIR", str(folder / "matplotlib"))
    print(f"{what}: {folder} stands in ({CACHE_VARIABLE} names a place for packed data)", file=sys.stderr)


def _can_be_made(folder: Path) -> bool:
    """Whether a folder can be written, or be made where it is missing."""
    there = (path for path in (folder, *folder.parents) if os.path.exists(path))  # noqa: PTH110  (Path's may raise)
    return os.access(next(there), os.W_OK)


@contextmanager
def importing() -> Iterator[None]:
    """Let the garbage collector leave alone what modules consist of, while they are imported and later.

    There is next to no garbage among it, and to look for some takes two of the eight seconds until a first answer.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if enabled:
            gc.enable()


@functools.cache
def import_librosa() -> ModuleType:
    """Import librosa and return it, a minute's work where it is not compiled yet; all of musiclab imports it by this.

    One process does so at a time. Of two that compile at once, one can keep code that calls what the other has named
    differently, and each later process that reads it crashes (https://github.com/numba/numba/issues/10128). Whoever
    starts processes that need librosa has to import it before: they do not wait for each other.
    """
    folder = code_folder()
    with ExitStack() as stack:
        if multiprocessing.parent_process() is None and os.access(folder, os.W_OK):
            with suppress(OSError, NotImplementedError):  # of file systems without locks
                stack.enter_context(FileLock(folder / "numba.lock"))
        if not any(folder.rglob("*.nbi")) and multiprocessing.parent_process() is None:
            stack.enter_context(_ticking("Compiling librosa, which is done once: "))
        stack.enter_context(_interrupted_after())  # but not while another process is waited for
        stack.enter_context(importing())
        importlib.import_module("librosa.beat")  # which imports all of librosa's modules with such loops
    return importlib.import_module("librosa")


@contextmanager
def _ticking(words: str) -> Iterator[None]:
    """Say what takes long, and add a dot every two seconds."""
    ended = threading.Event()

    def tick() -> None:
        while not ended.wait(2):
            print(".", end="", file=sys.stderr, flush=True)

    print(words, end="", file=sys.stderr, flush=True)
    thread = threading.Thread(target=tick, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        print(file=sys.stderr)


@contextmanager
def _interrupted_after() -> Iterator[None]:
    """Keep an interrupt until the block has ended: numba's compiler would print it and go on."""
    received: list[tuple[int, FrameType | None]] = []
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handler = signal.signal(signal.SIGINT, lambda number, frame: received.append((number, frame)))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler or signal.SIG_DFL)
    if received and callable(handler):
        handler(*received[0])


def code_folder() -> Path:
    """Return where numba keeps what it compiles of librosa: beside it, or in musiclab's cache folder.

    The latter, where it cannot be written beside it. The folder is made if it can be.
    """
    if chosen := os.environ.get("NUMBA_CACHE_DIR"):
        folder = Path(chosen)
    else:
        found = importlib.util.find_spec("librosa")
        assert found is not None
        assert found.origin is not None
        folder = Path(found.origin).parent / "__pycache__"
        if not os.access(folder.parent, os.W_OK):
            folder = cache_folder() / "numba"
            os.environ["NUMBA_CACHE_DIR"] = str(folder)
    with suppress(OSError):  # what was compiled before can be read all the same
        folder.mkdir(parents=True, exist_ok=True)
    return folder
