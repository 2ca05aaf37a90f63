"""Runs of tags in a report: tables, intervals, pictures; and in the table of a study."""

import json

import numpy as np
import pytest

from commands.report.making import TAGS, make_run
from commands.report.pages import Outline, Tables
from musiclab.cli import main
from musiclab.commands.report import drawing
from musiclab.commands.report.datasets import assign
from musiclab.commands.report.groups import make_groups
from musiclab.commands.report.standings import rank
from musiclab.commands.study.table import METRICS, score_of
from musiclab.runs.comparison import difference, mean_interval
from musiclab.runs.predictions import read_predictions
from musiclab.runs.run import read_run

MANY = [f"tag {number}" for number in range(30)]


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("runs")
    settings = {"a0": {}, "a1": {"seed": 1}, "b": {"seed": 2, "model_tag_weights": "balanced"}}
    return [make_run(root / name / "lightning_logs" / "version_0", "tags", **more) for name, more in settings.items()]


def groups_of(*folders):
    runs = [read_run(folder) for folder in folders]
    return make_groups(runs, assign(runs))


def test_models_are_ranked_by_the_area_and_compared(folders):
    groups = groups_of(*folders)
    assert [group.name for group in groups] == ["tags CNN, mel"] * 2
    assert groups[0].data.name == "small/tags, 3 tags"
    (ranking,) = rank(groups)
    assert (ranking.metric, ranking.said) == ("roc_auc", "mean ROC AUC")
    files = [read_predictions(folder / "predictions.csv") for folder in folders]
    runs = {2: files[:2], 1: files[2:]}
    best, other = ranking.standings
    assert best.interval == mean_interval(runs[len(best.group.runs)], "roc_auc")
    ours, theirs = (runs[len(standing.group.runs)] for standing in (other, best))
    assert other.to_best == difference(ours, theirs, "roc_auc")


def test_the_page_has_tables_and_pictures(folders, tmp_path):
    main(["report", *map(str, folders), "--out", str(tmp_path)])
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    page = Outline(html)
    assert "Tags" in page.texts["h2"]
    assert any("Mean ROC AUC, best of 2 models: model " in text for text in page.texts["figcaption"])
    assert not [title for title in page.texts["h2"] if "questions" in title]  # of the lab, which has no tags
    tables = {tuple(header[:2]): (header, rows) for _, header, rows in Tables(html).all}
    header, rows = tables["model", "set otherwise"]
    assert header[-4:] == ["test ROC AUC", "of the runs", "to the best", "test average precision"]
    metrics = [json.loads((folder / "test_metrics.json").read_text()) for folder in folders]
    means = [np.mean([metric["test_roc_auc"] for metric in some]) for some in (metrics[:2], metrics[2:])]
    assert sorted(row[-4][:5] for row in rows) == sorted(f"{mean:.3f}" for mean in means)
    header, rows = next(found for key, found in tables.items() if key[0] == "tag")
    assert [row[0] for row in rows] == TAGS
    assert rows[1][header.index("1: tags CNN, mel")] == f"{np.mean([m['test_roc_auc_piano'] for m in metrics[:2]]):.3f}"
    header, rows = tables["run", "task"]
    assert {row[1] for row in rows} == {"tags"}


def test_of_many_tags_the_strongest_and_the_weakest_are_drawn(tmp_path):
    folder = make_run(tmp_path / "many", "tags", names=MANY)
    main(["report", str(folder), "--out", str(tmp_path / "out")])
    page = Outline((tmp_path / "out" / "report.html").read_text(encoding="utf-8"))
    assert "Area under the ROC curve of each tag: 30 rows" in page.texts["summary"]
    (group,) = groups_of(folder)
    (picture,) = drawing.tag_drawings(group)
    assert picture.caption == "Area under the ROC curve of each tag: the 10 strongest and the 10 weakest of 30"
    metrics = json.loads((folder / "test_metrics.json").read_text())
    order = sorted(MANY, key=lambda tag: -metrics[f"test_roc_auc_{tag}"])
    (axes,) = picture.draw().axes
    assert [label.get_text() for label in axes.get_yticklabels()] == order[:10] + order[-10:]
    assert [one.caption.split(":")[0] for one in drawing.curve_drawings(group)] == [
        "Binary cross-entropy (nats)",
        "ROC AUC, mean of the tags",
    ]
    assert drawing.test_drawings(group.runs[0], "many") == []


def test_a_study_tells_the_area(folders):
    assert METRICS["tags"] == "roc_auc"
    metrics = json.loads((folders[0] / "test_metrics.json").read_text())
    assert score_of(folders[0]) == f"test roc_auc {metrics['test_roc_auc']:.4f}"
