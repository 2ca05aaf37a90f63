"""Settings: what matters, and what tells two runs apart in words."""

import pytest

from commands.report.making import make_config
from musiclab.commands.report.settings import differences, simplify


def part(name, **arguments):
    return {"class_path": f"some.module.{name}", "init_args": arguments}


def words(base, own):
    return list(differences(simplify({"model": base}), simplify({"model": own})))


def test_what_says_where_a_run_was_made_is_left_out():
    here = make_config(
        trainer_default_root_dir="here",
        trainer_devices=2,
        trainer_logger=None,
        trainer_enable_progress_bar=False,
        data_cache="cache",
        data_num_workers=3,
    ) | {"ckpt_path": "last.ckpt", "solution": {}}
    assert simplify(here) == simplify(make_config())
    assert simplify(make_config(data_limit=5)) != simplify(make_config())
    assert here["data"]["init_args"]["cache"] == "cache"  # what was given stays as it is


@pytest.mark.parametrize(
    ("base", "own", "expected"),
    [
        (part("Task", frozen_epochs=0), part("Task", frozen_epochs="all"), ["model.frozen_epochs all"]),
        (part("Task", loss=part("MSE", a=1)), part("Task", loss=part("MSE", a=2)), ["model.loss.a 2"]),
        (part("Task", loss=part("MSE")), part("Task", loss=part("Rho", weight=0.1)), ["model.loss Rho (weight 0.1)"]),
        (part("Task", loss=part("MSE")), part("Task", loss=None), ["model.loss null"]),
        (part("Task", loss=None), part("Task"), []),  # a setting that earlier versions did not have
        (part("Task"), part("Other"), ["model Other"]),
        (part("Task", weights={"a": 1.0}), part("Task", weights={"a": 1.0, "b": 2.0}), ["model.weights.b 2.0"]),
        (part("Task", sizes=[1, 2]), part("Task", sizes=[1, 3]), ["model.sizes [1, 3]"]),
        (part("Task", on=True), part("Task", on=False), ["model.on false"]),
        (
            part("Task", steps=[part("Roll"), part("Mask", count=1), part("Mask", count=1)]),
            part("Task", steps=[part("Roll"), part("Mask", count=1), part("Mask", count=2)]),
            ["model.steps.Mask2.count 2"],
        ),
        (part("Task", steps=[part("Roll")]), part("Task", steps=[]), ["model.steps none"]),
        (
            part("Task", steps=[part("Roll"), part("Mask")]),
            part("Task", steps=[part("Mask"), part("Roll")]),
            ["model.steps Mask, Roll"],
        ),
    ],
)
def test_differences_in_words(base, own, expected):
    assert words(base, own) == expected
    assert words(own, own) == []
