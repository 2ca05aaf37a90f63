"""The file of a study: read, checked, and its runs in every variation."""

import graphlib
import itertools
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from musiclab.commands.study.ranges import Search, read_search
from musiclab.commands.study.values import keys_of, list_of, nearest, number_of, options_of, text_of
from musiclab.errors import UserError
from musiclab.files import find_config, is_special
from musiclab.runs.predictions import first_doubled

STUDY = ("options", "seeds", "folds", "runs")
RUN = ("configs", "options", "after", "seeds", "folds", "vary", "search")

NAME = re.compile(r"\w[\w.+-]*", re.ASCII)
"""What a folder can be called on every system, and stands in a command line as it is."""

RESERVED = ("root", "seed", "fold", "report", "table.csv", "lightning_logs")
"""Names of other things in a study or in its folder."""

LARGEST_SEED = 2**32 - 1
MOST_SEEDS = 10_000
"""A number of seeds above it is a slip, as that of a seed without brackets."""

PLACEHOLDER = re.compile(r"\{(\w[\w.+-]*)\}", re.ASCII)


@dataclass(frozen=True)
class Entry:
    """A run as the file says, in one of its variations; several trainings, if it has seeds or folds, or is a search.

    Attributes:
        name: Of its folder.
        base: Its name in the file.
        configs: Names of configs, with placeholders as in ``options``.
        options: Values as they stand on a command line.
        after: Names of the runs that come before.
        seeds: Seeds of the trainings; None for the config's own.
        folds: Number of folds; None for the single split.
        search: What is searched; None for a run that is none.
    """

    name: str
    base: str
    configs: Sequence[str]
    options: Mapping[str, str] = field(default_factory=dict)
    after: Sequence[str] = ()
    seeds: Sequence[int] | None = None
    folds: int | None = None
    search: Search | None = None

    def texts(self) -> list[str]:
        """Return all that may hold placeholders."""
        return [*self.configs, *self.options.values()]


class _Loader(yaml.SafeLoader):  # type: ignore[misc]
    """Refuses a name that stands twice in a mapping, of which YAML would keep the last."""

    def compose_mapping_node(self, anchor: Any) -> Any:
        node = super().compose_mapping_node(anchor)
        doubled = first_doubled([key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)])
        if doubled is not None:
            raise UserError(f"line {node.start_mark.line + 1}: {doubled} stands there twice; give one another name")
        return node


def read_study(path: Path, seeds: int | None = None, folds: int | None = None) -> list[Entry]:
    """Return the runs of a study, in the order of the file, each variation by itself.

    Args:
        path: The file.
        seeds: Number of seeds of each run, in place of what the file says; searches have none.
        folds: Number of folds, likewise.

    Raises:
        UserError: Naming the file, and the run if it is one that is wrong.
    """
    if path.is_dir() or is_special(path):
        raise UserError(f"{path}: not a file; give that of a study, as in lab.yaml")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise UserError(f"{path}: not a study, which is text in YAML") from None
    try:
        return _entries(yaml.load(text, _Loader), seeds, folds)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}: " if mark else ""
        raise UserError(f"{path}: {where}not YAML ({getattr(error, 'problem', None) or 'damaged'})") from None
    except RecursionError:
        raise UserError(f"{path}: too many brackets or lists in each other for a study") from None
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def _entries(content: Any, seeds: int | None, folds: int | None) -> list[Entry]:
    study = keys_of(content, "the study", STUDY)
    runs = keys_of(study.get("runs"), "runs")
    if not runs:
        raise UserError("runs is empty; name at least one run, as in runs: {cnn: {configs: [genre_cnn.yaml]}}")
    common = _options(study.get("options"), "options")
    of_all = {
        "seeds": _seeds(study.get("seeds") if seeds is None else seeds, "seeds"),
        "folds": number_of(study.get("folds") if folds is None else folds, "folds", 2),
    }
    given = {"seeds": seeds, "folds": folds}
    entries: list[Entry] = []
    for name, run in runs.items():
        own = keys_of(run, name, RUN)
        for key, value in of_all.items():
            if "search" not in own and (key not in own or given[key] is not None):
                own[key] = value
        entries += _variations(name, own, common)
    doubled = first_doubled([entry.name.casefold() for entry in entries])  # on some systems, CNN and cnn are one folder
    if doubled is not None:
        raise UserError(f"two runs would be called {doubled}; give one another name")
    _check_order(entries)
    for entry in entries:
        _check_placeholders(entry, [other.name for other in entries])
        names = [*entry.options, *(["seed_everything"] if entry.seeds else []), *(["data.fold"] if entry.folds else [])]
        check_searched(entry, entries, names, entry.name)
        for config in entry.configs:
            if not PLACEHOLDER.search(config) and not find_config(config).is_file():
                raise UserError(f"{entry.name}.configs: {config!r} is no file; name a config, as in genre_cnn.yaml")
    return entries


def check_searched(entry: Entry, entries: Sequence[Entry], options: Collection[str], where: str) -> None:
    """Refuse options for which a search, this run or one whose findings it takes, has ranges: one of both would win.

    So would a class by its name alone, as an option: what was found for it would fall back to defaults.

    Raises:
        UserError: Naming the option, and the search.
    """
    taken = {name for config in entry.configs for name in PLACEHOLDER.findall(config)}
    for other in entries:
        if other.search and (other.name == entry.name or other.name in taken):
            for option, searched in itertools.product(options, other.search.options):
                one, two = (f"{name.replace('.init_args', '')}." for name in (option, searched))
                if one == two:
                    raise UserError(f"{where}: {option} is what {other.name} searches; give it here or there, not both")
                if one.startswith(two) or two.startswith(one):
                    raise UserError(
                        f"{where}: {option} and {searched}, which {other.name} searches, would change each other; put "
                        f"{option} in a config"
                    )


def _variations(name: Any, run: dict[str, Any], common: dict[str, str]) -> Iterator[Entry]:
    """Yield a run in each of its variations."""
    _check_name(name, "runs")
    base = Entry(
        name,
        name,
        list_of(run.get("configs"), f"{name}.configs", str),
        {**common, **_options(run.get("options"), f"{name}.options")},
        list_of(run.get("after"), f"{name}.after", str),
        _seeds(run.get("seeds"), f"{name}.seeds"),
        number_of(run.get("folds"), f"{name}.folds", 2),
        read_search(run["search"], f"{name}.search") if "search" in run else None,
    )
    if not base.configs:
        raise UserError(
            f"{name}: no configs; name those that say which model and data, as in configs: [genre_cnn.yaml]"
        )
    if base.search and (base.seeds or base.folds):
        raise UserError(f"{name}: a search has no seeds or folds; give them to a run after it, on what it has found")
    varied = keys_of(run.get("vary") or {}, f"{name}.vary")
    axes = [_values(option, values, f"{name}.vary.{option}") for option, values in varied.items()]
    for chosen in itertools.product(*axes):
        configs, options = list(base.configs), dict(base.options)
        for option, (_, value) in zip(varied, chosen, strict=True):
            if option == "configs":
                configs += list_of(value, f"{name}.vary.configs", str)
            else:
                options |= _options({option: value}, f"{name}.vary")
        full = "_".join([name, *(word for word, _ in chosen)])
        yield Entry(full, name, configs, options, base.after, base.seeds, base.folds, base.search)


def _values(option: str, values: Any, where: str) -> list[tuple[str, Any]]:
    """Return the values that an option takes in turn, each with the word that stands for it in a name."""
    if isinstance(values, list):
        texts = [text_of(value, where) for value in values]
        words = [Path(text).stem for text in texts] if option == "configs" else texts
        pairs = list(zip(words, values, strict=True))
    else:
        pairs = list(keys_of(values, where).items())
    if not pairs:
        raise UserError(f"{where}: no values; give a list of them")
    for word, _ in pairs:
        _check_name(word, f"{where}, which gives names (values can have some of their own, as in {{short: VALUE}})")
    return pairs


def _options(value: Any, where: str) -> dict[str, str]:
    return {key: text_of(item, f"{where}.{key}") for key, item in options_of(value or {}, where).items()}


def _seeds(value: Any, where: str) -> list[int] | None:
    if isinstance(value, list):
        if None in value:
            raise UserError(f"{where}: a seed is nothing; give its number")
        seeds = [number_of(seed, where, 0, LARGEST_SEED) or 0 for seed in value]
        doubled = first_doubled(seeds)
        if doubled is not None or not seeds:
            raise UserError(f"{where}: {'no seeds' if not seeds else f'{doubled} stands there twice'}")
        return seeds
    count = number_of(value, where, 1, MOST_SEEDS)
    return None if count is None else list(range(count))


def _check_name(name: Any, where: str) -> None:
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise UserError(f"{where}: {name!r} is no name for a folder; use letters, digits, _, - and .")
    if name.casefold() in RESERVED:
        raise UserError(f"{where}: {name} is the name of something else in a study; choose another one")


def _check_order(entries: Sequence[Entry]) -> None:
    """Refuse runs after others that there are not, or that wait for each other."""
    names = [entry.name for entry in entries]
    for entry in entries:
        for name in entry.after:
            if name not in names:
                variations = ", ".join(other.name for other in entries if other.base == name)
                near = f"; name a variation: {variations}" if variations else nearest(name, names)
                raise UserError(f"{entry.name}.after: no run is called {name}{near}")
    try:
        graphlib.TopologicalSorter({entry.name: set(entry.after) for entry in entries}).prepare()
    except graphlib.CycleError as error:
        raise UserError(f"after makes a circle: {' after '.join(error.args[1][::-1])}") from None


def _check_placeholders(entry: Entry, names: Sequence[str]) -> None:
    has = {"root": True, "seed": entry.seeds is not None, "fold": entry.folds is not None}
    for text in entry.texts():
        for name in PLACEHOLDER.findall(text):
            if has.get(name) or name in entry.after:
                continue
            if name in has:
                raise UserError(f"{entry.name}: {{{name}}} in {text}, but it has no {name}s")
            if name in names:
                raise UserError(f"{entry.name}: {{{name}}} in {text}, so that it has to be after it: after: {name}")
            known = [f"{{{one}}}" for one in [*has, *entry.after]]
            raise UserError(f"{entry.name}: {{{name}}} in {text} stands for nothing{nearest(f'{{{name}}}', known)}")
