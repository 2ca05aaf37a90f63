"""Which trained models are looked at, by what names, and on which tracks."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from musiclab.checkpoint import read_checkpoint
from musiclab.data.datamodules import FolderDataModule
from musiclab.errors import UserError
from musiclab.inference.embeddings import Embeddings, embed_tracks
from musiclab.inference.restoring import restore_data, restore_task, trained_data
from musiclab.tasks import SpectrogramTask
from musiclab.tasks.base import INPUT_HPARAMS

LIGHTNING_FOLDERS = ("lightning_logs", "checkpoints")


@dataclass(frozen=True)
class TrackChoice:
    """Which test tracks to look at.

    Args:
        root: Data set folder; null for that of each model's training.
        limit: At most so many tracks.
        cache: Folder of the packed store; null for $MUSICLAB_CACHE, else the user's cache folder.
    """

    root: str | None = None
    limit: int | None = None
    cache: str | None = None


class EmbeddedModel(NamedTuple):
    """A model by name and checkpoint, and what it makes of the tracks."""

    name: str
    path: Path
    embeddings: Embeddings


class Comparison(NamedTuple):
    """Models on the same tracks, and the names of their genres or axes."""

    target_names: list[str]
    models: list[EmbeddedModel]


def output_folder(checkpoint: Path, *names: str) -> Path:
    """Return a folder below that of the run that a checkpoint is of."""
    folder = checkpoint.parent
    return (folder.parent if folder.name == "checkpoints" else folder).joinpath(*names)


def name_models(paths: Sequence[Path], tasks: Sequence[SpectrogramTask]) -> list[str]:
    """Return a name for each checkpoint: its backbone, and as much of its path as tells it from the others."""
    folders = [path.absolute().parent for path in paths]
    parts = [[part for part in folder.parts[1:] if part not in LIGHTNING_FOLDERS] for folder in folders]
    several = len(set(folders)) < len(folders)
    files = [f" {path.stem}" if several else "" for path in paths]
    for depth in range(1, max(map(len, parts)) + 1):
        names = [f"{'/'.join(part[-depth:])}{file}" for part, file in zip(parts, files, strict=True)]
        if len(set(names)) == len(names):
            break
    else:  # told apart by nothing but Lightning's own folders
        names = [str(path.absolute()) for path in paths]
    return [f"{type(task.backbone).__name__} {name}" for task, name in zip(tasks, names, strict=True)]


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
    tasks = [restore_task(path) for path in paths]
    models: list[EmbeddedModel] = []
    target_names: list[str] = []
    for path, task, name, data in zip(paths, tasks, name_models(paths, tasks), _open_data(paths, tracks), strict=True):
        data.setup("test")
        embeddings = embed_tracks(task, data.test_dataloader(), name)
        models.append(EmbeddedModel(name, path, embeddings))
        target_names = target_names or data.target_names
        _check_same_tracks(models[0], models[-1])
    return Comparison(target_names, models)


def _open_data(paths: Sequence[Path], tracks: TrackChoice) -> list[FolderDataModule]:
    """Return the datamodule for each model: that of the first, but with the model's own features."""
    kinds, settings = zip(*map(trained_data, paths), strict=True)
    common: dict[str, Any] = {"limit": tracks.limit, "cache": tracks.cache}
    axes = [axis for kind, own in zip(kinds, settings, strict=True) if kind == kinds[0] for axis in own.get("axes", [])]
    if axes:
        common["axes"] = list(dict.fromkeys(axes))
    opened: list[FolderDataModule] = []
    for path, kind, own in zip(paths, kinds, settings, strict=True):
        root = tracks.root or (own if kind == kinds[0] else settings[0])["root"]
        hparams = read_checkpoint(path)["hyper_parameters"]
        inputs = {name: hparams[name] for name in INPUT_HPARAMS}
        data = restore_data(paths[0], root=root, **inputs, **common)
        if not data.has_test:
            raise UserError(
                f"{path}: trained with data.test_fraction 0, which leaves no test tracks of its data; use a model that "
                "was trained with some held out"
            )
        if opened and data.root == opened[0].root and data.beat_synced != opened[0].beat_synced:
            raise UserError(
                f"{path}: trained on {_frames(data)}, but {paths[0]} on {_frames(opened[0])}, which {data.root} cannot "
                "both hold; compare models of one kind, or leave --data.root to the checkpoints"
            )
        if opened and kind == kinds[0]:
            _check_not_trained_on(path, restore_data(path, root=root, cache=tracks.cache), opened[0], paths[0])
        opened.append(data)
    return opened


def _frames(data: FolderDataModule) -> str:
    return "beats" if data.beat_synced else "frames"


def _check_not_trained_on(path: Path, own: FolderDataModule, first: FolderDataModule, first_path: Path) -> None:
    """Refuse test tracks of the first model that another one was trained on: they would look told apart too well."""
    test = first.parts.test()
    if test.folder == "test":
        return
    trained = set(own.parts.train().ids) & set(test.ids)
    if trained:
        raise UserError(
            f"{path}: trained or validated on {len(trained)} of the {len(test.ids)} tracks that {first_path} is tested "
            "on, as their data.seed, data.folds or data.test_fraction differ; compare models of one split"
        )


def _check_same_tracks(first: EmbeddedModel, other: EmbeddedModel) -> None:
    ids, others = set(first.embeddings.ids), set(other.embeddings.ids)
    if ids != others:
        example = min(ids ^ others)
        raise UserError(
            f"{other.path}: its data set has other test tracks than that of {first.path} ({len(ids ^ others)} are in "
            f"one of them alone, as {example}); give --data.root (and no --data.limit) to show all models the same"
        )
