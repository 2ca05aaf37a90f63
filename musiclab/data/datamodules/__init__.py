"""From a data set folder to the batches of each stage."""

from musiclab.data.datamodules.base import SpectrogramDataModule
from musiclab.data.datamodules.emotion import EmotionDataModule
from musiclab.data.datamodules.genre import GenreDataModule
from musiclab.data.datamodules.parts import Part

__all__ = ["EmotionDataModule", "GenreDataModule", "Part", "SpectrogramDataModule"]
