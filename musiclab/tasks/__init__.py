"""Lightning modules: what is trained, how, and by which metrics it is judged."""

from musiclab.tasks.base import SpectrogramTask
from musiclab.tasks.classification import ClassificationTask
from musiclab.tasks.multitask import MultitaskRegressionTask
from musiclab.tasks.regression import RegressionTask
from musiclab.tasks.tagging import TaggingTask

__all__ = ["ClassificationTask", "MultitaskRegressionTask", "RegressionTask", "SpectrogramTask", "TaggingTask"]
