"""``musiclab study``: many runs as one file says, in the order that they need, then a table and the report."""

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from filelock import FileLock

from musiclab.commands.study.planning import Fit, Plan
from musiclab.commands.study.progress import busy_version, changes, done_version, next_arguments
from musiclab.commands.study.reading import Entry, check_searched, read_study
from musiclab.commands.study.running import Work, end_by_signal, run_all, start, take
from musiclab.commands.study.search import Trials, is_there, require_optuna
from musiclab.commands.study.table import make_rows, score_of, table_text, write_table
from musiclab.commands.study.values import check_own, nearest
from musiclab.errors import UserError
from musiclab.files import find_config


def study(
    file: str,
    *,
    root: str | None = None,
    out: str | None = None,
    only: list[str] | None = None,
    seeds: int | None = None,
    folds: int | None = None,
    options: str = "",
    at_once: int | None = None,
    gpus: str | None = None,
    show: bool = False,
) -> None:
    """Train and test all runs that a file names, each a plain musiclab fit, then print a table and write the report.

    The same command again goes on with the runs that were interrupted, from their last checkpoints. A run that fails
    stops no others but those after it; the exit code is then 1.

    Args:
        file: The study, a file in YAML, as lab.yaml, which comes along.
        root: Folder with the data sets, {root} in the file; null for the demo corpus.
        out: Where the runs go, each to a folder of its own, and table.csv and report/; null: runs/ and FILE's name.
        only: Names of runs; null: all.
        seeds: Train each run with so many seeds, from 0, whatever the file says.
        folds: Train each run on so many folds, whatever the file says.
        options: More options for each fit, as in "--trainer.max_epochs 2".
        at_once: How many runs at once; null: one for each of --gpus, else one.
        gpus: Numbers of GPUs, as in 0,1: each run sees one of them.
        show: Only print the commands that are still to be run, one a line, for instance for a job array.
    """
    path = find_config(file, "studies")
    for name, number, least in (("seeds", seeds, 1), ("folds", folds, 2), ("at_once", at_once, 1)):
        if number is not None and number < least:
            raise UserError(f"--{name} {number}: it must be at least {least}")
    entries = read_study(path, seeds, folds)
    folder = Path(out or f"runs/{path.stem}").expanduser()
    plan = Plan(entries, folder, None if root is None else Path(root).expanduser(), _split(options))
    chosen = _chosen(entries, only)
    plan.check_root(chosen)
    for entry in chosen:
        check_searched(entry, entries, _names(plan.more), "--options")
    before = {name for entry in chosen for name in entry.after}
    if any(entry.search for entry in entries if entry in chosen or entry.name in before):
        require_optuna()
    if show:
        given = {"root": root, "out": str(folder), "seeds": seeds, "folds": folds, "options": options or None}
        words = (word for name, value in given.items() if value is not None for word in (f"--{name}", str(value)))
        _show(plan, chosen, ["study", file, *words])
        return
    slots: list[str | None] = [gpu.strip() for gpu in gpus.split(",")] if gpus is not None else [None]
    if "" in slots:
        raise UserError(f"--gpus {gpus!r}: give the numbers of GPUs, as in 0,1")
    works = list[Work]()
    for entry in chosen:
        if entry.search:
            works += Trials(plan, entry).works()
        works += [Training(plan, fit) for fit in plan.fits(entry)]
    end_by_signal()
    failed = run_all(works, [slots[number % len(slots)] for number in range(at_once or len(slots))])
    _finish(plan, [entry for entry in entries if entry in chosen or not entry.search])
    if failed:
        raise UserError(f"{', '.join(failed)}: failed; mend what is said above and run the same command again")


class Training:
    """A training of a study, a :class:`musiclab.commands.study.running.Work`.

    Args:
        plan: The study.
        fit: Which training.
    """

    def __init__(self, plan: Plan, fit: Fit) -> None:
        self.plan, self.fit = plan, fit
        self.name = self.group = fit.name
        self.needs: Sequence[str] = [name for _, name in plan.needs(fit)]
        self.folder = plan.out / fit.name
        self._lock: FileLock | None = None

    def begin(self) -> list[str] | None:
        """Return the arguments of the training, unless it has been done; say if it was begun otherwise."""
        fresh = self.plan.arguments(self.fit)
        if changed := changes(self.folder, self.name, fresh):
            print(
                f"{self.name}: was begun {changed}: {'kept' if done_version(self.folder) else 'it goes on so'}; remove "
                f"{self.folder} to begin anew",
                flush=True,
            )
        if done_version(self.folder):
            if source := self.plan.outdated(self.fit):
                print(f"{self.name}: made from an earlier {source}; remove {self.folder} to make it anew", flush=True)
            return None
        missing = [name for name in self.needs if not is_there(self.plan, name)]
        if missing:
            raise UserError(f"not run, as {' and '.join(missing)}, which it comes after, has not been done")
        busy = busy_version(self.folder)
        self._lock = None if busy else take(self.folder)
        if self._lock is None:
            raise UserError(f"another process is at it, in {busy or self.folder}; wait for its end, or end it")
        return next_arguments(self.folder, fresh)

    def end(self, code: int) -> str:
        """Return what the training has reached."""
        version = done_version(self.folder)
        return score_of(version) if version else "ended, but neither tested nor finished"

    def release(self) -> None:
        """Let go of the folder."""
        if self._lock:
            self._lock.release()


def _split(options: str) -> list[str]:
    try:
        words = shlex.split(options)
    except ValueError as error:
        raise UserError(f"--options {options}: {error}; close it") from None
    check_own(_names(words), "--options")
    return words


def _names(words: Sequence[str]) -> list[str]:
    """Return the options among the words of a command line."""
    return [word.lstrip("-").partition("=")[0] for word in words if word.startswith("-")]


def _chosen(entries: Sequence[Entry], only: Sequence[str] | None) -> list[Entry]:
    """Return the runs of some names; that in the file stands for all variations."""
    known = dict.fromkeys(name for entry in entries for name in (entry.name, entry.base))
    for name in only or []:
        if name not in known:
            raise UserError(f"--only {name}: no such run{nearest(name, known)}")
    return [entry for entry in entries if not only or entry.name in only or entry.base in only]


def _show(plan: Plan, entries: Sequence[Entry], again: Sequence[str]) -> None:
    """Print what is still to be run, those first that come after no others; and, beside it, which lines are a wave."""
    lines: dict[str, tuple[list[str], list[str]]] = {}
    for entry in entries:
        if entry.search:
            if Trials(plan, entry).ended() < entry.search.trials:
                lines[entry.name] = [*again, "--only", entry.name], [name for _, name in plan.needs(Fit(entry))]
            continue
        for fit in plan.fits(entry):
            arguments = next_arguments(plan.out / fit.name, plan.arguments(fit))
            if arguments:
                lines[fit.name] = arguments, [name for _, name in plan.needs(fit)]
    waves: list[list[str]] = []
    left = dict(lines)
    while left:
        waves.append([name for name, (_, needs) in left.items() if not left.keys() & set(needs)])
        for name in waves[-1]:
            print(shlex.join(["musiclab", *left[name][0]]))
        left = {name: line for name, line in left.items() if name not in waves[-1]}
    first = 1
    for number, wave in enumerate(waves, 1):
        last = first + len(wave) - 1
        print(f"Wave {number}: lines {first}-{last}" + (", after those before" if number > 1 else ""), file=sys.stderr)
        first = last + 1
    if not waves:
        print("All runs have been done", file=sys.stderr)


def _finish(plan: Plan, entries: Sequence[Entry]) -> None:
    """Print the table and what searches have found, and write the report of all runs that are no trials."""
    rows = make_rows(plan, entries)
    write_table(plan.out / "table.csv", rows)
    print(f"\n{table_text(rows)}\n\nTable: {plan.out / 'table.csv'}", flush=True)
    for entry in entries:
        trials = Trials(plan, entry) if entry.search else None
        best = trials.best() if trials else None
        if trials and best:
            found = ", ".join(f"{name} {value}" for name, value in best.params.items())
            print(f"\n{entry.name}: the best of {trials.ended()} trials is trial {best.number}: {found}")
            print(shlex.join(["musiclab", *trials.command()]), flush=True)
    runs = [plan.out / entry.name for entry in plan.entries if not entry.search and (plan.out / entry.name).is_dir()]
    if runs:
        whole = not any(entry.search for entry in plan.entries)
        words = [str(plan.out)] if whole else [str(run) for run in runs]
        arguments = ["report", *words, "--out", str(plan.out / "report")]
        print(f"\n{shlex.join(['musiclab', *arguments])}", flush=True)
        process = start(arguments)
        try:
            code = process.wait()
        except BaseException:
            process.terminate()
            process.wait()
            raise
        if code:
            raise SystemExit(1)
