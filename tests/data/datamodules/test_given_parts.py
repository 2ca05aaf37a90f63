"""Datamodules of data sets that say which tracks to validate and to test on."""

import csv
import logging
import shutil

import pytest
import torch
from conftest import GENRES, give_test, give_validation, make_emotion_folder, make_genre_folder

from musiclab.data.datamodules import EmotionDataModule, GenreDataModule
from musiclab.errors import UserError


@pytest.fixture(scope="module")
def genre_root(tmp_path_factory):
    """24 tracks to train, 12 to validate and 9 to test on."""
    return give_validation(make_genre_folder(tmp_path_factory.mktemp("given") / "genres"), 12)


@pytest.fixture(scope="module")
def emotion_root(tmp_path_factory):
    """22 tracks to train, 10 to validate and 8 to test on, and 2 more in test/."""
    root = make_emotion_folder(tmp_path_factory.mktemp("given") / "emotions", test=2)
    return give_validation(give_test(root, 8), 10)


@pytest.fixture
def root(emotion_root, tmp_path):
    """An emotion data set to be spoilt."""
    return shutil.copytree(emotion_root, tmp_path / "emotions")


def ids_of(root, part):
    return {
        line.replace(",", ".").split(".")[0] for line in (root / f"{part}_labels.txt").read_text().split("\n")[1:-1]
    }


def prepared(kind, root, *stages, **options):
    module = kind(root=root, **options)
    for stage in stages or ("fit",):
        module.setup(stage)
    return module


def tracks(loader):
    return [identifier for batch in loader for identifier in batch.ids]


def parts(module, test=True):
    loaders = [module.train_dataloader(), module.val_dataloader(), *([module.test_dataloader()] if test else [])]
    return [set(tracks(loader)) for loader in loaders]


@pytest.mark.parametrize("options", [{}, {"val_fraction": 0.5, "seed": 3}, {"test_fraction": 0.7}])
def test_given_parts_are_used_as_they_are(genre_root, emotion_root, options, caplog):
    for kind, root in ((EmotionDataModule, emotion_root), (GenreDataModule, genre_root)):
        if kind is GenreDataModule:
            options = {name: value for name, value in options.items() if name != "test_fraction"}
        with caplog.at_level(logging.INFO):
            found = parts(prepared(kind, root, "fit", "test", **options))
        assert found == [ids_of(root, part) for part in ("train", "validation", "test")]
        count, path = len(found[1]), root / "validation_labels.txt"
        assert f"Validation: the {count} tracks of {path}, instead of val_fraction" in caplog.text
    assert f"Test: the tracks of {emotion_root / 'test_labels.txt'}, instead of test_fraction" in caplog.text


def test_folds_share_out_the_tracks_of_both_files(genre_root, emotion_root):
    for kind, root in ((GenreDataModule, genre_root), (EmotionDataModule, emotion_root)):
        pool = ids_of(root, "train") | ids_of(root, "validation")
        options = {"test_fraction": 0} if kind is EmotionDataModule else {}
        modules = [prepared(kind, root, folds=4, fold=fold, **options) for fold in range(4)]
        held_out = [identifier for module in modules for identifier in tracks(module.val_dataloader())]
        assert sorted(held_out) == sorted(pool)
        assert all(set().union(*parts(module, test=False)) == pool for module in modules)


def test_folds_of_emotions_are_tested_on_the_labelled_tracks_of_train(emotion_root):
    module = prepared(EmotionDataModule, emotion_root, "fit", "test", folds=4, val_fraction=0.25)
    train, validation, test = parts(module)
    assert list(map(len, (train, validation, test))) == [18, 6, 8]
    assert train | validation | test == ids_of(emotion_root, "train") | ids_of(emotion_root, "validation")


def test_without_a_test_fraction_nothing_is_tested(emotion_root):
    module = prepared(EmotionDataModule, emotion_root, test_fraction=0)
    assert not module.has_test
    assert parts(module, test=False) == [ids_of(emotion_root, part) for part in ("train", "validation")]


def test_a_test_is_drawn_from_train_if_only_validation_is_given(root):
    (root / "test_labels.txt").unlink()
    train, validation, test = parts(prepared(EmotionDataModule, root, "fit", "test", test_fraction=0.5))
    assert validation == ids_of(root, "validation")
    assert len(train) == len(test) == 11
    assert train | test == ids_of(root, "train")


@pytest.mark.parametrize(("limit", "sizes"), [(12, [8, 4]), (1000, [24, 12]), (4, [3, 1]), (2, [1, 1])])
def test_limit_keeps_the_proportion_of_given_parts(genre_root, limit, sizes):
    module = prepared(GenreDataModule, genre_root, "fit", "test", limit=limit)
    assert list(map(len, parts(module))) == [*sizes, min(limit, 9)]
    if limit == 12:
        assert torch.bincount(module.train_targets()).tolist() == [3, 3, 2]


def test_limit_that_leaves_nothing_to_validate_on_is_refused(genre_root):
    with pytest.raises(UserError, match="limit is 1; it must be 2 or more"):
        prepared(GenreDataModule, genre_root, limit=1)


@pytest.mark.parametrize("axes", [None, ["danceability", "valence"]])
def test_predictions_carry_what_is_known(emotion_root, axes):
    module = prepared(EmotionDataModule, emotion_root, "predict", "test", axes=axes)
    with (emotion_root / "test_labels.txt").open(newline="") as stream:
        known = {row["Id"]: row for row in csv.DictReader(stream)}
    (batch,) = module.predict_dataloader()
    assert len(batch.ids) == 10
    for identifier, values in zip(batch.ids, batch.targets, strict=True):
        if identifier in known:
            expected = [float(known[identifier][axis]) for axis in module.target_names]
            assert values.tolist() == pytest.approx(expected)
        else:
            assert values.isnan().all()


def test_labels_of_another_kind_say_nothing_of_predictions(genre_root, emotion_root):
    module = prepared(EmotionDataModule, genre_root, "predict", axes=["valence"])
    assert next(iter(module.predict_dataloader())).targets.isnan().all()
    module = prepared(GenreDataModule, emotion_root, "predict", target_names=GENRES)
    assert set(next(iter(module.predict_dataloader())).targets.tolist()) == {-1}
    module = prepared(EmotionDataModule, emotion_root, "predict", axes=["arousal"])
    assert next(iter(module.predict_dataloader())).targets.isnan().all()


@pytest.mark.parametrize("folds", [None, 3])
def test_a_track_in_two_files_is_refused(root, folds):
    with (root / "validation_labels.txt").open("a") as labels:
        labels.write("100,0.5,0.5,0.5\n101,0.5,0.5,0.5\n")
    with pytest.raises(UserError, match=r"validation_labels\.txt: track 100 stands in train_labels\.txt too .*1 more"):
        prepared(EmotionDataModule, root, folds=folds)


@pytest.mark.parametrize("part", ["validation", "test"])
def test_what_is_wrong_with_given_labels_is_said_of_their_file(root, part):
    path = root / f"{part}_labels.txt"
    header, *rows = path.read_text().splitlines()
    for values, said in (
        ("0.5,0.5,7", "danceability is 7.0, outside the range"),
        ("0.5,0.5,x", "is 'x', not a finite"),
    ):
        path.write_text("\n".join([header, *rows[:-1], rows[-1].split(",")[0] + f",{values}"]))
        with pytest.raises(UserError, match=rf"{part}_labels\.txt: track \d+: .*{said}"):
            prepared(EmotionDataModule, root)
    path.write_text("\n".join([header, *(row.split(",")[0] + ",0.5,0.5,0.5" for row in rows)]))
    with pytest.raises(UserError, match=rf"{part}_labels\.txt: valence is 0\.5 for all \d+ tracks of the {part} part"):
        prepared(EmotionDataModule, root)


def test_a_genre_that_training_lacks_is_said_of_the_file(genre_root, tmp_path):
    root = shutil.copytree(genre_root, tmp_path / "genres")
    labels = (root / "validation_labels.txt").read_text()
    (root / "validation_labels.txt").write_text(labels.replace("Rock", "Opera"))
    with pytest.raises(UserError, match=r"validation_labels\.txt: genre Opera is none of the model's"):
        prepared(GenreDataModule, root)
