"""Validation parts and subsets: stratified, complete, the same for the same seed."""

import re
from collections import Counter
from contextlib import suppress

import numpy as np
import pytest

from musiclab.data.splitting import choose_subset, split_tracks
from musiclab.errors import UserError

CLASSES = ["Rock"] * 60 + ["Jazz"] * 30 + ["Blues"] * 10
STRATIFIED = pytest.mark.parametrize("classes", [CLASSES, None], ids=["classes", "no classes"])


def split(classes=CLASSES, tracks=100, fraction=0.1, folds=None, fold=0, seed=0):
    return split_tracks(tracks, classes, fraction=fraction, folds=folds, fold=fold, seed=seed)


def count(indices):
    return Counter(CLASSES[index] for index in indices)


@STRATIFIED
@pytest.mark.parametrize(("fraction", "held_out"), [(0.1, 10), (0.25, 25), (0.5, 50)])
def test_parts_are_disjoint_complete_and_ascending(classes, fraction, held_out):
    train, validation = split(classes, fraction=fraction)
    assert len(validation) == held_out
    assert sorted([*train, *validation]) == list(range(100))
    assert train.tolist() == sorted(train)
    assert validation.tolist() == sorted(validation)


def test_classes_are_held_out_in_proportion():
    assert count(split().held_out) == {"Rock": 6, "Jazz": 3, "Blues": 1}


@STRATIFIED
@pytest.mark.parametrize("folds", [None, 5])
def test_seed_makes_the_split(classes, folds):
    first, again, other = (split(classes, folds=folds, seed=seed).held_out.tolist() for seed in (1, 1, 2))
    assert first == again != other


@STRATIFIED
@pytest.mark.parametrize("folds", [2, 3, 10])
def test_folds_do_not_overlap_and_cover_all_tracks(classes, folds):
    parts = [split(classes, folds=folds, fold=fold) for fold in range(folds)]
    assert sorted(np.concatenate([part.held_out for part in parts])) == list(range(100))
    assert all(sorted([*train, *validation]) == list(range(100)) for train, validation in parts)


def test_folds_are_stratified():
    parts = [split(folds=10, fold=fold) for fold in range(10)]
    assert all(count(part.held_out) == {"Rock": 6, "Jazz": 3, "Blues": 1} for part in parts)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"fraction": 0.0}, "val_fraction is 0.0; it must lie between 0 and 1"),
        ({"fraction": 1.0}, "val_fraction is 1.0"),
        ({"fraction": -0.1}, "val_fraction is -0.1"),
        ({"fraction": 20}, "val_fraction is 20"),
        ({"folds": 1}, "fold 0 of 1 folds"),
        ({"folds": 5, "fold": 5}, "fold 5 of 5 folds"),
        ({"folds": 5, "fold": -1}, "fold -1 of 5 folds"),
        (
            {"folds": 101, "classes": None},
            r"100 labelled tracks cannot be split \(folds 101\): .* for 100 folds at most",
        ),
        ({"folds": 61}, r"\(folds 61\): there are tracks for 60 folds at most; give --data.folds 5"),
        (
            {"fraction": 0.01},
            r"\(val_fraction 0.01\): 1 would be held out and 99 stay, .* --data.val_fraction 0.03 works",
        ),
        ({"classes": [*CLASSES[1:], "Opera"]}, "cannot be split .*: Opera has a single track"),
        ({"tracks": 1, "classes": None}, "1 labelled tracks cannot be split .*; label more tracks, 2 at least"),
        ({"tracks": 0, "classes": []}, "0 labelled tracks cannot be split"),
        ({"tracks": 5, "classes": list("aabbb"), "fraction": 0.9}, "--data.val_fraction 0.6 works"),
        ({"tracks": 3, "classes": list("aab")}, "b has a single track"),
        ({"tracks": 3, "classes": list("aaa"), "folds": 5}, "give --data.folds 3"),
    ],
)
def test_impossible_splits_are_user_errors_of_one_line(options, text):
    with pytest.raises(UserError, match=text) as raised:
        split(**options)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("tracks", [4, 7, 20, 31])
@pytest.mark.parametrize("classes", [None, 2, 3])
@pytest.mark.parametrize("fraction", [0.001, 0.1, 0.999])
def test_the_share_that_is_named_works(tracks, classes, fraction):
    genres = None if classes is None else [str(number % classes) for number in range(tracks)]
    with suppress(UserError):
        split(tracks=tracks, classes=genres, fraction=fraction)
        return
    with pytest.raises(UserError) as raised:
        split(tracks=tracks, classes=genres, fraction=fraction)
    named = re.search(r"--data.val_fraction (\S+) works", str(raised.value))
    if named:
        split(tracks=tracks, classes=genres, fraction=float(named[1]))
    else:
        assert re.search("single track|label more tracks", str(raised.value))


@STRATIFIED
@pytest.mark.parametrize("limit", [None, 100, 1000])
def test_limit_that_is_none_keeps_all_tracks(classes, limit):
    assert choose_subset(100, classes, limit, 0).tolist() == list(range(100))


@pytest.mark.parametrize(
    ("limit", "counts"),
    [
        (3, {"Rock": 1, "Jazz": 1, "Blues": 1}),
        (30, {"Rock": 10, "Jazz": 10, "Blues": 10}),
        (50, {"Rock": 20, "Jazz": 20, "Blues": 10}),
        (90, {"Rock": 50, "Jazz": 30, "Blues": 10}),
    ],
)
def test_subset_takes_as_many_of_each_class_as_there_are(limit, counts):
    assert count(choose_subset(100, CLASSES, limit, 0)) == counts


@STRATIFIED
def test_subset_is_that_of_the_seed_and_ascending(classes):
    first, again, other = (choose_subset(100, classes, 20, seed).tolist() for seed in (1, 1, 2))
    assert first == again != other
    assert len(set(first)) == 20
    assert first == sorted(first)


def test_smaller_subset_is_part_of_the_larger():
    assert set(choose_subset(100, CLASSES, 7, 0)) < set(choose_subset(100, CLASSES, 20, 0))


@pytest.mark.parametrize("limit", [0, -5])
def test_limit_that_leaves_nothing_is_a_user_error(limit):
    with pytest.raises(UserError, match=f"limit is {limit}; it must be 1 or more"):
        choose_subset(100, CLASSES, limit, 0)
