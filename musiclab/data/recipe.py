"""``features.json``: how the arrays of a folder were made; beside them, or beside ``train/`` and ``test/``."""

import json
import math
from pathlib import Path

from musiclab.data.tables import read_text
from musiclab.errors import UserError
from musiclab.files import stands_there, write_text
from musiclab.spectrogram import FEATURE_ROWS, FRAME_SECONDS, LAB, Recipe

FILE = "features.json"


def read_recipe(folder: Path) -> Recipe | None:
    """Return the recipe of a folder of arrays; None if it has none.

    Raises:
        UserError: If its file cannot be read or says what cannot be.
    """
    path = folder / FILE
    if not stands_there(path):
        return None
    text = read_text(path)
    try:
        return Recipe.of(json.loads(text))
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    except (ValueError, RecursionError):
        raise UserError(f"{path}: not json; write it as in {json.dumps(LAB.plain())}") from None


def find_recipe(root: Path) -> tuple[Path, Recipe] | None:
    """Return the recipe of a data set folder and where it stands: in the folder itself, in ``train/`` or in ``test/``.

    Raises:
        UserError: As :func:`read_recipe`, or if two of them differ.
    """
    folders = [root, root / "train", root / "test"]
    found = [(folder / FILE, recipe) for folder in folders if (recipe := read_recipe(folder)) is not None]
    for path, recipe in found[1:]:
        if differences := found[0][1].differences(recipe):
            raise UserError(
                f"{found[0][0]} and {path}: made differently ({', '.join(differences)}); keep arrays of one kind in a "
                "data set"
            )
    return found[0] if found else None


def settle_recipe(root: Path, features: str, rows: int, seconds: float | None) -> tuple[float, Recipe | None]:
    """Return the duration of a frame in s, and how arrays were made if ``features.json`` says it.

    Args:
        root: Data set folder.
        features: What is taken of its arrays: ``mel``, ``chroma``, ``fused`` or ``all``.
        rows: Rows of the arrays, for ``all``.
        seconds: Duration of a frame in s that the user gives; None if it is not said.

    Raises:
        UserError: If that contradicts the file, or the file the features that are asked for.
    """
    if seconds is not None and not 0 < seconds < math.inf:
        raise UserError(f"seconds is {seconds}; it must be the duration of a frame in s, as in 0.234")
    path, recipe = find_recipe(root) or (None, None)
    seconds = seconds or (recipe and recipe.seconds) or FRAME_SECONDS
    if recipe is None:
        return seconds, None
    if recipe.seconds and not math.isclose(seconds, recipe.seconds, rel_tol=1e-3):
        raise UserError(
            f"{path}: a frame lasts {recipe.seconds:.4g} s, but --data.seconds is {seconds:g}; leave it out, "
            "or correct the file"
        )
    if features in FEATURE_ROWS:
        ours = [one for one in LAB.differences(recipe) if not one.startswith(("seconds", "chroma"))]
        if ours:
            raise UserError(
                f"{path}: other arrays than the lab's, which features {features} is of ({', '.join(ours)}); "
                "use --data.features all"
            )
    elif recipe.rows not in (None, rows):
        raise UserError(f"{path}: {recipe.rows} rows, but the arrays have {rows}; correct the file")
    return seconds, recipe


def write_recipe(folder: Path, recipe: Recipe) -> None:
    """Write the recipe of a folder of arrays."""
    write_text(folder / FILE, json.dumps(recipe.plain(), indent=1) + "\n")
