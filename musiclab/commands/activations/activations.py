"""``musiclab activations``: what a network sees of one track."""

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches

import numpy as np
from torch import Tensor

from musiclab.batch import Batch
from musiclab.commands.activations.layer_outputs import Observation, observe, strongest
from musiclab.data.arrays import read_array, scan_arrays
from musiclab.data.datamodules import FolderDataModule
from musiclab.data.dataset import Track, collate
from musiclab.data.targets import unknown_targets
from musiclab.errors import UserError
from musiclab.figures import Clip, attention_figure, clip_figure, feature_maps_figure, png_bytes
from musiclab.inference.trained import TrainedModel, name_models, results_folder
from musiclab.pages.document import Block, Document, Picture, Pictures, SideBySide, Table, Text
from musiclab.tasks import ClassificationTask, SpectrogramTask
from musiclab.tasks.scale import require_scale

FOLDERS = ("test", "train")

SHOWN = 3
"""So many genres are shown, the most likely ones; and the true one."""
ROWS = {"chroma": "pitch classes", "all": "rows"}
"""What the rows of features are, but for mel bands."""


@dataclass(frozen=True)
class TrackSource:
    """Where the track is.

    Args:
        root: Data set folder; null for the one that the model was trained on.
        seconds: Duration of a frame in s, for the axis of time; null for what the model was trained with.
        any_scale: Show a track, too, whose values are on another scale than those that the model was trained on.
    """

    root: str | None = None
    seconds: float | None = None
    any_scale: bool = False


def activations(
    *, ckpt_path: str, data: TrackSource, track: str | None = None, maps: int = 16, out: str | None = None
) -> None:
    """Show what a network sees of one track.

    What it answers beside what the label says, and the spectrogram. For an LSTM or CRNN with attention, under it: the
    attention over time. Then, for a CNN or CRNN: the feature maps after each block, those with the highest mean
    activation. DIR/index.html shows all.

    Args:
        ckpt_path: Checkpoint of the model.
        data: Where the track is.
        track: Id of a track in test/ or train/; null for the first one to test on.
        maps: How many feature maps of a block to show.
        out: Folder for the results; null for activations/ID/ in the model's run folder.
    """
    if maps < 1:
        raise UserError(f"maps is {maps}; it must be at least 1")
    model = TrainedModel(ckpt_path)
    path, task = model.path, model.task()
    changes = {name: value for name, value in (("root", data.root), ("seconds", data.seconds)) if value is not None}
    source = model.data(**changes)
    if track is None and not source.has_test:
        raise UserError(
            f"{path}: trained with data.test_fraction 0 or on data without test_labels.txt, so that there is no "
            "first test track; give --track"
        )
    batch = load_track(source, track or source.parts.test().ids[0])
    (identifier,) = batch.ids
    if not data.any_scale:
        require_scale(task, batch.spectrograms[0].float().mean(dim=0), 1, f"{source.root}: track {identifier}", path)
    observation = observe(task, batch)
    clip = Clip(batch.spectrograms[0].numpy(), source.features, None if source.beat_synced else source.seconds)
    (name,) = name_models([path], [task])
    pictures = list(_pictures(observation, clip, f"{name}, track {identifier}", maps))
    said: list[Block] = [
        Text(f"{name} ({path.absolute()}) hears track {identifier} of {source.root}: {clip.frames.shape[0]} frames."),
        *_answer(task, observation, batch.targets[0]),
        _explanation(observation),
    ]
    blocks: list[Block] = [SideBySide([said, [Pictures(pictures[:1])]]), Pictures(pictures[1:])]
    page = Document(f"What {name} sees of track {identifier}", blocks)
    page.write(out or results_folder(path, "activations", identifier))


def load_track(data: FolderDataModule, identifier: str) -> Batch:
    """Return a track of ``test/`` or ``train/`` as a batch of its own, as the packed store would give it.

    Its target is what the label files say, -1 or NaN where they say nothing of it.

    Raises:
        UserError: If there is no such track, or it lacks the features.
    """
    folders = {folder: scan_arrays(data.root / folder)[0] for folder in FOLDERS}
    found = [(folder, files[identifier]) for folder, files in folders.items() if identifier in files]
    if not found:
        close = get_close_matches(identifier, sorted(set().union(*folders.values())), n=3, cutoff=0.5)
        hint = f"; close to it: {', '.join(close)}" if close else ""
        raise UserError(
            f"{data.root}: no track {identifier!r} in test/ or train/{hint}; give the id of one with --track"
        )
    folder, file = found[0]
    array = read_array(file)
    if data.features == "all" and len(array) != data.num_features:
        raise UserError(f"{file}: {len(array)} rows, where the model has {data.num_features} features")
    if data.loading.columns.stop > len(array):
        raise UserError(
            f"{file}: the model's features, {data.features}, need {data.loading.columns.stop} rows, but it has "
            f"{len(array)} (no chroma); give a data set with chroma, or a model of mel features"
        )
    frames = array.T[:, data.loading.columns].astype(data.loading.store_dtype)
    targets = data.parts.targets
    known = [targets.known(path) for path in data.parts.label_files(folder)]
    (unknown,) = unknown_targets(targets.kind, 1, len(targets.names))
    target = next((labels[identifier] for labels in known if identifier in labels), unknown)
    return collate([Track(frames, target, identifier)])


def _answer(task: SpectrogramTask, observation: Observation, truth: Tensor) -> list[Block]:
    """Return what the model says of the track: its three first genres, or the value on each axis; and the truth."""
    outputs, names = observation.outputs, task.target_names
    if not isinstance(task, ClassificationTask):
        labels = ["" if value.isnan() else f"{value:.3f}" for value in truth]
        rows = [[name, f"{value:.3f}", label] for name, value, label in zip(names, outputs, labels, strict=True)]
        table = Table(["axis", "prediction", "label"], rows).without_empty()
        return [table] if any(labels) else [Text("No label file says what is true."), table]
    true = int(truth)
    first = np.argsort(-outputs)[:SHOWN].tolist()
    shown = first if true < 0 or true in first else [*first, true]
    said = f"The label says {names[true]}" if true >= 0 else "No label file names its genre"
    rows = [[names[i], f"{outputs[i]:.3f}", "true genre" if i == true else ""] for i in shown]
    table = Table(["genre", "probability", "label"], rows).without_empty()
    return [Text(f"{said}; the model, {names[first[0]]}."), table]


def _explanation(observation: Observation) -> Text:
    said = []
    if observation.attention is not None:
        said.append(
            "The embedding is a mean over time, weighted by attention. It is drawn relative to a plain mean, in which "
            "each frame would have 1: where it is above, the model listens more closely."
        )
    if observation.blocks:
        said.append(
            "Each block is a convolution, batch norm, ReLU and max pooling. Its maps lie on the axes of the "
            "spectrogram, of which they keep less and less detail; the maps of a picture share their colours. Where a "
            "map is bright, the network found what the map stands for."
        )
    return Text(" ".join(said))


def _pictures(observation: Observation, clip: Clip, title: str, count: int) -> Iterator[Picture]:
    if observation.attention is not None:
        figure = attention_figure(clip, observation.attention, title)
        yield Picture("attention.png", png_bytes(figure), f"Attention over time: {title}")
    else:
        yield Picture("track.png", png_bytes(clip_figure(clip, title)), f"What it hears: {title}")
    for number, maps in enumerate(observation.blocks, 1):
        chosen = strongest(maps, count)
        figure = feature_maps_figure(clip, maps.values[chosen], chosen.tolist(), maps.pooled, f"block {number}")
        total, frames, bands = maps.values.shape
        choice = f"{len(chosen)} of {total} maps, those with the highest mean" if len(chosen) < total else "all maps"
        yield Picture(
            f"block_{number}.png",
            png_bytes(figure),
            f"Block {number}: {choice}; {frames} by {bands} values each, one for {maps.pooled[0]} frames by "
            f"{maps.pooled[1]} {ROWS.get(clip.features, 'mel bands')}",
        )
