"""Which trained models are looked at, by what names, and on which tracks."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from musiclab.data.artists import read_artists
from musiclab.data.datamodules import FolderDataModule
from musiclab.errors import UserError
from musiclab.inference.embeddings import Embeddings, embed_tracks
from musiclab.inference.trained import TrainedModel, name_models
from musiclab.tasks.base import INPUT_HPARAMS
from musiclab.tasks.scale import check_part


@dataclass(frozen=True)
class TrackChoice:
    """Which test tracks to look at.

    Args:
        root: Data set folder; null for that of each model's training.
        limit: At most so many tracks.
        cache: Folder of the packed store; null for $MUSICLAB_CACHE, else the user's cache folder.
        any_scale: Show tracks, too, whose values are on another scale than those that a model was trained on.
    """

    root: str | None = None
    limit: int | None = None
    cache: str | None = None
    any_scale: bool = False


class EmbeddedModel(NamedTuple):
    """A model by name and checkpoint, and what it makes of the tracks."""

    name: str
    path: Path
    embeddings: Embeddings


class Comparison(NamedTuple):
    """Models on the same tracks.

    Attributes:
        target_names: Their genres or axes.
        models: The models.
        artists: A number for the artist of each track, in the order of the embeddings; -1 where it is not known.
    """

    target_names: list[str]
    models: list[EmbeddedModel]
    artists: npt.NDArray[np.int64]


def compare_models(paths: Sequence[Path], tracks: TrackChoice) -> Comparison:
    """Embed the same test tracks by several models.

    The first model's data say which tracks those are, and what is known of them; the values on all axes that any of
    the models was trained for are. Each model is given the features that it was trained on.

    Args:
        paths: Checkpoints, each of them once.
        tracks: Which test tracks.

    Raises:
        UserError: If the models cannot be shown the same tracks, or some of them were trained on these.
    """
    doubled = [path for index, path in enumerate(paths) if path.resolve() in [p.resolve() for p in paths[:index]]]
    if doubled:
        raise UserError(f"{doubled[0]}: given twice; name each checkpoint once")
    trained = [TrainedModel(path) for path in paths]
    tasks = [model.task() for model in trained]
    models: list[EmbeddedModel] = []
    target_names: list[str] = []
    opened = _open_data(trained, tracks)
    for model, path, task, name, data in zip(trained, paths, tasks, name_models(paths, tasks), opened, strict=True):
        data.setup("test")
        same_kind = model.data_settings(data.root)[0] == trained[0].data_settings(data.root)[0]
        try:
            data.compare_parts(model.checkpoint.get("parts"), "test", same_draw=same_kind)
        except UserError as error:
            raise UserError(f"{path}: {error}") from None
        check_part(task, data, "test", path)
        embeddings = embed_tracks(task, data.test_dataloader(), name)
        models.append(EmbeddedModel(name, path, embeddings))
        target_names = target_names or data.target_names
        _check_same_tracks(models[0], models[-1])
    ids = models[0].embeddings.ids
    return Comparison(target_names, models, _number_artists(ids, [data.root for data in opened]))


def _open_data(models: Sequence[TrainedModel], tracks: TrackChoice) -> list[FolderDataModule]:
    """Return the datamodule for each model: that of the first, but with the model's own features."""
    first, (first_kind, first_settings) = models[0], models[0].data_settings(tracks.root)
    common_root = tracks.root or first_settings["root"]  # for those that name no data
    same = [own for kind, own in (model.data_settings(common_root) for model in models) if kind == first_kind]
    common: dict[str, Any] = {"limit": tracks.limit, "cache": tracks.cache, "any_scale": tracks.any_scale}
    for columns in ("axes", "tags"):
        if names := [name for own in same for name in own.get(columns) or []]:
            common[columns] = list(dict.fromkeys(names))
    opened: list[FolderDataModule] = []
    for model in models:
        kind, own = model.data_settings(common_root)
        root = tracks.root or (own if kind == first_kind else first_settings)["root"]
        inputs = {name: model.hyperparameters[name] for name in INPUT_HPARAMS}
        data = first.data(root=root, **inputs, **common)
        if not data.has_test:
            raise UserError(
                f"{model.path}: trained with data.test_fraction 0 or on data without test_labels.txt, which leaves no "
                "test tracks; use a model that was trained with some held out"
            )
        if opened and data.root == opened[0].root and data.beat_synced != opened[0].beat_synced:
            raise UserError(
                f"{model.path}: trained on {_frames(data)}, but {first.path} on {_frames(opened[0])}, which "
                f"{data.root} cannot both hold; compare models of one kind, or leave --data.root to the checkpoints"
            )
        opened.append(data)
    return opened


def _number_artists(ids: Sequence[str], roots: Sequence[Path]) -> npt.NDArray[np.int64]:
    """Return the number of each track's artist, by the first of some data sets of the same tracks that knows any."""
    artists = next((found for found in map(read_artists, dict.fromkeys(roots)) if found), {})
    numbers: dict[str, int] = {}
    return np.array(
        [numbers.setdefault(artists[track], len(numbers)) if track in artists else -1 for track in ids], np.int64
    )


def _frames(data: FolderDataModule) -> str:
    return "beats" if data.beat_synced else "frames"


def _check_same_tracks(first: EmbeddedModel, other: EmbeddedModel) -> None:
    ids, others = set(first.embeddings.ids), set(other.embeddings.ids)
    if ids != others:
        example = min(ids ^ others)
        raise UserError(
            f"{other.path}: its data set has other test tracks than that of {first.path} ({len(ids ^ others)} are in "
            f"one of them alone, as {example}); give --data.root (and no --data.limit) to show all models the same"
        )
