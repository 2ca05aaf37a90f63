"""What a search may say of its ranges."""

import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from musiclab.commands.study.ranges import Range, Search, distributions, overlay, read_range, read_search
from musiclab.errors import UserError

GOOD = {"options": {"a": {"low": 1, "high": 2}}, "trials": 3, "metric": "val_accuracy"}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"low": "1e-4", "high": 1, "log": True}, Range(1e-4, 1, True)),
        ({"low": 8, "high": 64, "step": 8}, Range(8, 64, step=8)),
        ({"choices": [16, [1, 2], "adam", None, True]}, Range(choices=["16", "[1, 2]", "adam", "null", "true"])),
    ],
)
def test_ranges(value, expected):
    assert read_range(value, "x") == expected


def test_a_loss_is_to_be_low_and_other_metrics_high():
    assert read_search(GOOD, "s") == Search({"a": Range(1, 2)}, 3, "val_accuracy", "max", 0)
    assert read_search({**GOOD, "metric": "val_loss", "seed": 4}, "s")[2:] == ("val_loss", "min", 4)
    assert read_search({**GOOD, "mode": "min"}, "s").mode == "min"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({}, "x: give low and high, or choices"),
        ({"low": 1}, "x: give low and high"),
        ({"low": 2, "high": 1}, "x: low 2 is not below high 1"),
        ({"low": 2, "high": 2}, "x: low 2 is not below high 2"),
        ({"low": "a", "high": 1}, "x.low: 'a' is no number"),
        ({"low": float("nan"), "high": 1}, "x.low: nan is no number"),
        ({"low": True, "high": 1}, "x.low: True is no number"),
        ({"low": 0, "high": 1, "log": True}, "x: with log, low must be above 0"),
        ({"low": 1, "high": 2, "log": "yes"}, "x.log: 'yes'; it must be true or false"),
        ({"low": 1, "high": 2, "step": 0}, "x.step: 0; it must be above 0"),
        ({"low": 1, "hihg": 2}, "x: no key 'hihg'; did you mean high?"),
        ({"choices": []}, "x: choices are a list of values"),
        ({"choices": [1], "low": 1}, "x: choices are a list of values and stand alone"),
        ({"choices": [1, 1]}, "x: a choice stands there twice"),
        ([1, 2], "x: [1, 2] where names and values were expected"),
    ],
)
def test_a_wrong_range(value, said):
    with pytest.raises(UserError) as caught:
        read_range(value, "x")
    assert str(caught.value).startswith(said)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"metric": None}, "s: no metric, by which trials are judged"),
        ({"metric": "test_accuracy"}, "s.metric: 'test_accuracy' is none of validation"),
        ({"trials": None}, "s: no number of trials"),
        ({"trials": 0}, "s.trials: 0; it must be a whole number from 1"),
        ({"mode": "best"}, "s.mode: 'best'; it must be min or max"),
        ({"options": {}}, "s.options: no ranges"),
        ({"trails": 3}, "s: no key 'trails'; did you mean trials?"),
        ({"seed": -1}, "s.seed: -1"),
    ],
)
def test_a_wrong_search(changes, said):
    with pytest.raises(UserError) as caught:
        read_search({**GOOD, **changes}, "s")
    assert str(caught.value).startswith(said)


def test_ranges_are_those_of_optuna():
    options = {
        "a": Range(1, 8),
        "b": Range(16, 64, step=16),
        "c": Range(1, 100, log=True),
        "d": Range(0.0, 1, step=0.25),
        "e": Range(1e-4, 1.0, log=True),
        "f": Range(choices=["[1, 2]", "3"]),
    }
    assert distributions(Search(options, 1, "val_loss", "min", 0)) == {
        "a": IntDistribution(1, 8),
        "b": IntDistribution(16, 64, step=16),
        "c": IntDistribution(1, 100, log=True),
        "d": FloatDistribution(0, 1, step=0.25),
        "e": FloatDistribution(1e-4, 1, log=True),
        "f": CategoricalDistribution(["[1, 2]", "3"]),
    }


def test_the_options_found_are_those_of_the_saved_config():
    config = {
        "model": {"class_path": "T", "init_args": {"backbone": {"class_path": "C", "init_args": {"channels": [1, 2]}}}},
        "data": {"class_path": "D", "init_args": {"batch_size": 16}},
        "trainer": {"max_epochs": 3},
    }
    options = {
        "model.backbone.channels": "[1, 2]",
        "data.init_args.batch_size": 16,
        "trainer.max_epochs": 3,
        "model.unknown": "1e-3",
    }
    assert overlay(config, options) == {
        "model": {
            "init_args": {"backbone": {"init_args": {"channels": [1, 2]}}, "unknown": "1e-3"},
        },
        "data": {"init_args": {"batch_size": 16}},
        "trainer": {"max_epochs": 3},
    }
    assert overlay(config, {"model.backbone": "C"}) == {
        "model": {"init_args": {"backbone": config["model"]["init_args"]["backbone"]}}
    }
