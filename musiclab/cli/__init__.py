"""The command line."""

from musiclab.cli.dispatch import main

__all__ = ["main"]
