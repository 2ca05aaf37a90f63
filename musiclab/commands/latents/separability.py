"""How well embeddings tell tracks apart: projections to two dimensions, and numbers."""

import warnings
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.stats import spearmanr
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from sklearn.metrics import silhouette_score
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

Points = npt.NDArray[np.float64]
Values = npt.NDArray[np.floating[Any]]

ROUNDING = 1e-6
"""Standard deviation of a value, relative to the largest, that batches of other lengths may give by rounding."""


class Projection(NamedTuple):
    """Points ``(tracks, 2)`` and the share of the variance along each of the two directions."""

    points: Points
    explained: tuple[float, float]


def standardise(embeddings: Values) -> Points:
    """Return embeddings ``(tracks, embedding)`` with mean 0 and standard deviation 1 of each value.

    A value that differs by no more than rounding, as those of dead units, becomes 0.
    """
    values = embeddings.astype(np.float64)
    constant = values.std(axis=0) <= ROUNDING * np.abs(values).max(axis=0)
    standard: Points = StandardScaler().fit_transform(values)
    standard[:, constant] = 0
    return standard


def project_pca(values: Points) -> Projection:
    """Return the first two principal components; the second is 0 where there is but one value."""
    pca = PCA(n_components=min(2, *values.shape))
    points = pca.fit_transform(values)
    points = np.pad(points, ((0, 0), (0, 2 - points.shape[1])))
    first, second = [*pca.explained_variance_ratio_, 0.0][:2]
    return Projection(points, (float(first), float(second)))


def project_tsne(values: Points, perplexity: float, seed: int) -> Points:
    """Return t-SNE of the tracks in two dimensions, begun from their principal components.

    Source: van der Maaten and Hinton 2008, "Visualizing Data using t-SNE".

    Args:
        values: ``(tracks, embedding)``.
        perplexity: About how many neighbours each track has, less than there are others.
        seed: Of what little is random.
    """
    start = project_pca(values).points
    start = start / max(start[:, 0].std(), 1e-12) * 1e-4  # as scikit-learn's own, which refuses a single value
    # Its loops are short: on a busy machine, threads that wait for each other made it 15 times as slow.
    with threadpool_limits(1):
        points: Points = TSNE(perplexity=perplexity, init=start, random_state=seed).fit_transform(values)
    return points


def class_silhouette(values: Points, classes: npt.NDArray[np.int64]) -> float:
    """Return the mean silhouette of the tracks of known classes, -1..1; NaN where it is not defined.

    Source: Rousseeuw 1987, "Silhouettes: a graphical aid to the interpretation and validation of cluster analysis".

    Args:
        values: ``(tracks, embedding)``.
        classes: ``(tracks,)``, -1 where it is not known. Of one class, or with no two tracks of a class, there is
            nothing to compare.
    """
    known = classes >= 0
    count = len(np.unique(classes[known]))
    if not 1 < count < known.sum():
        return float("nan")
    return float(silhouette_score(values[known], classes[known]))


def neighbour_accuracy(
    values: Points, classes: npt.NDArray[np.int64], neighbours: int, artists: npt.NDArray[np.int64] | None = None
) -> float:
    """Return the share of tracks whose class is the most frequent one among their nearest other tracks.

    Of classes that are as frequent, the first counts, as in scikit-learn. Tracks of unknown class are left out.

    Args:
        values: ``(tracks, embedding)``.
        classes: ``(tracks,)``, -1 where it is not known.
        neighbours: How many nearest tracks to ask. NaN where there is no other.
        artists: Artist of each track, ``(tracks,)``, -1 where it is not known; tracks by the same one are not asked.
    """
    known = classes >= 0
    nearest = _nearest(values[known], neighbours, None if artists is None else artists[known])
    if nearest is None:
        return float("nan")
    classes = classes[known]
    votes = np.stack([((classes[nearest.tracks] == c) & nearest.asked).sum(axis=1) for c in range(classes.max() + 1)])
    answered = nearest.asked.any(axis=1)
    return float((votes.argmax(axis=0) == classes)[answered].mean())


def neighbour_correlation(
    values: Points, targets: Values, neighbours: int, artists: npt.NDArray[np.int64] | None = None
) -> float:
    """Return Spearman's correlation of a track's value with the mean over its nearest other tracks.

    Args:
        values: ``(tracks, embedding)``.
        targets: ``(tracks,)``, NaN where the value is not known; such tracks are left out.
        neighbours: How many nearest tracks to ask. NaN where there are fewer than two
            others, or all values are equal.
        artists: As in :func:`neighbour_accuracy`.
    """
    known = np.isfinite(targets)
    nearest = _nearest(values[known], neighbours, None if artists is None else artists[known])
    targets = targets[known]
    if nearest is None or len(targets) < 3:
        return float("nan")
    answered = nearest.asked.any(axis=1)
    sums = np.where(nearest.asked, targets[nearest.tracks], 0).sum(axis=1)[answered]
    with warnings.catch_warnings(action="ignore"):  # of constant values, which give NaN
        return float(spearmanr(sums / nearest.asked.sum(axis=1)[answered], targets[answered]).statistic)


class _Nearest(NamedTuple):
    """The nearest other tracks of each track, ``(tracks, neighbours)``, and whether there are so many to be asked."""

    tracks: npt.NDArray[np.int64]
    asked: npt.NDArray[np.bool_]


def _nearest(values: Points, neighbours: int, artists: npt.NDArray[np.int64] | None) -> _Nearest | None:
    """Return the nearest tracks by other artists; None if there are none at all."""
    if artists is None:
        artists = np.full(len(values), -1)
    by_known = artists[artists >= 0]
    most = int(np.unique(by_known, return_counts=True)[1].max()) if len(by_known) else 1
    # Of so many, no more than ``most`` - 1 are by the track's own artist.
    count = min(neighbours + most - 1, len(values) - 1)
    if count < 1:
        return None
    nearest: npt.NDArray[np.int64] = NearestNeighbors(n_neighbors=count).fit(values).kneighbors(return_distance=False)
    own = (artists[nearest] == artists[:, None]) & (artists[:, None] >= 0)
    first = np.argsort(own, axis=1, kind="stable")[:, :neighbours]  # others before own, each from near to far
    asked = ~np.take_along_axis(own, first, axis=1)
    return _Nearest(np.take_along_axis(nearest, first, axis=1), asked) if asked.any() else None
