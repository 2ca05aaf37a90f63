"""What runs beside training: averaged weights, and the files that tests and predictions leave behind."""

from musiclab.callbacks.averaging import EMAWeights
from musiclab.callbacks.emotion import EmotionResults
from musiclab.callbacks.genre import GenreResults
from musiclab.callbacks.results import ResultWriter, Rows, StepOutput, gather_rows
from musiclab.callbacks.solution import SolutionWriter

__all__ = [
    "EMAWeights",
    "EmotionResults",
    "GenreResults",
    "ResultWriter",
    "Rows",
    "SolutionWriter",
    "StepOutput",
    "gather_rows",
]
