"""How the arrangement of tracks by models is shown: pictures, numbers, one page."""

import math
import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from musiclab.commands.latents.analysis import Analysis, Settings, undefined_notes
from musiclab.figures import class_points_figure, png_bytes, value_points_figure
from musiclab.figures.latents import Points
from musiclab.pages.document import Block, Document, Heading, Picture, Pictures, Table, Text

TSNE_LABELS = ("1st t-SNE direction (no unit)", "2nd t-SNE direction (no unit)")

READ_GENRES = (
    "The silhouette compares a track's distance to its own genre with that to the nearest other one: -1 to 1, above 0 "
    "where genres keep apart. k-NN accuracy is the share of tracks whose genre is the most frequent one among their "
    "neighbours; the largest genre makes up {share:.3f} of the tracks."
)
READ_VALUES = (
    "k-NN Spearman is the correlation of a track's value with the mean of its neighbours: about 0 by chance, at best 1."
)


def file_names(names: Sequence[str]) -> list[str]:
    """Return for the name of each model one that files can begin with; no two are the same."""
    plain = [re.sub(r"[^A-Za-z0-9-]+", "_", name).strip("_") for name in names]
    return [
        f"{name}_{plain[:index].count(name) + 1}" if plain.count(name) > 1 else name for index, name in enumerate(plain)
    ]


def scores_table(analyses: Sequence[Analysis]) -> Table:
    """Return the numbers of all models; what is not defined is blank."""
    shown = {"silhouette": "silhouette", "knn_accuracy": "k-NN accuracy"}
    scores = list(analyses[0].scores)
    names = [shown.get(name, name.removeprefix("knn_spearman_")) for name in scores]
    rows = [
        [
            analysis.model.name,
            *("" if math.isnan(analysis.scores[name]) else f"{analysis.scores[name]:.3f}" for name in scores),
            f"{sum(analysis.pca.explained):.3f}",
            str(analysis.model.embeddings.values.shape[1]),
        ]
        for analysis in analyses
    ]
    caption = "" if set(scores) & set(shown) else "k-NN Spearman on each axis"
    return Table(["model", *names, "PCA variance", "embedding size"], rows, caption)


def all_notes(analyses: Sequence[Analysis], settings: Settings) -> list[str]:
    """Return what there is to be said about the settings and the numbers."""
    # Of the same tracks, what is not defined is so for all models.
    return [*settings.notes, *undefined_notes(analyses[0].scores)]


def latents_page(analyses: Sequence[Analysis], target_names: Sequence[str], settings: Settings) -> Document:
    """Return the page: numbers, then PCA and t-SNE of each model side by side, for each axis where there are axes."""
    targets = analyses[0].model.embeddings.targets
    blocks: list[Block] = [Text(_method(settings)), *map(Text, all_notes(analyses, settings)), scores_table(analyses)]
    if targets.ndim == 1:
        blocks.append(Text(READ_GENRES.format(share=largest_share(targets))))
        draw = partial(class_points_figure, classes=targets, names=target_names)
        sections = {"genre": _pictures(analyses, "genre", "", draw)}
    else:
        blocks.append(Text(READ_VALUES))
        sections = {
            axis: _pictures(analyses, axis, f"_{ending}", partial(value_points_figure, values=values, name=axis))
            for axis, ending, values in zip(target_names, file_names(target_names), targets.T, strict=True)
        }
    for name, pictures in sections.items():
        blocks += [Heading(f"Coloured by {name}"), *pictures]
    checkpoints = [[analysis.model.name, str(analysis.model.path.absolute())] for analysis in analyses]
    blocks += [Heading("Checkpoints"), Table(["model", "checkpoint"], checkpoints)]
    return Document(f"Latent representations of {settings.tracks} tracks", blocks)


def largest_share(classes: npt.NDArray[np.int64]) -> float:
    """Return the share of the largest class among the tracks of known classes."""
    known = classes[classes >= 0]
    return float(np.bincount(known).max() / len(known)) if len(known) else float("nan")


def _pictures(
    analyses: Sequence[Analysis], coloured_by: str, ending: str, draw: Callable[..., Figure]
) -> Iterator[Pictures]:
    """Yield the pictures of each model; ``draw`` makes one of points, title and what the directions are."""
    files = file_names([analysis.model.name for analysis in analyses])
    for file, analysis in zip(files, analyses, strict=True):
        name = analysis.model.name
        yield Pictures(
            [
                Picture(
                    f"{file}_{method.lower().replace('-', '')}{ending}.png",
                    png_bytes(draw(points, title=f"{name}: {method}", labels=labels)),
                    f"{method} of {name}, coloured by {coloured_by}",
                )
                for method, points, labels in _projections(analysis)
            ]
        )


def _projections(analysis: Analysis) -> Iterator[tuple[str, Points, tuple[str, str]]]:
    """Yield name, points and what the directions are."""
    first, second = (
        f"{number} component ({share:.0%} of the variance)"
        for number, share in zip(("1st", "2nd"), analysis.pca.explained, strict=True)
    )
    yield "PCA", analysis.pca.points, (first, second)
    yield "t-SNE", analysis.tsne, TSNE_LABELS


def _method(settings: Settings) -> str:
    artists = (
        ", leaving out those by its own artist."
        if settings.known_artists
        else "; no artists are known (artists.txt), so that many may be by its own, which flatters."
    )
    return (
        f"What each model knows of {settings.tracks} test tracks before its output layer: the embedding that its "
        "backbone gives, in evaluation mode. Each value of the embeddings is standardised over the tracks, for the "
        "pictures and for the numbers. PCA shows the two directions of the largest variance. t-SNE (perplexity "
        f"{settings.perplexity:.3g}) keeps near tracks near; how far groups are apart, and how large they are, says "
        f"little. k-NN asks the {settings.neighbours} nearest other tracks of each track{artists}"
    )
