"""What a search tries: ranges of options, a number of trials and the metric of validation that decides."""

import json
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import yaml

from musiclab.commands.study.values import keys_of, number_of, options_of, text_of
from musiclab.errors import UserError

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

SEARCH = ("options", "trials", "metric", "mode", "seed")
RANGE = ("low", "high", "log", "step", "choices")


class Range(NamedTuple):
    """The values of an option: from ``low`` to ``high``, both whole numbers or neither; or one of ``choices``.

    Attributes:
        low: The lowest; None for choices.
        high: The highest; None for choices.
        log: Whether the logarithm is drawn evenly.
        step: Distance of neighbours; None where any value will do.
        choices: Values as on a command line, in the place of the others.
    """

    low: float | None = None
    high: float | None = None
    log: bool = False
    step: float | None = None
    choices: Sequence[str] = ()


class Search(NamedTuple):
    """A search: see the attributes.

    Attributes:
        options: The range of each option.
        trials: How many trials are to end.
        metric: Of validation, by which they are judged.
        mode: ``max`` or ``min``.
        seed: Of what is drawn.
    """

    options: Mapping[str, Range]
    trials: int
    metric: str
    mode: str
    seed: int


def read_search(value: Any, where: str) -> Search:
    """Return what a ``search:`` says.

    Raises:
        UserError: Naming what is wrong.
    """
    search = keys_of(value, where, SEARCH)
    metric, trials = search.get("metric"), number_of(search.get("trials"), f"{where}.trials", 1)
    if metric is None:
        raise UserError(f"{where}: no metric, by which trials are judged; give one of validation, as in val_accuracy")
    if not isinstance(metric, str) or not metric.startswith("val_"):
        raise UserError(
            f"{where}.metric: {metric!r} is none of validation, by which alone models are chosen; give one such as "
            "val_accuracy or val_spearman"
        )
    if trials is None:
        raise UserError(f"{where}: no number of trials, as in trials: 20")
    mode = search.get("mode", "min" if "loss" in metric else "max")
    if mode not in ("min", "max"):
        raise UserError(f"{where}.mode: {mode!r}; it must be min or max")
    options = options_of(search.get("options"), f"{where}.options")
    if not options:
        raise UserError(f"{where}.options: no ranges, as in model.optimizer.lr: {{low: 1e-4, high: 1e-2, log: true}}")
    ranges = {name: read_range(item, f"{where}.options.{name}") for name, item in options.items()}
    return Search(ranges, trials, metric, mode, number_of(search.get("seed"), f"{where}.seed", 0) or 0)


def read_range(value: Any, where: str) -> Range:
    """Return the range of an option."""
    given = keys_of(value, where, RANGE)
    if "choices" in given:
        choices = given["choices"]
        if len(given) > 1 or not isinstance(choices, list) or not choices:
            raise UserError(f"{where}: choices are a list of values and stand alone, as in {{choices: [16, 32]}}")
        texts = [text_of(choice, where) for choice in choices]
        if len(set(texts)) < len(texts):
            raise UserError(f"{where}: a choice stands there twice")
        return Range(choices=texts)
    low, high, step = (_number(given.get(name), f"{where}.{name}") for name in ("low", "high", "step"))
    log = given.get("log", False)
    if low is None or high is None:
        raise UserError(f"{where}: give low and high, or choices")
    if not low < high:
        raise UserError(f"{where}: low {low:g} is not below high {high:g}")
    if not isinstance(log, bool):
        raise UserError(f"{where}.log: {log!r}; it must be true or false")
    if log and (low <= 0 or step is not None):
        raise UserError(f"{where}: with log, low must be above 0 and there is no step")
    if step is not None and step <= 0:
        raise UserError(f"{where}.step: {step:g}; it must be above 0")
    return Range(low, high, log, step)


def described(search: Search) -> list[str]:
    """Return in words what trials of a search are drawn from, as far as it must not change on the way."""
    return [
        *(f"{name}: {json.dumps(given._asdict())}" for name, given in search.options.items()),
        f"seed: {search.seed}",
    ]


def distributions(search: Search) -> dict[str, "BaseDistribution"]:
    """Return the ranges of a search as Optuna has them."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    def one(given: Range) -> "BaseDistribution":
        if given.choices:
            return CategoricalDistribution(list(given.choices))
        assert given.low is not None
        assert given.high is not None
        if all(isinstance(number, int | None) for number in (given.low, given.high, given.step)):
            return IntDistribution(int(given.low), int(given.high), given.log, int(given.step or 1))
        return FloatDistribution(given.low, given.high, given.log, given.step)

    return {name: one(given) for name, given in search.options.items()}


def overlay(config: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of a config that some options stand for.

    Args:
        config: A whole one, with these options, as a run saves it.
        options: Values by their names on the command line, where ``init_args`` may be left out.
    """
    part: dict[str, Any] = {}
    for option, text in options.items():
        keys: list[str] = []
        node: Any = config
        for word in option.split("."):
            if isinstance(node, dict) and "class_path" in node and word not in ("class_path", "init_args"):
                keys.append("init_args")
                node = node.get("init_args") or {}
            keys.append(word)
            node = node.get(word) if isinstance(node, dict) else None
        value = yaml.safe_load(str(text)) if node is None else node
        inner = part
        for key in keys[:-1]:
            inner = inner.setdefault(key, {})
        inner[keys[-1]] = value
    return part


def _number(value: Any, where: str) -> float | None:
    """Return a number; YAML takes 1e-4 for text."""
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    try:
        number = float(str(value))
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise UserError(f"{where}: {value!r} is no number")
    return number
