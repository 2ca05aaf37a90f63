"""The ``musiclab`` command: Lightning's fit, validate, test and predict, and musiclab's own commands."""

import codecs
import importlib
import inspect
import io
import os
import re
import signal
import sys
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, get_args, get_origin, get_type_hints

from musiclab import __version__
from musiclab.errors import UserError, describe_user_error, did_you_mean
from musiclab.files import SURROGATES, importing, make_home, shown

if TYPE_CHECKING:
    from musiclab.cli.training import TrainingCLI

TRAINING = {
    "fit": "Train a model, then test its best checkpoint.",
    "validate": "Measure a trained model on its validation part.",
    "test": "Measure a trained model on its test part.",
    "predict": "Say what a trained model makes of tracks, or of audio files.",
}
"""Lightning's commands, with a line of help."""

COMMANDS = {
    "configs": ("musiclab.commands.configs:configs", "List the configs that come along, or copy one to change it."),
    "demo-data": (
        "musiclab.commands.demo_data:demo_data",
        "Make the demo corpus: synthesised music, laid out as the lab's data.",
    ),
    "check": ("musiclab.commands.check.check:check", "List everything that is wrong with a data set folder."),
    "explore": ("musiclab.commands.explore.explore:explore", "Show what a data set looks like, as a page of pictures."),
    "extract": ("musiclab.commands.extract:extract", "Turn audio files into spectrogram arrays."),
    "build-genres": (
        "musiclab.commands.build_genres:build_genres",
        "Make a genre data set of audio files that lie in a folder per genre.",
    ),
    "build-emotions": (
        "musiclab.commands.build_emotions:build_emotions",
        "Make an emotion data set of audio files and a table of ratings.",
    ),
    "build-fma": (
        "musiclab.commands.build_fma.build_fma:build_fma",
        "Make a genre and an emotion data set of the Free Music Archive.",
    ),
    "import-weights": (
        "musiclab.commands.import_weights.import_weights:import_weights",
        "Turn the published weights of MusiCNN into a checkpoint.",
    ),
    "study": (
        "musiclab.commands.study.study:study",
        "Train many models as a file says: seeds, folds, variations, searches.",
    ),
    "latents": (
        "musiclab.commands.latents.latents:latents",
        "Show how models arrange test tracks before their output layer: PCA, t-SNE, numbers.",
    ),
    "activations": (
        "musiclab.commands.activations.activations:activations",
        "Show what a network sees of a track: feature maps of a CNN, attention of an LSTM.",
    ),
    "listen": (
        "musiclab.commands.listen.listen:listen",
        "Make a page of a song that plays it and shows what models say along it.",
    ),
    "embed": ("musiclab.commands.embed.embed:embed", "Write embeddings of songs or of a data set to a file."),
    "similar": ("musiclab.commands.similar:similar", "Name the tracks of a file of embeddings nearest to a song."),
    "export": ("musiclab.commands.export:export", "Write a trained network as an ONNX file."),
    "report": ("musiclab.commands.report.report:report", "Write a report of runs, beside the published figures."),
    "combine": (
        "musiclab.commands.combine.combine:combine",
        "Average the predictions of several models, and compare them; write a competition's solution file.",
    ),
}
"""Commands that need no trainer: name, function, line of help."""

REPLACED = {"submit": "musiclab combine A/predictions.csv B/predictions.csv --solution solution.txt"}
"""Commands that there were, with what does the same now."""

OF_CHECKPOINTS = ("latents", "activations", "listen", "embed", "similar", "export")
"""Those of them that make models again, perhaps of parts of the user's own."""

TERMINATED = 128 + signal.SIGTERM
"""Exit code after SIGTERM, as shells report it."""


def main(args: Sequence[str] | None = None) -> None:
    """Run a command line, ``sys.argv`` by default.

    Raises:
        SystemExit: With code 1 after a one-line message if the user can put things right; with code 2 if the
            command line itself is wrong.
    """
    arguments = list(sys.argv[1:] if args is None else args)
    make_home()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # which a console or a redirection may give any encoding
            stream.reconfigure(errors="musiclab")
    threading.excepthook = tell_of_thread
    if not sys.stderr.isatty() and not type(sys.stderr).__module__.startswith("ipykernel"):
        os.environ.setdefault("TQDM_MININTERVAL", "10")  # s, of bars in a file; read when tqdm is imported
    try:
        if not arguments or arguments[0] in ("-h", "--help", "--version"):
            print(f"musiclab {__version__}" if arguments == ["--version"] else help_text())
            raise SystemExit(0 if arguments else 2)
        if arguments[0] in COMMANDS:
            run_command(arguments[0], arguments[1:])
        elif arguments[0] in TRAINING or arguments[0].startswith("-"):
            run_training(arguments)
        else:
            if now := REPLACED.get(arguments[0]):
                print(f"musiclab: error: {arguments[0]} is gone; use `{now}`", file=sys.stderr)
                raise SystemExit(2)
            known = [*TRAINING, *COMMANDS]
            near = did_you_mean(arguments[0], known) or f"; there are {', '.join(known)}"
            print(f"musiclab: error: no command {shown(arguments[0])!r}{near}", file=sys.stderr)
            raise SystemExit(2)
    except KeyboardInterrupt:
        print("musiclab: interrupted", file=sys.stderr)
        raise SystemExit(130) from None  # as shells report it
    except Exception as error:
        message = describe_user_error(error)
        if message is None:
            raise
        print(f"musiclab: error: {shown(message)}", file=sys.stderr)
        raise SystemExit(1) from None


def tell_of_thread(error: threading.ExceptHookArgs) -> None:
    """Tell in a line what has ended a thread, as that which writes the curves, where a user can put it right."""
    message = describe_user_error(error.exc_value) if error.exc_value else None
    if message is None:
        threading.__excepthook__(error)
    else:
        sys.stderr.write(f"musiclab: {message}\n")  # in one piece, since the main thread may be telling of the same


def _replace(error: UnicodeError) -> tuple[str, int]:
    """Return what stands for a character that cannot be printed: the byte that it was, if it was one, else ``?``."""
    assert isinstance(error, UnicodeEncodeError)
    character = error.object[error.start]
    return (f"\\x{ord(character) - 0xDC00:02x}" if "\udc80" <= character <= "\udcff" else "?"), error.start + 1


codecs.register_error("musiclab", _replace)


def help_text() -> str:
    """Return what there is, a line each."""
    lines = {**TRAINING, **{name: text for name, (_, text) in COMMANDS.items()}}
    return "\n".join(
        [
            "usage: musiclab COMMAND [options], musiclab COMMAND --help, musiclab --version",
            "",
            "Train, test and use models that recognise genre and emotion of music.",
            "",
            *(f"  {name:<16}{text}" for name, text in lines.items()),
            "",
            "Classes of your own are found in files of the current folder. Where a checkpoint needs some of elsewhere,",
            f"{', '.join([*TRAINING, *OF_CHECKPOINTS[:-1]])} and {OF_CHECKPOINTS[-1]} take --import MODULE.",
        ]
    )


def run_command(command_name: str, arguments: list[str]) -> None:
    """Run one of :data:`COMMANDS`; torch is not imported but by those that need it."""
    from jsonargparse import auto_cli

    from musiclab.cli.parsing import CommandParser

    if command_name in OF_CHECKPOINTS:
        from musiclab.cli.peeking import import_named

        arguments = import_named(arguments)
    module, function = COMMANDS[command_name][0].split(":")
    with importing():
        command = getattr(importlib.import_module(module), function)
    lists = {
        name: get_args(kind)[0]
        for name, hint in get_type_hints(command).items()
        for kind in (hint, *get_args(hint))  # the list of list[str], and that of list[str] | None
        if get_origin(kind) is list
    }
    words, required = [], {}
    for name, parameter in inspect.signature(command).parameters.items():
        option = parameter.kind is parameter.KEYWORD_ONLY
        if name in lists and not option and parameter.default is None:
            words.append(name)
        elif parameter.default is parameter.empty and parameter.kind is not parameter.VAR_KEYWORD:
            required[name] = f"--{name} {name.upper()}" if option else name.upper()
    parser = type("Parser", (CommandParser,), {"lists": lists, "words": words, "required": required})
    # --beat-root is --beat_root
    arguments = [re.sub(r"^--[\w-]+", lambda word: "--" + word[0][2:].replace("-", "_"), word) for word in arguments]
    auto_cli(command, args=arguments, as_positional=True, parser_class=parser, prog=f"musiclab {command_name}")


def run_training(arguments: list[str]) -> "TrainingCLI":
    """Run one of Lightning's commands."""
    from musiclab.cli.short_help import asks_for_all, short_help

    if text := short_help(arguments):
        print(text)
        raise SystemExit(0)
    if asks_for_all(arguments):
        arguments = [arguments[0], "--help"]

    with importing():
        from lightning_fabric.utilities.exceptions import MisconfigurationException
        from pytorch_lightning.utilities.exceptions import SIGTERMException

        from musiclab.cli.training import TrainingCLI

    for argument in arguments:
        if re.search(f"[{SURROGATES}]", argument):
            raise UserError(
                f"{argument}: not UTF-8, so that no config can hold it; give the file or folder another name"
            )
    try:
        return TrainingCLI(arguments)
    except SIGTERMException:
        print("musiclab: terminated", file=sys.stderr)
        raise SystemExit(TERMINATED) from None
    except SystemExit as ended:
        if isinstance(ended.__context__, KeyboardInterrupt):  # that Lightning has tidied up after
            raise KeyboardInterrupt from None
        raise
    except MisconfigurationException as error:
        raise UserError(str(error)) from error
    except RuntimeError as error:
        if str(error).startswith("Early stopping conditioned on metric"):
            raise UserError(" ".join(str(error).split())) from error
        raise
