"""How models stand beside each other: their scores with intervals, and what the best has above the others."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from musiclab.commands.report.datasets import DataSet
from musiclab.commands.report.groups import Group, is_single
from musiclab.errors import UserError
from musiclab.runs.comparison import AXIS_SCORE, Difference, difference, judged_by, mean_interval
from musiclab.runs.intervals import Interval
from musiclab.runs.predictions import Predictions


@dataclass(frozen=True, eq=False)
class Standing:
    """A model's score of one metric.

    Attributes:
        group: The model.
        scores: Of each run that counts.
        interval: The 95 % interval of their mean; None where it is not known.
        to_best: What the model has above the best of its ranking; None for that itself, and where no track is in the
            predictions of both.
    """

    group: Group
    scores: Sequence[float]
    interval: Interval | None
    to_best: Difference | None = None

    @property
    def mean(self) -> float:
        """The mean over the runs."""
        return fmean(self.scores)

    @property
    def is_lower(self) -> bool:
        """Whether it shows that the best is better."""
        return self.to_best is not None and self.to_best.high < 0


@dataclass(frozen=True, eq=False)
class Ranking:
    """Models that are judged by one metric on one data set, the best first.

    Attributes:
        data: The data set.
        metric: As test_metrics.json names it, without ``test_``.
        said: What to call it.
        axes: Those that it is the mean of.
        standings: The models with scores.
    """

    data: DataSet
    metric: str
    said: str
    axes: Sequence[str]
    standings: Sequence[Standing]


def rank(groups: Sequence[Group]) -> list[Ranking]:
    """Return the rankings of the models of one data set: of genres or tags one, of emotions one for those of the same.

    Models of several axes are judged by the mean over these. Where there are models of a single axis, so are these on
    it, beside the others that have it. What has no score is in no ranking.
    """
    data = groups[0].data
    if data.kind == "classes":
        rankings = [_ranking(data, "accuracy", "accuracy", (), groups)]
    elif data.kind == "tags":
        rankings = [_ranking(data, "roc_auc", "mean ROC AUC", (), groups)]
    else:
        several = [group for group in groups if not is_single(group.runs[0])]
        rankings = [
            _ranking(data, "spearman", "mean Spearman", axes, [group for group in several if group.axes == axes])
            for axes in dict.fromkeys(group.axes for group in several)
        ]
        rankings += [
            _ranking(
                data, f"{AXIS_SCORE}{axis}", f"Spearman, {axis}", (), [group for group in groups if axis in group.axes]
            )
            for axis in dict.fromkeys(group.axes[0] for group in groups if is_single(group.runs[0]))
        ]
    return [ranking for ranking in rankings if ranking.standings]


def interval_of(group: Group, metric: str) -> Interval | None:
    """Return the 95 % interval of a model's mean score: by its predictions, of a single run maybe by its metrics."""
    names = [f"test_{metric}{end}" for end in ("_low", "_high")]
    runs = group.tested(metric)
    if len(runs) == 1 and all(name in runs[0].metrics for name in names):
        interval = Interval(*(runs[0].metrics[name] for name in names))
    else:
        predictions = _predictions(group, metric)
        try:
            interval = mean_interval(predictions, metric) if predictions else Interval(math.nan, math.nan)
        except UserError:  # of no track is the truth known, or they are of other genres than the metrics
            return None
    return interval if all(map(math.isfinite, interval)) else None


def count_tested(group: Group, metric: str) -> int | None:
    """Return how many tracks the runs of a model were tested on, each counted once; None where it is not known."""
    predictions = _predictions(group, metric)
    if predictions:
        return len({track for run in predictions for track, known in zip(run.ids, run.known, strict=True) if known})
    counts = {run.evaluations["test"].tracks for run in group.tested(metric) if "test" in run.evaluations}
    return counts.pop() if len(counts) == 1 and len(group.folds) < 2 else None


def _ranking(data: DataSet, metric: str, said: str, axes: Sequence[str], groups: Sequence[Group]) -> Ranking:
    scored = [(group, group.scores(metric)) for group in groups]
    found = [
        Standing(group, scores, interval_of(group, metric))
        for group, scores in scored
        if scores and all(map(math.isfinite, scores))
    ]
    found.sort(key=lambda standing: -standing.mean)
    rest = [
        Standing(other.group, other.scores, other.interval, _difference(other.group, found[0].group, metric))
        for other in found[1:]
    ]
    return Ranking(data, metric, said, axes, [*found[:1], *rest])


def _difference(group: Group, best: Group, metric: str) -> Difference | None:
    a, b = _predictions(group, metric), _predictions(best, metric)
    try:
        found = difference(a, b, metric) if a and b else None
    except UserError:  # no track in common, or other truths
        return None
    return found if found and math.isfinite(found.low) and math.isfinite(found.high) else None


def _predictions(group: Group, metric: str) -> list[Predictions]:
    """Return the predictions that the scores of a model are of; none where those of a run are missing."""
    found = [run.predictions for run in group.tested(metric)]
    predictions = [judged_by(run, metric) for run in found if run is not None]
    known = [run for run in predictions if run.known.any()]
    return known if len(known) == len(found) else []
