"""Every picture that musiclab draws: functions of arrays that return a matplotlib Figure.

They use matplotlib's object interface: no global state, no window, safe in any process.
"""

from musiclab.figures.curves import curves_figure
from musiclab.figures.dataset import axis_figure, class_figure, length_figure, pair_figure
from musiclab.figures.latents import class_points_figure, value_points_figure
from musiclab.figures.network import Clip, attention_figure, clip_figure, feature_maps_figure
from musiclab.figures.ranking import Apart, Place, ranking_figure
from musiclab.figures.results import confusion_figure, f1_figure, scatter_figure
from musiclab.figures.song import Answers, song_figure
from musiclab.figures.spectrograms import chroma_figure, mel_figure, rows_figure
from musiclab.figures.style import new_figure, png_bytes, save_figure

__all__ = [
    "Answers",
    "Apart",
    "Clip",
    "Place",
    "attention_figure",
    "axis_figure",
    "chroma_figure",
    "class_figure",
    "class_points_figure",
    "clip_figure",
    "confusion_figure",
    "curves_figure",
    "f1_figure",
    "feature_maps_figure",
    "length_figure",
    "mel_figure",
    "new_figure",
    "pair_figure",
    "png_bytes",
    "ranking_figure",
    "rows_figure",
    "save_figure",
    "scatter_figure",
    "song_figure",
    "value_points_figure",
]
