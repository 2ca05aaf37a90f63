"""Runs of the same settings but for seed and fold, taken together; names for them, and what tells them apart."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from musiclab.commands.report.datasets import DataSet
from musiclab.commands.report.settings import differences, fold_of, settings_of
from musiclab.runs.run import Run

AXES = ("valence", "energy", "danceability")
"""Of the lab."""

BEATS = " in beats"

ORDER = ("classes", "values", "tags")
"""Of the kinds of outputs in a report."""


@dataclass(frozen=True, eq=False)
class Group:
    """Runs of the same settings but for seed and fold.

    Attributes:
        data: What they were trained and tested on.
        name: As in ``CNN, mel``; several groups may have it.
        number: Number of the group in the report, from 1.
        runs: In the order of their seeds, then of their folds.
        differs: In words, what is set otherwise than in the base of the groups with this name and data, which is the
            first of them; for the base itself, how it is set where others differ.
        base: Number of the base; None where no other group has this name and data.
    """

    data: DataSet
    name: str
    number: int
    runs: list[Run]
    differs: list[str]
    base: int | None

    @property
    def title(self) -> str:
        """Number and name, which no other group has."""
        return f"{self.number}: {self.name}"

    @property
    def counted(self) -> list[Run]:
        """The runs that mean and spread are of: those that finished, one for each seed and fold."""
        found: dict[Any, Run] = {}
        for run in self.runs:
            if run.finished:
                found.setdefault((run.folder if run.seed is None else run.seed, fold_of(run)), run)
        return list(found.values())

    @property
    def count(self) -> str:
        """How many runs count: of how many seeds and folds, and of how many runs, where there are more."""
        runs = self.counted
        seeds = {run.folder if run.seed is None else run.seed for run in runs}
        parts = [f"{len(some)} {what}" for some, what in ((seeds, "seeds"), (self.folds, "folds")) if len(some) > 1]
        parts += [f"of {len(self.runs)} runs"] if len(runs) < len(self.runs) else []
        return f"{len(runs)} ({', '.join(parts)})" if parts else str(len(runs))

    @property
    def folds(self) -> set[int]:
        """Which folds of a cross-validation the runs that count are of."""
        return {fold for run in self.counted if (fold := fold_of(run)) is not None}

    @property
    def axes(self) -> tuple[str, ...]:
        """Emotional axes, the lab's first."""
        names = self.runs[0].target_names
        return tuple(axis for axis in AXES if axis in names) + tuple(sorted(set(names) - set(AXES)))

    def tested(self, metric: str) -> list[Run]:
        """Return the runs that count and have a metric, named without ``test_``."""
        return [run for run in self.counted if f"test_{metric}" in run.metrics]

    def scores(self, metric: str) -> list[float]:
        """Return what the runs that count have of a metric, named without ``test_``."""
        return [run.metrics[f"test_{metric}"] for run in self.tested(metric)]


def make_groups(runs: Sequence[Run], data: dict[Run, DataSet]) -> list[Group]:
    """Put runs into groups, those of one data set and name one after the other."""
    alike: dict[tuple[Any, ...], list[Run]] = {}
    for run in runs:
        alike.setdefault((data[run], model_name(run), settings_key(run)), []).append(run)
    families: dict[tuple[DataSet, str], list[list[Run]]] = {}
    for (dataset, name, _), members in alike.items():
        families.setdefault((dataset, name), []).append(sorted(members, key=_seed))
    order = sorted(families, key=lambda family: (_data_order(family[0]), _model_order(families[family][0][0])))
    groups: list[Group] = []
    for dataset, name in order:
        members_of = families[dataset, name]
        settings = [settings_of(members[0]) for members in members_of]
        first = _reference(members_of, settings)
        base = len(groups) + 1 if len(settings) > 1 else None
        for index in [first, *(index for index in range(len(settings)) if index != first)]:
            others = settings if index == first else [settings[first]]
            words = [word for other in others for word in differences(other, settings[index])]
            groups.append(Group(dataset, name, len(groups) + 1, members_of[index], _concise(words), base))
    return groups


def model_name(run: Run) -> str:
    """Return what to call the model of a run: what it learns, unless that is genres, its backbone and features."""
    task = task_words(run)
    model = f"{run.backbone or run.task}, {run.features or 'unknown features'}"
    return (model if task == "genre" else f"{task} {model}") + (BEATS if run.beat_synced else "")


def task_words(run: Run) -> str:
    """Return what a run learns: ``genre``, ``tags``; or ``multitask``, ``transfer`` and the axes, if not all."""
    if run.kind == "classes":
        return "genre"
    if run.kind == "tags":
        return "transfer tags" if run.model("pretrained") else "tags"
    axes = run.target_names
    how = "transfer" if run.model("pretrained") else ""
    if not how and run.task == "MultitaskRegressionTask" and len(axes) > 1:
        how = "multitask"
    names = "" if how and set(axes) == set(AXES) else " + ".join(axes) or "unknown axes"
    return f"{how} {names}".strip()


def is_single(run: Run) -> bool:
    """Whether a run is of a single axis."""
    return len(run.target_names) == 1


def spread(values: Sequence[float], text: Callable[[float], str]) -> str:
    """Return the mean and, in brackets, lowest and highest of several values; the value itself of one."""
    if len(values) < 2:
        return text(values[0]) if values else ""
    return f"{text(fmean(values))} ({text(min(values))} - {text(max(values))})"


def settings_key(run: Run, axes: bool = True) -> str:
    """Return what is the same for runs that differ in seed and fold alone; or, without the axes, in these too."""
    if not run.config:  # damaged: nobody knows
        return str(run.folder)
    settings = settings_of(run)
    if not axes:
        settings.get("data", {}).pop("axes", None)
    return json.dumps([settings, run.processes], default=str)


def _data_order(data: DataSet) -> tuple[int, bool, str]:
    """Genres before emotions before tags, the lab's data before others."""
    return ORDER.index(data.kind), not data.is_lab, data.name


def _model_order(run: Run) -> tuple[Any, ...]:
    """Single axes before several, transfer last; backbones together, the lab's axes in its order."""
    axes = [AXES.index(axis) if axis in AXES else len(AXES) for axis in run.target_names]
    return bool(run.model("pretrained")), not is_single(run), model_name(run).split(" ")[-2:], axes, model_name(run)


def _seed(run: Run) -> tuple[int, int, str]:
    seed, fold = (-1 if number is None else number for number in (run.seed, fold_of(run)))
    return seed, fold, str(run.folder)


def _reference(members: Sequence[list[Run]], settings: Sequence[dict[str, Any]]) -> int:
    """Return which of several models has most runs; of those, which differs from all others in the fewest ways."""

    def cost(index: int) -> tuple[int, int]:
        finished = {(run.seed, fold_of(run)) for run in members[index] if run.finished}
        return -len(finished), sum(len(list(differences(other, settings[index]))) for other in settings)

    return min(range(len(settings)), key=cost)


def _concise(words: Sequence[str]) -> list[str]:
    """Return words once each, without those on parts of what is named as a whole."""
    names = {word.split(" ")[0] for word in words}
    return [
        word for word in dict.fromkeys(words) if not any(word.split(" ")[0].startswith(f"{name}.") for name in names)
    ]
