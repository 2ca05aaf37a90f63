"""Held-out parts and smaller subsets, the same for the same seed."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from musiclab.errors import UserError

Indices = npt.NDArray[np.int64]


class Split(NamedTuple):
    """Indices of the tracks to train on and of those held out, each in ascending order."""

    train: Indices
    held_out: Indices


def split_tracks(
    tracks: int,
    classes: Sequence[str] | None,
    *,
    fraction: float,
    folds: int | None = None,
    fold: int = 0,
    seed: int,
    purpose: str = "val",
) -> Split:
    """Hold tracks out for validation or for a test.

    Args:
        tracks: How many tracks there are.
        classes: Class of each track, to be represented alike in both parts; None to draw at random.
        fraction: Share of the tracks to hold out, used when ``folds`` is None.
        folds: Number of folds of a cross-validation, of which number ``fold`` (from 0) is held out.
        fold: See ``folds``.
        seed: Same seed, same split; the folds of one seed do not overlap.
        purpose: ``val`` or ``test``, for the errors.

    Raises:
        UserError: If the tracks cannot be split like that.
    """
    # scikit-learn is slow to import, and not all commands split.
    from sklearn.model_selection import KFold, ShuffleSplit, StratifiedKFold, StratifiedShuffleSplit

    if folds is None:
        if not 0 < fraction < 1:
            raise UserError(f"{purpose}_fraction is {fraction}; it must lie between 0 and 1, as in 0.1")
        kind = ShuffleSplit if classes is None else StratifiedShuffleSplit
        splitter = kind(n_splits=1, test_size=fraction, random_state=seed)
        fold = 0
    else:
        if folds < 2 or not 0 <= fold < folds:
            raise UserError(f"fold {fold} of {folds} folds; folds must be 2 or more, and fold from 0 to folds - 1")
        kind = KFold if classes is None else StratifiedKFold
        splitter = kind(n_splits=folds, shuffle=True, random_state=seed)
    try:
        parts = list(splitter.split(np.zeros(tracks), classes))
    except ValueError as error:
        raise UserError(
            f"{tracks} labelled tracks cannot be split ({purpose}_fraction {fraction}, folds {folds}): {error}; "
            "use more tracks, another fraction or fewer folds"
        ) from None
    train, held_out = parts[fold]
    return Split(np.sort(train), np.sort(held_out))


def choose_subset(tracks: int, classes: Sequence[str] | None, limit: int | None, seed: int) -> Indices:
    """Choose at most ``limit`` tracks at random, an equal number per class as far as there are; ascending.

    Raises:
        UserError: If ``limit`` leaves no track.
    """
    if limit is not None and limit < 1:
        raise UserError(f"limit is {limit}; it must be 1 or more, or null for all tracks")
    order = np.random.default_rng(seed).permutation(tracks)
    if limit is None or limit >= tracks:
        return np.arange(tracks)
    if classes is not None:
        # The k-th track of each class comes before the (k + 1)-th of any.
        seen: dict[str, int] = {}
        turns = np.empty(tracks, dtype=np.int64)
        for index in order:
            turns[index] = seen.get(classes[index], 0)
            seen[classes[index]] = turns[index] + 1
        order = order[np.argsort(turns[order], kind="stable")]
    return np.sort(order[:limit])
