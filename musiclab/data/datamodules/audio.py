"""Audio files, for a trained model to give an answer about."""

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from musiclab.batch import Batch
from musiclab.checkpoint import output_kind, read_checkpoint
from musiclab.data.arrays import ARRAY_SUFFIXES
from musiclab.data.audio.decoding import MIN_SECONDS, AudioError
from musiclab.data.audio.extraction import Form
from musiclab.data.audio.files import Ids, exists, find_audio, name_tracks
from musiclab.data.audio.output import tell_missing
from musiclab.data.audio.windows import Window, cut, window_spectrograms
from musiclab.data.datamodules.base import SpectrogramDataModule
from musiclab.data.dataset import Track, collate
from musiclab.data.tables import as_list
from musiclab.data.targets import unknown_targets
from musiclab.errors import UserError
from musiclab.files import import_librosa, shown
from musiclab.spectrogram import FEATURE_ROWS, FRAME_SECONDS, LAB, Recipe, Spectrogram, features_fault

BEAT_WINDOW = 30.0
"""Length in s of windows for beat-synchronised models, as of the tracks in the lab's data."""

SAME_FRAMES = 0.01
"""By which share the duration of frames may differ, and they count as the same."""

FEW_WINDOWS = 16
"""Up to so many windows are done before other processes would have started."""


class AudioDataModule(SpectrogramDataModule):
    """Audio files in place of a data set folder, for ``predict``.

    Each file is cut into windows as long as the tracks that the model was trained on; decibels are relative to each
    window's maximum, as they were to each track's. The answer about a file is the mean over its windows. Features,
    and how they are made, beat-synchronisation and targets are those of the checkpoint; of a model of coarser frames,
    those frames of 23 ms are kept that are nearest to its own.

    Args:
        paths: Audio file, folder with audio files in it or below it, or text file with a path a line; or several, as
            ``a.mp3,b.mp3`` or a list.
        ckpt_path: The model's checkpoint; the command line fills it in.
        window: Length of the windows in s; null: the median length of the training tracks, or 30 s for
            beat-synchronised models.
        batch_size: Windows per batch. A batch never has windows of two files, so an answer does not depend on what
            else is asked, to the last bit.
        ids: Call files by their name (``stem``), or with the folders that they were found in before it (``path``).
        jobs: Processes that compute spectrograms; null for as many as there are cores, once that is worth it.
        any_scale: Ask a model, too, that was trained on other values than audio files give, which is refused otherwise.
    """

    has_test = False

    def __init__(
        self,
        paths: str | list[str],
        ckpt_path: str | None = None,
        window: float | None = None,
        batch_size: int = 32,
        ids: Ids = "stem",
        jobs: int | None = None,
        any_scale: bool = False,
    ) -> None:
        super().__init__()
        if ckpt_path is None:
            raise UserError(
                "AudioDataModule is for a trained model's answers, as in "
                "musiclab predict --ckpt_path CKPT --data AudioDataModule --data.paths song.mp3"
            )
        for name, value in (("batch_size", batch_size), ("jobs", jobs), ("window", window)):
            if value is not None and value < 1:
                raise UserError(f"{name} is {value}; it must be at least 1")
        checkpoint = read_checkpoint(ckpt_path)
        trained = checkpoint["hyper_parameters"]
        self.features = trained["features"]
        self.num_features = trained["num_features"]
        self.beat_synced = trained["beat_synced"]
        self.seconds = trained["seconds"]
        self.target_names = trained["target_names"]
        self.recipe = trained.get("recipe")
        paths = as_list(paths, exists)
        if array := next((path for path in paths if str(path).lower().endswith(ARRAY_SUFFIXES)), None):
            raise UserError(
                f"{array}: an array and no audio file; ask about arrays by --data.root ROOT, in ROOT/test/, or "
                "in Python by predict"
            )
        self.making = audio_recipe(checkpoint, ckpt_path)
        self.every = None if self.beat_synced else sampled_every(self.making, self.seconds)
        self.any_scale = any_scale
        means = checkpoint["state_dict"]["feature_mean"].numpy()
        if (
            not any_scale
            and means.any()
            and (fault := features_fault(means, rows_of_lab(trained) or self.features, self.recipe))
        ):
            raise UserError(
                f"{ckpt_path}: was trained on {fault.split(';')[0]}; audio files give dB relative to a maximum and "
                "chroma of 0..1, for which its answers would mean nothing; train on such arrays, or give "
                "--data.any_scale true"
            )
        (self.target,) = unknown_targets(output_kind(checkpoint), 1, len(self.target_names))
        self.window = window or training_window(checkpoint)
        self.batch_size = batch_size
        self.jobs = jobs
        self.files = name_tracks(find_audio(paths), ids)
        self.failures: list[str] = []

    def setup(self, stage: str) -> None:
        """Cut the files into windows.

        Raises:
            UserError: If the stage is another than ``predict``, or none of the files is audio.
        """
        if stage != "predict":
            raise UserError(f"audio files have no labels to {stage} with; use `musiclab predict`")
        self.failures.clear()
        self.songs: dict[str, list[Window]] = {}
        for identifier, file in self.files.items():
            try:
                self.songs[identifier] = self.cut(file.path)
            except AudioError as error:
                self.failures.append(str(error))
        if not self.songs:
            more = f" (and {len(self.failures) - 1} more files that cannot be used)" if len(self.failures) > 1 else ""
            raise UserError(self.failures[0] + more)
        self.tell_missing([self.files[identifier].path for identifier in self.songs])

    def tell_missing(self, paths: Sequence[Path]) -> None:
        """Say what files lack that were sampled less often than what the model was trained on."""
        consequence = " that the model was trained on; its answer may be worth little"
        tell_missing(paths, self.making.rate, consequence)

    def predict_dataloader(self) -> DataLoader[Batch]:
        """Return the loader of this process's share of the files."""
        rank, world_size = (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)
        if len(self.songs) < world_size:
            raise UserError(f"{len(self.songs)} audio files for {world_size} processes; use --trainer.devices 1")
        songs = dict(list(self.songs.items())[rank::world_size])
        share = (os.cpu_count() or 1) // (self.trainer.num_devices if self.trainer else 1)
        return DataLoader(self.batches(songs, share), batch_size=None)

    def cut(self, path: Path) -> list[Window]:
        """Return a file's windows.

        Raises:
            AudioError: If it is not audio.
        """
        return cut(path, self.window, self.making, self.every)

    def batches(self, songs: Mapping[str, Sequence[Window]], cores: int) -> "SongBatches":
        """Return the batches of some songs.

        Args:
            songs: Windows of each file, by its id.
            cores: How many processes are of use, unless ``jobs`` says it.
        """
        jobs = self.jobs or (1 if sum(map(len, songs.values())) <= FEW_WINDOWS else max(1, cores))
        form: Form = "beat" if self.beat_synced else "full"
        columns = FEATURE_ROWS.get(self.features, slice(0, self.num_features))
        return SongBatches(songs, form, columns, self.target, self.batch_size, jobs, self.failures)


@dataclass(eq=False)
class SongBatches(IterableDataset[Batch]):
    """Batches of windows, computed when they are asked for.

    Args:
        songs: Windows of each file, by its id.
        form: ``full`` or ``beat``.
        columns: Which values of a frame make up the features.
        target: Of all windows.
        batch_size: Windows per batch.
        jobs: Number of processes.
        failures: Gets the reason for each file without a window that can be used, while batches are made.
    """

    songs: Mapping[str, Sequence[Window]]
    form: Form
    columns: slice
    target: Tensor
    batch_size: int
    jobs: int
    failures: list[str]

    def __post_init__(self) -> None:
        self.batches = [
            (identifier, windows[start : start + self.batch_size])
            for identifier, windows in self.songs.items()
            for start in range(0, len(windows), self.batch_size)
        ]

    def __len__(self) -> int:
        """Return the number of batches, if all files can be used."""
        return len(self.batches)

    def __iter__(self) -> Iterator[Batch]:
        refused: dict[str, list[tuple[Window, AudioError]]] = {identifier: [] for identifier in self.songs}
        left = Counter(identifier for identifier, _ in self.batches)
        for identifier, results in self.spectrograms():
            tracks = []
            for window, result in results:
                if isinstance(result, AudioError):
                    refused[identifier].append((window, result))
                else:
                    tracks.append(self.track(result, identifier))
            left[identifier] -= 1
            if not left[identifier]:  # said before the batch is given: after the last one, nobody may ask again
                self.tell(refused[identifier], len(self.songs[identifier]))
            if tracks:
                yield collate(tracks)

    def spectrograms(self) -> Iterator[tuple[str, list[tuple[Window, Spectrogram | AudioError]]]]:
        """Yield batches as they are computed: the song, and its windows with their arrays or why there is none."""
        import_librosa()  # before other processes do
        # As many batches at a time as there are processes, so that few have to wait in memory.
        for start in range(0, len(self.batches), self.jobs):
            group = self.batches[start : start + self.jobs]
            windows = [window for _, batch in group for window in batch]
            results = window_spectrograms(windows, self.form, self.jobs)
            for identifier, batch in group:
                yield identifier, list(islice(results, len(batch)))

    def track(self, array: Spectrogram, identifier: str) -> Track:
        """Return what goes into a batch of the array of a window."""
        return Track(array[self.columns].T, self.target, identifier)

    def tell(self, problems: Sequence[tuple[Window, AudioError]], windows: int) -> None:
        """Say which windows of a file were left out, or note down that none is left."""
        if len(problems) == windows:
            self.failures.append(str(problems[0][1]))
        elif problems:
            window, error = problems[0]
            first = f"the first at {window.clip.offset:.0f} s"
            print(shown(f"{error}; left out {len(problems)} of {windows} windows, {first}"))


def audio_recipe(checkpoint: Mapping[str, Any], path: str) -> Recipe:
    """Return how arrays are made of audio for a model, given its checkpoint: as those that it was trained on.

    Args:
        checkpoint: The checkpoint.
        path: Where it was read from.

    Raises:
        UserError: If they cannot be made of audio, or it is not known how.
    """
    trained = checkpoint["hyper_parameters"]
    features, seconds, beat_synced = (trained[name] for name in ("features", "seconds", "beat_synced"))
    recipe = LAB if rows_of_lab(trained) else Recipe.of(trained.get("recipe") or {})
    if recipe.is_embedding:
        raise UserError(
            f"{path}: cannot be asked about audio files: it was trained on the {recipe.scale}; make arrays of the "
            "songs (`musiclab build-genres`), embed these by that model (`musiclab embed`) and ask about them"
        )
    if not recipe.is_complete or (beat_synced and LAB.differences(recipe)):
        raise UserError(
            f"{path}: cannot be asked about audio files: it was trained on features {features}, and no features.json "
            f"told how to make {'beats of ' if beat_synced else ''}them of audio; make their arrays and ask about these"
        )
    if not rows_of_lab(trained) and recipe.rows != trained["num_features"]:
        raise UserError(
            f"{path}: damaged or altered: its recipe makes {recipe.rows} rows, but it has {trained['num_features']} "
            "features; give a .ckpt file as `musiclab fit` wrote it"
        )
    if not beat_synced and seconds < (1 - SAME_FRAMES) * (recipe.seconds or FRAME_SECONDS):
        raise UserError(
            f"{path}: was trained on frames of {seconds:g} s, but frames of audio files have "
            f"{recipe.seconds:.4g} s; train on arrays that `musiclab extract` or `build-genres` makes"
        )
    return recipe


def rows_of_lab(trained: Mapping[str, Any]) -> str | None:
    """Return which of the lab's rows a model was trained on, given its hyperparameters; None if on others.

    Arrays of as many rows as the lab's, of which nothing says how they were made, are the lab's.
    """
    if trained["features"] in FEATURE_ROWS:
        return str(trained["features"])
    if Recipe.of(trained.get("recipe") or {}) != Recipe(trained["seconds"]) and trained.get("recipe"):
        return None  # but for the duration of a frame, something is said of them
    return {rows.stop: name for name, rows in FEATURE_ROWS.items() if rows.start == 0}.get(trained["num_features"])


def sampled_every(recipe: Recipe, seconds: float) -> float | None:
    """Return the duration of a model's frames in s if they are coarser than those of a recipe, else None."""
    return seconds if seconds > (1 + SAME_FRAMES) * (recipe.seconds or FRAME_SECONDS) else None


def training_window(checkpoint: Mapping[str, Any]) -> float:
    """Return the length in s of windows for a model, given its checkpoint."""
    frames: int | None = checkpoint.get("track_frames")
    if checkpoint["hyper_parameters"]["beat_synced"] or frames is None:
        return BEAT_WINDOW
    # Half a frame less, and rounding cannot make it one frame more; no clip may be shorter than a second.
    return max(MIN_SECONDS, (frames - 0.5) * float(checkpoint["hyper_parameters"]["seconds"]))
