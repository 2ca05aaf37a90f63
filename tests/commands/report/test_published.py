"""The published figures: the same as where they are written down, and in keeping with each other."""

import re
from pathlib import Path

import numpy as np
import pytest

from musiclab.commands.report.published import GENRES, PUBLISHED, QUESTIONS

SOURCE = Path(__file__).resolve().parents[4] / "shared" / "PUBLISHED.md"
FIGURES = [figure for question in QUESTIONS for figure in question["figures"]]
(CNN,) = [question for question in QUESTIONS if "genres" in question]


@pytest.mark.skipif(not SOURCE.exists(), reason="the lab's own list is not here")
def test_every_figure_is_as_it_is_written_down():
    found = {}
    for line in SOURCE.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| model"):
            teams = cells[1:]
        elif line.startswith("|") and "---" not in line:
            for team, cell in zip(teams, cells[1:], strict=True):
                if cell:
                    found[cells[0].removeprefix("Kaggle, "), team, cells[0][:6] == "Kaggle"] = re.findall(
                        r"-?\d\.\d+", cell
                    )
    ours = {}
    for question in QUESTIONS:
        for figure in question["figures"]:
            scores = [figure["scores"][score] for score in PUBLISHED["scores"] if score in figure["scores"]]
            key = (figure["model"], figure["team"], not question["answered_by"])
            ours.setdefault(key, []).extend(scores)
    assert ours == found
    (line,) = [line for line in SOURCE.read_text(encoding="utf-8").splitlines() if line.startswith("Per-class F1")]
    assert re.findall(r"\d\.\d+", line) == [score for score, _ in CNN["genres"]["f1"].values()]


def test_means_are_those_of_the_axes():
    checked = 0
    for figure in FIGURES:
        scores = {name: float(score) for name, score in figure["scores"].items()}
        axes = [scores[name] for name in ("valence", "energy", "danceability") if name in scores]
        if len(axes) == 3:
            assert scores["mean"] == pytest.approx(np.mean(axes), abs=0.0011)
            checked += 1
    assert checked == 9


def test_the_f1_of_each_genre_is_that_of_the_teams_cnn():
    scores, tracks = zip(*CNN["genres"]["f1"].values(), strict=True)
    assert sum(tracks) == 575
    assert len(GENRES) == 10
    (cnn,) = [figure for figure in CNN["figures"] if figure["team"] == CNN["genres"]["team"]]
    assert float(cnn["scores"]["macro F1"]) == pytest.approx(np.mean([float(score) for score in scores]), abs=0.005)


def test_each_figure_has_a_team_and_known_scores():
    assert {figure["team"] for figure in FIGURES} == set(PUBLISHED["teams"])
    assert {score for figure in FIGURES for score in figure["scores"]} == set(PUBLISHED["scores"])
    assert all(figure["scores"] for figure in FIGURES)
    assert all(isinstance(score, str) for figure in FIGURES for score in figure["scores"].values())
