"""A search: trials that Optuna chooses, each a training of its own, and the config of the best one.

The journal in the folder of the search is all that is kept: any process goes on from there, and several share it.
"""

import math
import warnings
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml
from filelock import FileLock

from musiclab.commands.study.journal import JOURNAL, ended, open_journal
from musiclab.commands.study.planning import BEST_CONFIG, Fit, Plan
from musiclab.commands.study.progress import (
    busy_version,
    changes,
    difference,
    done_version,
    next_arguments,
    record_of,
    settings,
)
from musiclab.commands.study.ranges import described, distributions, overlay
from musiclab.commands.study.reading import Entry
from musiclab.commands.study.running import take
from musiclab.errors import UserError, did_you_mean
from musiclab.files import write_text
from musiclab.runs.files import pick, read_yaml

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial

SIGNALLED = (130, 143)
"""Exit codes after Ctrl+C and SIGTERM; those of signals that nobody handles are negative."""

WRONG = 2
"""Exit code of a command line that is wrong."""


def require_optuna() -> None:
    """Say how to install Optuna where it is missing.

    Raises:
        UserError: If it is.
    """
    if find_spec("optuna") is None:
        raise UserError("a search needs Optuna: pip install musiclab[search]")


class Trials:
    """The trials of a search.

    Args:
        plan: The study.
        entry: The run that is searched.
    """

    def __init__(self, plan: Plan, entry: Entry) -> None:
        assert entry.search
        self.plan, self.entry, self.search = plan, entry, entry.search
        self.folder = plan.out / entry.name
        self.own = set[int]()  # the numbers of those that this process trains

    def study(self) -> "Study":
        """Return Optuna's study.

        Raises:
            UserError: If it was begun by another metric, with other options or ranges, or its journal is damaged.
        """
        study = open_journal(self.folder, self.entry.name, self.search.mode)
        judged = [self.search.metric, self.search.mode]
        if study.user_attrs.get("judged", judged) != judged:
            raise UserError(
                f"{self.folder}: begun as a search by {' '.join(study.user_attrs['judged'])}, not by "
                f"{' '.join(judged)}; call the run otherwise, or remove the folder"
            )
        fresh = settings(self.plan.arguments(Fit(self.entry)), self.entry.name)
        # In another order, options are the same; those that stand twice, as configs, keep theirs.
        begun = [*sorted(fresh, key=lambda option: option.split()[0]), *sorted(described(self.search))]
        if changed := difference(study.user_attrs.get("begun", begun), begun):
            raise UserError(
                f"{self.folder}: begun {changed}; trials of both do not compare: call the run otherwise, or remove the "
                "folder"
            )
        for name, value in {"judged": judged, "begun": begun}.items():
            if name not in study.user_attrs:
                study.set_user_attr(name, value)
        return study

    def ended(self) -> int:
        """Return how many trials have ended; there may be no journal yet."""
        return len(ended(self.study())) if (self.folder / JOURNAL).exists() else 0

    def is_done(self) -> bool:
        """Whether all trials have ended, so that what was found is what the search finds."""
        return self.ended() >= self.search.trials and (self.folder / BEST_CONFIG).is_file()

    def works(self) -> list["Trial"]:
        """Return the trials that are still to be run."""
        self.write_best()  # a process may have been killed before it could
        return [Trial(self, number) for number in range(self.ended() + 1, self.search.trials + 1)]

    def next(self) -> tuple["FrozenTrial", Any] | None:
        """Return the trial that is next and a lock of its folder: one that was interrupted, or a new one.

        None if others have ended the last.

        Raises:
            UserError: If other processes train the last.
        """
        from optuna.exceptions import ExperimentalWarning
        from optuna.samplers import TPESampler
        from optuna.trial import TrialState

        with FileLock(self.folder / ".search.lock"):
            study = self.study()
            ranges = distributions(self.search)
            others = list[int]()
            for trial in study.get_trials(states=(TrialState.RUNNING,)):
                root = self.root(trial.number)
                lock = None if busy_version(root) else take(root)  # it may live on when its study has been killed
                if lock is None:
                    others.append(trial.number)
                elif ranges.keys() <= trial.params.keys():
                    return trial, lock
                else:  # killed while it was drawn
                    lock.release()
                    study.tell(trial.number, state=TrialState.FAIL)
            if len(ended(study)) + len(others) >= self.search.trials:
                elsewhere = ", ".join(self.root(number).name for number in others if number not in self.own)
                if elsewhere:
                    raise UserError(f"another process still trains {elsewhere}; wait for its end, or end it")
                return None
            # A sampler of a seed for all trials would begin from the start whenever the study goes on.
            seeds = np.random.SeedSequence([self.search.seed, len(study.get_trials(deepcopy=False))])
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ExperimentalWarning)
                # It stays away from what others try at the moment.
                study.sampler = TPESampler(seed=int(seeds.generate_state(1)[0]), constant_liar=True)
            try:
                number = study.ask(ranges).number
            except ValueError as error:
                raise UserError(
                    f"{self.folder}: begun with other ranges ({error}); call the run otherwise, or remove the folder"
                ) from None
            return study.get_trials()[number], take(self.root(number))

    def root(self, number: int) -> Path:
        """Return the folder of a trial."""
        return self.folder / f"trial_{number}"

    def best(self) -> "FrozenTrial | None":
        """Return the best trial so far, None if none has ended."""
        if not (self.folder / JOURNAL).exists():
            return None
        study = self.study()
        return study.best_trial if ended(study) else None

    def write_best(self) -> None:
        """Write the options of the best trial as a config."""
        trial = self.best()
        version = trial and done_version(self.root(trial.number))
        if not trial or not version:
            return
        found = overlay(read_yaml(version / "config.yaml"), trial.params)
        header = f"# The best of {self.entry.name}: trial {trial.number}, {self.search.metric} {trial.value:.4f}.\n"
        write_text(self.folder / BEST_CONFIG, header + yaml.safe_dump(found, sort_keys=False, allow_unicode=True))

    def command(self) -> Sequence[str]:
        """Return the arguments of a training with what was found, which is tested, too."""
        arguments = self.plan.arguments(Fit(self.entry))[:-2]
        end = 1 + 2 * len(self.entry.configs)
        return [*arguments[:end], "-c", str(self.folder / BEST_CONFIG), *arguments[end:]]


class Trial:
    """One trial of a search, a :class:`musiclab.commands.study.running.Work`; which one is known when it begins.

    Args:
        trials: The search.
        number: Which of those that are to end.
    """

    def __init__(self, trials: Trials, number: int) -> None:
        self.trials = trials
        self.name = f"{trials.entry.name}, trial {number} of {trials.search.trials}"
        self.group = trials.entry.name
        self.needs: Sequence[str] = [name for _, name in trials.plan.needs(Fit(trials.entry))]
        self.folder = trials.folder
        self._trial: FrozenTrial | None = None
        self._lock: Any = None

    def begin(self) -> list[str] | None:
        """Return the arguments of the trial that is next."""
        for need in self.needs:
            if not is_there(self.trials.plan, need):
                raise UserError(f"not run, as {need} has not been done")
        found = self.trials.next()
        if found is None:
            return None
        self._trial, self._lock = found
        self.trials.own.add(self._trial.number)
        self.folder = self.trials.root(self._trial.number)
        options = {name: str(value) for name, value in self._trial.params.items()}
        name = f"{self.group}/{self.folder.name}"
        fresh = self.trials.plan.arguments(Fit(self.trials.entry), name, options)
        if changed := changes(self.folder, name, fresh):
            raise UserError(
                f"{self.folder}: a trial that was begun {changed}, of which {JOURNAL} does not know; put back a copy "
                f"of that, or remove {self.trials.folder} to search anew"
            )
        arguments = next_arguments(self.folder, fresh)
        if arguments is None:  # it had ended, but whoever ran it was killed before it could tell
            print(f"{name}: {self.end(0)}", flush=True)
        return arguments

    def end(self, code: int) -> str:
        """Tell Optuna what came of the trial."""
        from optuna.trial import TrialState

        assert self._trial
        if code < 0 or code in SIGNALLED:
            return "interrupted"  # and gone on with by whoever is next
        study, number = self.trials.study(), self._trial.number
        try:
            value = None if code else self._value()
        except UserError:
            study.tell(number, state=TrialState.FAIL)
            raise
        if value is None or math.isnan(value):
            study.tell(number, state=TrialState.FAIL)
            if code == WRONG:
                raise UserError(f"the command line of its trials is wrong, as {self.folder} or what is above says")
            return f"{self.trials.search.metric} is no number"
        study.tell(number, value)
        self.trials.write_best()
        return f"{self.trials.search.metric} {value:.4f}"

    def release(self) -> None:
        """Let go of the folder."""
        if self._lock:
            self._lock.release()
        if self._trial:
            self.trials.own.discard(self._trial.number)

    def _value(self) -> float:
        """Return what the trial is judged by: the metric in the epoch whose checkpoint is kept as the best.

        Raises:
            UserError: If there is no such metric, or it is better the other way round.
        """
        version, search = done_version(self.folder), self.trials.search
        record = record_of(version) if version else {}
        best = record.get("best") or {}
        rows = [row for row in record.get("history") or [] if pick(row, "epoch") == best.get("epoch")]
        values = {name: value for row in rows for name, value in row.items() if name.startswith("val_")}
        if best.get("monitor") == search.metric:
            if best.get("mode") != search.mode:
                raise UserError(f"{search.metric} is better the other way: give its search mode: {best.get('mode')}")
            return _number(best.get("value"))
        if search.metric not in values:
            there = f"; there are {', '.join(values)}" if values else ""
            raise UserError(
                f"{search.metric}: the trainings have no such metric{did_you_mean(search.metric, values) or there}"
            )
        return _number(values[search.metric])


def is_there(plan: Plan, name: str) -> bool:
    """Whether what a training waits for has been done: of a search, all trials."""
    search = next((entry for entry in plan.entries if entry.name == name and entry.search), None)
    return Trials(plan, search).is_done() if search else plan.is_there(name)


def _number(value: Any) -> float:
    """Return what a run.json has as a number, NaN for anything else."""
    try:
        return float(value)
    except (TypeError, ValueError):
        return math.nan
