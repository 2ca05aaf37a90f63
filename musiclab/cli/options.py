"""The options of trainings, and which of them is near to one that there is not."""

import difflib
import inspect
import re
from collections.abc import Iterator, Sequence

from musiclab.cli.default_callbacks import CALLBACKS
from musiclab.data.datamodules import AudioDataModule, EmotionDataModule, GenreDataModule, TagDataModule
from musiclab.errors import did_you_mean
from musiclab.models import AST, CNN, CRNN, LSTM, FlatCNN, MusiCNN, ResidualCNN
from musiclab.runs.trainer import Trainer
from musiclab.tasks import ClassificationTask, MultitaskRegressionTask, RegressionTask, TaggingTask

DATA = [GenreDataModule, EmotionDataModule, TagDataModule, AudioDataModule]
TASKS = [ClassificationTask, RegressionTask, MultitaskRegressionTask, TaggingTask]
BACKBONES = [AST, CNN, CRNN, LSTM, MusiCNN, ResidualCNN, FlatCNN]

CLASSES: dict[str, Sequence[type]] = {
    "data": DATA, "model": TASKS, "model.backbone": BACKBONES, "trainer": [Trainer],
    **{name: [kind] for name, (kind, _) in CALLBACKS.items()},
}  # fmt: skip
"""The classes that each group of options is of."""

MORE = ["model.optimizer.lr", "model.optimizer.weight_decay", "model.lr_scheduler.max_lr", "config", "ckpt_path"]
"""Options of PyTorch's classes, and of none."""

LEFT_OUT = ("self", "min_epochs", "min_steps")
"""Who writes ``epochs`` means the most of them."""

NEAR = 0.7
"""How much alike an option is that may have been meant, of 1."""


def arguments_of(kind: type) -> Iterator[str]:
    """Yield the names of a constructor's arguments, those of base classes that it hands on too."""
    for cls in kind.__mro__:
        if "__init__" in vars(cls):
            for name, parameter in inspect.signature(vars(cls)["__init__"]).parameters.items():
                if name not in LEFT_OUT and parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
                    yield name


def all_options() -> list[str]:
    """Return the options of trainings, as in ``data.root``."""
    groups = [f"{group}.{name}" for group, kinds in CLASSES.items() for kind in kinds for name in arguments_of(kind)]
    return [*dict.fromkeys(groups), *CLASSES, *MORE, "seed_everything"]


def nearest_option(word: str) -> str:
    """Return what to add to an error about an option that there is not: the one that may have been meant.

    The last part of its name counts first: ``--batch_size`` and ``--data.batchsize`` mean ``--data.batch_size``, and
    ``--model.dropout`` is an option of the backbone.
    """
    name = re.sub(r"^-*|=.*|\binit_args\.|\.class_path$", "", word)
    if "." not in name and (near := difflib.get_close_matches(name, [*CLASSES, *MORE], 1, NEAR)):
        return f"; did you mean --{near[0]}?"
    tail = name.rsplit(".", 1)[-1]
    tails: dict[str, list[str]] = {}
    for option in all_options():
        tails.setdefault(option.rsplit(".", 1)[-1], []).append(option)
    near = difflib.get_close_matches(tail, tails, 1, NEAR)
    if not near:
        return ""
    options = tails[near[0]]
    return f"; did you mean --{max(options, key=lambda option: difflib.SequenceMatcher(None, name, option).ratio())}?"


def classes_with(option: str) -> str:
    """Return the classes that have an option, as in ``AudioDataModule``; nothing where there is no such option."""
    group, _, name = option.rpartition(".")
    return " or ".join(kind.__name__ for kind in CLASSES.get(group, []) if name in arguments_of(kind))


def nearest_class(name: str) -> str:
    """Return what to add to an error about a class that there is not: the one that may have been meant."""
    known = [kind.__name__ for kinds in (DATA, TASKS, BACKBONES) for kind in kinds]
    return did_you_mean(name.rsplit(".", 1)[-1], known)
