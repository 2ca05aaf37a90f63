"""The lab's questions: which runs answer which, and that figures on different data never share a table."""

import numpy as np
import pytest

from commands.report.making import AXES, make_run
from commands.report.pages import Outline, Tables
from musiclab.commands.report.datasets import assign
from musiclab.commands.report.groups import make_groups
from musiclab.commands.report.published import LAB_GENRES as GENRES
from musiclab.commands.report.published import LAB_SETS
from musiclab.commands.report.questions import answers, question_blocks
from musiclab.pages.document import Document
from musiclab.runs.run import read_run

LAB = "/data/lab"


def page_of(tmp_path, *settings, solutions=()):
    runs = [read_run(make_run(tmp_path / str(number), **kwargs)) for number, kwargs in enumerate(settings)]
    groups = make_groups(runs, assign(runs, LAB))
    return runs, Document("Questions", question_blocks(groups, solutions)).to_html(embed=True)


@pytest.mark.parametrize(
    ("settings", "step"),
    [
        ({"record": {"backbone": "LSTM"}}, 5),
        ({"record": {"backbone": "CNN"}}, 7),
        ({"record": {"backbone": "AST"}}, 7),
        ({"kind": "emotion", "names": ["energy"]}, 8),
        ({"kind": "emotion", "model_pretrained": "x.ckpt"}, 9),
        ({"kind": "emotion", "names": ["energy"], "model_pretrained": "x.ckpt"}, 9),
        ({"kind": "emotion"}, 10),
    ],
)
def test_which_question_a_run_answers(tmp_path, settings, step):
    run = read_run(make_run(tmp_path / "run", **settings))
    (group,) = make_groups([run], assign([run]))
    wanted = [question for question in LAB_SETS if question.answered_by]
    (answered,) = [question.title for question in wanted if answers(group, question.answered_by)]
    assert answered.startswith(f"Step {step}: ")


def test_figures_on_different_data_stand_in_tables_of_their_own(tmp_path):
    runs, page = page_of(
        tmp_path,
        {"kind": "emotion", "data_root": f"{LAB}/emotions"},
        {"kind": "emotion", "data_root": f"{LAB}/emotions", "seed": 1},
        {"kind": "emotion", "data_root": "/data/other/emotions"},
    )
    tables = Tables(page).below("Step 10: emotion, all axes at once, and the weighting of their losses")
    assert [header[0] for header, _ in tables] == ["published model", "our model", "our model"]
    assert [len(rows) for _, rows in tables] == [3, 1, 1]
    assert tables[0][1][0] == ["multitask CNN", "A", "0.619", "0.766", "0.759", "0.7145"]
    means = [f"{np.mean([run.metrics[f'test_spearman_{axis}'] for run in runs[:2]]):.3f}" for axis in AXES]
    assert [cell.split(" ")[0] for cell in tables[1][1][0][2:5]] == means
    assert tables[2][1][0][2:] == [
        f"{runs[2].metrics[f'test_spearman{name}']:.3f}" for name in (*(f"_{a}" for a in AXES), "")
    ]
    sentences = [text for text in Outline(page).texts["p"] if text.startswith("Ours, on")]
    assert [sentence.split(". ")[0] for sentence in sentences] == [
        "Ours, on other test tracks of the lab's data set",
        "Ours, on other data: does not compare",
    ]
    assert "/data/other/emotions" in sentences[1]


def test_every_published_table_says_what_data_it_is_of(tmp_path):
    _, page = page_of(tmp_path)
    published = [header for _, header, _ in Tables(page).all if header[0] == "published model"]
    captions = [
        text for text in Outline(page).texts["caption"] if text.startswith("Published, on the lab's data set: ")
    ]
    assert len(published) == len(captions) == 6
    assert captions[0].endswith("2305 tracks to train, 10 genres after merging; 575 to test")
    assert sum(text.startswith("Ours: no ") for text in Outline(page).texts["p"]) == 6


def test_models_of_single_axes_share_a_row_with_their_mean(tmp_path):
    single = {"kind": "emotion", "record": {"task": "RegressionTask"}}
    runs, page = page_of(
        tmp_path,
        *({**single, "names": [axis], "data_axes": axis} for axis in AXES),
        {**single, "names": ["valence"], "data_axes": "valence", "model_dropout": 0.5},
    )
    ((header, rows),) = Tables(page).below("Step 8: emotion, a model for each axis")[1:]
    assert header == ["our model", "set otherwise", "runs", *AXES, "mean"]
    scores = [run.metrics[f"test_spearman_{run.target_names[0]}"] for run in runs]
    together, alone = rows
    assert together[3:] == [*(f"{score:.3f}" for score in scores[:3]), f"{np.mean(scores[:3]):.3f}"]
    assert together[0] == "1, 3, 4: CNN, mel, one for each axis"
    assert alone[:2] == ["2: valence CNN, mel", "model.dropout 0.5"]
    assert alone[3:] == [f"{scores[3]:.3f}", "", "", ""]


def test_genre_runs_on_the_labs_data(tmp_path):
    run = read_run(make_run(tmp_path / "run", names=GENRES, data_root=f"{LAB}/genres"))
    page = Document("Questions", question_blocks(make_groups([run], assign([run], LAB)), [])).to_html(embed=True)
    assert any(text.startswith("Ours, on the lab's data set. ") for text in Outline(page).texts["p"])
    (_, published, (_, rows)) = Tables(page).below("Step 7: genre by a 2D CNN")
    assert published[1][0] == ["Blues", "0.31", "40"]
    assert rows == [["1: CNN, mel", "1", f"{run.metrics['test_accuracy']:.3f}", f"{run.metrics['test_f1_macro']:.3f}"]]


def test_unfinished_and_untested_runs_answer_nothing(tmp_path):
    _, page = page_of(tmp_path, {"record": {"status": "running"}}, {"tested": False, "data_limit": 9})
    assert not [header for _, header, _ in Tables(page).all if header[0] == "our model"]


def test_solutions_for_kaggle_are_named(tmp_path):
    _, page = page_of(tmp_path, solutions=["a/version_1", "b"])
    assert "Ours: solution.txt of a/version_1, b; the score is known to Kaggle alone." in Outline(page).texts["p"]


def test_the_questions_are_open_where_a_run_is_on_the_labs_data(tmp_path):
    for number, (root, opened) in enumerate(((f"{LAB}/emotions", True), ("/data/emotions", False))):
        _, page = page_of(tmp_path / str(number), {"kind": "emotion", "data_root": root})
        (details,) = Outline(page).all("details")
        assert ("open" in details) == opened


def test_models_of_other_genres_and_axes_are_no_answers(tmp_path):
    foreign = [{"names": ["Rock", "Experimental"]}, {"kind": "emotion", "names": ["valence", "tension"]}]
    _, page = page_of(tmp_path / "foreign", *foreign)
    assert not Tables(page).all
    _, page = page_of(tmp_path / "mixed", *foreign, {"names": GENRES})
    assert [len(rows) for _, header, rows in Tables(page).all if header[0] == "our model"] == [1]
