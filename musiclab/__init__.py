"""Recognise genre and emotion of music from spectrograms."""

import importlib
from typing import TYPE_CHECKING, Any

from musiclab.errors import UserError

if TYPE_CHECKING:
    from musiclab.data.datamodules import EmotionDataModule, GenreDataModule, TagDataModule
    from musiclab.inference.model import load
    from musiclab.runs.trainer import Trainer
    from musiclab.tasks import ClassificationTask, MultitaskRegressionTask, RegressionTask, TaggingTask

__all__ = [
    "ClassificationTask",
    "EmotionDataModule",
    "GenreDataModule",
    "MultitaskRegressionTask",
    "RegressionTask",
    "TagDataModule",
    "TaggingTask",
    "Trainer",
    "UserError",
    "__version__",
    "load",
]

__version__ = "0.1.0"

_LATER = {
    "ClassificationTask": "musiclab.tasks",
    "EmotionDataModule": "musiclab.data.datamodules",
    "GenreDataModule": "musiclab.data.datamodules",
    "MultitaskRegressionTask": "musiclab.tasks",
    "RegressionTask": "musiclab.tasks",
    "TagDataModule": "musiclab.data.datamodules",
    "TaggingTask": "musiclab.tasks",
    "Trainer": "musiclab.runs.trainer",
    "load": "musiclab.inference.model",
}
"""Where the names are that take seconds to import."""


def __getattr__(name: str) -> Any:
    """Import what is slow to import when it is asked for."""
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from musiclab.files import importing

    with importing():
        globals()[name] = value = getattr(importlib.import_module(_LATER[name]), name)
    return value


def __dir__() -> list[str]:
    """Return all names, for those who complete them."""
    return sorted({*globals(), *__all__})
