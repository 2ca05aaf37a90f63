"""``musiclab submit``: predictions of emotion models as the solution file of a competition."""

import sys
from pathlib import Path

import numpy as np

from musiclab.data.ids import id_order
from musiclab.errors import UserError
from musiclab.runs.predictions import PREDICTION, Predictions, first_doubled, read_predictions
from musiclab.runs.solution import HEADER, SUFFIX, solution_axes, write_solution


def submit(predictions: list[str], out: str = "solution.txt", header: str = HEADER, suffix: str = SUFFIX) -> None:
    """Join predictions of emotion models into the solution file of a competition.

    Give one predictions.csv with all axes, or one for each axis; where several have an axis, their mean is taken.

    Args:
        predictions: Files predictions.csv that `musiclab predict` left in the run folders of emotion models.
        out: Solution file to write.
        header: First line of the solution: the column of the ids, then the axes in the order wanted.
        suffix: What to add to each id; "" for bare ids.
    """
    path = Path(out).expanduser()
    paths = [Path(name).expanduser() for name in predictions]
    _check_paths(paths, path)
    wanted = solution_axes(header)
    files = [_read(file) for file in paths]
    _check_tracks(files)
    names = list(dict.fromkeys(axis for file in files for axis in file.axes))
    sources = {
        axis: [file.predicted[:, file.axes.index(axis)] for file in files if axis in file.axes] for axis in names
    }
    means = np.stack([np.mean(source, axis=0) for source in sources.values()], axis=1)
    write_solution(path, files[0].ids, names, means, header, suffix)
    _warn_of_labels(files)
    print(f"Solution for {len(files[0].ids)} tracks: {path}")
    for axis in wanted:
        count = len(sources[axis])
        print(f"  {axis}: " + ("1 file" if count == 1 else f"mean of {count} files"))
    unused = [axis for axis in names if axis not in wanted]
    if unused:
        print(f"  left out, not being in the header: {', '.join(unused)}")


def _read(path: Path) -> Predictions:
    """Return predictions of an emotion model, all of them finite."""
    file = read_predictions(path)
    if not file.axes:
        raise UserError(
            f"{path}: not the predictions of an emotion model: it has no column such as {PREDICTION}valence; give the "
            "predictions.csv of an emotion model's run"
        )
    wrong = np.argwhere(~np.isfinite(file.predicted))
    if len(wrong):
        row, column = wrong[0]
        raise UserError(
            f"{path}: track {file.ids[row]}: {PREDICTION}{file.axes[column]} is {file.predicted[row, column]}, not a "
            "finite number; leave this file out"
        )
    return file


def _check_paths(paths: list[Path], out: Path) -> None:
    if not paths:
        raise UserError("no predictions: give the predictions.csv of an emotion model's run")
    resolved = [path.resolve() for path in paths]
    doubled = first_doubled(resolved)
    if doubled is not None:
        raise UserError(f"{paths[resolved.index(doubled)]}: given twice; name each predictions file once")
    if out.resolve() in resolved:
        raise UserError(f"{out}: this is one of the predictions files; give another file to --out")
    if out.is_dir():
        raise UserError(f"{out}: this is a folder; give a file in it to --out")


def _check_tracks(files: list[Predictions]) -> None:
    """Refuse files that are not of the same tracks."""
    tracks = {identifier: file.path for file in files for identifier in file.ids}
    for file in files:
        missing = sorted(tracks.keys() - set(file.ids), key=id_order)
        if missing:
            more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
            raise UserError(
                f"{file.path}: lacks track {', '.join(missing[:3])}{more}, which {tracks[missing[0]]} has; "
                "give predictions of the same test folder"
            )


def _warn_of_labels(files: list[Predictions]) -> None:
    """Warn of files with known truths, which a competition withholds.

    They are not refused: with a labelled test folder a submission is rehearsed, and scored at home.
    """
    for file in files:
        labelled = int((~np.isnan(file.truth)).any(axis=1).sum())
        if labelled:
            print(
                f"musiclab: warning: {file.path}: the truth is known for {labelled} of {len(file.ids)} tracks; "
                "are these the unlabelled tracks of the competition?",
                file=sys.stderr,
            )
