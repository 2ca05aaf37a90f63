"""From data set folders and audio files to the batches of each stage."""

from musiclab.data.datamodules.audio import AudioDataModule
from musiclab.data.datamodules.base import SpectrogramDataModule
from musiclab.data.datamodules.emotion import EmotionDataModule
from musiclab.data.datamodules.folder import FolderDataModule
from musiclab.data.datamodules.genre import GenreDataModule
from musiclab.data.datamodules.tag import TagDataModule

__all__ = [
    "AudioDataModule",
    "EmotionDataModule",
    "FolderDataModule",
    "GenreDataModule",
    "SpectrogramDataModule",
    "TagDataModule",
]
