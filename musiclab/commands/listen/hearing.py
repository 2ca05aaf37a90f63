"""What models say of a song, along it and of all of it, and what a page needs to play and draw it."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from musiclab.checkpoint import fingerprint, read_checkpoint
from musiclab.data.audio.encoding import to_mp3
from musiclab.data.audio.song import SongFrames, read_song
from musiclab.data.datamodules.audio import audio_recipe
from musiclab.errors import UserError
from musiclab.files import import_librosa
from musiclab.inference.library import Library, read_library, written
from musiclab.inference.model import Model, OverTime, load
from musiclab.inference.trained import name_models
from musiclab.spectrogram import LAB, Recipe


class Listener(NamedTuple):
    """A model that is asked about songs.

    Attributes:
        model: The model.
        name: What it is called.
        recipe: How frames are made for it.
    """

    model: Model
    name: str
    recipe: Recipe


class Said(NamedTuple):
    """What a model says of a song: along it, and of all of it, as ``musiclab predict`` does."""

    listener: Listener
    over_time: OverTime
    whole: dict[str, float]


class Heard(NamedTuple):
    """A song that models have heard.

    Attributes:
        path: The file.
        frames: Its frames as the lab's, with beats.
        said: What each model says.
        audio: The song as mp3.
        near: Names of the nearest tracks of a library, each with what is said of it.
    """

    path: Path
    frames: SongFrames
    said: list[Said]
    audio: bytes
    near: list[tuple[str, str]]


class Neighbours(NamedTuple):
    """A library of embeddings, and which model it is of."""

    library: Library
    model: Model

    def of(self, song: Path, most: int) -> list[tuple[str, str]]:
        """Return the nearest tracks but for the song itself, each with its cosine and its genre where that is known."""
        order, cosines = self.library.nearest(self.model.embed(song))
        columns = self.library.columns
        near: dict[str, tuple[str, str]] = {}  # of a track of many windows, the nearest one
        own = written(song)
        for row, cosine in zip(order, cosines, strict=True):
            if columns["path"][row] != own:
                genre = f", {columns['genre'][row]}" if "genre" in columns and columns["genre"][row] else ""
                near.setdefault(str(columns["path"][row]), (str(columns["id"][row]), f"cosine {cosine:.3f}{genre}"))
            if len(near) == most:
                break
        return list(near.values())


def load_listeners(paths: Sequence[str]) -> list[Listener]:
    """Return the models of some checkpoints.

    Raises:
        UserError: If a checkpoint is named twice, or its model cannot be asked about songs.
    """
    recipes = [audio_recipe(read_checkpoint(Path(path).expanduser()), path) for path in paths]
    models = [load(path) for path in paths]
    resolved = [model.path.resolve() for model in models]
    for number, path in enumerate(resolved):
        if path in resolved[:number]:
            raise UserError(f"{paths[number]}: given twice; give each checkpoint once")
    names = name_models([model.path for model in models], [model.task for model in models])
    return [Listener(*three) for three in zip(models, names, recipes, strict=True)]


def load_neighbours(file: str, listeners: Sequence[Listener]) -> Neighbours:
    """Return a library with that of some models that it is of.

    Raises:
        UserError: If it is of none of them: embeddings of two models do not compare.
    """
    library = read_library(Path(file).expanduser())
    for listener in listeners:
        if fingerprint(read_checkpoint(listener.model.path)["state_dict"]) == library.model:
            return Neighbours(library, listener.model)
    paths = ", ".join(str(listener.model.path) for listener in listeners)
    raise UserError(
        f"{file}: of another model ({library.model}) than {paths}, and embeddings of two models do not compare; give "
        "that model, or make the file anew by musiclab embed"
    )


def hear(path: Path, listeners: Sequence[Listener], hop: float, near: Neighbours | None, most: int) -> Heard:
    """Return a song as models hear it; its frames are computed once for all of them that are made alike.

    Args:
        path: Audio file.
        listeners: Whom to ask.
        hop: Distance of windows in s.
        near: Whom to ask for the nearest tracks; None not to.
        most: How many of these.

    Raises:
        UserError: If the file cannot be used.
    """
    import_librosa()  # which imports in the main thread alone
    with ThreadPoolExecutor(1) as thread:
        audio = thread.submit(to_mp3, path)
        frames = {LAB: read_song(path, LAB, beats=True)}
        said = []
        for listener in listeners:
            if listener.recipe not in frames:
                frames[listener.recipe] = read_song(path, listener.recipe)
            over_time = listener.model.over_time(path, hop, frames[listener.recipe])
            said.append(Said(listener, over_time, listener.model.predict(path)))
        tracks = near.of(path, most) if near else []
        return Heard(path, frames[LAB], said, audio.result(), tracks)
