"""Which data set a run is from: figures on different data are never put together."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath

from musiclab.commands.report.published import LAB_GENRES
from musiclab.commands.report.settings import data_setting
from musiclab.runs.run import Run

TARGETS = {"classes": "genres", "tags": "tags"}
"""What the targets are called, of the kinds whose models all have the same."""


@dataclass(frozen=True)
class DataSet:
    """What some runs were trained and tested on.

    Attributes:
        kind: Of the outputs: genres are classes, emotions are values, and there are tags.
        name: What to call it, with all that tells it from the other sets of a report.
        place: Its folder, as the runs name it; in words for the demo corpus, wherever it was made.
        targets: Genres or tags; empty for emotions, where models have some of the axes.
        labelled: Number of tracks that were trained and validated on, and tested where these are drawn from the same;
            None if no run says so.
        limit: At most so many tracks of it were trained on.
        is_lab: Whether it is the lab's, which the published figures are from.
    """

    kind: str
    name: str
    place: str
    targets: tuple[str, ...]
    labelled: int | None
    limit: int | None
    is_lab: bool


def assign(runs: Sequence[Run], lab: str | None = None) -> dict[Run, DataSet]:
    """Return the data set of each run, of which all know the kind; ``lab`` is the folder of the lab's, as given."""
    sets = {run: _data_set(run, lab) for run in runs}
    known = {data for data in sets.values() if data.labelled}
    for run, data in sets.items():
        twins = [twin for twin in known if replace(twin, labelled=None) == data]
        if len(twins) == 1:
            sets[run] = twins[0]
    doubles = Counter((data.kind, data.name) for data in set(sets.values()))
    return {
        run: replace(data, name=f"{data.name} ({data.place}, {data.labelled or 'unknown'} tracks)")
        if doubles[data.kind, data.name] > 1
        else data
        for run, data in sets.items()
    }


def describe(data: DataSet, runs: Sequence[Run]) -> str:
    """Return a sentence on the data set of some runs: folder, genres, numbers of tracks."""
    parts = ["the lab's data set"] if data.is_lab else []
    parts.append(data.place)
    if data.targets:
        parts.append(f"{len(data.targets)} {TARGETS[data.kind]}")
    for part, verb in (("train", "train"), ("validation", "validate")):
        parts += _range([run.tracks[part] for run in runs if part in run.tracks], f"tracks to {verb}")
    parts += _range([run.evaluations["test"].tracks for run in runs if "test" in run.evaluations], "tracks to test")
    return f"Data: {'; '.join(parts)}."


def _data_set(run: Run, lab: str | None) -> DataSet:
    assert run.kind is not None
    targets = tuple(run.target_names) if run.kind in TARGETS else ()
    root = run.data_root or "unknown data"
    inside = lab is not None and PurePath(root).is_relative_to(Path(lab).expanduser().absolute())
    of_lab = run.kind == "values" or (run.kind == "classes" and set(targets) == set(LAB_GENRES))
    is_lab = inside and run.limit is None and of_lab
    if run.demo:
        beats = ", beat-synchronised" if run.beat_synced else ""
        place, name = f"the demo corpus of synthesised music{beats}", f"demo corpus{beats}"
    else:
        place, name = root, "/".join(PurePath(root).parts[-2:])
    name += f", {len(targets)} {TARGETS[run.kind]}" if targets else ""
    name += f", limited to {run.limit} tracks" if run.limit is not None else ""
    folds = data_setting(run, "folds")
    if folds and _draws_test(run):  # a test by folds is on other tracks than one without
        name += f", {folds} folds"
    return DataSet(run.kind, name, place, targets, _labelled(run), run.limit, is_lab)


def _draws_test(run: Run) -> bool:
    """Tell whether test tracks are drawn from those with labels, rather than given."""
    fraction = data_setting(run, "test_fraction")
    return run.kind != "classes" if fraction is None else fraction != 0


def _labelled(run: Run) -> int | None:
    """Return how many tracks the parts are drawn from, the same for all seeds and folds; None where it is not known."""
    if data_setting(run, "leave_out") is not None:  # from the training, of each fold others
        return None
    parts = ["train", "validation", *(["test"] if _draws_test(run) and run.limit is None else [])]
    return sum(run.tracks.get(part, 0) for part in parts) or None


def _range(values: Sequence[int], what: str) -> list[str]:
    if not values:
        return []
    low, high = min(values), max(values)
    return [f"{low} {what}" if low == high else f"{low} to {high} {what}"]
