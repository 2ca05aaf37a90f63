"""``features.json``: how the arrays of a folder were made; beside them, or beside ``train/`` and ``test/``."""

import json
from pathlib import Path

from musiclab.data.tables import read_text
from musiclab.errors import UserError
from musiclab.files import stands_there, write_text
from musiclab.spectrogram import LAB, Recipe

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


def write_recipe(folder: Path, recipe: Recipe) -> None:
    """Write the recipe of a folder of arrays."""
    write_text(folder / FILE, json.dumps(recipe.plain(), indent=1) + "\n")
