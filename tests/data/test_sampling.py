"""Batches of an epoch: each track once, drawn from seed and epoch alone, shared fairly among processes."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from musiclab.data.sampling import CHUNK_BATCHES, TrainingBatches, evaluation_order

LENGTHS = np.random.default_rng(0).integers(25, 130, 1000)


def draw(lengths=LENGTHS, batch_size=8, epoch=0, **options):
    batches = TrainingBatches(lengths, batch_size, epoch=lambda: epoch, **options)
    drawn = list(batches)
    assert len(drawn) == len(batches)
    return drawn


def flat(batches):
    return [track for batch in batches for track in batch]


def padding(batches):
    """Padded frames of all batches for each frame of a track."""
    return sum(LENGTHS[batch].max() * len(batch) for batch in batches) / LENGTHS.sum() - 1


@pytest.mark.parametrize("by_length", [False, True])
@pytest.mark.parametrize("tracks", [1, 7, 8, 9, 1000])
def test_each_epoch_is_a_permutation(tracks, by_length):
    for epoch in range(3):
        batches = draw(LENGTHS[:tracks], epoch=epoch, by_length=by_length)
        assert sorted(flat(batches)) == list(range(tracks))
        assert sorted(map(len, batches))[1:] == [8] * (len(batches) - 1)


@pytest.mark.parametrize("by_length", [False, True])
def test_seed_and_epoch_alone_make_the_order(by_length):
    orders = [draw(seed=seed, epoch=epoch, by_length=by_length) for seed in (0, 1) for epoch in (0, 1)]
    assert orders == [draw(seed=seed, epoch=epoch, by_length=by_length) for seed in (0, 1) for epoch in (0, 1)]
    assert all(orders[i] != orders[j] for i in range(4) for j in range(i))


def test_epoch_is_asked_for_when_the_order_is_drawn():
    epoch = 0
    batches = TrainingBatches(LENGTHS, 8, epoch=lambda: epoch)
    first = list(batches)
    epoch = 5
    assert list(batches) == draw(epoch=5) != first


def test_without_shuffling_every_epoch_has_the_order_of_the_first():
    assert draw(epoch=3, shuffle=False) == draw(epoch=0, shuffle=False) == draw(epoch=0) != draw(epoch=3)


def test_similar_lengths_need_less_padding():
    mixed, similar = draw(), draw(by_length=True)
    assert padding(mixed) > 0.4
    assert padding(similar) < 0.1


def test_batches_of_similar_lengths_are_in_no_order_of_length():
    longest = [LENGTHS[batch].max() for batch in draw(by_length=True)]
    assert abs(np.corrcoef(longest, np.arange(len(longest)))[0, 1]) < 0.3


def test_batches_of_similar_lengths_are_mixed_anew_each_epoch():
    def pairs(epoch):
        return {pair for batch in draw(epoch=epoch, by_length=True) for pair in pairwise(batch)}

    assert len(pairs(0) & pairs(1)) < 0.2 * len(pairs(0))


def test_lengths_are_sorted_within_chunks_of_batches():
    tracks = 2 * CHUNK_BATCHES  # a single chunk
    batches = draw(lengths=LENGTHS[:tracks], batch_size=2, by_length=True)
    in_order = sorted(batches, key=lambda batch: LENGTHS[batch].tolist())
    assert LENGTHS[flat(in_order)].tolist() == sorted(LENGTHS[:tracks].tolist())


@pytest.mark.parametrize("by_length", [False, True])
@pytest.mark.parametrize("world_size", [2, 3, 4])
def test_processes_together_make_the_batches_that_one_would(by_length, world_size):
    options = {"by_length": by_length, "epoch": 3}
    shares = [draw(rank=rank, world_size=world_size, **options) for rank in range(world_size)]
    joint = [sorted(flat(batches)) for batches in zip(*shares, strict=True)]
    tracks = 1000 // world_size * world_size
    assert sorted(flat(joint)) == sorted(set(flat(joint)))
    assert len(flat(joint)) == tracks
    if tracks == 1000:
        assert joint == [sorted(batch) for batch in draw(batch_size=8 * world_size, **options)]


def test_tracks_left_out_change_with_the_epoch():
    left_out = {
        frozenset(range(10)) - {t for rank in range(4) for t in flat(draw(LENGTHS[:10], 2, e, rank=rank, world_size=4))}
        for e in range(5)
    }
    assert {len(tracks) for tracks in left_out} == {2}
    assert len(left_out) > 1


@settings(max_examples=200, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 50), max_size=300),
    batch_size=st.integers(1, 40),
    world_size=st.integers(1, 5),
    shuffle=st.booleans(),
    by_length=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
    epoch=st.integers(0, 1000),
)
def test_processes_have_as_many_batches_and_tracks_each_and_no_track_twice(lengths, batch_size, world_size, **options):
    shares = [
        draw(np.array(lengths, int), batch_size, rank=r, world_size=world_size, **options) for r in range(world_size)
    ]
    sizes = [[len(batch) for batch in share] for share in shares]
    assert all(size == sizes[0] for size in sizes)
    assert all(1 <= size <= batch_size for size in sizes[0])
    tracks = [track for share in shares for track in flat(share)]
    assert len(tracks) == len(set(tracks)) == len(lengths) // world_size * world_size
    assert set(tracks) <= set(range(len(lengths)))


@given(
    lengths=st.lists(st.integers(1, 9), min_size=4, max_size=50),
    batch_size=st.integers(1, 9),
    world_size=st.integers(1, 4),
    by_length=st.booleans(),
)
def test_evaluation_covers_each_track_once(lengths, batch_size, world_size, by_length):
    shares = [
        evaluation_order(np.array(lengths), batch_size, by_length=by_length, rank=rank, world_size=world_size)
        for rank in range(world_size)
    ]
    assert sorted(flat(shares)) == list(range(len(lengths)))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_evaluation_is_in_the_order_of_the_tracks():
    lengths = np.array([3, 5, 3, 7, 5])
    assert evaluation_order(lengths, 2) == [0, 1, 2, 3, 4]
    assert evaluation_order(lengths, 2, rank=1, world_size=2) == [1, 3]


@pytest.mark.parametrize("world_size", [1, 3])
def test_evaluation_by_length_needs_less_padding(world_size):
    def batches(by_length):
        orders = [
            evaluation_order(LENGTHS, 8, by_length=by_length, rank=rank, world_size=world_size)
            for rank in range(world_size)
        ]
        return [order[start : start + 8] for order in orders for start in range(0, len(order), 8)]

    assert padding(batches(False)) > 0.4
    assert padding(batches(True)) < 0.05


def test_the_first_batches_of_an_evaluation_by_length_are_of_all_lengths():
    order = evaluation_order(LENGTHS, 8, by_length=True)
    first = LENGTHS[order[: len(order) // 4]]
    assert abs(np.mean(first) - LENGTHS.mean()) < 0.15 * LENGTHS.mean()
