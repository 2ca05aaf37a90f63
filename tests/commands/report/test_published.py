"""The published figures: the lab's as they are written down; files of a user's own, and mistakes in them."""

import re
from pathlib import Path

import numpy as np
import pytest

from musiclab.commands.report.published import LAB_GENRES, LAB_SETS, read_published
from musiclab.errors import UserError

SOURCE = Path(__file__).resolve().parents[4] / "shared" / "PUBLISHED.md"
DOCS = Path(__file__).resolve().parents[3] / "docs" / "runs.md"
FIGURES = [figure for question in LAB_SETS for figure in question.figures]
AXES = [f"spearman_{axis}" for axis in ("valence", "energy", "danceability")]
SCORES = ["accuracy", "f1_macro", *AXES, "spearman", "leaderboard"]
(CNN,) = [question for question in LAB_SETS if question.f1]


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
    for question in LAB_SETS:
        for figure in question.figures:
            scores = [figure.scores[score] for score in SCORES if score in figure.scores]
            key = (figure.model, figure.source, not question.answered_by)
            ours.setdefault(key, []).extend(scores)
    assert ours == found
    (line,) = [line for line in SOURCE.read_text(encoding="utf-8").splitlines() if line.startswith("Per-class F1")]
    assert re.findall(r"\d\.\d+", line) == [score for score, _ in CNN.f1["genres"].values()]


def test_means_are_those_of_the_axes():
    checked = 0
    for figure in FIGURES:
        scores = {name: float(score) for name, score in figure.scores.items()}
        axes = [scores[name] for name in AXES if name in scores]
        if len(axes) == 3:
            assert scores["spearman"] == pytest.approx(np.mean(axes), abs=0.0011)
            checked += 1
    assert checked == 9


def test_the_f1_of_each_genre_is_that_of_the_sources_cnn():
    scores, tracks = zip(*CNN.f1["genres"].values(), strict=True)
    assert sum(map(int, tracks)) == CNN.test_tracks == 575
    assert len(LAB_GENRES) == CNN.genres == 10
    (cnn,) = [figure for figure in CNN.figures if figure.source == CNN.f1["source"]]
    assert float(cnn.scores["f1_macro"]) == pytest.approx(np.mean([float(score) for score in scores]), abs=0.005)


def test_each_figure_of_the_lab_has_a_source_and_known_scores():
    assert {figure.source for figure in FIGURES} == set(LAB_SETS[0].sources)
    assert {score for figure in FIGURES for score in figure.scores} == set(SCORES)


GOOD = """
sources: {Doe 2024: "Doe, Genres, https://example.org"}
sets:
  - title: GTZAN
    folder: gtzan/genres
    genres: 10
    test_tracks: 290
    figures:
      - {model: CNN, source: Doe 2024, accuracy: 0.50, f1_macro: 0.490}
      - {model: Probe, source: Doe 2024, accuracy: "0.7", pretrained: 1 M songs, note: three seeds}
  - title: Emotions
    folder: emotions
    test_tracks: 199
    figures:
      - {model: CNN, source: Doe 2024, spearman: .6, spearman_calm: -0.1}
"""


def written(tmp_path, old="", new=""):
    assert old in GOOD
    path = tmp_path / "mine.yaml"
    path.write_text(GOOD.replace(old, new) if old else GOOD)
    return path


def test_a_file_of_ones_own_keeps_its_digits(tmp_path):
    genres, emotions = read_published(written(tmp_path))
    assert (genres.kind, genres.folder, genres.genres, genres.test_tracks) == ("classes", "gtzan/genres", 10, 290)
    assert (emotions.kind, emotions.genres, emotions.test_tracks) == ("values", None, 199)
    assert genres.figures[0].scores == {"accuracy": "0.50", "f1_macro": "0.490"}
    assert (genres.figures[1].pretrained, genres.figures[1].note) == ("1 M songs", "three seeds")
    assert emotions.figures[0].scores == {"spearman": ".6", "spearman_calm": "-0.1"}


def test_the_example_of_the_docs_is_read(tmp_path):
    (example,) = re.findall(r"```yaml\n(sources:.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    path = tmp_path / "example.yaml"
    path.write_text(example)
    (gtzan,) = read_published(path)
    assert [figure.scores for figure in gtzan.figures] == [{"accuracy": "0.797"}, {"accuracy": "0.686"}]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("accuracy: 0.50", "acuracy: 0.50", "set 1 (GTZAN): figure 1: acuracy is not known; did you mean accuracy?"),
        ("    folder: gtz", "    folders: gtz", "set 1 (GTZAN): folders is not known; did you mean folder?"),
        ("sources:", "source:", "the file: source is not known; did you mean sources?"),
        ("accuracy: 0.50", "accuracy: 53.2", "figure 1 (CNN): accuracy is '53.2'; give a number"),
        ("accuracy: 0.50", "accuracy: nan", "figure 1 (CNN): accuracy is 'nan'; give a number"),
        ("accuracy: 0.50", "accuracy: good", "figure 1 (CNN): accuracy is 'good'; give a number"),
        ("accuracy: 0.50", "accuracy: [1]", "figure 1 (CNN): accuracy: not a text or number"),
        ("accuracy: 0.50, f1_macro: 0.490", "note: x", "figure 1 (CNN): no score; give accuracy, f1_macro, spearman"),
        ("CNN, source: Doe 2024, acc", "CNN, acc", "set 1 (GTZAN): figure 1: no source; it takes model, source"),
        ("{model: CNN, source: Doe 2024, acc", "{model: CNN, source: Do 2024, acc", "did you mean Doe 2024?"),
        ("{model: CNN, source: Doe 2024, acc", "{model: CNN, source: Roe, acc", "say there what it stands for"),
        ("    test_tracks: 290\n", "", "set 1 (GTZAN): no test_tracks"),
        ("test_tracks: 290", "test_tracks: 1e2", "set 1 (GTZAN): test_tracks is '1e2'; give a whole number"),
        ("    genres: 10\n", "", "set 1 (GTZAN): no genres; say how many the scores are of"),
        ("spearman: .6", "accuracy: .6}\n      - {model: B, source: Doe 2024, spearman: .6", "make it two sets"),
        ("  - title: GTZAN", "  title: GTZAN", "not YAML: "),
        ("{Doe 2024:", "[Doe 2024:", "not YAML: "),
        (GOOD, "- a\n- b", "the file: not names with values"),
        (GOOD, "", "the file: not names with values"),
        (GOOD, "sources: {a: b}\nsets: {a: b}", "sets: not a list"),
        (GOOD, "sources: {a: b}\nsets: []", "the file: no sets"),
        (GOOD, "sources: {a: [b]}\nsets: [c]", "source a: not a text or number"),
    ],
)
def test_mistakes_in_a_file_are_one_line_that_names_the_place(tmp_path, old, new, said):
    path = written(tmp_path, old, new)
    with pytest.raises(UserError) as found:
        read_published(path)
    message = str(found.value)
    assert message.startswith(f"{path}: ")
    assert said in message
    assert "\n" not in message


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(UserError, match=r"none.yaml: cannot be read \(No such file or directory\)"):
        read_published(tmp_path / "none.yaml")
