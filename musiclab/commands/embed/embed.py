"""``musiclab embed``: songs, or the arrays of a data set, to a file of embeddings or to a data set of them."""

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from musiclab.commands.embed.data_set import require_new, write_data_set
from musiclab.data.audio.files import Ids
from musiclab.errors import UserError
from musiclab.files import shown
from musiclab.inference.collection import Answer, Embedder, Item, is_data_set, list_arrays, list_songs
from musiclab.inference.library import RESERVED, Library, require_format, write_library, written
from musiclab.inference.unfinished import Embedded, Unfinished


def embed(
    inputs: list[str],
    *,
    ckpt_path: str,
    out: str,
    windows: bool = False,
    ids: Ids = "stem",
    jobs: int | None = None,
    any_scale: bool = False,
) -> None:
    """Write what a network knows of tracks before its output layer, a row a track.

    The embedding of a song is the mean over its windows, which are as long as the tracks that the model was trained on;
    those of a data set's arrays are what `musiclab latents` shows. Each row has the id and the path of the track,
    genre or values where the data set says them, and the model's fingerprint, since embeddings of two models do not
    compare. What cannot be used is told and stops no others; the exit code is then 1. The same command again after an
    interruption goes on where it stopped.

    Of a data set, a name without an ending makes a data set folder of the embeddings, to train on with
    `--data.features all`: with windows, a track has a column for each.

    Args:
        inputs: Audio files, folders with such in them or below them, text files (.txt) with a path a line; or one data
            set folder, of which the arrays in train/ and test/ are taken.
        ckpt_path: Checkpoint of the model.
        out: File to write: .npz, .csv or .parquet; or, for a data set, a folder to make.
        windows: Write a row for each window instead, with its beginning in s.
        ids: Call songs by the file's name (stem) or with the folders below the input before it (path).
        jobs: Number of processes that compute spectrograms; null for as many as there are cores.
        any_scale: Take tracks, too, whose values are on another scale than those that the model was trained on.
    """
    path = Path(out).expanduser()
    roots = [Path(entry).expanduser() for entry in inputs if is_data_set(Path(entry).expanduser())]
    if roots and len(inputs) > 1:
        raise UserError(f"{roots[0]}: a data set folder, whose arrays are embedded to a file of its own: give it alone")
    makes_set = bool(roots) and not path.suffix
    if makes_set:
        require_new(path)
    else:
        require_format(path)
    embedder = Embedder(ckpt_path, any_scale)
    data = None
    if roots:
        items = list_arrays(roots[0])
        taken = next((name for item in items for name in item.labels if name in RESERVED), None)
        if taken is not None and not makes_set:
            raise UserError(f"{roots[0]}: an axis is called {taken}, as a column of every such file; rename it")
    else:
        items, data = list_songs(inputs, embedder, ids=ids, jobs=jobs, any_scale=any_scale)
    unfinished = Unfinished(path, {"model": embedder.model, "windows": windows})
    pending = [item.path for item in items if not unfinished.knows(item.path)]
    answers = embedder.songs(data, pending, windows, os.cpu_count() or 1) if data else embedder.arrays(pending, windows)
    try:
        failures = list(_keep(answers, unfinished, len(pending)))
    finally:
        unfinished.close()
    made = [item for item in items if str(item.path) in unfinished.done]
    if not made:
        unfinished.remove()
        raise UserError(f"no track could be embedded: {failures[0]}")
    embedded = [unfinished.done[str(item.path)] for item in made]
    if makes_set:
        write_data_set(path, roots[0], made, embedded, embedder.recipe(windows))
    else:
        write_library(path, _library(embedder.model, made, embedded, windows))
    unfinished.remove()
    rows, size = sum(len(one.values) for one in embedded), embedded[0].values.shape[1]
    parts = [f"{len(made)} {'track' if len(made) == 1 else 'tracks'}"]
    parts += [f"{rows} windows"] * windows + [f"{len(failures)} failed"] * bool(failures)
    print(shown(f"Embeddings of {', '.join(parts)}, {size} values each: {path}"))
    if failures:
        raise SystemExit(1)


def _keep(answers: Iterator[Answer], unfinished: Unfinished, count: int) -> Iterator[str]:
    """Note down all answers; yield why there was none, which is told at once."""
    bar = tqdm(answers, "Embedding", count, unit="track")
    for track, answer in bar:
        if isinstance(answer, UserError):
            bar.write(shown(answer), file=sys.stderr)
            yield str(answer)
        else:
            unfinished.add(track, answer)


def _library(model: str, items: Sequence[Item], embedded: Sequence[Embedded], windows: bool) -> Library:
    """Return the embeddings of tracks in their order."""
    rows = [item for item, one in zip(items, embedded, strict=True) for _ in one.starts]
    columns: dict[str, npt.NDArray[Any]] = {
        "id": np.array([item.id for item in rows]),
        "path": np.array([written(item.path) for item in rows]),
    }
    if windows:
        columns["start"] = np.array([start for one in embedded for start in one.starts])
    for name in dict.fromkeys(name for item in items for name in item.labels):
        known = [item.labels.get(name) for item in rows]
        texts = any(isinstance(value, str) for value in known)
        columns[name] = np.array([("" if texts else np.nan) if value is None else value for value in known])
    return Library(model, columns, np.concatenate([one.values for one in embedded]))
