"""What is drawn and measured of a model's embeddings."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from musiclab.commands.latents.comparison import EmbeddedModel
from musiclab.commands.latents.separability import (
    Points,
    Projection,
    class_silhouette,
    neighbour_accuracy,
    neighbour_correlation,
    project_pca,
    project_tsne,
    standardise,
)
from musiclab.errors import UserError

FEWEST = 5
"""Tracks that it takes for a picture that says anything."""


class Settings(NamedTuple):
    """How embeddings are looked at, and what had to be changed for the number of tracks."""

    tracks: int
    perplexity: float
    neighbours: int
    seed: int
    known_artists: int
    notes: list[str]


class Analysis(NamedTuple):
    """A model's embeddings, projected and measured.

    Attributes:
        model: The model.
        pca: Principal components.
        tsne: t-SNE, ``(tracks, 2)``.
        scores: Numbers by name; NaN where they are not defined.
    """

    model: EmbeddedModel
    pca: Projection
    tsne: Points
    scores: dict[str, float]


def fit_settings(
    tracks: int,
    perplexity: float,
    neighbours: int,
    seed: int,
    artists: npt.NDArray[np.int64] | None = None,
    smallest: tuple[str, int] | None = None,
) -> Settings:
    """Return the settings that so many tracks allow.

    Args:
        tracks: How many there are.
        perplexity: As wanted.
        neighbours: As wanted.
        seed: As wanted.
        artists: Artist of each track, -1 where it is not known.
        smallest: Genre of the fewest tracks, and how many these are; None where there are no genres.

    Raises:
        UserError: If there are too few tracks for any.
    """
    if tracks < FEWEST:
        raise UserError(f"{tracks} test tracks are too few to be told apart; it takes {FEWEST}, or many more")
    # A third of the others at most: to ask all of them is to learn what the track itself is not, as the more tracks
    # there are of its class, the fewer of these are left.
    usable = min(perplexity, (tracks - 1) / 3), min(neighbours, (tracks - 1) // 3)
    notes = [
        f"{name} {wanted:g} is too many for {tracks} tracks; {number:.3g} was taken"
        for name, wanted, number in zip(("perplexity", "neighbours"), (perplexity, neighbours), usable, strict=True)
        if number != wanted
    ]
    # Of a genre with fewer tracks than are asked, most neighbours are of another one, however well it keeps apart.
    if smallest is not None and smallest[1] < usable[1]:
        usable = usable[0], smallest[1]
        notes = [note for note in notes if not note.startswith("neighbours")]
        notes.append(
            f"neighbours {neighbours} is more than the smallest genre has tracks ({smallest[0]}: {smallest[1]}); "
            f"{smallest[1]} was taken"
        )
    known = 0 if artists is None else int((artists >= 0).sum())
    if known:
        notes.append(
            f"artists are known for {known} of {tracks} tracks; k-NN asks no neighbours by a track's own artist"
        )
    return Settings(tracks, *usable, seed, known, notes)


def smallest_class(targets: npt.NDArray[Any], target_names: Sequence[str]) -> tuple[str, int] | None:
    """Return the class that the fewest tracks are known to be of, and their number; None if targets are no classes.

    Args:
        targets: Class of each track, ``(tracks,)``, -1 where it is not known; or values, ``(tracks, axes)``.
        target_names: Names of the classes; those without tracks do not count.
    """
    if targets.ndim > 1 or not (targets >= 0).any():
        return None
    classes, counts = np.unique(targets[targets >= 0], return_counts=True)
    return target_names[classes[counts.argmin()]], int(counts.min())


def analyse_model(
    model: EmbeddedModel,
    target_names: Sequence[str],
    settings: Settings,
    artists: npt.NDArray[np.int64] | None = None,
) -> Analysis:
    """Project and measure a model's embeddings.

    Args:
        model: The model.
        target_names: Genres or axes.
        settings: How to look at it.
        artists: Artist of each track, -1 where it is not known.

    Raises:
        UserError: If all embeddings are the same.
    """
    values = standardise(model.embeddings.values)
    if not values.any():
        raise UserError(f"{model.path}: the model maps all tracks to the same embedding; train it anew")
    tsne = project_tsne(values, settings.perplexity, settings.seed)
    scores = measure(values, model.embeddings.targets, target_names, settings.neighbours, artists)
    return Analysis(model, project_pca(values), tsne, scores)


def measure(
    values: Points,
    targets: npt.NDArray[Any],
    target_names: Sequence[str],
    neighbours: int,
    artists: npt.NDArray[np.int64] | None = None,
) -> dict[str, float]:
    """Return how separated tracks are by genre, or how well neighbours tell the value on each axis.

    Args:
        values: Standardised embeddings, ``(tracks, embedding)``.
        targets: Class of each track, ``(tracks,)``, or values, ``(tracks, axes)``.
        target_names: Genres or axes.
        neighbours: How many nearest tracks to ask.
        artists: Artist of each track, -1 where it is not known: tracks by the same one are not asked.

    Returns:
        ``silhouette`` and ``knn_accuracy``, or ``knn_spearman_{axis}`` for each axis; NaN where it is not defined.
    """
    if targets.ndim == 1:
        return {
            "silhouette": class_silhouette(values, targets),
            "knn_accuracy": neighbour_accuracy(values, targets, neighbours, artists),
        }
    return {
        f"knn_spearman_{axis}": neighbour_correlation(values, column, neighbours, artists)
        for axis, column in zip(target_names, targets.T, strict=True)
    }


def undefined_notes(scores: Mapping[str, float]) -> list[str]:
    """Return why scores are not defined, for those that are not."""
    silhouette = "there is one genre only, or no two tracks are of the same"
    values = "hardly any values are known, or all are the same"
    reasons = {"silhouette": silhouette, "knn_accuracy": "hardly any genres are known"}
    return [
        f"{name} is not defined: {reasons.get(name, values)}" for name, value in scores.items() if math.isnan(value)
    ]
