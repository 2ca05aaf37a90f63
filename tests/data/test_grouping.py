"""Parts in which each artist stands on one side."""

from collections import Counter

import numpy as np
import pytest
from conftest import SHARED
from hypothesis import given, settings
from hypothesis import strategies as st

from musiclab.data.artists import Artists, read_artists
from musiclab.data.grouping import distances, folds_of, split_groups
from musiclab.data.labels import read_genre_labels
from musiclab.errors import UserError

FMA = SHARED / "fma_small_mel" / "fma_genre_spectrograms"


def numbered(values):
    """Numbers from 0 without gaps, in the order in which values come first."""
    known = {}
    return np.array([known.setdefault(value, len(known)) for value in values])


def sides(split, groups):
    return set(groups[split.train]) & set(groups[split.held_out])


@st.composite
def tracks(draw):
    """Artists and genres of 8 to 60 tracks: two artists or more, and genres by a single one among them."""
    count = draw(st.integers(8, 60))
    groups = draw(st.lists(st.integers(0, 12), min_size=count, max_size=count).filter(lambda found: len({*found}) > 1))
    genres = draw(st.lists(st.sampled_from("aaabbc"), min_size=count, max_size=count))
    return numbered(groups), genres


@settings(deadline=None, max_examples=20)
@given(tracks(), st.booleans(), st.sampled_from([0.01, 0.1, 0.25, 0.3, 0.5, 0.9]), st.integers(0, 3))
def test_a_share_of_any_artists_has_each_on_one_side(drawn, with_genres, fraction, seed):
    groups, genres = drawn
    split = split_groups(groups, genres if with_genres else None, fraction=fraction, seed=seed)
    assert sorted([*split.train, *split.held_out]) == list(range(len(groups)))
    assert len(split.train)
    assert len(split.held_out)
    assert not sides(split, groups)
    assert split.held_out.tolist() == sorted(split.held_out)


@settings(deadline=None, max_examples=20)
@given(tracks(), st.booleans(), st.integers(2, 5), st.integers(0, 3))
def test_folds_of_any_artists_partition_the_tracks(drawn, with_genres, folds, seed):
    groups, genres = drawn
    classes = genres if with_genres else None
    if folds > min(len({*groups}), max(Counter(classes or groups * 0).values())):
        with pytest.raises(UserError, match=rf"folds {folds}\): there are artists and tracks for \d+ folds at most"):
            split_groups(groups, classes, fraction=0, folds=folds, seed=seed)
        return
    splits = [split_groups(groups, classes, fraction=0, folds=folds, fold=fold, seed=seed) for fold in range(folds)]
    assert sorted(np.concatenate([split.held_out for split in splits])) == list(range(len(groups)))
    assert not any(sides(split, groups) for split in splits)


def test_seed_makes_the_split_and_names_of_artists_do_not():
    names = [f"artist {number % 40}" for number in range(120)]
    genres = [["Rock", "Jazz"][number % 40 // 20] for number in range(120)]
    first, again, other = (
        split_groups(numbered(names), genres, fraction=0.2, seed=seed).held_out.tolist() for seed in (1, 1, 2)
    )
    assert first == again != other


@pytest.mark.parametrize(
    ("fraction", "most", "found"),
    [
        (0.1, 100, (1, 10)),
        (0.2, 100, (1, 5)),
        (0.3, 100, (3, 10)),
        (0.333, 100, (1, 3)),
        (0.9, 100, (9, 10)),
        (0.02, 100, (1, 50)),
        (0.98, 100, (49, 50)),
        (0.0001, 40, (1, 40)),
        (0.1, 4, (1, 4)),
        (0.9, 4, (3, 4)),
        (0.6, 2, (1, 2)),
    ],
)
def test_a_share_is_so_many_folds_of_so_many(fraction, most, found):
    assert folds_of(fraction, most) == found


def test_distance_by_hand():
    # Four artists: of Rock 4, 2, 2 and 2 tracks, of Jazz 0, 3, 1 and 0; of Opera the last has all 5.
    counts = np.array([[4, 0, 0], [2, 3, 0], [2, 1, 0], [2, 0, 5]], float)
    parts = np.array([[False, False, True, False], [True, False, False, True]])
    # Wished at 0.25: Rock 2.5 tracks by 1 artist; Jazz 1 track (not 0.75 * 4 / 4) by 1 artist; Opera nothing.
    first = [(0.5 / 2.5) + 0, 0 + 0, 0 + 0]
    second = [(3.5 / 2.5) + 1, 1 + 1, 5 + 1]
    assert distances(parts, counts, 0.25) == pytest.approx([sum(first) / 6, sum(second) / 6])


def test_a_genre_by_one_artist_stays_to_be_trained_on():
    groups = np.array([*range(20), *[20] * 10])
    genres = ["Rock"] * 20 + ["Opera"] * 10
    for seed in range(5):
        assert 20 not in groups[split_groups(groups, genres, fraction=0.3, seed=seed).held_out]


@pytest.mark.parametrize(
    ("groups", "options", "text"),
    [
        (
            [0, 0, 0],
            {},
            "all 3 labelled tracks are by one artist, so that none can be held out; correct artists",
        ),
        (
            [0, 0, 1],
            {"folds": 3},
            r"3 labelled tracks by 2 artists cannot be split \(folds 3\): .* 2 folds at most",
        ),
        ([0, 1, 2], {"classes": list("abc")}, "no two are of one genre"),
        ([], {}, "all 0 labelled tracks"),
        ([0, 1, 2], {"fraction": 0.0}, "val_fraction is 0.0; it must lie between 0 and 1"),
        ([0, 1, 2], {"folds": 2, "fold": 2}, "fold 2 of 2 folds"),
    ],
)
def test_impossible_splits_are_user_errors_of_one_line(groups, options, text):
    with pytest.raises(UserError, match=text) as raised:
        split_groups(np.array(groups, int), **{"classes": None, "fraction": 0.1, "seed": 0, **options})
    assert "\n" not in str(raised.value)


@pytest.mark.skipif(not FMA.is_dir(), reason="shared/data is not beside the repository")
def test_the_artists_of_fma_small_are_shared_out_in_proportion():
    labels, artists = read_genre_labels(FMA / "train_labels.txt"), Artists(FMA, read_artists(FMA))
    groups, genres = artists.numbers(labels.ids), np.array(labels.genres)
    split = split_groups(groups, labels.genres, fraction=0.1, seed=0)
    assert not sides(split, groups)
    assert len(split.held_out) / len(groups) == pytest.approx(0.1, abs=0.01)
    for genre in set(labels.genres):
        own, held_out = groups[genres == genre], split.held_out[genres[split.held_out] == genre]
        assert len(held_out) / len(own) == pytest.approx(0.1, abs=0.02)
        # One fold of ten holds all of its Instrumental tracks, 206, by one artist.
        assert len(set(groups[held_out])) / len(set(own)) == pytest.approx(0.1, abs=0.02)
