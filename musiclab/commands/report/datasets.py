"""Which data set a run is from, as far as its folder tells: figures on different data are never put together."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePath

from musiclab.runs.run import Kind, Run

LAB_GENRES = ("Blues", "Classical", "Electronic", "Folk", "Hip-Hop", "Jazz", "Metal", "Pop", "Rock", "Trip-Hop")
LAB_TRAIN_TRACKS, LAB_TEST_TRACKS, LAB_EMOTION_TRACKS = 2305, 575, 1122
"""By what the lab's data set is known: its genres after merging, and its numbers of labelled tracks."""

DEMO_BEATS = "demo corpus, beat-synchronised"
DEMO = re.compile(r"demo-corpus-v\d+")


@dataclass(frozen=True)
class DataSet:
    """What some runs were trained and tested on.

    Attributes:
        kind: Genres or emotions.
        name: What to call it, with all that tells it from the other sets of a report.
        root: Its folder, as the runs name it; None for the demo corpus by default.
        targets: Genres; empty for emotions, where models have some of the axes.
        labelled: Number of tracks that were trained, validated and (emotions) tested on; None if no run says so.
        limit: What ``data.limit`` was.
        is_lab: Whether it is the lab's, which the published figures are from.
    """

    kind: Kind
    name: str
    root: str | None
    targets: tuple[str, ...]
    labelled: int | None
    limit: int | None
    is_lab: bool


def assign(runs: Sequence[Run]) -> dict[Run, DataSet]:
    """Return the data set of each run, of which all know the kind.

    Runs of earlier versions do not say how many tracks they had: they go with those that do, if these agree.
    """
    sets = {run: _data_set(run) for run in runs}
    for run, data in sets.items():
        if data.labelled is None:
            known = {other for other in sets.values() if other.labelled is not None and _alike(data, other)}
            if len(known) == 1:
                sets[run] = known.pop()
    return _told_apart(sets)


def describe(data: DataSet, runs: Iterable[Run]) -> str:
    """Return a sentence on the data set of some runs: folder, genres, numbers of tracks."""
    parts = []
    if data.is_lab:
        parts.append("the lab's data set")
    beats = ", beat-synchronised" if DEMO_BEATS in data.name else ""
    parts.append(
        f"the demo corpus of synthesised music{beats}" if data.name.startswith("demo corpus") else f"{data.root}"
    )
    if data.kind == "genre":
        parts.append(f"{len(data.targets)} genres")
    counts = [run.record.get("tracks", {}) for run in runs]
    for part, verb in (("train", "train"), ("validation", "validate")):
        parts += _range([count[part] for count in counts if part in count], f"tracks to {verb}")
    parts += _range([run.tested_tracks for run in runs if run.tested_tracks is not None], "tracks to test")
    return f"Data: {'; '.join(parts)}."


def _data_set(run: Run) -> DataSet:
    assert run.kind is not None
    counts = run.record.get("tracks", {})
    parts = ("train", "validation") if run.kind == "genre" else ("train", "validation", "test")
    labelled = sum(counts.get(part, 0) for part in parts) or None
    targets = tuple(run.target_names) if run.kind == "genre" else ()
    if run.kind == "genre":
        sizes = (labelled, run.tested_tracks or LAB_TEST_TRACKS)
        is_lab = targets == LAB_GENRES and sizes == (LAB_TRAIN_TRACKS, LAB_TEST_TRACKS)
    else:
        is_lab = labelled == LAB_EMOTION_TRACKS
    root = run.record.get("data_root") or run.data("root")
    if root is None or DEMO.search(str(root)):
        root, name = None, DEMO_BEATS if run.beat_synced else "demo corpus"
    else:
        root, name = str(root), "/".join(PurePath(str(root)).parts[-2:])
    limit = run.data("limit")
    name += f", {len(targets)} genres" if targets else ""
    name += f", limited to {limit} tracks" if limit is not None else ""
    return DataSet(run.kind, name, root, targets, labelled, limit, is_lab)


def _alike(some: DataSet, other: DataSet) -> bool:
    same = ("kind", "root", "targets", "limit", "name")
    return all(getattr(some, name) == getattr(other, name) for name in same)


def _told_apart(sets: dict[Run, DataSet]) -> dict[Run, DataSet]:
    """Name those sets more fully whose names are the same."""
    doubles = Counter((data.kind, data.name) for data in set(sets.values()))
    full = {
        data: replace(data, name=f"{data.name} ({data.root or 'default folder'}, {data.labelled or 'unknown'} tracks)")
        for data in set(sets.values())
        if doubles[data.kind, data.name] > 1
    }
    return {run: full.get(data, data) for run, data in sets.items()}


def _range(values: Sequence[int], what: str) -> list[str]:
    if not values:
        return []
    low, high = min(values), max(values)
    return [f"{low} {what}" if low == high else f"{low} to {high} {what}"]
