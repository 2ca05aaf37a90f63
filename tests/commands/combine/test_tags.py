"""Means of several models' predictions of tags."""

import json

import numpy as np
import pytest

from commands.combine.making import (
    TAGGED,
    TAGS,
    refused,
    tag_probabilities,
    write_genres,
    write_tags,
    write_values,
)
from musiclab.cli import main
from musiclab.runs.comparison import difference, mean_interval, scores
from musiclab.runs.predictions import read_predictions


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_tags_are_the_mean_of_the_probabilities_in_any_order(folder, capsys):
    files = [write_tags(folder / "1.csv", 1), write_tags(folder / "2.csv", 2, tags=TAGS[::-1])]
    main(["combine", *files, "--out", "both"])
    found = read_predictions(folder / "both" / "predictions.csv")
    assert (found.of_tags, found.axes) == (True, TAGS)
    np.testing.assert_allclose(found.predicted, (tag_probabilities(1) + tag_probabilities(2)) / 2, atol=1e-6)
    np.testing.assert_array_equal(found.truth, TAGGED)
    names = sorted(path.name for path in (folder / "both").iterdir())
    assert names == ["predictions.csv", "roc_auc.png", "test_metrics.json"]
    metrics = json.loads((folder / "both" / "test_metrics.json").read_text())
    assert metrics["test_roc_auc"] == pytest.approx(scores(found)["roc_auc"], abs=1e-6)
    low, high = mean_interval([found], "roc_auc")
    assert (metrics["test_roc_auc_low"], metrics["test_roc_auc_high"]) == pytest.approx((low, high))
    printed = capsys.readouterr().out
    for title, metric in (("ROC AUC", "roc_auc"), ("average precision", "average_precision")):
        table = printed[printed.index(f"\n{title}, mean over the tags, 95 % intervals (bootstrap over 40 tracks)") :]
        members = [read_predictions(folder / name) for name in ("1.csv", "2.csv")]
        best = max(members, key=lambda member: scores(member)[metric])
        line = table.splitlines()[4]
        assert line.split()[:4] == ["all", "2", "averaged", f"{scores(found)[metric]:.3f}"]
        assert line.endswith(difference([found], [best], metric).words)


def test_tags_without_truth_are_averaged(folder, capsys):
    files = [write_tags(folder / f"{seed}.csv", seed, truth=np.full(TAGGED.shape, np.nan)) for seed in (1, 2)]
    main(["combine", *files, "--out", "both"])
    assert {path.name for path in (folder / "both").iterdir()} == {"predictions.csv"}
    assert "ROC AUC" not in capsys.readouterr().out


def test_what_does_not_fit(folder, capfd):
    one, other = write_tags(folder / "1.csv", 1), write_tags(folder / "2.csv", 2, tags=TAGS[:2])
    assert "2.csv: lacks the tag 80s, which" in refused(folder, capfd, [one, other])
    write_values(folder / "v.csv", 1)
    genres = write_genres(folder / "g.csv", 1)
    assert "v.csv: of valence, energy, but 1.csv of tags; combine models of one task" in refused(
        folder, capfd, ["1.csv", "v.csv"]
    )
    assert "of tags, but" in refused(folder, capfd, [genres, one])
    for option in (["--standardise", "true"], ["--solution", "s.txt"]):
        assert f"of tags; {option[0]} is for emotional values" in refused(folder, capfd, [one, *option])
    text = (folder / "1.csv").read_text().splitlines()
    text[1] = text[1].rsplit(",", 1)[0] + ",inf"
    (folder / "bad.csv").write_text("\n".join(text))
    assert "probability_80s is inf, not a finite number" in refused(folder, capfd, ["bad.csv"])
