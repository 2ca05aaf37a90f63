"""``solution.txt``: predictions of emotional axes as the solution file of a competition."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from musiclab.data.ids import id_order
from musiclab.data.tables import one_form
from musiclab.errors import UserError
from musiclab.files import remove_leftovers, replacing
from musiclab.runs.predictions import first_doubled

HEADER = "Id.fused.full.npy.gz,valence,energy,danceability"
"""First line of a solution of the lab's competition."""

SUFFIX = ".fused.full.npy.gz"
"""What a row of the lab's competition adds to the id of its track."""


def solution_axes(header: str) -> list[str]:
    """Return the axes that the header of a solution names: its columns after the first.

    Raises:
        UserError: If there is none, or one is empty or doubled.
    """
    try:
        axes = [one_form(column).strip() for column in next(csv.reader([header], strict=True), [])[1:]]
    except csv.Error:
        axes = []
    if not axes or not all(axes) or len(header.splitlines()) > 1:
        raise UserError(f"header {header!r}: expected one line, a column of ids and then axes: 'Id,valence,energy'")
    doubled = first_doubled(axes)
    if doubled is not None:
        raise UserError(f"header {header!r}: {doubled} stands there twice; name each axis once")
    return axes


def write_solution(
    path: Path,
    ids: Sequence[str],
    axes: Sequence[str],
    values: npt.NDArray[np.floating[Any]],
    header: str = HEADER,
    suffix: str = SUFFIX,
) -> None:
    """Write the solution file of a competition, in the order of the ids; whole or not at all.

    Args:
        path: File to write.
        ids: Ids of the tracks, in any order.
        axes: Axes of the values; those that the header does not name are left out.
        values: One row per track, one column per axis.
        header: First line: the column of the ids, then the axes.
        suffix: What to add to each id.

    Raises:
        UserError: If the header names an axis that is not there, or a value is not finite.
    """
    wanted = solution_axes(header)
    missing = [axis for axis in wanted if axis not in axes]
    if missing:
        raise UserError(
            f"{path}: not written: the header {header!r} names {', '.join(missing)}, but the predictions are of "
            f"{', '.join(axes)}; add predictions of what is missing, or give another header"
        )
    columns = values[:, [axes.index(axis) for axis in wanted]]
    wrong = np.argwhere(~np.isfinite(columns))
    if len(wrong):
        row, column = wrong[0]
        raise UserError(
            f"{path}: not written: {wanted[column]} of track {ids[row]} is {columns[row, column]}, "
            "not a finite number; train the model anew"
        )
    order = sorted(range(len(ids)), key=lambda index: id_order(ids[index]))
    remove_leftovers(path.parent, path.stem)
    with replacing(path) as partial, partial.open("w", newline="", encoding="utf-8") as stream:
        stream.write(f"{header}\n")
        csv.writer(stream, lineterminator="\n").writerows(
            [ids[index] + suffix, *(f"{value:.6f}" for value in columns[index])] for index in order
        )
