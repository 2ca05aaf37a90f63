"""From a data set folder to the batches of each stage."""

from musiclab.data.datamodules.base import Part, SpectrogramDataModule
from musiclab.data.datamodules.genre import GenreDataModule

__all__ = ["GenreDataModule", "Part", "SpectrogramDataModule"]
