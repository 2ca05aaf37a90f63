"""Lightning modules: a backbone, a head, a loss and metrics."""

from musiclab.tasks.base import SpectrogramTask
from musiclab.tasks.classification import ClassificationTask

__all__ = ["ClassificationTask", "SpectrogramTask"]
