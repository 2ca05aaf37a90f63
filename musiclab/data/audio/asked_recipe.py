"""The recipe of mel bands that options of a command ask for."""

import warnings

from musiclab.errors import UserError
from musiclab.files import import_librosa
from musiclab.spectrogram import DECIBELS, LAB, RECIPES, Recipe, RecipeName

LOWEST_RATE, HIGHEST_RATE = 4000, 192_000  # Hz
LONGEST_WINDOW = 2**17  # samples


def own_recipe(
    mels: int | None, hop: int | None, rate: int | None, window: int | None, name: RecipeName | None = None
) -> Recipe:
    """Return the recipe of mel bands alone that options ask for, the lab's values for those that are None.

    Without any option it is the lab's, with chroma.

    Args:
        mels: Number of mel bands.
        hop: Samples from one frame to the next.
        rate: Sample rate in Hz.
        window: Length of a window in samples.
        name: Of a recipe, in place of all these.

    Raises:
        UserError: If there is no such recipe.
    """
    given = {"mels": mels, "hop": hop, "rate": rate, "window": window}
    wanted = {name: value for name, value in given.items() if value is not None}
    if not wanted:
        return LAB if name is None else RECIPES[name]
    if name is not None:
        raise UserError(
            f"recipe is {name} and {next(iter(wanted))} {next(iter(wanted.values()))}; give a recipe by its name or by "
            "--mels, --hop, --rate and --window, but not both"
        )
    if rate is not None and not LOWEST_RATE <= rate <= HIGHEST_RATE:
        raise UserError(f"rate is {rate}; it must be {LOWEST_RATE} to {HIGHEST_RATE}, in Hz, as in 16000")
    known = {"mels": LAB.mels, "hop": LAB.hop, "rate": LAB.rate, "window": LAB.window, "scale": DECIBELS}
    recipe = Recipe.of({**known, **wanted})
    if recipe.window and not (recipe.hop or 0) <= recipe.window <= LONGEST_WINDOW:
        raise UserError(
            f"window is {recipe.window} and hop {recipe.hop}; the window must be as long as the hop, so that no sample "
            f"is left out, and at most {LONGEST_WINDOW} samples"
        )
    _require_full_bands(recipe)
    return recipe


def _require_full_bands(recipe: Recipe) -> None:
    """Refuse a recipe with mel bands that no bin of the Fourier transform falls into: their rows would be empty.

    Raises:
        UserError: If there are such bands.
    """
    librosa = import_librosa()

    rate, window, _, mels = recipe.numbers
    with warnings.catch_warnings(action="ignore"):  # of what is said below
        filters = librosa.filters.mel(sr=rate, n_fft=window, n_mels=mels)
    empty = int((filters.max(axis=1) == 0).sum())
    if empty:
        raise UserError(
            f"{empty} of {mels} mel bands would be empty at {rate} Hz with windows of {window} samples; ask for fewer "
            "--mels or a longer --window"
        )
