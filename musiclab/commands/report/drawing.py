"""The pictures of a report, drawn in several processes if there are many."""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
from joblib import Parallel, cpu_count, delayed
from matplotlib.figure import Figure
from tqdm import tqdm

from musiclab.commands.report.groups import Group
from musiclab.commands.report.tables import SCORES
from musiclab.figures import confusion_figure, curves_figure, f1_figure, png_bytes, scatter_figure
from musiclab.pages.document import Picture
from musiclab.runs.run import Run

LINES, SHADES = 64, 256
"""Colours of a picture: enough for lines and dots, and small; enough for a colour map."""

EXTREMES = 10
"""Of many tags, so many of the strongest and of the weakest are drawn."""

FEW = 24
"""Up to so many pictures are drawn sooner than other processes have started."""


class Drawing(NamedTuple):
    """A picture to be drawn: name of the file, caption, what draws it, and in how many colours."""

    file: str
    caption: str
    draw: Callable[[], Figure]
    colours: int = LINES


def draw_all(drawings: Sequence[Drawing]) -> list[Picture]:
    """Draw all pictures, in their order."""
    jobs = 1 if len(drawings) <= FEW else min(cpu_count(), 8)
    pictures = Parallel(n_jobs=jobs, return_as="generator", batch_size=8 if jobs > 1 else 1)(
        delayed(lambda drawing: png_bytes(drawing.draw(), drawing.colours))(drawing) for drawing in drawings
    )
    shown = tqdm(zip(drawings, pictures, strict=True), "drawing", len(drawings), unit="picture", disable=not drawings)
    files = Counter[str]()
    found = []
    for drawing, png in shown:
        files[drawing.file] += 1
        number = f"_{files[drawing.file]}" if files[drawing.file] > 1 else ""  # of names that differ in signs alone
        found.append(Picture(f"pictures/{drawing.file}{number}.png", png, drawing.caption))
    return found


def curve_drawings(group: Group) -> list[Drawing]:
    """Return the learning curves of a group, all runs in one picture."""
    runs = [run for run in group.runs if run.curves]
    monitor = next((run.best.monitor for run in runs if run.best), "")
    main = next(iter(SCORES.get(group.data.kind, {"spearman": ""})))
    found = []
    for quantity in dict.fromkeys(["loss", main, monitor.removeprefix("val_")]):
        lines = {
            part: [run.curves[name] for run in runs if (name := f"{prefix}_{quantity}") in run.curves]
            for part, prefix in (("validation", "val"), ("training", "train"))
        }
        if any(lines.values()):
            best = [(run.best.epoch, run.best.value) for run in runs if run.best and monitor == f"val_{quantity}"]
            label = _label(quantity, group)
            caption = f"{label[0].upper()}{label[1:]}: training and validation{_of(runs)}"
            draw = partial(curves_figure, lines, label, best)
            found.append(Drawing(f"model_{group.number}_{slug(quantity)}", caption, draw))
    return found + _axes_drawings(group, runs)


def f1_drawings(group: Group) -> list[Drawing]:
    """Return the F1 of each genre, of all runs of a group."""
    genres = group.data.targets
    names = [f"test_f1_{genre}" for genre in genres]
    tested = [run for run in group.counted if all(name in run.metrics for name in names)]
    if group.data.kind != "classes" or not tested:
        return []
    scores = np.array([[run.metrics[name] for name in names] for run in tested])
    caption = "F1 of each genre" + (f": mean and, as dots, {len(tested)} runs" if len(tested) > 1 else "")
    return [Drawing(f"model_{group.number}_f1", caption, partial(f1_figure, genres, scores))]


def tag_drawings(group: Group) -> list[Drawing]:
    """Return the area under the ROC curve of each tag, of all runs of a group; of many, the strongest and weakest."""
    if group.data.kind != "tags":
        return []
    tested = [run for run in group.counted if run.metrics]
    names = [tag for tag in group.data.targets if all(f"test_roc_auc_{tag}" in run.metrics for run in tested)]
    if not tested or not names:
        return []
    scores = np.array([[run.metrics[f"test_roc_auc_{tag}"] for tag in names] for run in tested])
    order = np.argsort(-scores.mean(axis=0), kind="stable")
    caption = "Area under the ROC curve of each tag"
    if len(order) > 2 * EXTREMES:
        order = np.r_[order[:EXTREMES], order[-EXTREMES:]]
        caption += f": the {EXTREMES} strongest and the {EXTREMES} weakest of {len(names)}"
    caption += f"; mean and, as dots, {len(tested)} runs" if len(tested) > 1 else ""
    draw = partial(f1_figure, [names[index] for index in order], scores[:, order], "area under the ROC curve")
    return [Drawing(f"model_{group.number}_tags", caption, draw)]


def test_drawings(run: Run, name: str) -> list[Drawing]:
    """Return the confusion matrix of a run, or its scatter plot of each axis."""
    if run.confusion is not None and run.metrics:
        matrix, genres = run.confusion.matrix, run.confusion.names
        draw = partial(confusion_figure, matrix, genres, run.metrics["test_accuracy"], 0.36, bar=False)
        caption = f"{name}: confusion matrix, coloured by the share of the genre's tracks"
        return [Drawing(f"{slug(name)}_confusion", caption, draw, SHADES)]
    if run.predictions is None:
        return []
    found = []
    for column, axis in enumerate(run.predictions.axes):
        correlation = run.metrics.get(f"test_spearman_{axis}")
        if correlation is not None:
            truth, predicted = (part[:, [column]] for part in (run.predictions.truth, run.predictions.predicted))
            caption = f"{name}: {axis} of {len(truth)} test tracks"
            draw = partial(scatter_figure, truth, predicted, [axis], [correlation], 2.9)
            found.append(Drawing(f"{slug(name)}_{slug(axis)}", caption, draw))
    return found


def latent_pictures(run: Run, name: str) -> list[Picture]:
    """Return the pictures that stand in the folder ``latents`` of a run."""
    pictures = []
    for path in sorted((run.folder / "latents").glob("*.png")):
        png = path.read_bytes()
        if png.startswith(b"\x89PNG") and len(png) > 24:
            file = f"pictures/{slug(name)}_latents_{slug(path.stem)}.png"
            pictures.append(Picture(file, png, f"{name}: latents/{path.name}"))
    return pictures


def _axes_drawings(group: Group, runs: Sequence[Run]) -> list[Drawing]:
    """Return validation and loss weights of each axis, if there are several."""
    axes = list(dict.fromkeys(axis for run in runs for axis in run.target_names))
    found = []
    for prefix, label, what in (
        ("val_spearman_", "validation Spearman", "Spearman's correlation of each axis: validation"),
        ("weight_", "weight of the loss", "Weight of the loss of each axis"),
    ):
        lines = {axis: [run.curves[prefix + axis] for run in runs if prefix + axis in run.curves] for axis in axes}
        changes = any(np.ptp(line.values) > 0 for several in lines.values() for line in several)
        if len(axes) > 1 and all(lines.values()) and changes:
            draw = partial(curves_figure, lines, label)
            found.append(Drawing(f"model_{group.number}_{slug(prefix)}", f"{what}{_of(runs)}", draw))
    return found


def _label(quantity: str, group: Group) -> str:
    """Return a quantity with its unit."""
    labels = {"loss": "cross-entropy (nats)", "accuracy": "accuracy (share of tracks)"}
    if group.data.kind == "tags":
        labels = {"loss": "binary cross-entropy (nats)", "roc_auc": "ROC AUC, mean of the tags"}
    if group.data.kind == "values":
        several = any(len(run.target_names) > 1 for run in group.runs)
        sum_of, mean_of = (", sum of the axes", ", mean of the axes") if several else ("", "")
        labels = {"loss": f"loss{sum_of}", "spearman": f"Spearman{mean_of}"}
    return labels.get(quantity, quantity)


def _of(runs: Sequence[Run]) -> str:
    return f", of {len(runs)} runs" if len(runs) > 1 else ""


def slug(text: str) -> str:
    """Return a text as a part of a file's name."""
    return re.sub(r"[^a-zA-Z0-9.]+", "_", text).strip("_")
