"""``musiclab combine``: the mean of several models' predictions."""

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from musiclab.commands.combine.members import FILE, read_members
from musiclab.errors import UserError
from musiclab.runs.class_results import ClassResults
from musiclab.runs.comparison import (
    AXIS_SCORE,
    TAG_METRICS,
    difference,
    judged_by,
    mean_interval,
    metric_names,
    scores,
)
from musiclab.runs.predictions import Predictions, Rows, as_predictions
from musiclab.runs.result_files import drawn_of
from musiclab.runs.solution import HEADER, SUFFIX, solution_axes, write_solution
from musiclab.runs.tag_results import TagResults
from musiclab.runs.value_results import ValueResults

WORDS = {
    "accuracy": "accuracy", "f1_macro": "macro F1", "spearman": "Spearman, mean over the axes",
    "roc_auc": "ROC AUC, mean over the tags", "average_precision": "average precision, mean over the tags",
}  # fmt: skip
"""What metrics are called, but for those of an axis."""

RESULTS = (
    "test_metrics.json",
    "classification_report.txt",
    "confusion_matrix.csv",
    "confusion_matrix.png",
    "scatter.png",
    "roc_auc.png",
)
"""Files that a combination may leave beside its predictions."""


def combine(
    runs: list[str],
    *,
    out: str | None = None,
    standardise: bool = False,
    solution: str | None = None,
    header: str = HEADER,
    suffix: str = SUFFIX,
) -> None:
    """Average what several models say of the same tracks, and compare the mean with each of them.

    Of genres and of tags, the mean of the probabilities. Of emotions, the mean of the values; models may have other
    axes: each axis is the mean over those that have it.

    Args:
        runs: Folders of runs that predictions.csv lies in, or such files: of tests, or of `musiclab predict`.
        out: Folder to write to: the files of a test where all truths are known, else predictions.csv alone.
        standardise: Of emotions: give the values of all models the same mean and spread first, so that one of wider
            values does not weigh more.
        solution: Solution file of a competition to write, of emotions.
        header: Its first line: the column of the ids, then the axes in the order wanted.
        suffix: What to add to each id in it; "" for bare ids.
    """
    folder = None if out is None else Path(out).expanduser()
    solution_file = None if solution is None else Path(solution).expanduser()
    members = read_members(runs)
    _check_places(folder, solution_file, [member.path for member in members])
    if (members[0].genres or members[0].of_tags) and (standardise or solution_file):
        option = "--standardise" if standardise else "--solution"
        raise UserError(f"{members[0].path}: of {members[0].subject}; {option} is for emotional values")
    combined = mean_of(members, standardise)
    if folder is None and solution_file is None and not scores(combined):
        raise UserError("no truth is known, so that there is nothing to compare; give --out DIR or --solution FILE")
    if solution_file is not None:
        _write_solution(solution_file, combined, members, header, suffix)
    if folder is not None:
        _write(folder, combined)
    lines = compare(members, combined)
    if lines:
        print("\n".join(lines))


def mean_of(members: Sequence[Predictions], standardise: bool = False) -> Predictions:
    """Return the mean of predictions of the same tracks.

    Args:
        members: As :func:`read_members` returns them.
        standardise: Whether each model's values on an axis are first given mean and standard deviation over the tracks
            that are the means of all models'.
    """
    first = members[0]
    artists = [next(filter(None, names), "") for names in zip(*(member.artists for member in members), strict=True)]
    known = artists if any(artists) else ()
    name = Path(f"the mean of {len(members)}")
    if first.genres:
        mean = np.mean([member.predicted for member in members], axis=0)
        return as_predictions(name, first.genres, Rows(first.ids, first.truth, mean, known))
    axes = list(dict.fromkeys(axis for member in members for axis in member.axes))
    truth, predicted = [], []
    for axis in axes:
        having = [(member, member.axes.index(axis)) for member in members if axis in member.axes]
        columns = np.array([member.predicted[:, column] for member, column in having])
        truth.append(having[0][0].truth[:, having[0][1]])
        predicted.append((_alike(columns) if standardise else columns).mean(axis=0))
    rows = Rows(first.ids, np.stack(truth, 1), np.stack(predicted, 1), known)
    return as_predictions(name, axes, rows, first.of_tags)


def _alike(columns: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the models' values ``(models, tracks)`` with the same mean and standard deviation, those of their mean."""
    means, spreads = columns.mean(axis=1, keepdims=True), columns.std(axis=1, keepdims=True)
    alike: npt.NDArray[np.float64] = means.mean() + spreads.mean() * (columns - means) / np.where(
        spreads > 0, spreads, 1
    )
    return alike


def compare(members: Sequence[Predictions], combined: Predictions) -> list[str]:
    """Return a table a metric: the score of each member and of the mean, and how each differs from the best member."""
    metrics = metric_names(combined)
    if combined.of_tags:
        metrics = [metric for metric in TAG_METRICS if metric in scores(combined)]
    elif combined.axes:
        same = all(set(member.axes) == set(combined.axes) for member in members)
        metrics = metrics[:1] if same else metrics[1:]
    lines = []
    for metric in metrics:
        having = [judged_by(member, metric) for member in members if metric in metric_names(member)]
        mean = judged_by(combined, metric)
        if not mean.known.any():
            continue
        values = [scores(member)[metric] for member in having]
        best = having[int(np.argmax(values))]
        title = WORDS.get(metric) or f"Spearman, {metric.removeprefix(AXIS_SCORE)}"
        rows = [(_name(member.path), member) for member in having]
        if len(having) > 1:
            rows.append((f"all {len(having)} averaged", mean))
        width = max(len(name) for name, _ in rows)
        lines += ["", f"{title}, 95 % intervals ({drawn_of(mean)})"]
        for name, predictions in rows:
            low, high = mean_interval([predictions], metric)
            ends = f"{low:.3f} to {high:.3f}" if np.isfinite(low) else "none of a single one"
            than = "the best of them" if predictions is best else difference([predictions], [best], metric).words
            line = f"  {name:{width}}  {scores(predictions)[metric]:.3f}  {ends}"
            lines.append(f"{line}  {than}" if len(having) > 1 else line)
        if len(having) > 1:
            # Which member is the best was seen on these tracks; the mean of their scores was not chosen.
            words = difference([mean], having, metric).words
            lines.append(f"  {rows[-1][0]}, against the mean of their scores, {np.mean(values):.3f}: {words}")
    return lines


def _name(path: Path) -> str:
    """Return what to call a run: its folder, as far as it is named."""
    return str(path.parent if path.name == FILE and path.parent.name else path)


def _write(folder: Path, combined: Predictions) -> None:
    """Write the files of a test where all truths are known, else the predictions alone."""
    rows = Rows(combined.ids, combined.truth, combined.predicted, combined.artists if any(combined.artists) else ())
    files: ClassResults | ValueResults | TagResults
    if combined.genres:
        files = ClassResults(combined.genres)
    else:
        files = TagResults(combined.axes) if combined.of_tags else ValueResults(combined.axes)
    folder.mkdir(parents=True, exist_ok=True)
    earlier = {path: path.stat().st_mtime_ns for path in (folder / name for name in RESULTS) if path.exists()}
    if combined.known.all():
        files.write_test(folder, rows, files.scores(rows))
    else:
        files.write_predictions(folder, rows)
    for path, written in earlier.items():
        if path.stat().st_mtime_ns == written:  # of other predictions than those that are there now
            path.unlink()


def _write_solution(
    path: Path, combined: Predictions, members: Sequence[Predictions], header: str, suffix: str
) -> None:
    wanted = solution_axes(header)
    write_solution(path, combined.ids, combined.axes, combined.predicted, header, suffix)
    labelled = int((~np.isnan(combined.truth)).any(axis=1).sum())
    if labelled:  # a competition withholds them; but with a labelled test folder a submission is rehearsed
        print(
            f"musiclab: warning: the truth is known for {labelled} of {len(combined.ids)} tracks; are these the "
            "unlabelled tracks of the competition?",
            file=sys.stderr,
        )
    print(f"Solution for {len(combined.ids)} tracks: {path}")
    for axis in wanted:
        count = sum(axis in member.axes for member in members)
        print(f"  {axis}: " + ("1 model" if count == 1 else f"mean of {count} models"))
    unused = [axis for axis in combined.axes if axis not in wanted]
    if unused:
        print(f"  left out, not being in the header: {', '.join(unused)}")


def _check_places(folder: Path | None, solution: Path | None, files: Sequence[Path]) -> None:
    """Refuse to write over the predictions that are combined, or into the folder of a run."""
    resolved = [path.resolve() for path in files]
    if solution is not None:
        if solution.resolve() in resolved:
            raise UserError(f"{solution}: this is one of the predictions files; give another file to --solution")
        if solution.is_dir():
            raise UserError(f"{solution}: this is a folder; give a file in it to --solution")
    if folder is not None:
        if folder.exists() and not folder.is_dir():
            raise UserError(f"{folder}: this is a file; give a folder to --out")
        if (folder / "run.json").exists() or (folder / FILE).resolve() in resolved:
            raise UserError(f"{folder}: the folder of a run, whose results would be lost; give another one to --out")
