"""The trainings of a study: the folder of each, what it waits for, and the command line that begins it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from musiclab.commands.study.progress import BEST, LAST, done_version, folder_of
from musiclab.commands.study.reading import PLACEHOLDER, Entry
from musiclab.errors import UserError
from musiclab.runs.files import read_yaml

BEST_CONFIG = "best.yaml"
"""What a search leaves: the options of its best trial."""

UNDIVIDED = "null"
"""Value of ``data.folds`` by which a run that has folds keeps its own data whole: its folds are another run's."""

UNTESTED = ("--trainer.limit_test_batches", "0")
"""Options of trials: the test part stays apart from training, but must not be looked at where models are chosen."""


@dataclass(frozen=True)
class Fit:
    """One training of a run: that of a seed and a fold, where the run has such.

    Attributes:
        entry: The run.
        seed: None for the config's own.
        fold: None for the single split.
    """

    entry: Entry
    seed: int | None = None
    fold: int | None = None

    @property
    def name(self) -> str:
        """Its folder below that of the study."""
        parts = {"seed": self.seed, "fold": self.fold}
        which = "_".join(f"{name}_{number}" for name, number in parts.items() if number is not None)
        return f"{self.entry.name}/{which}" if which else self.entry.name


@dataclass(frozen=True)
class Plan:
    """All that is to be run.

    Attributes:
        entries: The runs of the file.
        out: Folder of the study.
        root: Folder of the data sets; None for the demo corpus.
        more: Options of each training from the command line.
    """

    entries: Sequence[Entry]
    out: Path
    root: Path | None
    more: Sequence[str]

    def fits(self, entry: Entry) -> list[Fit]:
        """Return the trainings of a run; of a search, which makes its own, none."""
        if entry.search:
            return []
        seeds: Sequence[int | None] = entry.seeds or [None]
        folds: Sequence[int | None] = [None] if entry.folds is None else range(entry.folds)
        return [Fit(entry, seed, fold) for seed in seeds for fold in folds]

    def needs(self, fit: Fit) -> Iterator[tuple[str, str]]:
        """Yield the runs that a training comes after, each with the name of what it waits for there.

        That is the training of the same seed and fold where both have them, else the first; or a search.
        """
        by_name = {entry.name: entry for entry in self.entries}
        for name in fit.entry.after:
            others = self.fits(by_name[name])
            nearest = min(others, key=lambda other: (other.seed != fit.seed, other.fold != fit.fold), default=None)
            yield name, nearest.name if nearest else name

    def is_there(self, name: str) -> bool:
        """Whether a training that others wait for has been done."""
        return done_version(self.out / name) is not None

    def product(self, name: str) -> Path:
        """Return what a training makes use of: the best checkpoint of another one, or what a search has found."""
        entry = next((entry for entry in self.entries if entry.name == name), None)
        if entry and entry.search:
            return self.out / name / BEST_CONFIG
        folder = done_version(self.out / name) or folder_of(self.out / name)
        keeps_last_alone = (folder / LAST).exists() and not (folder / BEST).exists()  # as `checkpoint: null` has it
        return folder / (LAST if keeps_last_alone else BEST)

    def outdated(self, fit: Fit) -> str | None:
        """Return the run before a done training that has another best checkpoint, or has found other values, by now."""
        version = done_version(self.out / fit.name)
        used = {name for text in fit.entry.texts() for name in PLACEHOLDER.findall(text)}
        for need, name in self.needs(fit):
            if version is None or need not in used:
                continue
            config, product = version / "config.yaml", self.product(name)
            try:
                if product.name == BEST_CONFIG:  # written again with each trial, so that its time says nothing
                    newer = not _holds(read_yaml(config), read_yaml(product))
                else:
                    newer = product.stat().st_mtime > config.stat().st_mtime
            except (OSError, UserError):  # of which the report tells
                continue
            if newer:
                return need
        return None

    def arguments(self, fit: Fit, name: str | None = None, found: Mapping[str, str] | None = None) -> list[str]:
        """Return the arguments that begin a training.

        Args:
            fit: The training.
            name: Its folder below that of the study, if it is a trial of a search.
            found: The options of the trial.
        """
        values = {need: str(self.product(other)) for need, other in self.needs(fit)}
        values |= {"seed": str(fit.seed), "fold": str(fit.fold), "root": str(self.root)}

        def filled(text: str) -> str:
            return PLACEHOLDER.sub(lambda found: values.get(found[1], found[0]), text)

        arguments = ["fit"]
        for config in fit.entry.configs:
            arguments += ["-c", filled(config)]
        for option, text in fit.entry.options.items():
            if self.root is not None or "{root}" not in text:  # without it, a set of the demo corpus is the default
                arguments += [f"--{option}", filled(text)]
        arguments += self.more
        for option, text in (found or {}).items():
            arguments += [f"--{option}", text]
        if found is not None:
            arguments += UNTESTED
        if fit.seed is not None:
            arguments += ["--seed_everything", str(fit.seed)]
        if fit.fold is not None and fit.entry.options.get("data.folds") != UNDIVIDED:
            arguments += ["--data.folds", str(fit.entry.folds), "--data.fold", str(fit.fold)]
        return [*arguments, "--trainer.default_root_dir", str(self.out / (name or fit.name))]

    def check_root(self, entries: Sequence[Entry]) -> None:
        """Refuse a root that lacks data sets of some runs; without one, runs that have to have it.

        Raises:
            UserError: Naming what is missing, and all that is to be there.
        """
        if self.root is None:
            _check_rootless(entries)
            return
        texts = dict.fromkeys(text for entry in entries for text in entry.texts() if "{root}" in text)
        missing = [text for text in texts if not Path(text.replace("{root}", str(self.root))).exists()]
        if missing:
            wanted = ", ".join(text.removeprefix("{root}").lstrip("/") or "data" for text in texts)
            raise UserError(
                f"{missing[0].replace('{root}', str(self.root))}: no such folder; give --root the folder that holds "
                f"{wanted}"
            )


def _holds(whole: Any, part: Any) -> bool:
    """Whether all values of nested mappings stand in others."""
    if not isinstance(part, dict):
        return bool(whole == part)
    return isinstance(whole, dict) and all(name in whole and _holds(whole[name], part[name]) for name in part)


def _check_rootless(entries: Sequence[Entry]) -> None:
    """Refuse runs that cannot be without a root: of a config below it, or of data sets whose names they have."""
    seen: dict[object, Entry] = {}
    for entry in entries:
        for config in entry.configs:
            if "{root}" in config:
                raise UserError(f"{entry.name}: {config} in its configs, but no --root; give the folder that holds it")
        left = tuple((option, text) for option, text in entry.options.items() if "{root}" not in text)
        other = seen.setdefault((entry.base, tuple(entry.configs), left), entry)
        if other.options != entry.options:
            raise UserError(
                f"{other.name} and {entry.name} would both take the demo corpus; give --root the folder of their data"
            )
