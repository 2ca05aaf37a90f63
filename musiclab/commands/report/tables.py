"""Tables of runs: each by itself, and the mean and spread of those that differ in their seeds alone."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from musiclab.commands.report.groups import Group, spread, task_words
from musiclab.pages.document import Heading, Link, Table
from musiclab.runs.run import Kind, Run


class Score(NamedTuple):
    """A metric of the test: its name in test_metrics.json and in a table."""

    metric: str
    name: str


GENRE_SCORES = [Score("test_accuracy", "test accuracy"), Score("test_f1_macro", "test macro F1")]


def score_text(value: float) -> str:
    """Return a score as it stands in all tables."""
    return f"{value:.3f}"


def count_text(value: float) -> str:
    """Return a number of parameters or of seconds."""
    return f"{value:,.0f}"


def scores_of(kind: Kind, runs: Sequence[Run]) -> list[Score]:
    """Return the metrics of the test that some runs are judged by."""
    if kind == "classes":
        return GENRE_SCORES
    axes = list(dict.fromkeys(axis for run in runs for axis in run.target_names))
    mean = [Score("test_spearman", "test Spearman, mean")] if any(len(run.target_names) > 1 for run in runs) else []
    return [*mean, *(Score(f"test_spearman_{axis}", f"test {axis}") for axis in axes)]


def summary_scores_of(kind: Kind) -> list[Score]:
    """Return the metrics of the test that a model is summed up by, with or without several axes."""
    return GENRE_SCORES if kind == "classes" else [Score("test_spearman", "test Spearman")]


def heading_of(group: Group) -> Heading:
    """Return the heading of a group's pictures."""
    return Heading(group.title, 3)


def models_table(groups: Sequence[Group]) -> Table:
    """Return a table of the groups of one data set, a row for each."""
    runs = [run for group in groups for run in group.runs]
    scores = summary_scores_of(groups[0].data.kind)
    best, show_best = _best_column(runs)
    header = ["model", "set otherwise", "runs", "parameters", best, *(score.name for score in scores)]
    rows = []
    for group in groups:
        counted = group.counted
        number = f"{len(counted)}" if len(counted) == len(group.runs) else f"{len(counted)} (of {len(group.runs)})"
        means = [mean_text(group, score.metric) for score in scores]
        rows.append(
            [
                Link(group.title, heading_of(group).anchor),
                differs_text(group),
                number,
                _parameters(group.runs[0]),
                show_best(counted),
                *means,
            ]
        )
    return without_empty(header, rows, "Models")


def runs_table(groups: Sequence[Group], names: Mapping[Path, str]) -> Table:
    """Return a table of all runs of one data set, a row for each."""
    pairs = [(group, run) for group in groups for run in group.runs]
    runs = [run for _, run in pairs]
    scores = scores_of(groups[0].data.kind, runs)
    best, show_best = _best_column(runs, epochs=True)
    columns: list[tuple[str, Callable[[Group, Run], str]]] = [
        ("run", lambda _, run: names[run.folder]),
        ("task", lambda _, run: task_words(run)),
        ("no.", lambda group, _: Link(str(group.number), heading_of(group).anchor)),
        ("model", lambda _, run: run.backbone or ""),
        ("features", lambda _, run: (run.features or "") + (", beats" if run.beat_synced else "")),
        ("seed", lambda _, run: "" if run.seed is None else str(run.seed)),
        ("parameters", lambda _, run: _parameters(run)),
        ("epochs", lambda _, run: str(run.epochs)),
        ("seconds", lambda _, run: "" if run.seconds is None else count_text(run.seconds)),
        (best, lambda _, run: show_best([run])),
        *((score.name, partial(_score, score.metric)) for score in scores),
    ]
    if not all(run.finished for run in runs):
        columns.insert(1, ("state", lambda _, run: run.state))
    rows = [[show(group, run) for _, show in columns] for group, run in pairs]
    return without_empty([name for name, _ in columns], rows, "Runs")


def f1_table(groups: Sequence[Group]) -> Table | None:
    """Return a table of the F1 of each genre, None if no model was tested."""
    genres = list(groups[0].data.targets)
    rows = []
    for group in groups:
        tested = [run for run in group.counted if run.metrics]
        if tested:
            cells = [_mean([run.metrics.get(f"test_f1_{genre}") for run in tested]) for genre in genres]
            rows.append([Link(group.title, heading_of(group).anchor), *cells])
    return Table(["model", *genres], rows, "F1 of each genre") if rows else None


def without_empty(header: Sequence[str], rows: Sequence[Sequence[str]], caption: str = "") -> Table:
    """Return a table without those columns that are empty, as that of parameters may be."""
    kept = [index for index in range(len(header)) if any(row[index] for row in rows)]
    return Table([header[index] for index in kept], [[row[index] for index in kept] for row in rows], caption)


def _parameters(run: Run) -> str:
    """Return the number of parameters, and of those that were trained where the others were frozen."""
    total, trained = run.parameters, run.trainable_parameters
    return count_text(total) + (f" ({count_text(trained)} trained)" if trained != total else "")


def _mean(values: Sequence[float | None]) -> str:
    known = [value for value in values if value is not None]
    return score_text(sum(known) / len(known)) if known else ""


def mean_text(group: Group, metric: str) -> str:
    """Return the mean and the spread of a metric of the test over the runs of a group that count."""
    return spread([run.metrics.get(metric) for run in group.counted], score_text)


def differs_text(group: Group) -> str:
    """Return in words what is set otherwise in a group than in others of its name."""
    words = "; ".join(group.differs)
    return f"reference: {words}" if group.base == group.number else words


def _score(metric: str, _: Group, run: Run) -> str:
    return score_text(run.metrics[metric]) if metric in run.metrics else ""


def _best_column(runs: Sequence[Run], epochs: bool = False) -> tuple[str, Callable[[Sequence[Run]], str]]:
    """Return the name of the column of the best validation, and what shows it; the name says what was monitored."""
    monitors = {run.best.monitor for run in runs if run.best}
    single = len(monitors) == 1

    def show(some: Sequence[Run]) -> str:
        bests = [run.best for run in some if run.best]
        if not bests:
            return ""
        text = spread([best.value for best in bests], score_text)
        text += f" ({bests[0].epoch})" if epochs else ""
        return text if single else f"{bests[0].monitor} {text}"

    name = f"best {monitors.pop()}" if single else "best validation"
    return name + (" (epoch)" if epochs else ""), show
