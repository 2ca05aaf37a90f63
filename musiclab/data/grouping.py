"""Held-out parts in which each artist stands on one side, the same for the same seed."""

import warnings
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from musiclab.data.splitting import Indices, Split, check_share, option_name
from musiclab.errors import UserError

Floats = npt.NDArray[np.float64]

MOST_FOLDS = 100
"""No more folds are drawn to choose a held-out part from, so that it is a hundredth of the tracks at least."""

ENOUGH = 10_000
"""Folds are drawn anew, 20 times at most, until so many groups times folds were looked at: half a second."""


def split_groups(
    groups: Indices,
    classes: Sequence[str] | None,
    *,
    fraction: float,
    folds: int | None = None,
    fold: int = 0,
    seed: int,
    option: str = "--data.val_fraction",
    otherwise: str = "correct artists.txt, or ignore it: --data.groups null",
) -> Split:
    """Hold tracks out for validation or for a test, all tracks of a group or none of them.

    Without ``folds``, several divisions into folds are drawn, and the fold (or several together, for a share such as
    0.3) that is nearest to the share by :func:`distances` is held out: folds that hold each genre in proportion may
    still hold all of one genre by a single artist.

    Args:
        groups: Number of each track's group, ``(tracks,)``, from 0 without gaps.
        classes: Class of each track, to be represented alike in both parts; None if there are none.
        fraction: Share of the tracks to hold out, used when ``folds`` is None.
        folds: Number of folds of a cross-validation, of which number ``fold`` (from 0) is held out.
        fold: See ``folds``.
        seed: Same seed, same split; the folds of one seed do not overlap.
        option: Of the command line, which gives the fraction, for the errors.
        otherwise: What to do about groups that do not allow it, for the errors.

    Raises:
        UserError: If the tracks cannot be split like that.
    """
    check_share(option_name(option), fraction, folds, fold)
    tracks, count = len(groups), int(groups.max(initial=-1)) + 1
    if count < 2:
        raise UserError(f"all {tracks} labelled tracks are by one artist, so that none can be held out; {otherwise}")
    names = None if classes is None else np.unique(classes, return_inverse=True)[1]
    labels = np.zeros(tracks, np.int64) if names is None else names
    most = min(count, int(np.bincount(labels).max()))
    if most < 2:
        raise UserError(f"{tracks} labelled tracks cannot be split: no two are of one genre; label more tracks")
    if folds is None:
        held_out = _nearest(groups, labels, fraction, seed)
    elif folds > most:
        raise UserError(
            f"{tracks} labelled tracks by {count} artists cannot be split (folds {folds}): there are artists and "
            f"tracks for {most} folds at most; give {option.rpartition('.')[0]}.folds {min(most, 5)}, or {otherwise}"
        )
    else:
        held_out = draw_folds(groups, labels, folds, seed) == fold
    return Split(np.flatnonzero(~held_out), np.flatnonzero(held_out))


def draw_folds(groups: Indices, labels: Indices, folds: int, seed: int | list[int]) -> Indices:
    """Return the number of each track's fold, ``(tracks,)``: groups shared out so that classes are there in proportion.

    Args:
        groups: Number of each track's group, ``(tracks,)``.
        labels: Number of each track's class, ``(tracks,)``.
        folds: Number of folds.
        seed: Of the draw.
    """
    # scikit-learn is slow to import, and not all commands split.
    from sklearn.model_selection import StratifiedGroupKFold

    # Its own shuffling mixes up groups before version 1.8. Groups of equal spread go by their numbers.
    shuffled = np.random.default_rng(seed).permutation(groups.max() + 1)[groups]
    numbers = np.empty(len(groups), np.int64)
    with warnings.catch_warnings(action="ignore"):  # of classes of fewer tracks than there are folds
        parts = StratifiedGroupKFold(folds).split(np.zeros(len(groups)), labels, shuffled)
        for number, (_, held_out) in enumerate(parts):
            numbers[held_out] = number
    return numbers


def distances(parts: npt.NDArray[np.bool_], counts: Floats, fraction: float) -> Floats:
    """Return how far held-out parts are from a share of the tracks, and of the groups, of each class.

    What is wished of a class is ``fraction`` of its tracks by ``fraction`` of its groups, but one of each at least; of
    a class of a single group, nothing, since that has to stay to be trained on. The distance is the mean over classes
    of the differences, in tracks and in groups, each as a share of what is wished.

    Args:
        parts: Whether each group is in each part, ``(parts, groups)``.
        counts: Tracks of each class that each group has, ``(groups, classes)``.
        fraction: The share.

    Returns:
        ``(parts,)``.
    """
    single = (counts > 0).sum(axis=0) == 1
    far = np.zeros(len(parts))
    for each in (counts, (counts > 0).astype(float)):
        wished = np.where(single, 0, np.maximum(fraction * each.sum(axis=0), 1))
        far += (np.abs(parts @ each - wished) / np.maximum(wished, 1)).mean(axis=1) / 2
    return far


def _nearest(groups: Indices, labels: Indices, fraction: float, seed: int) -> npt.NDArray[np.bool_]:
    """Return whether each track is in the part nearest to a share, of those that folds of several draws make."""
    counts = np.zeros((groups.max() + 1, labels.max() + 1))
    np.add.at(counts, (groups, labels), 1)
    together, folds = folds_of(fraction, min(MOST_FOLDS, len(counts), int(counts.sum(axis=0).max())))
    found: list[tuple[float, npt.NDArray[np.bool_]]] = []
    for repeat in range(min(20, max(1, ENOUGH // (len(counts) * folds)))):
        fold_of_group = np.zeros(len(counts), np.int64)
        fold_of_group[groups] = draw_folds(groups, labels, folds, [seed, repeat])
        parts = (fold_of_group - np.arange(folds)[:, None]) % folds < together
        far = distances(parts, counts, fraction)
        found.append((float(far.min()), parts[far.argmin()]))
    return min(found, key=lambda pair: pair[0])[1][groups]


def folds_of(fraction: float, most: int) -> tuple[int, int]:
    """Return how many folds of how many are about a share: 1 of 10 for 0.1, 3 of 10 for 0.3.

    Args:
        fraction: The share, between 0 and 1.
        most: There can be no more folds, two or more.
    """
    share = Fraction(fraction).limit_denominator(20)
    if not 0 < share < 1:
        rest = Fraction(1, round(1 / min(fraction, 1 - fraction)))
        share = rest if fraction < 0.5 else 1 - rest
    if share.denominator > most:
        return min(max(1, round(fraction * most)), most - 1), most
    return share.numerator, share.denominator
