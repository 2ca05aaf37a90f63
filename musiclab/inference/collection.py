"""Many songs, or all arrays of a data set, embedded one after the other; what cannot be used stops no others."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from musiclab.checkpoint import fingerprint
from musiclab.data.arrays import ARRAY_SUFFIXES, find_arrays
from musiclab.data.audio.decoding import AudioError
from musiclab.data.audio.windows import offsets
from musiclab.data.datamodules import AudioDataModule
from musiclab.data.dataset import collate
from musiclab.data.ids import id_order
from musiclab.data.labels import is_emotion, read_emotion_labels, read_genre_labels, read_table
from musiclab.errors import UserError
from musiclab.files import stands_there
from musiclab.inference.embeddings import best_device, embed_batch
from musiclab.inference.questions import Frames, Questions, mean_of
from musiclab.inference.trained import TrainedModel
from musiclab.inference.unfinished import Embedded
from musiclab.spectrogram import EMBEDDING, Recipe
from musiclab.tasks.scale import require_scale

ARRAYS_AT_A_TIME = 256
SONGS_AT_A_TIME = 16

Label = str | float
Answer = tuple[Path, Embedded | UserError]
"""A track, and its embeddings or why there are none."""


class Item(NamedTuple):
    """A track to embed: what it is called, where it lies, and its genre or values by the name of the column."""

    id: str
    path: Path
    labels: Mapping[str, Label]


class Embedder:
    """A model that embeds many tracks; see :class:`musiclab.inference.model.Model` for single ones.

    Args:
        path: The checkpoint.
        any_scale: Take tracks of another scale than those that it was trained on.

    Attributes:
        model: Fingerprint of the checkpoint.
    """

    def __init__(self, path: str | Path, any_scale: bool = False) -> None:
        self._trained = TrainedModel(path)
        self.path = self._trained.path
        self.model = fingerprint(self._trained.checkpoint["state_dict"])
        self._any_scale = any_scale
        self._task = self._trained.task().to(best_device()).eval()

    @property
    def window(self) -> int:
        """Frames of a window of an array: as many as the tracks have that the model was trained on.

        Raises:
            UserError: If the checkpoint does not say it, or a frame is a beat, whose duration nobody knows.
        """
        if self._trained.hyperparameters["beat_synced"]:
            raise UserError(f"{self.path}: its frames are beats, which last nobody knows how long; leave --windows out")
        frames: int | None = self._trained.checkpoint.get("track_frames")
        if frames is None:
            raise UserError(f"{self.path}: does not say how long its training tracks were; leave --windows out")
        return frames

    def recipe(self, windows: bool) -> Recipe:
        """Return how arrays of embeddings are made, with a column for each window or one in all."""
        seconds = self.window * self._trained.hyperparameters["seconds"] if windows else None
        return Recipe(seconds, scale=f"{EMBEDDING} {type(self._task.backbone).__name__} {self.model}")

    def arrays(self, paths: Sequence[Path], windows: bool = False) -> Iterator[Answer]:
        """Yield the embeddings of arrays, in any order: one row each, or one for each window.

        Raises:
            UserError: If they are on another scale than those that the model was trained on.
        """
        questions = Questions(self._trained, self._any_scale)
        for start in range(0, len(paths), ARRAYS_AT_A_TIME):
            tracks: dict[Path, Frames] = {}
            for path in paths[start : start + ARRAYS_AT_A_TIME]:
                try:
                    tracks[path] = questions.frames(path, str(path))
                except UserError as error:
                    yield path, error
            if tracks and not self._any_scale:
                mean = mean_of(list(tracks.values()))
                require_scale(self._task, mean, len(tracks), f"{len(tracks)} arrays", self.path)
            yield from self._embedded(questions, tracks, self.window if windows else None)

    def _embedded(self, questions: Questions, tracks: Mapping[Path, Frames], window: int | None) -> Iterator[Answer]:
        """Yield the embeddings of each array as soon as all of its windows have one."""
        seconds = self._trained.hyperparameters["seconds"]
        begins = {
            path: [round(begin) for begin in offsets(len(frames), window or len(frames))]
            for path, frames in tracks.items()
        }
        pieces = [(path, begin) for path in tracks for begin in begins[path]]
        arrays = {number: tracks[path][begin:][:window] for number, (path, begin) in enumerate(pieces)}
        found: dict[Path, dict[int, npt.NDArray[np.float32]]] = {path: {} for path in tracks}
        for batch in questions.batches(arrays):
            for identifier, values in zip(batch.ids, embed_batch(self._task, batch, str(self.path)), strict=True):
                path, begin = pieces[int(identifier)]
                found[path][begin] = values
                if len(found[path]) == len(begins[path]):
                    rows = found.pop(path)
                    starts = [begin * seconds for begin in begins[path]]
                    yield path, Embedded(starts, np.stack([rows[begin] for begin in begins[path]]))

    def songs(self, data: AudioDataModule, paths: Sequence[Path], windows: bool, cores: int) -> Iterator[Answer]:
        """Yield the embeddings of songs: the mean over a song's windows, or a row for each.

        Args:
            data: Says how songs are cut and which arrays are made of them.
            paths: The songs.
            windows: Whether to give a row for each window.
            cores: How many processes are of use.
        """
        of_audio = []
        for start in range(0, len(paths), SONGS_AT_A_TIME):
            cut = {}
            for path in paths[start : start + SONGS_AT_A_TIME]:
                try:
                    cut[str(path)] = data.cut(path)
                    of_audio.append(path)
                except AudioError as error:
                    yield path, error
            rows: list[npt.NDArray[np.float32]] = []
            starts: list[float] = []
            left_out = []
            batches = data.batches(cut, cores)
            for name, results in batches.spectrograms():
                left_out += [(window, array) for window, array in results if isinstance(array, AudioError)]
                arrays = {window: array for window, array in results if not isinstance(array, AudioError)}
                if arrays:
                    tracks = [batches.track(array, name) for array in arrays.values()]
                    rows.extend(embed_batch(self._task, collate(tracks), str(self.path)))
                    starts += [window.clip.offset for window in arrays]
                if len(rows) + len(left_out) < len(cut[name]):
                    continue
                batches.tell(left_out, len(cut[name]))
                yield Path(name), _joined(rows, starts, windows) if rows else left_out[0][1]
                rows, starts, left_out = [], [], []
        data.tell_missing(of_audio)


def _joined(rows: Sequence[npt.NDArray[np.float32]], starts: list[float], windows: bool) -> Embedded:
    values = np.stack(rows)
    if windows:
        return Embedded(starts, values)
    return Embedded([0.0], values.astype(np.float64).mean(axis=0, keepdims=True).astype(np.float32))


def is_data_set(path: Path) -> bool:
    """Tell whether a folder is a data set: ``train/`` or ``test/`` in it holds arrays."""
    folders = [path / part for part in ("train", "test")]
    return any(
        folder.is_dir() and any(file.name.endswith(ARRAY_SUFFIXES) for file in folder.iterdir()) for folder in folders
    )


def list_arrays(root: Path) -> list[Item]:
    """Return all arrays of a data set folder, with genre or values as its label files say them.

    Raises:
        UserError: If a label file is wrong, or two arrays have the same id.
    """
    items = []
    for folder, parts in (("train", ("train", "validation")), ("test", ("test",))):
        labels: dict[str, dict[str, Label]] = {}
        for part in parts:
            labels |= _labels(root / f"{part}_labels.txt")
        found = find_arrays(root / folder) if (root / folder).is_dir() else {}
        for identifier in sorted(found, key=id_order):
            items.append(Item(identifier, found[identifier].absolute(), labels.get(identifier, {})))
    return items


def _labels(path: Path) -> dict[str, dict[str, Label]]:
    if not stands_there(path):
        return {}
    if is_emotion(read_table(path)):
        emotions = read_emotion_labels(path)
        rows = zip(emotions.ids, emotions.values, strict=True)
        return {identifier: dict(zip(emotions.axes, values, strict=True)) for identifier, values in rows}
    genres = read_genre_labels(path)
    return {identifier: {"genre": genre} for identifier, genre in zip(*genres, strict=True)}


def list_songs(inputs: Sequence[str], embedder: Embedder, **options: Any) -> tuple[list[Item], AudioDataModule]:
    """Return songs, and what says how they are cut.

    Args:
        inputs: Audio files, folders of them, text files with a path a line.
        embedder: The model.
        options: Further ones of :class:`musiclab.data.datamodules.AudioDataModule`.

    Raises:
        UserError: If there are none, or the model cannot be asked about songs.
    """
    data = AudioDataModule(list(inputs), str(embedder.path), **options)
    return [Item(identifier, file.path, {}) for identifier, file in data.files.items()], data
