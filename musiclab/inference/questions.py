"""What a model is asked about in Python: songs and arrays, made into batches as ``musiclab predict`` makes them."""

import os
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from musiclab.batch import Batch
from musiclab.checkpoint import DATA_SETTINGS, output_kind
from musiclab.data.arrays import ARRAY_SUFFIXES, ArrayHeader, check_array, read_array, require_lab_rows
from musiclab.data.audio.decoding import AudioError
from musiclab.data.audio.extraction import Form
from musiclab.data.audio.song import SongFrames
from musiclab.data.datamodules import AudioDataModule
from musiclab.data.dataset import Track, collate
from musiclab.data.recipe import read_recipe
from musiclab.data.sampling import evaluation_order
from musiclab.data.store import default_dtype
from musiclab.data.targets import unknown_targets
from musiclab.errors import UserError
from musiclab.inference.trained import TrainedModel
from musiclab.spectrogram import FEATURE_ROWS
from musiclab.tasks.scale import require_recipe

Frames = npt.NDArray[np.floating]

DEFAULTS = {"store_dtype": None, "batch_size": 32, "by_length": None}
"""Settings of a datamodule for checkpoints that do not name them."""


class Questions:
    """Makes batches for a trained model.

    Args:
        trained: The model's checkpoint.
        any_scale: Take songs even for a model that was trained on other values than audio files give.
    """

    def __init__(self, trained: TrainedModel, any_scale: bool) -> None:
        arguments = trained.hyperparameters
        settings = {**DEFAULTS, **(trained.checkpoint.get(DATA_SETTINGS) or {})}
        self.path, self.features, beat_synced = trained.path, arguments["features"], arguments["beat_synced"]
        self.columns = FEATURE_ROWS.get(self.features, slice(0, arguments["num_features"]))
        self.dtype: str = settings["store_dtype"] or default_dtype(self.features)
        self.batch_size: int = settings["batch_size"]
        self.by_length: bool = beat_synced if settings["by_length"] is None else settings["by_length"]
        self.any_scale = any_scale
        self.recipe = arguments.get("recipe")
        (self.target,) = unknown_targets(output_kind(trained.checkpoint), 1, len(arguments["target_names"]))

    def song(self, song: Any) -> AudioDataModule:
        """Return a song cut into windows.

        Raises:
            UserError: If it is none, or the model cannot be asked about songs.
        """
        if not isinstance(song, str | os.PathLike):
            raise UserError(f"{type(song).__name__} given for a song; give the path of an audio file")
        path = Path(song).expanduser()
        if path.is_dir() or path.suffix.lower() == ".txt":
            raise UserError(f'{path}: no audio file; give a list of paths, as sorted(Path("songs").glob("*.mp3"))')
        data = AudioDataModule([str(path)], str(self.path), any_scale=self.any_scale)
        if len(data.files) != 1:
            raise UserError(
                f'{path}: {len(data.files)} files; give a list of paths, as sorted(Path("songs").glob("*.mp3"))'
            )
        data.setup("predict")
        return data

    def windows(self, data: AudioDataModule, frames: SongFrames) -> Iterator[Batch]:
        """Yield windows of a song, cut from its frames; why one cannot be used is noted in ``data.failures``.

        Args:
            data: The song, cut into windows that are songs by themselves.
            frames: Of the song, by the recipe of its windows.
        """
        form: Form = "beat" if data.beat_synced else "full"
        named = ((identifier, window.clip) for identifier, windows in data.songs.items() for window in windows)
        while some := list(islice(named, data.batch_size)):
            tracks = []
            for identifier, clip in some:
                array = frames.window(clip.offset, data.window, clip.every, form)
                if isinstance(array, AudioError):
                    data.failures.append(str(array))
                else:
                    tracks.append(Track(array[self.columns].T, self.target, identifier))
            if tracks:
                yield collate(tracks)

    def frames(self, item: Any, name: str) -> Frames:
        """Return the features of an array ``(time, features)``, as exact as a store keeps them.

        Args:
            item: Array ``(rows, time)``, or the path of one.
            name: What an array is called.

        Raises:
            UserError: If it does not keep the data contract, or lacks rows of the features.
        """
        if isinstance(item, str | os.PathLike):
            name = str(item)
            path = Path(item).expanduser()
            array = read_array(path)
            made = read_recipe(path.parent) or read_recipe(path.parent.parent)
            require_recipe(self.recipe, made.plain() if made else None, self.path)
        else:
            try:
                array = np.asarray(item.detach().cpu() if torch.is_tensor(item) else item)
            except ValueError:
                raise UserError(f"{name}: rows of different lengths; expected (rows, time)") from None
            except (TypeError, RuntimeError):  # tensors that numpy has no type for, or that hold no values
                raise UserError(f"{name}: {item.dtype} is no array of floats; give item.float(), dense") from None
            check_array(name, array)
        self._check_rows(name, array)
        with np.errstate(over="ignore"):
            frames = np.ascontiguousarray(array[self.columns].T, self.dtype)
        if not np.isfinite(frames).all():
            raise UserError(f"{name}: values up to {np.abs(array).max():.3g} do not fit {self.dtype}; expected dB")
        return frames

    def _check_rows(self, name: str, array: Frames) -> None:
        rows, wanted = len(array), self.columns.stop
        of_lab = self.features in FEATURE_ROWS
        if of_lab:
            require_lab_rows(name, ArrayHeader(rows, array.shape[1], array.dtype.name))
        if rows < wanted or (rows > wanted and not of_lab):
            lacks = " (no chroma)" if of_lab else ""
            raise UserError(
                f"{name}: {self.features} features need {wanted} rows, but it has {rows}{lacks}; give arrays as those "
                f"that {self.path} was trained on"
            )

    def batches(self, arrays: Mapping[int, Frames]) -> Iterator[Batch]:
        """Yield arrays, called by their numbers, in batches as of the model's own data."""
        numbers, lengths = list(arrays), np.array([len(frames) for frames in arrays.values()])
        order = evaluation_order(lengths, self.batch_size, by_length=self.by_length)
        for start in range(0, len(order), self.batch_size):
            batch = [numbers[index] for index in order[start : start + self.batch_size]]
            yield collate([Track(arrays[number], self.target, str(number)) for number in batch])


def is_song(item: Any) -> bool:
    """Tell whether something that a model is asked about is a song, and no array."""
    return isinstance(item, str | os.PathLike) and not str(item).lower().endswith(ARRAY_SUFFIXES)


def mean_of(tracks: Sequence[Frames]) -> torch.Tensor:
    """Return the mean of each feature over the frames of all tracks, ``(features,)``."""
    total = sum(frames.sum(axis=0, dtype=np.float64) for frames in tracks)
    return torch.from_numpy(total / sum(map(len, tracks))).float()
