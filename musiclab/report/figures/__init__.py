"""Every picture that musiclab draws: functions of arrays that return a matplotlib Figure.

They use matplotlib's object interface: no global state, no window, safe in any process.
"""

from musiclab.report.figures.curves import axes_figure, learning_figure
from musiclab.report.figures.results import confusion_figure, f1_figure, scatter_figure
from musiclab.report.figures.style import new_figure, png_bytes, save_figure

__all__ = [
    "axes_figure",
    "confusion_figure",
    "f1_figure",
    "learning_figure",
    "new_figure",
    "png_bytes",
    "save_figure",
    "scatter_figure",
]
