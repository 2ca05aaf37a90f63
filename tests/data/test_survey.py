"""Surveys: labels and headers of a whole folder, without its values."""

import gzip
import re

import numpy as np
import pytest
from conftest import GENRES, give_validation, make_emotion_folder, make_genre_folder

from musiclab.data import arrays
from musiclab.data.arrays import read_header
from musiclab.data.survey import survey_dataset
from musiclab.errors import UserError


@pytest.fixture
def root(tmp_path):
    """Tracks 100-111 train, 112-117 test."""
    return make_genre_folder(tmp_path / "genres", train=12, test=6)


def test_a_genre_folder(root, monkeypatch):
    monkeypatch.setattr(arrays, "_read_values", None)  # no values are read
    survey = survey_dataset(root)
    assert survey.axes is None
    assert survey.problems == {}
    assert {name: len(part.arrays) for name, part in survey.parts.items()} == {"train": 12, "test": 6}
    assert survey.parts["test"].labels.genres == GENRES * 2
    for part in survey.parts.values():
        for path, header in part.arrays.values():
            array = np.load(path)
            assert header == (*array.shape, array.dtype.name)
    assert survey.find("115") == ("test", survey.parts["test"].arrays["115"])
    assert survey.find("118") is None


def test_an_emotion_folder(tmp_path):
    root = make_emotion_folder(tmp_path, train=5, test=2, axes=["valence", "energy"])
    survey = survey_dataset(root)
    assert survey.axes == ["valence", "energy"]
    assert survey.problems == {}
    assert survey.parts["test"].labels is None
    assert len(survey.parts["test"].arrays) == 2


def test_packed_arrays(root):
    path = root / "train" / "100.fused.full.npy"
    path.with_name("100.npy.gz").write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()
    assert survey_dataset(root).parts["train"].arrays["100"].path.name == "100.npy.gz"


def test_what_is_wrong_is_said_and_the_rest_surveyed(root):
    train = root / "train"
    cut = train / "100.fused.full.npy"
    cut.write_bytes(cut.read_bytes()[:-1])
    np.save(train / "900.npy", np.zeros((140, 3)))
    for number in range(112, 118):
        (root / "test" / f"{number}.fused.full.npy").unlink()
    survey = survey_dataset(root)
    patterns = [
        r"100\.fused\.full\.npy: truncated",
        *(rf"test: no file for track {number} of test_labels\.txt$" for number in range(112, 118)),
        r"train/900\.npy: not in train_labels\.txt$",
    ]
    problems = survey.all_problems()
    assert len(problems) == len(patterns)
    assert all(re.search(pattern, said) for pattern, said in zip(patterns, problems, strict=True))
    survey.require_use()
    assert survey.parts["train"].arrays.keys() == {*map(str, range(101, 112)), "900"}


def test_a_test_part_may_be_missing(root):
    for path in (root / "test").iterdir():
        path.unlink()
    (root / "test").rmdir()
    (root / "test_labels.txt").unlink()
    survey = survey_dataset(root)
    assert survey.parts.keys() == {"train"}
    survey.require_use()
    assert survey.all_problems() == []


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda root: root.rename(root.with_name("elsewhere")), "genres: no such folder"),
        (lambda root: (root / "train_labels.txt").unlink(), r"train_labels\.txt: no such label file"),
        (lambda root: (root / "train_labels.txt").write_text("Id\tStyle\n1\tRock\n"), "the header is 'Id | Style'"),
        (
            lambda root: (root / "test_labels.txt").write_text("Id\tGenre\n7\tRock\n7\tPop\n"),
            "id 7 stands there 2 times",
        ),
        (
            lambda root: (root / "validation_labels.txt").write_text("Id,energy\n100,0.5\n"),
            r"validation_labels\.txt: not the kind of labels",
        ),
        (lambda root: [path.unlink() for path in root.glob("*/*.npy")], "train: no file for track 100"),
    ],
)
def test_folders_that_are_no_data_sets_are_refused(root, spoil, said):
    spoil(root)
    with pytest.raises(UserError, match=said.replace("|", r"\|")) as raised:
        survey_dataset(root).require_use()
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("make", [make_genre_folder, make_emotion_folder])
def test_tracks_given_to_validate_on_belong_to_train(make, tmp_path):
    root = give_validation(make(tmp_path / "data"), 6)
    survey = survey_dataset(root)
    assert survey.problems == {}
    assert set(survey.parts["train"].labels.ids) == survey.parts["train"].arrays.keys()


def test_values_of_other_parts_have_the_axes_of_train(tmp_path):
    root = make_emotion_folder(tmp_path / "emotions", train=3, test=1, axes=["valence", "energy"])
    (root / "train_labels.txt").write_text("Id,valence,energy\n100,0.1,0.2\n101,0.3,0.4\n")
    (root / "validation_labels.txt").write_text("Id,energy,arousal,valence\n102,0.5,0.6,0.7\n")
    survey = survey_dataset(root)
    assert survey.problems == {}
    assert survey.parts["train"].labels == (
        ["100", "101", "102"],
        ["valence", "energy"],
        [[0.1, 0.2], [0.3, 0.4], [0.7, 0.5]],
    )
    (root / "validation_labels.txt").write_text("Id,energy\n102,0.5\n")
    with pytest.raises(UserError, match=r"validation_labels\.txt: no column valence"):
        survey_dataset(root).require_use()


def test_what_reads_the_arrays_decides_which_can_be_used(root):
    def read(path):
        if path.name.startswith("101"):
            raise UserError(f"{path}: not this one")
        return read_header(path)

    survey = survey_dataset(root, read)
    assert "101" not in survey.arrays["train"]
    assert survey.problems == {"Arrays": [f"{root / 'train' / '101.fused.full.npy'}: not this one"]}
