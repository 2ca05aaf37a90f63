"""``musiclab latents``: how models arrange tracks before their output layer, in pictures and in numbers."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from musiclab.commands.latents.analysis import Analysis, Settings, analyse_model, fit_settings, smallest_class
from musiclab.commands.latents.comparison import TrackChoice, compare_models
from musiclab.commands.latents.page import all_notes, file_names, latents_page, scores_table
from musiclab.commands.latents.projector import write_projector
from musiclab.errors import UserError
from musiclab.files import write_csv, write_text
from musiclab.inference.embeddings import Embeddings
from musiclab.inference.trained import results_folder
from musiclab.pages.document import Table


def latents(
    *,
    ckpt_path: list[str],
    data: TrackChoice,
    out: str | None = None,
    perplexity: float = 30.0,
    neighbours: int = 10,
    seed: int = 0,
) -> None:
    """Show how models arrange the tracks of a test set before their output layer.

    All models are shown the test tracks of the first one, each with the features that it was trained on. What their
    backbones give is standardised and drawn by PCA and t-SNE, coloured by genre or by value on each axis; the
    silhouette of genres, and how well the nearest other tracks tell genre or value, say in numbers how separated they
    are. Where artists.txt in the data set folder names artists, no tracks by a track's own artist are asked.
    DIR/index.html shows all; embeddings are left as csv and for TensorBoard's projector.

    Args:
        ckpt_path: Checkpoint of a model; several to compare, of which the first says how the tracks are labelled.
        data: Which tracks.
        out: Folder for the results; null for latents/ in the run folder of the first model.
        perplexity: Of t-SNE: about how many neighbours each track has.
        neighbours: How many nearest tracks are asked for genre or value; no more than the smallest genre has.
        seed: Of t-SNE.
    """
    for name, value, least in (("neighbours", neighbours, 1), ("seed", seed, 0)):
        if value < least:
            raise UserError(f"{name} is {value}; it must be at least {least}")
    if not 0 < perplexity < math.inf:
        raise UserError(f"perplexity is {perplexity}; it must be above 0, as in 30")
    paths = [Path(path).expanduser() for path in ckpt_path]
    comparison = compare_models(paths, data)
    artists = comparison.artists
    smallest = smallest_class(comparison.models[0].embeddings.targets, comparison.target_names)
    settings = fit_settings(len(artists), perplexity, neighbours, seed, artists, smallest)
    progress = tqdm(comparison.models, desc="PCA and t-SNE", unit="model", delay=1)
    analyses = [analyse_model(model, comparison.target_names, settings, artists) for model in progress]
    folder = Path(out).expanduser() if out else results_folder(paths[0], "latents")
    _write(folder, comparison.target_names, analyses, settings)
    table = scores_table(analyses)
    notes = [*filter(None, [table.caption]), *_lines(table), *all_notes(analyses, settings)]
    latents_page(analyses, comparison.target_names, settings).write(folder, notes)


def _write(folder: Path, target_names: Sequence[str], analyses: Sequence[Analysis], settings: Settings) -> None:
    names = [analysis.model.name for analysis in analyses]
    first = analyses[0].model.embeddings
    header, labels = describe_tracks(first, target_names)
    for name, analysis in zip(file_names(names), analyses, strict=True):
        values = analysis.model.embeddings.values
        columns = [f"e{number}" for number in range(values.shape[1])]
        rows = ([*label, *(f"{value:.6g}" for value in row)] for label, row in zip(labels, values, strict=True))
        write_csv(folder / f"embeddings_{name}.csv", [*header, *columns], rows)
    embeddings = {name: analysis.model.embeddings for name, analysis in zip(names, analyses, strict=True)}
    write_projector(folder / "projector", embeddings, header, labels)
    write_text(folder / "latents.json", json.dumps(summarise(analyses, target_names, settings), indent=2) + "\n")


def describe_tracks(tracks: Embeddings, target_names: Sequence[str]) -> tuple[list[str], list[list[str]]]:
    """Return a header and, for each track, its id and genre or values; empty where they are not known."""
    if tracks.targets.ndim == 1:
        genres = ["" if target < 0 else target_names[target] for target in tracks.targets]
        return ["id", "genre"], [list(pair) for pair in zip(tracks.ids, genres, strict=True)]
    values = [["" if math.isnan(value) else f"{value:.6g}" for value in row] for row in tracks.targets]
    return ["id", *target_names], [[identifier, *row] for identifier, row in zip(tracks.ids, values, strict=True)]


def summarise(analyses: Sequence[Analysis], target_names: Sequence[str], settings: Settings) -> dict[str, Any]:
    """Return all numbers, ready for json: null where one is not defined."""
    models = [
        {
            "name": analysis.model.name,
            "checkpoint": str(analysis.model.path.absolute()),
            "embedding_size": analysis.model.embeddings.values.shape[1],
            "pca_variance": list(analysis.pca.explained),
            **{name: None if math.isnan(value) else value for name, value in analysis.scores.items()},
        }
        for analysis in analyses
    ]
    notes = all_notes(analyses, settings)
    return {**settings._asdict(), "notes": notes, "target_names": list(target_names), "models": models}


def _lines(table: Table) -> list[str]:
    """Return a table as lines of text, its first column flush left."""
    rows = [list(table.header), *map(list, table.rows)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in rows]
