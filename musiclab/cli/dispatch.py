"""The ``musiclab`` command: Lightning's fit, validate, test and predict, and musiclab's own tools."""

import importlib
import logging
import re
import sys
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, get_args, get_origin, get_type_hints

from musiclab.errors import UserError, describe_user_error

if TYPE_CHECKING:
    from musiclab.cli.training import TrainingCLI

TOOLS = {
    "demo-data": (
        "musiclab.demo.corpus:demo_data",
        "Make the demo corpus: synthesised music, laid out as the lab's data.",
    ),
    "check": ("musiclab.commands.check:check", "List everything that is wrong with a data set folder."),
    "explore": ("musiclab.commands.explore.explore:explore", "Show what a data set looks like, as a page of pictures."),
    "extract": ("musiclab.commands.extract:extract", "Turn audio files into spectrogram arrays."),
    "build-genres": (
        "musiclab.commands.build_genres:build_genres",
        "Make a genre data set of audio files that lie in a folder per genre.",
    ),
    "build-fma": (
        "musiclab.commands.build_fma.build_fma:build_fma",
        "Make a genre and an emotion data set of the Free Music Archive.",
    ),
    "reproduce": ("musiclab.commands.reproduce:reproduce", "Train all models of the lab and write the report on them."),
    "latents": (
        "musiclab.commands.latents.latents:latents",
        "Show how models arrange test tracks before their output layer: PCA, t-SNE, numbers.",
    ),
    "activations": (
        "musiclab.commands.activations.activations:activations",
        "Show what a network sees of a track: feature maps of a CNN, attention of an LSTM.",
    ),
    "report": ("musiclab.commands.report.report:report", "Write a report of runs, beside the published figures."),
    "submit": ("musiclab.commands.submit:submit", "Join emotion predictions into the solution file of a competition."),
}
"""Commands that need no trainer: name, function, line of help."""


HINTS = (
    "does not have many workers",  # tracks of a store are loaded faster without
    "smaller than the logging interval",
    "Checkpoint directory .* exists and is not empty",  # a resumed run goes on in its own folder
    "The dirpath has changed from",
    "LightningCLI's args parameter is intended",
    "isinstance.treespec, LeafSpec",
    "callbacks returned in `LightningModule.configure_callbacks` will override",
    "loading a checkpoint outside the 'fit' stage",
    "callbacks used to create the checkpoint need to be provided",
    "Loading `train_dataloader` to estimate",
    "It is recommended to use `self.log.* when logging on epoch level in distributed setting",  # they are in sync
    "Your `IterableDataset` has `__len__` defined",  # windows of songs are made by one process
    "💡 Tip",
)
"""Parts of Lightning's messages that do not apply here."""


def main(args: Sequence[str] | None = None) -> None:
    """Run a command line, ``sys.argv`` by default.

    Raises:
        SystemExit: With code 1 after a one-line message if the user can put things right; with code 2 if the
            command line itself is wrong.
    """
    arguments = list(sys.argv[1:] if args is None else args)
    try:
        if arguments and arguments[0] in TOOLS:
            run_tool(arguments[0], arguments[1:])
        else:
            run_training(arguments)
    except KeyboardInterrupt:
        print("musiclab: interrupted", file=sys.stderr)
        raise SystemExit(130) from None  # as shells report it
    except Exception as error:
        message = describe_user_error(error)
        if message is None:
            raise
        print(f"musiclab: error: {message}", file=sys.stderr)
        raise SystemExit(1) from None


def run_tool(name: str, arguments: list[str]) -> None:
    """Run one of :data:`TOOLS`; torch is not imported but by those that need it."""
    from jsonargparse import auto_cli

    from musiclab.cli.parsing import ToolParser

    module, function = TOOLS[name][0].split(":")
    tool = getattr(importlib.import_module(module), function)
    lists = {
        name: get_args(kind)[0]
        for name, hint in get_type_hints(tool).items()
        for kind in (hint, *get_args(hint))  # the list of list[str], and that of list[str] | None
        if get_origin(kind) is list
    }
    parser = type("Parser", (ToolParser,), {"lists": lists})
    # --beat-root is --beat_root
    arguments = [re.sub(r"^--[\w-]+", lambda word: "--" + word[0][2:].replace("-", "_"), word) for word in arguments]
    auto_cli(tool, args=arguments, as_positional=True, parser_class=parser, prog=f"musiclab {name}")


def run_training(arguments: list[str]) -> "TrainingCLI":
    """Run one of Lightning's commands."""
    _quieten()
    from lightning_fabric.utilities.exceptions import MisconfigurationException

    from musiclab.cli.training import TrainingCLI
    from musiclab.processes import ended_together

    with ended_together():
        try:
            return TrainingCLI(arguments, {name: text for name, (_, text) in TOOLS.items()})
        except MisconfigurationException as error:
            raise UserError(str(error)) from error


def _quieten() -> None:
    """Silence Lightning's hints that do not apply here."""
    for hint in HINTS:
        warnings.filterwarnings("ignore", f".*{hint}.*")

    def worth_reading(record: logging.LogRecord) -> bool:
        return not any(re.search(hint, record.getMessage()) for hint in HINTS)

    logging.getLogger("pytorch_lightning.utilities.rank_zero").addFilter(worth_reading)
