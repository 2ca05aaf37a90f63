"""Which published figures stand beside which data, and whether they are said to compare."""

from pathlib import Path

import pytest

from musiclab.commands.report.beside import COMPARES, comparison, published_blocks, published_table, stands_beside
from musiclab.commands.report.datasets import DataSet
from musiclab.commands.report.published import Published, PublishedSet

OURS = DataSet("classes", "small/genres, 8 genres", "/data/small/genres", tuple("abcdefgh"), 100, None, False)


def published(**changes):
    facts = {
        "path": Path("mine.yaml"),
        "title": "Small",
        "folder": "small/genres",
        "genres": 8,
        "test_tracks": 40,
        "data": "by its own split",
        "recipes": "",
        "figures": [Published("CNN", "Doe", {"accuracy": "0.50"}, "much music", "a note")],
        "sources": {"Doe": "Doe 2024, https://example.org", "Roe": "not in this set"},
        "answered_by": {},
        "f1": {},
    }
    return PublishedSet(**(facts | changes))


@pytest.mark.parametrize(
    ("folder", "beside"),
    [
        ("small/genres", True),
        ("genres", True),
        ("small/genres/", True),
        ("/data/small/genres", True),
        ("all/genres", False),
        ("mall/genres", False),
        ("small", False),
    ],
)
def test_the_folder_has_to_end_in_whole_names(folder, beside):
    assert stands_beside(OURS, published(folder=folder)) == beside


def test_figures_of_emotions_never_stand_beside_genres():
    emotions = published(genres=None, figures=[Published("CNN", "Doe", {"spearman": "0.5"})])
    assert not stands_beside(OURS, emotions)


def test_the_labs_figures_stand_beside_the_labs_data_alone():
    assert not stands_beside(OURS, published(folder=None))
    lab = DataSet("classes", "genres", "/lab/genres", OURS.targets, 100, None, True)
    assert stands_beside(lab, published(folder=None))


@pytest.mark.parametrize(
    ("data", "changes", "tracks", "said"),
    [
        ({}, {}, {40}, COMPARES),
        ({}, {"test_tracks": 41}, {40}, "published, on 41 test tracks, ours 40: does not compare"),
        ({}, {}, {40, None}, "published, on 40 test tracks, ours unknown or 40: does not compare"),
        ({}, {"genres": 10}, {40}, "published, on 10 genres, ours 8: does not compare"),
        ({"limit": 90}, {}, {40}, "published, ours trained on 90 tracks: does not compare"),
        ({}, {"test_tracks": None}, {40}, "published, on other test tracks of this data"),
    ],
)
def test_figures_compare_where_genres_and_test_tracks_are_as_many(data, changes, tracks, said):
    ours = DataSet(**{**OURS.__dict__, **data})
    assert comparison(ours, published(**changes), tracks) == said


def test_the_table_has_the_digits_and_the_sources_that_it_names():
    table, sources = published_blocks(OURS, [published(), published(folder="elsewhere")], {40})
    assert table.header == ["published model", "source", "accuracy", "pretrained on", "note"]
    assert table.rows == [["CNN", "Doe", "0.50", "much music", "a note"]]
    assert table.caption == f"Small: {COMPARES}. by its own split."
    assert sources.text == "Doe: Doe 2024, https://example.org"


def test_the_mean_stands_after_the_axes():
    figures = [Published("A", "Doe", {"spearman": "0.4"}), Published("B", "Doe", {"spearman_calm": "0.3"})]
    table = published_table(figures)
    assert table.header == ["published model", "source", "calm", "mean"]
    assert table.rows == [["A", "Doe", "", "0.4"], ["B", "Doe", "0.3", ""]]
