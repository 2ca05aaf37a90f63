"""A data set folder whose arrays are embeddings of another one's."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from musiclab.data.recipe import write_recipe
from musiclab.errors import UserError
from musiclab.inference.collection import Item
from musiclab.inference.unfinished import Embedded
from musiclab.spectrogram import Recipe


def require_new(out: Path) -> None:
    """Refuse a folder that holds anything, before hours of work.

    Raises:
        UserError: If it does.
    """
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise UserError(f"{out}: is there already; name a new folder for the data set of embeddings")


def write_data_set(
    out: Path, source: Path, items: Sequence[Item], embedded: Sequence[Embedded], recipe: Recipe
) -> None:
    """Write embeddings as arrays ``(embedding, windows)``, with the label files of their tracks; all or nothing.

    Args:
        out: The folder to make.
        source: Data set folder of the arrays that were embedded.
        items: Which they are.
        embedded: Their embeddings.
        recipe: Of the arrays that are written.
    """
    partial = out.with_name(f".{out.name}.partial-{os.getpid()}")
    partial.mkdir(parents=True)
    try:
        for item, one in zip(items, embedded, strict=True):
            array = partial / item.path.parent.name / f"{item.id}.npy"
            array.parent.mkdir(exist_ok=True)
            np.save(array, np.ascontiguousarray(one.values.T))
        for text in source.glob("*.txt"):  # labels, artists
            if text.is_file():
                shutil.copyfile(text, partial / text.name)
        write_recipe(partial, recipe)
        partial.replace(out)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
