"""Recognise genre and emotion of music from spectrograms."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from musiclab.runs.trainer import Trainer

__all__ = ["Trainer", "__version__"]

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Import what is slow to import when it is asked for."""
    if name == "Trainer":
        from musiclab.runs.trainer import Trainer

        return Trainer
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
