"""Fewer tracks to train on, beside the same to validate and to test on; and training tracks to validate on."""

from collections import Counter

import pytest
from conftest import give_validation, make_genre_folder

from musiclab.data.datamodules import EmotionDataModule, GenreDataModule
from musiclab.errors import UserError

KINDS = pytest.mark.parametrize("kind", [GenreDataModule, EmotionDataModule])


@pytest.fixture
def roots(genre_root, emotion_root):
    return {GenreDataModule: genre_root, EmotionDataModule: emotion_root}


def parts(module):
    train, validation = module.parts.train_and_validation()
    return train.ids, validation.ids, module.parts.test().ids


@KINDS
@pytest.mark.parametrize("more", [{}, {"folds": 3, "fold": 1}, {"limit": 30}])
def test_a_larger_number_adds_tracks_and_the_other_parts_stay(kind, more, roots):
    whole, *others = parts(kind(root=roots[kind], **more))
    before = set()
    for number in (3, 6, 12, 1000):
        train, *same = parts(kind(root=roots[kind], train_limit=number, **more))
        assert same == others
        assert len(train) == min(number, len(whole))
        assert before < set(train) <= set(whole)
        before = set(train)


def test_genres_are_there_alike(genre_root):
    train, _ = GenreDataModule(root=genre_root, train_limit=9).parts.train_and_validation()
    assert set(Counter(train.classes).values()) == {3}


def test_given_parts_stay_too(tmp_path):
    root = give_validation(make_genre_folder(tmp_path / "genres"), 12)
    train, *others = parts(GenreDataModule(root=root, train_limit=4))
    assert len(train) == 4
    assert others == list(parts(GenreDataModule(root=root)))[1:]


@KINDS
def test_no_tracks(kind, roots):
    with pytest.raises(UserError, match="train_limit is 0; it must be at least 1"):
        kind(root=roots[kind], train_limit=0)


def test_validation_may_be_on_the_training_tracks(genre_root):
    module = GenreDataModule(root=genre_root, train_limit=9, validate_on="train")
    module.setup("validate")
    heard = [one for batch in module.val_dataloader() for one in batch.ids]
    assert heard == parts(GenreDataModule(root=genre_root, train_limit=9))[0]


def test_a_checkpoint_of_before_does_not_say_what_it_was_trained_on(genre_root, caplog):
    """It was refused, for the validation part that nobody had asked for."""
    module = GenreDataModule(root=genre_root, validate_on="train")
    module.setup("validate")
    with caplog.at_level("INFO"):
        module.compare_parts(None, "validate")
    assert "the checkpoint was trained on: it does not say which" in caplog.text


def test_but_not_that_of_a_training(genre_root):
    with pytest.raises(UserError, match="validate_on is train, which is for `musiclab validate`"):
        GenreDataModule(root=genre_root, validate_on="train").setup("fit")
    with pytest.raises(UserError, match="validate_on is 'test'; it must be validation, train"):
        GenreDataModule(root=genre_root, validate_on="test")
