"""The opening: what is said of the best model, and what is drawn beside ours."""

import pytest

from commands.report.making import answer, make_run
from commands.report.test_standings import BAD, GOOD, TRUTH, groups_of
from musiclab.commands.report import opening
from musiclab.commands.report.datasets import assign
from musiclab.commands.report.groups import make_groups
from musiclab.commands.report.opening import GREY, opening_blocks, short_name
from musiclab.commands.report.published import LAB_GENRES, LAB_SETS
from musiclab.commands.report.standings import rank
from musiclab.runs.run import read_run


@pytest.fixture
def drawn(monkeypatch):
    """What is drawn: places, title, quantity, others and the floor of each picture."""
    calls = []
    draw = opening.ranking_figure
    monkeypatch.setattr(opening, "ranking_figure", lambda *parts: calls.append(parts) or draw(*parts))
    return calls


def test_the_best_and_whether_the_next_is_lower(tmp_path, drawn):
    better = answer(make_run(tmp_path / "a", model_dropout=0.5), TRUTH, GOOD)
    worse = answer(make_run(tmp_path / "b"), TRUTH, BAD)
    groups = groups_of(worse, better)
    pictures, legend = opening_blocks(rank(groups), [])
    caption = pictures.pictures[0].caption
    assert caption.startswith("Accuracy, best of 2 models: model 2 (CNN, mel), 0.867 (95 % interval 0.783 to 0.9")
    assert ". Beside the next, model 1 (CNN, mel): 0.533 higher, 95 % interval 0." in caption
    assert caption.endswith(", on 60 tracks.")
    assert "hollow" in legend.text
    assert GREY not in legend.text
    ((places, title, quantity, others, floor),) = drawn
    assert [(place.name, place.said, place.is_lower) for place in places] == [
        ("2: CNN, mel, dropout 0.5", "0.867", False),
        ("1: CNN, mel", "0.333", True),
    ]
    assert (title, quantity, others) == ("small/genres, 3 genres", "accuracy, 60 test tracks", [])
    counts = sum(group.runs[0].confusion.matrix.sum(axis=1) for group in groups)
    assert floor == (f"largest genre {floor[1]:.3f}", counts.max() / counts.sum())


def test_copies_show_no_difference_and_zero_has_no_sign(tmp_path):
    runs = [
        answer(make_run(tmp_path / name, **changes), TRUTH, GOOD)
        for name, changes in (("a", {}), ("b", {"model_x": 1}))
    ]
    pictures, _ = opening_blocks(rank(groups_of(*runs)), [])
    assert pictures.pictures[0].caption.endswith("no difference that 60 tracks can show (0.000, 0.000 to 0.000).")


def test_a_single_model_is_not_called_the_best(tmp_path):
    pictures, _ = opening_blocks(rank(groups_of(answer(make_run(tmp_path / "a"), TRUTH, GOOD))), [])
    assert pictures.pictures[0].caption.startswith("Accuracy: model 1 (CNN, mel), 0.867 (")
    assert "eside" not in pictures.pictures[0].caption


def test_the_best_of_many_are_shown(tmp_path, drawn, monkeypatch):
    monkeypatch.setattr(opening, "MOST", 3)
    runs = [answer(make_run(tmp_path / str(n), model_x=n), TRUTH, GOOD[:n] + BAD[n:]) for n in range(5)]
    pictures, _ = opening_blocks(rank(groups_of(*runs)), [])
    assert len(drawn[0][0]) == 3
    assert pictures.pictures[0].caption.endswith(" The best 3 are shown.")


def test_the_labs_figures_stand_apart_beside_the_labs_data(tmp_path, drawn):
    names = sorted(LAB_GENRES)
    lab = make_run(tmp_path / "lab", names=names, data_root="/lab/genres")
    other = make_run(tmp_path / "other", names=names, data_root="/data/genres")
    truth = [number % 10 for number in range(575)]
    for folder in (lab, other):
        answer(folder, truth, truth, names=names)
    emotion = make_run(tmp_path / "emotion", "emotion", data_root="/lab/emotions")
    runs = [read_run(folder) for folder in (lab, other, emotion)]
    groups = make_groups(runs, assign(runs, "/lab"))
    rankings = [ranking for group in groups for ranking in rank([group])]
    _, legend = opening_blocks(rankings, LAB_SETS)
    assert legend.text.endswith(GREY)
    ((said, places),), none, ((emotions, more),) = [parts[3] for parts in drawn]
    assert said == "published, on this data (best 6 of 19)"
    assert [place.said for place in places] == ["0.47", "0.466", "0.464", "0.46", "0.40", "0.40"]
    assert f"{places[0].name}{places[0].end}" == "2D CNN, mel (A)"
    assert none == []
    assert emotions == "published, on other test tracks of this data (best 6 of 10)"
    assert [place.said for place in more][:2] == ["0.744", "0.734"]


def test_without_scores_there_is_no_opening():
    assert opening_blocks([], LAB_SETS) == []


def test_the_reference_of_models_of_one_name_is_called_by_it_alone(tmp_path):
    first, second = groups_of(make_run(tmp_path / "a"), make_run(tmp_path / "b", model_loss="L", trainer_max_epochs=9))
    assert short_name(first) == "1: CNN, mel"
    assert short_name(second) == "2: CNN, mel, loss L, max_epochs 9"
