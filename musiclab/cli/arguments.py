"""The command line of a training as people type it, in the words that the parser takes."""

import json
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml

from musiclab.errors import UserError
from musiclab.files import HOW_TO_LIST, find_config, is_special

NAMES = ("--data.paths", "--data.axes", "--data.tags", "--data.target_names")
"""Options that take one word or more."""

RANGE = "--data.value_range"
"""One that takes two numbers."""

CONFIG_NAME = re.compile(r"[^\s:{]+|.*\.(ya?ml|json)", re.IGNORECASE)
"""What is the name of a config and no config itself, which the parser takes too."""

PLACEHOLDERS = ("GENRE_CHECKPOINT", "MUSICNN_CHECKPOINT")
"""What emotion_transfer.yaml, and what the configs of MusiCNN have in place of a checkpoint."""

CLASSES = {
    "--data.help": "GenreDataModule, EmotionDataModule, TagDataModule or AudioDataModule",
    "--model.help": "ClassificationTask, RegressionTask, MultitaskRegressionTask or TaggingTask",
}
"""Options that ask about a class, and the classes that there are."""


def complete(command: str | None, arguments: Sequence[str]) -> list[str]:
    """Return a command line with its configs as paths, several words of an option as a list, and classes filled in.

    Args:
        command: ``fit``, ``validate``, ``test`` or ``predict``; None where none is given.
        arguments: As they were typed.

    Raises:
        UserError: If there is no such config, or it is not said which model, or which data, is meant.
    """
    args = _join_words(_name_configs(arguments))
    args = _name_asked_class(args)
    _require_values(args)
    if command and not any(is_question(argument) for argument in args):
        if command == "predict" and not _has(args, "--data", "-c", "--config") and _has(args, "--data.paths"):
            args.insert(args.index(command) + 1, "--data=AudioDataModule")  # no other has songs
        _require(command, args, arguments)
    return args


def is_question(argument: str) -> bool:
    """Whether an argument asks something, so that nothing is run."""
    return bool(re.match(r"-h$|--([\w.]+\.)?help\b|--print_config\b|--version$", argument))


def _name_configs(arguments: Sequence[str]) -> list[str]:
    """Return a command line with the path of each config that is given by its name."""
    named = []
    follows = False
    for argument in arguments:
        option, _, value = argument.partition("=")
        if follows:
            named.append(_config(argument))
        elif value and option in ("-c", "--config"):
            named.append(f"{option}={_config(value)}")
        else:
            named.append(argument)
        follows = argument in ("-c", "--config")
    if follows:
        raise UserError(f"{arguments[-1]}: which config? Give its name, as in -c genre_cnn.yaml{HOW_TO_LIST}")
    return named


def _config(name: str) -> str:
    """Return the path of a config that can be read.

    Raises:
        UserError: If there is none, or it is no text.
    """
    if not CONFIG_NAME.fullmatch(name):
        return name
    path = find_config(name)
    if path.is_dir():
        raise UserError(f"{name}: a folder; a config is a file, as in -c genre_cnn.yaml{HOW_TO_LIST}")
    if not is_special(path):
        _read(path)
    return str(path)


def _read(path: Path) -> Any:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise UserError(f"{path}: not a config, which is text in YAML; give one, as in -c genre_cnn.yaml") from None
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        where = getattr(error, "problem_mark", None)
        line = f"line {where.line + 1}: " if where else ""
        reason = getattr(error, "problem", None) or "no YAML"
        raise UserError(f"{path}: {line}cannot be read as YAML ({reason})") from None


def _join_words(arguments: Sequence[str]) -> list[str]:
    """Return a command line in which the words after an option of several are one: ``a b`` is ``["a", "b"]``."""
    joined: list[str] = []
    words: list[str] = []
    option = ""
    for argument in [*arguments, "--"]:
        if option and not re.match(r"-(?![\d.])", argument):
            words.append(argument)
            continue
        if option:
            value = f"[{','.join(words)}]" if option == RANGE else json.dumps(words, ensure_ascii=False)
            joined += [option, value if len(words) > 1 else words[0]] if words else [option]
        words, option = [], argument if argument in (*NAMES, RANGE) else ""
        if not option:
            joined.append(argument)
    return joined[:-1]


def _require_values(arguments: Sequence[str]) -> None:
    """Refuse options without a value; the parser would say it of another option.

    Raises:
        UserError: Naming the option.
    """
    for argument, following in pairwise([*arguments, "--"]):
        option = re.fullmatch(r"--(ckpt_path|data|model|(data|model|trainer)\.[\w.]+)", argument)
        if option and following.startswith("--") and not is_question(argument):
            raise UserError(f"{argument}: a value has to follow, as in {argument} VALUE")


def _name_asked_class(arguments: Sequence[str]) -> list[str]:
    """Return a command line that asks about the class of its config where it asks about none."""
    named = list(arguments)
    for option, kinds in CLASSES.items():
        if option not in named:
            continue
        following = named[named.index(option) + 1 : named.index(option) + 2]
        if following and not following[0].startswith("-"):
            continue
        part = option[2:].split(".")[0]
        found = [kind for config in _configs(named) if (kind := _class_in(config, part))]
        if not found:
            raise UserError(f"{option}: of which class? Name {kinds}, as in {option} {re.split('[, ]', kinds)[0]}")
        named = [*named[: named.index(option)], option, found[-1]]
    return named


def _configs(arguments: Sequence[str]) -> Iterator[Path]:
    for number, argument in enumerate(arguments):
        option, _, value = argument.partition("=")
        if option in ("-c", "--config"):
            path = Path(value or "".join(arguments[number + 1 : number + 2]))
            if path.is_file():
                yield path


def _class_in(config: Path, part: str) -> str | None:
    read = _read(config)
    settings = read.get(part) if isinstance(read, dict) else None
    return settings.get("class_path") if isinstance(settings, dict) else settings if isinstance(settings, str) else None


def require_pretrained(model: Mapping[str, Any]) -> None:
    """Refuse a model that starts from a checkpoint that is not there, before anything is made.

    Raises:
        UserError: Saying what to give.
    """
    path = (model.get("init_args") or {}).get("pretrained")
    if path and not Path(path).expanduser().exists():
        found = (
            "--model.pretrained is not given" if path in PLACEHOLDERS else f"{path}: no such checkpoint to start from"
        )
        if str(model["init_args"].get("backbone", {}).get("class_path", "")).endswith(".MusiCNN"):
            raise UserError(
                f"{found}; give that of MusiCNN, as `musiclab import-weights` makes it: --model.pretrained musicnn.ckpt"
            )
        raise UserError(
            f"{found}; give that of a genre model, as a fit of genre_cnn.yaml leaves it: "
            f"--model.pretrained {_newest_checkpoint() or 'RUN/checkpoints/best.ckpt'}"
        )


def _has(arguments: Sequence[str], *options: str) -> bool:
    return any(argument.partition("=")[0] in options for argument in arguments)


def _require(command: str, args: Sequence[str], typed: Sequence[str]) -> None:
    """Refuse a command line that names no model or no data, with one to copy that does.

    Raises:
        UserError: Saying what is missing.
    """
    if _has(args, "--ckpt_path"):
        return
    if command != "fit":
        checkpoint = _newest_checkpoint()
        line = _line([*typed, "--ckpt_path", str(checkpoint or "RUN/checkpoints/best.ckpt")])
        raise UserError(
            f"{command} needs a trained model, or it would run on random weights; name its checkpoint by --ckpt_path, "
            f"as in: {line}"
        )
    if not _has(args, "-c", "--config") and not (_has(args, "--model") and _has(args, "--data")):
        stray = next((word for word in typed[1:] if word.endswith((".yaml", ".yml"))), None)
        rest = [word for word in typed[1:] if word != stray]
        line = _line([typed[0], "-c", stray or "genre_cnn.yaml", *rest])
        raise UserError(f"fit needs a config, which says which model and data: {line}{HOW_TO_LIST}")


def _newest_checkpoint() -> Path | None:
    """Return the best checkpoint of the newest run below the current folder."""
    found = Path("lightning_logs").glob("version_*/checkpoints/best.ckpt")
    return max(found, key=lambda path: path.stat().st_mtime, default=None)


def _line(arguments: Sequence[str]) -> str:
    return shlex.join(["musiclab", *arguments])
