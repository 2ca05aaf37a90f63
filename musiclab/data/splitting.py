"""Held-out parts and smaller subsets, the same for the same seed."""

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
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
    option: str = "--data.val_fraction",
) -> Split:
    """Hold tracks out for validation or for a test.

    Args:
        tracks: How many tracks there are.
        classes: Class of each track, to be represented alike in both parts; None to draw at random.
        fraction: Share of the tracks to hold out, used when ``folds`` is None.
        folds: Number of folds of a cross-validation, of which number ``fold`` (from 0) is held out.
        fold: See ``folds``.
        seed: Same seed, same split; the folds of one seed do not overlap.
        option: Of the command line, which gives the fraction, for the errors.

    Raises:
        UserError: If the tracks cannot be split like that.
    """
    # scikit-learn is slow to import, and not all commands split.
    from sklearn.model_selection import KFold, ShuffleSplit, StratifiedKFold, StratifiedShuffleSplit

    name = option_name(option)
    check_share(name, fraction, folds, fold)
    if folds is None:
        kind = ShuffleSplit if classes is None else StratifiedShuffleSplit
        splitter = kind(n_splits=1, test_size=fraction, random_state=seed)
        fold = 0
    else:
        kind = KFold if classes is None else StratifiedKFold
        splitter = kind(n_splits=folds, shuffle=True, random_state=seed)
    try:
        parts = list(splitter.split(np.zeros(tracks), classes))
    except ValueError:
        how = f"{name} {fraction}" if folds is None else f"folds {folds}"
        counts = None if classes is None else Counter(classes)
        advice = _advice(tracks, counts, fraction, option) if folds is None else _fold_advice(tracks, counts, option)
        raise UserError(f"{tracks} labelled tracks cannot be split ({how}): {advice}") from None
    train, held_out = parts[fold]
    return Split(np.sort(train), np.sort(held_out))


def option_name(option: str) -> str:
    """Return what an option of the command line is called in Python."""
    return re.split(r"[.-]", option)[-1]


def check_share(name: str, fraction: float, folds: int | None, fold: int) -> None:
    """Refuse a share or a fold that cannot be.

    Raises:
        UserError: Saying what can.
    """
    if folds is None:
        if not 0 < fraction < 1:
            raise UserError(f"{name} is {fraction}; it must lie between 0 and 1, as in 0.1")
    elif folds < 2 or not 0 <= fold < folds:
        raise UserError(f"fold {fold} of {folds} folds; folds must be 2 or more, and fold from 0 to folds - 1")


def _advice(tracks: int, counts: Mapping[str, int] | None, fraction: float, option: str) -> str:
    """Say why a share cannot be held out, and which could; a part needs a track, or one of each class."""
    least = 1 if counts is None else len(counts)
    single = sorted(name for name, count in (counts or {}).items() if count == 1)
    if single:
        return f"{single[0]} has a single track, and each part needs one of it; label more of it, or leave it out"
    held_out = math.ceil(fraction * tracks)
    needs = "each part needs a track" + (f" of each of the {least} classes" if counts else "")
    found = f"{held_out} would be held out and {tracks - held_out} stay, but {needs}"
    shares = [*(number / 20 for number in range(1, 20)), math.ceil(1000 * least / max(1, tracks)) / 1000]
    working = [share for share in shares if least <= math.ceil(share * tracks) <= tracks - least]
    if not working:
        return f"{found}; label more tracks, {2 * least} at least"
    return f"{found}; {option} {min(working, key=lambda share: abs(share - fraction)):g} works, or label more tracks"


def _fold_advice(tracks: int, counts: Mapping[str, int] | None, option: str) -> str:
    """Say how many folds there can be: as many as tracks, or as tracks of the largest class."""
    most = tracks if counts is None else max(counts.values(), default=0)
    if most < 2:
        return "there are too few for folds; label more tracks"
    return f"there are tracks for {most} folds at most; give {option.rpartition('.')[0]}.folds {min(most, 5)}"


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
