"""From a data set folder to the batches of each stage."""

from musiclab.data.datamodules.base import Part, SpectrogramDataModule
from musiclab.data.datamodules.emotion import EmotionDataModule
from musiclab.data.datamodules.genre import GenreDataModule

__all__ = ["EmotionDataModule", "GenreDataModule", "Part", "SpectrogramDataModule"]
