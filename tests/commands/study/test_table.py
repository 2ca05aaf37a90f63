"""The table at the end: means, spread and intervals of runs that were made by hand."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from commands.report.making import answer, make_run
from musiclab.commands.study.planning import Fit, Plan
from musiclab.commands.study.reading import Entry
from musiclab.commands.study.table import Row, make_rows, score_of, table_text, write_table
from musiclab.runs.comparison import mean_interval
from musiclab.runs.run import read_run


@pytest.fixture
def plan(tmp_path):
    entries = [
        Entry("cnn", "cnn", ["genre_cnn.yaml"], seeds=[0, 1, 2]),
        Entry("emotion", "emotion", ["emotion_cnn.yaml"]),
        Entry("later", "later", ["genre_cnn.yaml"], folds=5),
    ]
    plan = Plan(entries, tmp_path, None, ())
    for seed in (0, 1):
        folder = make(plan, Fit(entries[0], seed))
        answer(folder, [0, 1, 2] * 4, [0, 1, 2, seed] * 3)
    make(plan, Fit(entries[1]), "emotion")
    return plan


def make(plan, fit, kind="genre"):
    line = ["musiclab", *plan.arguments(fit)]
    folder = plan.out / fit.name / "lightning_logs" / "version_0"
    return make_run(folder, kind, seed=fit.seed or 0, record={"command_line": line})


def test_means_spread_and_interval(plan, tmp_path):
    cnn, emotion, later = make_rows(plan, plan.entries)
    runs = [read_run(tmp_path / "cnn" / f"seed_{seed}" / "lightning_logs" / "version_0") for seed in (0, 1)]
    values = [run.metrics["test_accuracy"] for run in runs]
    low, high = mean_interval([run.predictions for run in runs], "accuracy")
    numbers = [np.mean(values), min(values), max(values), low, high, np.mean([run.best.value for run in runs])]
    mean, lowest, highest, low, high, best = (f"{number:.4f}" for number in numbers)
    assert cnn == Row("cnn", "2 of 3", "accuracy", mean, lowest, highest, low, high, "val_accuracy", best)
    assert emotion[:3] == ("emotion", "1 of 1", "spearman")
    assert float(emotion.low) < float(emotion.high)
    assert (emotion.lowest, emotion.highest) == ("", "")  # of a single run, they say nothing
    assert later == Row("later", "0 of 5")


def test_it_is_printed_in_columns_and_written(plan, tmp_path):
    rows = make_rows(plan, plan.entries)
    header, *lines = table_text(rows).splitlines()
    assert header.split("  ")[0] == "run"
    assert lines[0].split()[:4] == ["cnn", "2", "of", "3"]
    assert f"{rows[0].lowest} to {rows[0].highest}" in lines[0]
    assert len({line.index(" of ") for line in lines}) == 1
    write_table(tmp_path / "table.csv", rows)
    with (tmp_path / "table.csv").open() as stream:
        assert [tuple(row.values()) for row in csv.DictReader(stream)] == [tuple(row) for row in rows]


def test_without_predictions_there_is_no_interval(plan, tmp_path):
    Path(tmp_path, "cnn/seed_0/lightning_logs/version_0/predictions.csv").unlink()
    cnn, *_ = make_rows(plan, plan.entries)
    assert (cnn.low, cnn.high) == ("", "")
    assert cnn.mean


def test_a_damaged_record_is_no_run(plan, tmp_path):
    folder = tmp_path / "cnn/seed_0/lightning_logs/version_0"
    (folder / "run.json").write_text("{")
    assert make_rows(plan, plan.entries)[0].done == "1 of 3"
    assert score_of(folder).startswith("done, but run.json: not JSON")


def test_what_a_training_has_reached(tmp_path):
    tested = make_run(tmp_path / "a")
    assert score_of(tested) == f"test accuracy {read_run(tested).metrics['test_accuracy']:.4f}"
    untested = make_run(tmp_path / "b", tested=False)
    assert score_of(untested) == f"val_accuracy {read_run(untested).best.value:.4f}, not tested"


def test_runs_that_were_begun_otherwise_are_left_out(plan):
    entry = plan.entries[2]
    make(plan, Fit(entry, fold=0))
    for fold in (1, 2):
        make(plan, Fit(replace(entry, folds=3), fold=fold))
    *_, later = make_rows(plan, plan.entries)
    assert later.done == "1 of 5 (2 begun otherwise)"
    assert later.mean
    assert later.lowest == ""


def test_an_interval_that_is_none_is_empty(plan, tmp_path):
    for seed in (0, 1):
        answer(tmp_path / f"cnn/seed_{seed}/lightning_logs/version_0", [0], [0])
    rows = make_rows(plan, plan.entries)
    assert (rows[0].low, rows[0].high) == ("", "")
    assert rows[0].mean
    assert "nan" not in table_text(rows)
