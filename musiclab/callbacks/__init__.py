"""What runs beside training: averaged weights, and the files that runs, tests and predictions leave behind."""

from musiclab.callbacks.averaging import EMAWeights
from musiclab.callbacks.emotion import EmotionResults
from musiclab.callbacks.genre import GenreResults
from musiclab.callbacks.record import RunRecord
from musiclab.callbacks.results import ResultWriter, Rows, StepOutput, gather_rows
from musiclab.callbacks.solution import SolutionWriter

__all__ = [
    "EMAWeights",
    "EmotionResults",
    "GenreResults",
    "ResultWriter",
    "Rows",
    "RunRecord",
    "SolutionWriter",
    "StepOutput",
    "gather_rows",
]
