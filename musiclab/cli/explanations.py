"""The parser's errors about a training's options, in plain words and with what may have been meant."""

import re
from pathlib import Path

from musiclab.cli.options import classes_with, nearest_class, nearest_option

BASES = ("SpectrogramDataModule", "SpectrogramTask")
"""What the parser takes where no class is named."""

KEY = re.compile(r'Parser key "([\w.+]+)":')


def explain(message: str) -> str:
    """Return what a message of the parser, of one line, says in plain words.

    The parser nests them: of an option of an option, all that it is part of is told first, in the words of Python.
    """
    keys = [key.replace(".init_args", "") for key in KEY.findall(message)]
    place = ".".join(keys)
    if unknown := re.search(r"Option '([\w.]+)' is not accepted", message):
        option = f"{place}.{unknown[1]}"
        pattern = r"given class_path '([\w.]+)'" if len(keys) == 1 else r"Got value: Namespace\(class_path='([\w.]+)'"
        found = re.search(pattern, message)
        kind = found[1].rsplit(".", 1)[-1] if found else ""
        others = classes_with(option)
        if kind in BASES and others:
            return f"--{option}: of which class? Give a config by -c, or name the class, as in --{place} {others}"
        near = f"; {others} has it" if others else nearest_option(option)
        return f"--{option}: no such option{f' of {kind}' if kind else ''}{near}"
    if unknown := re.search(r"does not accept option '([\w.]+)'", message):
        return f"{unknown[1]}: no such key of a config{nearest_option(unknown[1]).replace('--', '')}"
    if unknown := re.search(r"unrecognized arguments: (.*)", message):
        return _unrecognized(place, unknown[1])
    if unknown := re.search(r"ambiguous option: (\S+) could match (.*)", message):
        return (
            f"{unknown[1].split('=')[0]}: no such option{nearest_option(unknown[1]) or f'; it could be {unknown[2]}'}"
        )
    if unknown := re.match(r"(--[\w.]+): Expected a dot import path string: (\S+)", message):
        return f"{unknown[1]}: no class {unknown[2]}{nearest_class(unknown[2])}"
    reason = KEY.split(message)[-1].strip()
    if unknown := re.match(r"Expected a dot import path string: (\S+)", reason):
        return f"--{place}: no class {unknown[1]}{nearest_class(unknown[1])}"
    if not place:
        return message
    reason = re.sub(r"Problem with given class_path '[^']*': ", "", reason)
    reason = re.sub(r"Type \S.* expects a function or a callable class: ", "", reason)
    reason = re.sub(r" Expected a dot import path string: ", ". Got value: ", reason)
    reason = re.sub(r"\ba <class '(\w+)'>", r"\1", reason)
    reason = re.sub(r"(?<=\S) Expected ", " or ", reason)
    reason = re.sub(r"\ba typing\.Literal\[([^]]*)\]", r"one of \1", reason)
    return f"--{place}: {reason}"


def _unrecognized(place: str, words: str) -> str:
    """Say of words that are no options, or options of nothing, what they may be."""
    word = words.split()[0]
    if word.startswith("-"):
        option = ".".join(filter(None, [place, word.lstrip("-").partition("=")[0]]))
        return f"--{option}: no such option{nearest_option(option)}"
    if word.endswith((".yaml", ".yml")):
        return f"{words}: a config is given as in -c {word}"
    if Path(word).is_dir():
        return f"{words}: a folder is given as in --data.root {word}; songs as in --data.paths {word}"
    if Path(word).suffix:
        return f"{words}: songs are given as in --data.paths {word}"
    return f"{words}: belongs to no option before it"
