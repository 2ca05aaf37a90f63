"""The table at the end of a study: what each run reached, over its seeds and folds."""

import math
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

from musiclab.commands.study.planning import Plan
from musiclab.commands.study.progress import changes, done_version
from musiclab.commands.study.reading import Entry
from musiclab.commands.study.search import Trials
from musiclab.errors import UserError
from musiclab.files import write_csv
from musiclab.runs.comparison import mean_interval
from musiclab.runs.run import Run, read_run

METRICS = {"classes": "accuracy", "values": "spearman", "tags": "roc_auc"}
"""What a test is judged by, for each kind of outputs."""


class Row(NamedTuple):
    """A run: how much of it is done, and what its trainings reached; text, empty where nothing is known.

    Attributes:
        run: Its name.
        done: Number of its trainings, or trials, that are done, of how many; and how many of them not as now.
        metric: Of the test.
        mean: Over the trainings.
        lowest: Of the trainings.
        highest: Of the trainings.
        low: Lower end of the 95 % interval of the mean, over tracks or artists.
        high: Its upper end.
        metric_of_validation: By which the best checkpoints, or the best trial, were chosen.
        validation: Mean of its best values; of a search, the best.
    """

    run: str
    done: str
    metric: str = ""
    mean: str = ""
    lowest: str = ""
    highest: str = ""
    low: str = ""
    high: str = ""
    metric_of_validation: str = ""
    validation: str = ""


def make_rows(plan: Plan, entries: Sequence[Entry]) -> list[Row]:
    """Return a row for each run of a study."""
    return [_row_of_search(Trials(plan, entry)) if entry.search else _row(plan, entry) for entry in entries]


def write_table(path: Path, rows: Sequence[Row]) -> None:
    """Write the rows as a csv file."""
    write_csv(path, Row._fields, rows)


def table_text(rows: Sequence[Row]) -> str:
    """Return the rows in columns to be printed."""
    header = ["run", "done", "test", "mean", "lowest to highest", "95 % interval", "validation", "best"]
    lines = [
        [
            *(row.run, row.done, row.metric, row.mean),
            *(_between(row.lowest, row.highest), _between(row.low, row.high)),
            *(row.metric_of_validation, row.validation),
        ]
        for row in rows
    ]
    widths = [max(map(len, column)) for column in zip(header, *lines, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in [header, *lines]
    )


def score_of(folder: Path) -> str:
    """Return in words what a training has reached, from its folder."""
    try:
        run = read_run(folder)
    except UserError as error:
        return f"done, but {error}"
    metric = METRICS.get(run.kind or "")
    if metric and f"test_{metric}" in run.metrics:
        return f"test {metric} {_text(run.metrics[f'test_{metric}'])}"
    return f"{run.best.monitor} {_text(run.best.value)}, not tested" if run.best else "done"


def _row(plan: Plan, entry: Entry) -> Row:
    fits = plan.fits(entry)
    runs, otherwise, earlier = [], 0, 0
    for fit in fits:
        version = done_version(plan.out / fit.name)
        if version is None:
            continue
        if changes(plan.out / fit.name, fit.name, plan.arguments(fit)):
            otherwise += 1  # runs of other settings have no mean
            continue
        try:
            runs.append(read_run(version))
        except UserError:  # of a damaged record, of which the report tells
            continue
        earlier += plan.outdated(fit) is not None
    notes = {"begun otherwise": otherwise, f"made from an earlier {' or '.join(entry.after)}": earlier}
    said = ", ".join(f"{number} {words}" for words, number in notes.items() if number)
    row = Row(entry.name, f"{len(runs)} of {len(fits)}" + (f" ({said})" if said else ""))
    best = [run.best for run in runs if run.best]
    if best:
        row = row._replace(metric_of_validation=best[0].monitor, validation=_text(fmean(one.value for one in best)))
    metric = METRICS.get((runs[0].kind if runs else None) or "")
    tested = [run for run in runs if f"test_{metric}" in run.metrics]
    if not metric or not tested:
        return row
    values = [run.metrics[f"test_{metric}"] for run in tested]
    low, high = _interval(tested, metric)
    spread = {"mean": fmean(values)}
    if len(values) > 1:
        spread |= {"lowest": min(values), "highest": max(values)}
    return row._replace(metric=metric, low=low, high=high, **{name: _text(value) for name, value in spread.items()})


def _row_of_search(trials: Trials) -> Row:
    best = trials.best()
    row = Row(trials.entry.name, f"{trials.ended()} of {trials.search.trials}")
    if best is None or best.value is None:
        return row
    return row._replace(metric_of_validation=trials.search.metric, validation=_text(best.value))


def _interval(runs: Sequence[Run], metric: str) -> tuple[str, str]:
    """Return the 95 % interval of the mean of some runs, empty where their predictions are not there."""
    predictions = [run.predictions for run in runs if run.predictions]
    if len(predictions) < len(runs):
        return "", ""
    try:
        low, high = mean_interval(predictions, metric)
    except UserError:
        return "", ""
    if math.isnan(low) or math.isnan(high):  # of too few tracks for any
        return "", ""
    return _text(low), _text(high)


def _between(low: str, high: str) -> str:
    return f"{low} to {high}" if low else ""


def _text(value: float) -> str:
    return f"{value:.4f}"
