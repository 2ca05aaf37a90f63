"""TagDataModule without a trainer: its tags, its parts, its targets, and its refusals."""

import logging

import numpy as np
import pytest
import torch
from conftest import give_test, give_validation, make_tag_folder

from musiclab.data.datamodules import TagDataModule
from musiclab.errors import UserError

TAGS = ["rock", "female vocalists", "80s"]


@pytest.fixture
def root(tmp_path):
    """A data set to be spoilt."""
    return make_tag_folder(tmp_path / "tags", train=20, test=4)


def prepared(root, *stages, **options):
    module = TagDataModule(root=root, **options)
    for stage in stages or ("fit",):
        module.setup(stage)
    return module


def refusal(root, **options):
    with pytest.raises(UserError) as raised:
        prepared(root, **options)
    assert "\n" not in str(raised.value)
    return str(raised.value)


def lines_of(root):
    return (root / "train_labels.txt").read_text().splitlines()


def change(root, line, text):
    lines = lines_of(root)
    lines[line] = text
    (root / "train_labels.txt").write_text("\n".join(lines) + "\n")


def parts(module):
    return {name: set(dataset.ids) for name, dataset in module.loading.datasets.items()}


@pytest.mark.parametrize(
    ("tags", "names"), [(None, TAGS), ("80s", ["80s"]), ("80s,rock", ["80s", "rock"]), (TAGS[:2], TAGS[:2])]
)
def test_targets_are_those_of_the_label_file_in_the_order_of_the_tags(tag_root, tags, names):
    module = prepared(tag_root, tags=tags, batch_size=7)
    assert module.target_names == module.hparams["tags"] == names
    header, *lines = [line.split(",") for line in lines_of(tag_root)]
    known = {row[0]: [float(row[header.index(name)]) for name in names] for row in lines}
    for loader in (module.train_dataloader(), module.val_dataloader(), module.test_dataloader()):
        for batch in loader:
            assert batch.targets.dtype == torch.float32
            np.testing.assert_array_equal(batch.targets, [known[identifier] for identifier in batch.ids])


@pytest.mark.parametrize(
    ("options", "sizes"),
    [
        ({}, [28, 4, 8]),
        ({"test_fraction": 0.0, "val_fraction": 0.25}, [30, 10]),
        ({"folds": 5, "fold": 4, "val_fraction": 0.5}, [16, 16, 8]),
    ],
)
def test_parts_are_drawn_as_those_of_emotions(tag_root, options, sizes):
    found = parts(prepared(tag_root, **options))
    assert [len(ids) for ids in found.values()] == sizes
    assert len(set.union(*found.values())) == 40


def test_an_artist_stands_in_one_part(root):
    ids = [line.split(",")[0] for line in lines_of(root)[1:]]
    artists = {identifier: f"artist {number // 4}" for number, identifier in enumerate(ids)}
    rows = [f"{identifier}\t{artist}" for identifier, artist in artists.items()]
    (root / "artists.txt").write_text("\n".join(["Id\tArtist", *rows]))
    found = [{artists[one] for one in ids} for ids in parts(prepared(root)).values()]
    assert sum(map(len, found)) == len(set.union(*found)) == 5


def test_parts_that_are_given(root, caplog):
    give_test(root, 4)
    give_validation(root, 5)
    with caplog.at_level(logging.INFO):
        module = prepared(root)
    assert [len(ids) for ids in parts(module).values()] == [11, 5, 4]
    assert f"Test: the tracks of {root / 'test_labels.txt'}, instead of test_fraction" in caplog.text
    assert module.predict_part().targets.isnan().all(dim=1).sum() == 4


def test_a_tag_that_no_training_track_has_is_said_once(root, caplog):
    lines = lines_of(root)
    rows = [f"{line},0,1" for line in lines[1:]]
    (root / "train_labels.txt").write_text("\n".join([f"{lines[0]},sitar,music", *rows]))
    module = TagDataModule(root=root)
    with caplog.at_level(logging.INFO):
        for stage in ("fit", "validate", "test", "fit"):
            module.setup(stage)
    said = "2 of 5 tags (sitar, music) have all 14 training tracks or none, so that they cannot be learnt"
    assert caplog.text.count(said) == 1


@pytest.mark.parametrize("value", ["2", "0.5", "", "yes", "-1"])
def test_what_is_no_tag_is_named(root, value):
    identifier = lines_of(root)[3].split(",")[0]
    change(root, 3, f"{identifier},1,{value},0")
    error = refusal(root)
    assert f"train_labels.txt: track {identifier}: female vocalists is {value!r}, neither 0 nor 1; write 1" in error
    assert "(and" not in error
    prepared(root, tags="rock")  # others are as they were


def test_values_as_others_write_them(root):
    change(root, 0, "id,rock,female vocalists,80s")
    identifier = lines_of(root)[1].split(",")[0]
    change(root, 1, f'"{identifier}.mp3",1.0,"0",1')
    module = TagDataModule(root=root)
    assert module.parts.labelled("train").targets[0].tolist() == [1, 0, 1]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"tags": "rock,rock"}, "tags are rock, rock; name each tag once, as in --data.tags rock,piano"),
        ({"tags": []}, "tags are none; name each tag once"),
        ({"tags": "jazz"}, "no column jazz; it has rock, female vocalists, 80s"),
        ({"test_fraction": 1.5}, "test_fraction is 1.5"),
    ],
)
def test_wrong_options(tag_root, options, said):
    assert said in refusal(tag_root, **options)


def test_a_genre_folder_has_no_tags(genre_root):
    assert "genres are for a genre model" in refusal(genre_root)


@pytest.mark.parametrize("names", [("low", "rock"), ("rock", "rock_high")])
def test_names_of_intervals_are_no_tags(tmp_path, names):
    root = make_tag_folder(tmp_path / "tags", train=5, test=1, tags=names)
    taken = next(name for name in names if name.endswith(("low", "high")))
    assert f"a tag is called {taken}, as the results of a test call the end of an interval" in refusal(root)


def test_without_a_root():
    with pytest.raises(UserError, match=r"the demo corpus has nothing for TagDataModule; .*data\.root"):
        TagDataModule()
