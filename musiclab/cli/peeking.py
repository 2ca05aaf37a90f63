"""What a command line names, before it is parsed."""

import argparse
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from lightning_utilities.core.rank_zero import rank_zero_only

from musiclab.checkpoint import newest_whole, read_checkpoint
from musiclab.errors import UserError
from musiclab.inference.own_parts import find_in_current_folder, import_modules


def peek(args: Sequence[str]) -> argparse.Namespace:
    """Return the checkpoint, the data and the configs that a command line names, before it is parsed."""
    peek = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    peek.add_argument("--ckpt_path")
    peek.add_argument("--data")
    peek.add_argument("-c", "--config", action="append", default=[])
    return peek.parse_known_args(args)[0]


def import_named(args: Sequence[str]) -> list[str]:
    """Import the modules that ``--import`` names, and return the command line without them.

    Those of the current folder are found from here on, whoever names them.

    Raises:
        UserError: If one cannot be imported.
    """
    find_in_current_folder()
    options = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    options.add_argument("--import", action="append", default=[], dest="modules", nargs="?", const="")
    given, rest = options.parse_known_args(args)
    import_modules(given.modules, "--import")
    return rest


def config_text(config: str) -> str:
    """Return what a config says, as far as it can be read."""
    try:
        return Path(config).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):  # the parser says what is wrong
        return ""


def pass_over_damage(args: list[str]) -> list[str]:
    """Have a run go on from its newest whole checkpoint if its last one is damaged, or gone; it is put aside then."""
    last = Path(peek(args).ckpt_path or "")
    if last.name != "last.ckpt":
        return args
    try:
        read_checkpoint(last)
    except UserError:
        whole = newest_whole(last.parent)
        if whole is None:
            raise
        with suppress(OSError):  # another process has done so, or the folder must not be written
            last.rename(last.with_suffix(".damaged"))
        if rank_zero_only.rank == 0:  # type: ignore[attr-defined]
            print(f"{last} is damaged, or gone: the run goes on from {whole}", file=sys.stderr)
        return [*args, f"--ckpt_path={whole}"]
    return args
