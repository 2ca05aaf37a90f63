"""Tables of runs: each by itself, and the mean and spread of those that differ in seed and fold alone."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import fmean

from musiclab.commands.report.groups import Group, is_single, spread, task_words
from musiclab.commands.report.standings import Ranking, Standing, interval_of
from musiclab.pages.document import Heading, Link, Table
from musiclab.runs.comparison import AXIS_SCORE
from musiclab.runs.intervals import Interval
from musiclab.runs.run import Run

SCORES = {
    "classes": {"accuracy": "test accuracy", "f1_macro": "test macro F1"},
    "tags": {"roc_auc": "test ROC AUC", "average_precision": "test average precision"},
}
"""Metrics of the test, named without ``test_``, for each kind whose models all have the same; that which models are
judged by first. And what tables call them."""


def score_text(value: float) -> str:
    """Return a score as it stands in all tables."""
    return f"{value:.3f}"


def count_text(value: float) -> str:
    """Return a number of parameters or of seconds."""
    return f"{value:,.0f}"


def scores_of(kind: str, runs: Sequence[Run]) -> dict[str, str]:
    """Return the metrics of the test that some runs are judged by, and what tables call them."""
    if kind in SCORES:
        return {f"test_{name}": said for name, said in SCORES[kind].items()}
    several = any(len(run.target_names) > 1 for run in runs)
    mean = {"test_spearman": "test Spearman, mean"} if several else {}
    return mean | {f"test_spearman_{axis}": f"test {axis}" for run in runs for axis in run.target_names}


def heading_of(group: Group) -> Heading:
    """Return the heading of a group's pictures."""
    return Heading(group.title, 3)


def models_table(groups: Sequence[Group], rankings: Sequence[Ranking]) -> Table:
    """Return a table of the groups of one data set, a row for each, with the intervals that are ranked by."""
    found = {(ranking.metric, standing.group): standing for ranking in rankings for standing in ranking.standings}
    kind = groups[0].data.kind
    axes = dict.fromkeys(axis for group in sorted(groups, key=lambda group: -len(group.axes)) for axis in group.axes)
    names = {f"{AXIS_SCORE}{axis}": f"test {axis}" for axis in axes}
    if len(names) > 1:
        names = {"spearman": "test Spearman, mean"} | names
    if kind in SCORES:
        names = SCORES[kind]
    main = {group: next(iter(names)) if kind in SCORES else _main_metric(group) for group in groups}
    best, show_best = _best_column([run for group in groups for run in group.runs])
    rows = []
    for group in groups:
        standing = found.get((main[group], group))
        cells = [_score_cell(group, name, found.get((name, group))) for name in names]
        rows.append(
            [
                Link(group.title, heading_of(group).anchor),
                differs_text(group),
                group.count,
                _parameters(group.runs[0]),
                show_best(group.counted),
                cells[0],
                _range_text(standing),
                _to_best(standing),
                *cells[1:],
            ]
        )
    first, *others = names.values()
    header = ["model", "set otherwise", "runs", "parameters", best, first, "of the runs", "to the best", *others]
    caption = "Models: means over runs, with 95 % intervals of the test (to) and the lowest and highest of the runs (-)"
    return Table(header, rows, caption).without_empty()


def runs_table(groups: Sequence[Group], names: Mapping[Path, str]) -> Table:
    """Return a table of all runs of one data set, a row for each."""
    runs = [run for group in groups for run in group.runs]
    ended = all(run.finished for run in runs)
    scores = scores_of(groups[0].data.kind, runs)
    best, show_best = _best_column(runs, epochs=True)
    rows = [
        {
            "run": names[run.folder],
            "state": "" if ended else run.state,
            "task": task_words(run),
            "no.": Link(str(group.number), heading_of(group).anchor),
            "model": run.backbone or "",
            "features": (run.features or "") + (", beats" if run.beat_synced else ""),
            "seed": "" if run.seed is None else str(run.seed),
            "parameters": _parameters(run),
            "epochs": str(run.epochs),
            "seconds": "" if run.seconds is None else count_text(run.seconds),
            best: show_best([run]),
            **{name: score_text(run.metrics[key]) if key in run.metrics else "" for key, name in scores.items()},
        }
        for group in groups
        for run in group.runs
    ]
    return Table(list(rows[0]), [list(row.values()) for row in rows], "Runs").without_empty()


def f1_table(groups: Sequence[Group]) -> Table | None:
    """Return a table of the F1 of each genre, None if no model was tested."""
    genres = groups[0].data.targets
    rows = [
        [Link(group.title, heading_of(group).anchor), *(_mean_f1(group, genre) for genre in genres)]
        for group in groups
        if any(run.metrics for run in group.counted)
    ]
    return Table(["model", *genres], rows, "F1 of each genre") if rows else None


def tag_table(groups: Sequence[Group]) -> Table | None:
    """Return a table of the area under the ROC curve of each tag, a column a model; None if no model was tested."""
    tested = [group for group in groups if any(run.metrics for run in group.counted)]
    if not tested:
        return None
    rows = []
    for tag in groups[0].data.targets:
        cells = [score_text(fmean(values)) if (values := group.scores(f"roc_auc_{tag}")) else "" for group in tested]
        if any(cells):  # a tag that no test track has tells nothing
            rows.append([tag, *cells])
    header = ["tag", *(group.title for group in tested)]
    return Table(header, rows, "Area under the ROC curve of each tag") if rows else None


def _main_metric(group: Group) -> str:
    """Return what a model of emotions is judged by."""
    return f"{AXIS_SCORE}{group.axes[0]}" if is_single(group.runs[0]) else "spearman"


def _score_cell(group: Group, metric: str, standing: Standing | None) -> str:
    """Return the mean of a score, with its interval where models are ranked by it, or it is the other one of a kind."""
    scores = group.scores(metric)
    if not scores or (metric == "spearman" and is_single(group.runs[0])):
        return ""
    other = metric in SCORES.get(group.data.kind, {})
    interval = standing.interval if standing else interval_of(group, metric) if other else None
    return score_text(fmean(scores)) + _interval_text(interval)


def _interval_text(interval: Interval | None) -> str:
    return f" ({score_text(interval.low)} to {score_text(interval.high)})" if interval else ""


def _range_text(standing: Standing | None) -> str:
    scores = standing.scores if standing else []
    return f"{score_text(min(scores))} - {score_text(max(scores))}" if len(scores) > 1 else ""


def _to_best(standing: Standing | None) -> str:
    """Return what a model has above the best, which is little or negative, and of how many tracks."""
    found = standing.to_best if standing else None
    return score_text(found.value) + _interval_text(Interval(found.low, found.high)) if found else ""


def _parameters(run: Run) -> str:
    """Return the number of parameters, and of those that were trained where the others were frozen."""
    total, trained = run.parameters, run.trainable_parameters
    return count_text(total) + (f" ({count_text(trained)} trained)" if trained != total else "")


def _mean_f1(group: Group, genre: str) -> str:
    values = group.scores(f"f1_{genre}")
    return score_text(fmean(values)) if values else ""


def mean_text(group: Group, metric: str) -> str:
    """Return the mean and the spread of a metric, named without ``test_``, over the runs of a group that count."""
    return spread(group.scores(metric), score_text)


def differs_text(group: Group) -> str:
    """Return in words what is set otherwise in a group than in others of its name."""
    words = "; ".join(group.differs)
    return f"reference: {words}" if group.base == group.number else words


def _best_column(runs: Sequence[Run], epochs: bool = False) -> tuple[str, Callable[[Sequence[Run]], str]]:
    """Return the name of the column of the best validation, and what shows it; the name says what was monitored."""
    monitors = {run.best.monitor for run in runs if run.best}
    single = len(monitors) == 1

    def show(some: Sequence[Run]) -> str:
        bests = [run.best for run in some if run.best]
        if not bests:
            return ""
        monitor = "" if single else f"{bests[0].monitor} "
        epoch = f" ({bests[0].epoch})" if epochs else ""
        return monitor + spread([best.value for best in bests], score_text) + epoch

    name = f"best {monitors.pop()}" if single else "best validation"
    return name + (" (epoch)" if epochs else ""), show
