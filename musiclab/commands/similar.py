"""``musiclab similar``: the tracks of a file of embeddings that are nearest to a song."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from musiclab.checkpoint import fingerprint, read_checkpoint
from musiclab.errors import UserError
from musiclab.files import shown
from musiclab.inference.library import Library, read_library, written
from musiclab.inference.model import load


def similar(song: str, *, library: str, ckpt_path: str, most: int = 10, any_scale: bool = False) -> None:
    """Name the tracks of a file of embeddings that are nearest to a song, by the cosine of their embeddings.

    Args:
        song: Audio file, or an array as in a data set folder (.npy, .npy.gz). If it is in the library, it is passed
            over there.
        library: File that `musiclab embed` wrote.
        ckpt_path: Checkpoint of the model that it was made with.
        most: How many tracks, or windows, to name.
        any_scale: Take an array, too, of another scale than those that the model was trained on.
    """
    if most < 1:
        raise UserError(f"most is {most}; it must be at least 1")
    known = read_library(Path(library).expanduser())
    own = fingerprint(read_checkpoint(Path(ckpt_path).expanduser())["state_dict"])
    if known.model != own:
        raise UserError(
            f"{library}: of another model ({known.model}) than {ckpt_path} ({own}), and those of two models do not "
            f"compare; give that model, or make it anew by musiclab embed --ckpt_path {ckpt_path}"
        )
    order, cosines = known.nearest(load(ckpt_path, any_scale=any_scale).embed(song))
    other = known.columns["path"][order] != written(Path(song))
    order, cosines = order[other][:most], cosines[other][:most]
    print(shown(f"Of {len(known.values)} in {library}, nearest to {song} by cosine:"))
    for line in _lines(known, order, cosines):
        print(shown(line))


def _lines(library: Library, order: npt.NDArray[np.int64], cosines: npt.NDArray[np.float64]) -> list[str]:
    """Return a line for each row: cosine, id, what is known of it, path."""
    texts = [[f"{cosine:.3f}" for cosine in cosines]]
    for name, column in library.columns.items():
        if name == "start":
            texts.append([f"from {value:.1f} s" for value in column[order]])
        elif column.dtype.kind == "f":
            texts.append(["" if np.isnan(value) else f"{name} {value:.3f}" for value in column[order]])
        elif name != "path":
            texts.append([str(value) for value in column[order]])
    texts.append([str(value) for value in library.columns["path"][order]])
    widths = [max(map(len, column), default=0) for column in texts]
    rows = zip(*texts, strict=True)
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
