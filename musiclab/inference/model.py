"""A trained model as one asks it in Python: ``musiclab.load("best.ckpt").predict("song.mp3")``."""

import math
import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from lightning_fabric.utilities import move_data_to_device
from tqdm import tqdm

from musiclab.batch import Batch, OutputKind, StepOutput
from musiclab.checkpoint import output_kind
from musiclab.data.audio.decoding import duration
from musiclab.data.audio.song import SongFrames, read_song
from musiclab.data.audio.windows import mean_over_windows
from musiclab.data.datamodules.audio import training_window
from musiclab.errors import UserError
from musiclab.files import shown
from musiclab.inference.embeddings import best_device, embed_batch
from musiclab.inference.own_parts import import_modules
from musiclab.inference.questions import Questions, is_song, mean_of
from musiclab.inference.trained import TrainedModel
from musiclab.tasks import SpectrogramTask
from musiclab.tasks.scale import require_scale

Rows = npt.NDArray[np.float64]
Ask = Callable[[Iterable[Batch]], tuple[list[str], Rows]]
"""Returns the ids of the tracks, or windows, of some batches, and a row of values for each."""

LEAST_HOP = 0.1  # s


def load(
    path: str | Path,
    *,
    task: SpectrogramTask | None = None,
    modules: Sequence[str] = (),
    any_scale: bool = False,
) -> "Model":
    """Return a trained model that answers: about songs and about arrays, always in evaluation mode.

    Nothing in a checkpoint is executed. Classes that it names are taken from musiclab, torch and pytorch_lightning,
    from files of the current folder, from what has been imported already, and from ``modules``; from nowhere else.

    Args:
        path: The checkpoint, as in ``lightning_logs/version_0/checkpoints/best.ckpt``.
        task: A task made like the one that was trained, which gets the weights, for checkpoints of parts that cannot
            be made again, such as a lambda; None to make it again.
        modules: Modules to import that hold classes of your own, as ``["own_backbone"]``.
        any_scale: Take arrays, too, of another scale than those that the model was trained on.

    Raises:
        UserError: If there is no such checkpoint, or the model cannot be made again from it; one line that says why.
    """
    if not isinstance(path, str | os.PathLike):
        raise UserError(f"load: {type(path).__name__} given for a checkpoint; give the path of a .ckpt file")
    if task is not None and not isinstance(task, SpectrogramTask):
        raise UserError(f"load: {type(task).__name__} given for a task; give one of musiclab.tasks, as was trained")
    import_modules([modules] if isinstance(modules, str) else modules, "load: module")
    trained = TrainedModel(path)
    return Model(trained, trained.task(task), any_scale=any_scale)


def checked_hop(hop: Any) -> float:
    """Return the distance of windows in s.

    Raises:
        UserError: If it is none.
    """
    with suppress(TypeError, ValueError):
        hop = float(hop)
    if not (isinstance(hop, float) and LEAST_HOP <= hop < math.inf):
        raise UserError(f"hop is {hop}; it must be at least {LEAST_HOP}, in seconds")
    return hop


class OverTime(NamedTuple):
    """What a model says along a song.

    Attributes:
        seconds: The middle of each window, in s from the beginning of the song, ``(windows,)``.
        values: A row for each window, in the order of ``target_names``, ``(windows, targets)``; NaN for windows that
            cannot be used, such as silence.
    """

    seconds: npt.NDArray[np.float64]
    values: Rows


class Model:
    """A trained model; see :func:`load`.

    It answers as ``musiclab predict`` does: with the precision that the model was trained with, on a GPU if there is
    one, about a song by the mean over windows as long as the tracks that it was trained on. Arrays that are asked about
    together make the same batches as there; an array alone gets the same answer but for rounding.

    Attributes:
        path: The checkpoint.
        task: The task, in evaluation mode.
        kind: ``classes`` (values are probabilities, which sum to 1), ``values`` (on emotional axes) or ``tags`` (a
            probability for each).
        target_names: Genres, axes or tags, in the order of the values.
        features: ``mel``, ``chroma``, ``fused`` or ``all``.
        num_features: Values per frame.
        beat_synced: Whether a frame is a beat.
        seconds: Duration of a frame in s, for frames that are no beats.
        window: Length in s of the windows that songs are cut into.
        precision: That of the training, and of the answers.
    """

    def __init__(self, trained: TrainedModel, task: SpectrogramTask, *, any_scale: bool = False) -> None:
        checkpoint, arguments = trained.checkpoint, trained.hyperparameters
        self.path = trained.path
        self.kind: OutputKind = output_kind(checkpoint)
        self.target_names: list[str] = arguments["target_names"]
        self.features: str = arguments["features"]
        self.num_features: int = arguments["num_features"]
        self.beat_synced: bool = arguments["beat_synced"]
        self.seconds: float = arguments["seconds"]
        self.window = training_window(checkpoint)
        self.precision: str = checkpoint.get("precision") or "32-true"
        self._any_scale = any_scale
        self._questions = Questions(trained, any_scale)
        self._device = best_device()
        self.task = task.to(self._device, torch.float64 if self.precision == "64-true" else None).eval()

    def __repr__(self) -> str:
        """Say what it is a model of."""
        names = ", ".join(self.target_names[:4]) + (", ..." if len(self.target_names) > 4 else "")
        kind = {"classes": "genres", "values": "axes", "tags": "tags"}[self.kind]
        frames = "beats" if self.beat_synced else f"frames of {1000 * self.seconds:.3g} ms"
        return shown(
            f"<musiclab model {self.path}: {type(self.task.backbone).__name__} on {self.features} ({self.num_features} "
            f"rows, {frames}), {len(self.target_names)} {kind}: {names}>"
        )

    def predict(self, what: Any) -> Any:
        """Return what the model says.

        Args:
            what: A song as the path of an audio file; an array as in a data set folder, ``(rows, time)``, or the path
                of one (``.npy``, ``.npy.gz``); or a list of any of these.

        Returns:
            For one, a dict of the value for each name: the probability of each genre or tag, or the value on each axis.
            For a list, a list of such, in its order.

        Raises:
            UserError: If something cannot be used, as silence or an array of another scale; one line that says why.
        """
        several = isinstance(what, list | tuple)
        rows = self._ask(what if several else [what], self._predictions)
        answers = [dict(zip(self.target_names, row.tolist(), strict=True)) for row in rows]
        return answers if several else answers[0]

    def embed(self, what: Any) -> npt.NDArray[np.float32]:
        """Return what the network knows before its output layer; of a song, the mean over its windows, as in predict.

        Args:
            what: See :meth:`predict`.

        Returns:
            ``(embedding,)`` float32, or, for a list, ``(items, embedding)``; of arrays what ``musiclab latents`` gives.

        Raises:
            UserError: See :meth:`predict`.
        """
        several = isinstance(what, list | tuple)
        rows = self._ask(what if several else [what], self._embeddings).astype(np.float32)
        return rows if several else rows[0]

    def over_time(self, song: str | Path, hop: float = 3.0, frames: SongFrames | None = None) -> OverTime:
        """Return what the model says along a song, in windows of its usual length that begin every ``hop`` seconds.

        The first begins with the song; the last ends with it, or up to ``hop`` seconds before. A song that is no
        longer than a window is one window. Windows are cut from the frames of the whole song, which are computed once,
        and begin with the nearest frame; each has decibels relative to its own maximum, as in :meth:`predict`. Beats
        are found in each window by itself, in the percussive part of the song.

        Args:
            song: Path of an audio file.
            hop: Distance of the windows in s; where it is less than their length, they overlap.
            frames: What :func:`musiclab.data.audio.song.read_song` returned for the song the recipe of its windows,
                with beats for a beat-synchronised model; None to compute it.

        Raises:
            UserError: If the file cannot be used, or no window of it can.
        """
        hop = checked_hop(hop)
        data = self._questions.song(song)
        (windows,) = data.songs.values()
        length, first = duration(windows[0].path), windows[0]
        count = 1 + max(0, math.floor((length - data.window) / hop + 1e-6))
        offsets: Rows = hop * np.arange(count, dtype=np.float64)
        # Each is asked by itself, and called by its number.
        data.songs = {
            str(number): [first._replace(clip=replace(first.clip, offset=float(offset)))]
            for number, offset in enumerate(offsets)
        }
        frames = frames or read_song(first.path, data.making, beats=self.beat_synced)
        batches = self._questions.windows(data, frames)
        total = math.ceil(count / data.batch_size)
        ids, rows = self._predictions(tqdm(batches, f"Asking {self.path.stem}", total, delay=1, leave=False))
        if not ids:
            raise UserError(data.failures[0])
        values = np.full((count, rows.shape[1]), np.nan)
        values[[int(number) for number in ids]] = rows
        if data.failures:
            print(shown(f"{data.failures[0]}; left out {len(data.failures)} of {count} windows"))
        return OverTime(offsets + min(length, data.window) / 2, values)

    def _ask(self, items: Sequence[Any], ask: Ask) -> Rows:
        """Return a row for each of some songs and arrays."""
        songs = {number: item for number, item in enumerate(items) if is_song(item)}
        name = "array {}" if len(items) > 1 else "the array"
        arrays = {
            number: self._questions.frames(item, name.format(number))
            for number, item in enumerate(items)
            if number not in songs
        }
        rows: dict[int, Rows] = {}
        if arrays:
            if not self._any_scale:
                tracks = list(arrays.values())
                what = "the array" if len(tracks) == 1 else f"{len(tracks)} arrays"
                require_scale(self.task, mean_of(tracks), len(tracks), what, self.path)
            ids, values = ask(self._questions.batches(arrays))
            rows |= {int(number): row for number, row in zip(ids, values, strict=True)}
        for number, song in songs.items():
            data = self._questions.song(song)
            ids, values = ask(data.predict_dataloader())
            if not ids:
                raise UserError(data.failures[0])
            rows[number] = mean_over_windows(ids, np.zeros(len(ids)), values)[2][0]
        return np.stack([rows[number] for number in range(len(items))]) if rows else np.empty((0, 0))

    def _predictions(self, batches: Iterable[Batch]) -> tuple[list[str], Rows]:
        """Return the predictions for the tracks of some batches, with the model's precision."""

        def predict(batch: Batch) -> npt.NDArray[Any]:
            with torch.inference_mode(), self._precision():
                moved = move_data_to_device(batch, self._device)
                if self.precision == "64-true":
                    moved = moved._replace(spectrograms=moved.spectrograms.double())
                output: StepOutput = self.task.predict_step(moved, 0)
            return output["predictions"].cpu().numpy()

        return _rows(batches, predict)

    def _embeddings(self, batches: Iterable[Batch]) -> tuple[list[str], Rows]:
        return _rows(batches, lambda batch: embed_batch(self.task, batch, str(self.path)))

    def _precision(self) -> AbstractContextManager[Any]:
        """Return the context that the model's own precision asks for, as Lightning's Trainer has it."""
        if not self.precision.endswith("-mixed"):
            return nullcontext()
        half = torch.float16 if self.precision == "16-mixed" and self._device.type == "cuda" else torch.bfloat16
        return torch.autocast(self._device.type, dtype=half)


def _rows(batches: Iterable[Batch], ask: Callable[[Batch], npt.NDArray[Any]]) -> tuple[list[str], Rows]:
    ids: list[str] = []
    rows = []
    for batch in batches:
        ids += batch.ids
        rows.append(ask(batch).astype(np.float64))
    return ids, np.concatenate(rows) if rows else np.empty((0, 0))
