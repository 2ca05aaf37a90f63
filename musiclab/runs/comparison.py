"""Scores of models and what they differ by, from their predictions alone: with intervals, track by track. No torch."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from musiclab.errors import UserError
from musiclab.runs.intervals import (
    Floats,
    Integers,
    Interval,
    accuracy,
    bootstrap,
    f1_macro,
    percentiles,
    spearman,
    tag_scores,
)
from musiclab.runs.predictions import Predictions

AXIS_SCORE = "spearman_"
"""How metrics of an axis begin; the axis follows."""

TAG_METRICS = ("roc_auc", "average_precision")
"""Metrics of tags: means over those that some tracks have and others lack; with ``_`` and a tag, of that alone."""


LISTED = 12
"""Up to so many genres, axes or tags are listed in an error."""


class Difference(NamedTuple):
    """What a model's score has above another's on the tracks that both have.

    Attributes:
        value: The difference of the scores.
        low: Where its 95 % interval begins, by a bootstrap that draws the same tracks for both.
        high: Where it ends.
        tracks: How many both have.
        artists: How many artists were drawn with their tracks; 0 where none is known, and tracks were drawn.
    """

    value: float
    low: float
    high: float
    tracks: int
    artists: int

    @property
    def words(self) -> str:
        """The difference as the end of a sentence."""
        on = f"{self.tracks} track{'s' if self.tracks != 1 else ''}"
        on += f" by {self.artists} artist{'s' if self.artists != 1 else ''}" if self.artists else ""
        if self.low > 0:
            return f"{self.value:.3f} higher, 95 % interval {self.low:.3f} to {self.high:.3f}, on {on}"
        if self.high < 0:
            return f"{-self.value:.3f} lower, 95 % interval {-self.high:.3f} to {-self.low:.3f}, on {on}"
        return f"no difference that {on} can show ({self.value:.3f}, {self.low:.3f} to {self.high:.3f})"


def metric_names(predictions: Predictions) -> list[str]:
    """Return the metrics that predictions are scored by, that which sums them up first."""
    if predictions.genres:
        return ["accuracy", "f1_macro"]
    if predictions.of_tags:
        return [*TAG_METRICS, *(f"{metric}_{tag}" for metric in TAG_METRICS for tag in predictions.axes)]
    return ["spearman", *(f"{AXIS_SCORE}{axis}" for axis in predictions.axes)]


def judged_by(predictions: Predictions, metric: str) -> Predictions:
    """Return what a metric is computed from: of one axis, that axis alone, whose truth may be known of more tracks."""
    starts = [f"{name}_" for name in TAG_METRICS] if predictions.of_tags else [AXIS_SCORE]
    names = [metric.removeprefix(start) for start in starts if metric.startswith(start)]
    axis = next((name for name in names if name in predictions.axes), None)
    if axis is None:
        return predictions
    column = [predictions.axes.index(axis)]
    return predictions._replace(
        axes=[axis], truth=predictions.truth[:, column], predicted=predictions.predicted[:, column]
    )


def scores(predictions: Predictions) -> dict[str, float]:
    """Return the scores on the tracks whose truth is known, those of a test; none where there is no such track.

    Nor is there one of a tag that all of these tracks have, or none.
    """
    found = {}
    for name in metric_names(predictions):
        judged = judged_by(predictions, name)
        chosen = np.flatnonzero(judged.known)
        if len(chosen):
            score = float(_statistic(judged, name, chosen)(np.ones((len(chosen), 1)))[0])
            if not np.isnan(score):
                found[name] = score
    return found


def intervals(predictions: Predictions) -> dict[str, Interval]:
    """Return the interval of each of the scores; none where they are of a single track or artist."""
    groups, _ = _groups([predictions], _known_tracks([predictions]))
    if not groups.any():
        return {}
    chosen = np.flatnonzero(predictions.known)
    if predictions.of_tags:
        return _tag_intervals(predictions, chosen, groups)
    names = [name for name in metric_names(predictions) if name != "spearman"]
    drawn = {name: bootstrap(_statistic(predictions, name, chosen), groups) for name in names}
    if predictions.axes:
        drawn = {"spearman": np.mean(list(drawn.values()), axis=0), **drawn}
    return {name: percentiles(values) for name, values in drawn.items()}


def _tag_intervals(predictions: Predictions, chosen: Integers, groups: Integers) -> dict[str, Interval]:
    """Return the interval of each of the scores of tags, computed together."""
    columns_of = zip(predictions.truth[chosen].T, predictions.predicted[chosen].T, strict=True)
    of_tags = [tag_scores(*pair) for pair in columns_of]
    # (resamples, metrics, tags)
    drawn = bootstrap(lambda counts: np.stack([score(counts).T for score in of_tags], axis=-1), groups)
    columns = [_mean_of_tags(drawn[:, metric]) for metric in range(len(TAG_METRICS))]
    columns += [drawn[:, metric, tag] for metric in range(len(TAG_METRICS)) for tag in range(len(predictions.axes))]
    named = zip(metric_names(predictions), map(percentiles, columns), strict=True)
    return {name: interval for name, interval in named if not np.isnan(interval.low)}


def _mean_of_tags(values: Floats) -> Floats:
    """Return the mean ``(resamples,)`` of the scores of tags ``(resamples, tags)`` that there are; NaN of none."""
    there = ~np.isnan(values)
    means: Floats = np.where(there, values, 0).sum(axis=1) / np.where(there.any(axis=1), there.sum(axis=1), np.nan)
    return means


def mean_interval(runs: Sequence[Predictions], metric: str) -> Interval:
    """Return the 95 % interval of the mean of several runs' scores, by a bootstrap over the tracks of all.

    A resample is the same for all runs, as are those of seeds; each is scored on what it has of it, as folds are. Where
    artists are known, they are drawn with all their tracks; a track without one is drawn by itself. What a training's
    seed does is not in it.

    Args:
        runs: Predictions, one or more.
        metric: One of :func:`metric_names`.

    Raises:
        UserError: If a run has no such metric, or no track whose truth is known.
    """
    runs = [judged_by(run, metric) for run in runs]
    tracks = _known_tracks(runs)
    groups, _ = _groups(runs, tracks)
    return _interval(_mean(runs, metric, tracks), groups)


def difference(a: Sequence[Predictions], b: Sequence[Predictions], metric: str) -> Difference:
    """Return what model ``a`` has above model ``b``, on the tracks that both have.

    Args:
        a: Predictions of its runs, of which the mean score counts: seeds or folds, or one run.
        b: Those of the other.
        metric: One of :func:`metric_names`.

    Raises:
        UserError: If a run has no such metric, the two have no track of known truth in common, they are of other
            genres, axes or tags, or their truths of a track contradict each other.
    """
    a, b = ([judged_by(run, metric) for run in runs] for runs in (a, b))
    _check_alike([*a, *b])
    tracks_of_b = set(_known_tracks(b))
    tracks = [track for track in _known_tracks(a) if track in tracks_of_b]
    if not tracks:
        raise UserError(f"{a[0].path} and {b[0].path}: no track is in both; compare predictions of the same tracks")
    first, second = _mean(a, metric, tracks), _mean(b, metric, tracks)
    once = np.ones((len(tracks), 1))
    groups, artists = _groups([*a, *b], tracks)
    low, high = _interval(lambda counts: first(counts) - second(counts), groups)
    return Difference(float((first(once) - second(once))[0]), low, high, len(tracks), artists)


def count_artists(runs: Sequence[Predictions]) -> int:
    """Return of how many artists the tracks of known truth are; 0 where no artist is known.

    A track whose artist is not known is counted as by one of its own.
    """
    return _groups(runs, _known_tracks(runs))[1]


def _statistic(predictions: Predictions, metric: str, chosen: Integers) -> Callable[[Floats], Floats]:
    """Return what gives the score of resamples of the chosen tracks."""
    names = metric_names(predictions)
    if metric not in names:
        shown = [*TAG_METRICS, f"{TAG_METRICS[0]}_{predictions.axes[0]}, ..."] if predictions.of_tags else names
        raise UserError(f"{predictions.path}: no {metric} can be had of it, but {', '.join(shown)}")
    truth = predictions.truth[chosen]
    if predictions.genres:
        score = accuracy if metric == "accuracy" else f1_macro
        answers = predictions.answers[chosen]
        return lambda counts: score(counts, truth, answers)
    predicted = predictions.predicted[chosen]
    if predictions.of_tags:
        places = [predictions.axes.index(tag) for tag in judged_by(predictions, metric).axes]
        of_tags = [tag_scores(truth[:, place], predicted[:, place]) for place in places]
        which = next(index for index, name in enumerate(TAG_METRICS) if metric.startswith(name))
        return lambda counts: _mean_of_tags(np.stack([score(counts)[which] for score in of_tags], axis=1))
    axes = range(len(predictions.axes)) if metric == "spearman" else [names.index(metric) - 1]
    return lambda counts: np.mean([spearman(counts, truth[:, axis], predicted[:, axis]) for axis in axes], axis=0)


def _mean(runs: Sequence[Predictions], metric: str, tracks: Sequence[str]) -> Callable[[Floats], Floats]:
    """Return what gives the mean of the runs' scores of resamples of tracks.

    Runs that have none of a resample's tracks, or none that tell anything of it, are left out of its mean.
    """
    place = {track: index for index, track in enumerate(tracks)}
    parts = []
    for run in runs:
        chosen = np.array([index for index in np.flatnonzero(run.known) if run.ids[index] in place], np.int64)
        statistic = _statistic(run, metric, chosen)
        if len(chosen):
            parts.append((np.array([place[run.ids[index]] for index in chosen]), statistic))

    def mean(counts: Floats) -> Floats:
        total, having = np.zeros(counts.shape[1]), np.zeros(counts.shape[1])
        for rows, statistic in parts:
            own = counts[rows]
            values = statistic(own)
            there = own.any(axis=0) & ~np.isnan(values)
            total += np.where(there, values, 0)
            having += there
        means: Floats = total / np.where(having > 0, having, np.nan)
        return means

    return mean


def _interval(statistic: Callable[[Floats], Floats], groups: Integers) -> Interval:
    return percentiles(bootstrap(statistic, groups)) if groups.any() else Interval(np.nan, np.nan)


def _known_tracks(runs: Sequence[Predictions]) -> list[str]:
    tracks: dict[str, None] = {}
    for run in runs:
        known = [track for track, known in zip(run.ids, run.known, strict=True) if known]
        if not known:
            raise UserError(f"{run.path}: the truth of no track is known, so that there is nothing to score")
        tracks.update(dict.fromkeys(known))
    return list(tracks)


def _groups(runs: Sequence[Predictions], tracks: Sequence[str]) -> tuple[Integers, int]:
    """Return the number of each track's artist, or of the track itself, and of how many artists they are."""
    artists = {track: artist for run in runs for track, artist in zip(run.ids, run.artists, strict=True) if artist}
    names = [(track in artists, artists.get(track, track)) for track in tracks]
    numbers = {name: number for number, name in enumerate(dict.fromkeys(names))}
    groups = np.array([numbers[name] for name in names])
    return groups, len(numbers) if any(known for known, _ in names) else 0


def _check_alike(runs: Sequence[Predictions]) -> None:
    """Refuse predictions of other genres, axes or tags than the first, and truths that contradict each other."""
    first = runs[0]
    for run in runs:
        own, others = run.genres or run.axes, first.genres or first.axes
        if run.subject != first.subject or set(own) != set(others):
            of, others_of = _listed(run, others), _listed(first, own)
            raise UserError(f"{run.path}: of {of}, but {first.path} of {others_of}; compare models of one task")
    truths: dict[str, tuple[Predictions, tuple[str, ...] | tuple[float, ...]]] = {}
    for run in runs:
        order = [run.axes.index(axis) for axis in first.axes]
        for index in np.flatnonzero(run.known):
            truth = (run.genres[run.truth[index]],) if run.genres else tuple(run.truth[index, order].tolist())
            other, told = truths.setdefault(run.ids[index], (run, truth))
            if told != truth:
                what = f"the truth of track {run.ids[index]} is {_said(truth)}, but in {other.path} {_said(told)}"
                raise UserError(f"{run.path}: {what}; take predictions of one data set")


def _listed(predictions: Predictions, others: Sequence[str]) -> str:
    """Return what predictions are of; of many, how many and one of those that others have not."""
    names = predictions.genres or predictions.axes
    if len(names) <= LISTED:
        return f"{'the tags ' if predictions.of_tags else ''}{', '.join(names)}"
    own = next((f" with {name}" for name in names if name not in others), "")
    return f"{len(names)} {predictions.subject}{own}"


def _said(truth: Sequence[str | float]) -> str:
    return ", ".join(map(str, truth))
