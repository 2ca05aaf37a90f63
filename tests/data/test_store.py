"""The packed store: what the files hold, read by any number of processes."""

import multiprocessing
import os
import pickle

import numpy as np
import pytest

from data.conftest import FRAMES
from musiclab.data import store as store_module
from musiclab.data.packing import open_store
from musiclab.errors import UserError


def arrays(source):
    return {path.name.split(".")[0]: np.load(path) for path in sorted(source.iterdir())}


def keep(store):
    global kept
    kept = store


def sum_of_track(position):
    return float(kept[position].sum(dtype=float))


@pytest.mark.parametrize(("dtype", "relative", "absolute"), [("float16", 2**-11, 1e-7), ("float32", 2**-24, 1e-12)])
def test_tracks_are_the_transposed_arrays_to_the_precision_of_the_store(source, own_cache, dtype, relative, absolute):
    store = open_store(source, dtype, own_cache)
    assert store.ids == list(arrays(source))
    for position, array in enumerate(arrays(source).values()):
        assert store[position].dtype == dtype
        np.testing.assert_allclose(store[position].astype(float), array.T, rtol=relative, atol=absolute)


def test_tracks_are_contiguous_arrays_of_their_own(source, own_cache):
    store = open_store(source, cache=own_cache)
    assert all(store[position].flags.c_contiguous for position in range(len(store)))
    before = store[0].copy()
    store[0][:] = 1
    np.testing.assert_array_equal(store[0], before)


def test_truncated_file_is_named(source, own_cache):
    store = open_store(source, cache=own_cache)
    path = store.folder / "frames.bin"
    os.truncate(path, path.stat().st_size - 1)
    for position in range(3):
        assert np.isfinite(store[position]).all()
    with pytest.raises(UserError, match=r"frames\.bin: truncated; remove .*packs it anew"):
        store[3]


def test_a_file_that_is_read_in_pieces(source, own_cache, monkeypatch):
    """As from some network file systems."""
    store = open_store(source, cache=own_cache)
    expected = store[1]
    read = os.preadv
    monkeypatch.setattr(os, "preadv", lambda file, buffers, offset: read(file, [buffers[0][:100]], offset))
    np.testing.assert_array_equal(store[1], expected)


def test_file_is_closed_with_the_store(source, own_cache):
    store = open_store(source, cache=own_cache)
    descriptor = store._frames.fileno()
    os.fstat(descriptor)
    del store
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)


@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_other_processes_read_at_the_same_time(source, own_cache, start):
    store = open_store(source, cache=own_cache)
    expected = [float(store[position].sum(dtype=float)) for position in range(4)]
    # What an initializer gets is inherited by processes that are forked, and pickled for those that are spawned.
    with multiprocessing.get_context(start).Pool(2, initializer=keep, initargs=(store,)) as pool:
        assert pool.map(sum_of_track, list(range(4)) * 500, chunksize=1000) == expected * 500


def test_index_tells_lengths_rows_and_positions(source, own_cache):
    store = open_store(source, cache=own_cache)
    assert len(store) == 4
    assert store.rows == 140
    assert dict(zip(store.ids, store.lengths.tolist(), strict=True)) == FRAMES
    assert [store.ids[position] for position in store.positions(["7", "100"])] == ["7", "100"]
    assert "41" in store
    assert "42" not in store
    with pytest.raises(KeyError):
        store.positions(["42"])


@pytest.mark.parametrize("columns", [slice(0, 128), slice(128, 140), slice(0, 140)])
@pytest.mark.parametrize("ids", [["7"], ["41", "7"], ["7", "30", "100", "41"]])
def test_mean_and_std_are_numpys_over_all_frames(source, own_cache, columns, ids):
    store = open_store(source, "float32", own_cache)
    frames = np.concatenate([arrays(source)[i].T for i in ids])[:, columns]
    mean, std = store.mean_and_std(store.positions(ids), columns)
    np.testing.assert_allclose(mean, frames.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(std, frames.std(axis=0), rtol=1e-5)


def test_mean_and_std_of_many_tracks_are_added_up_in_chunks(source, own_cache, monkeypatch):
    store = open_store(source, cache=own_cache)
    expected = store.mean_and_std(np.arange(4), slice(0, 140))
    monkeypatch.setattr(store_module, "CHUNK", 3)
    np.testing.assert_allclose(store.mean_and_std(np.arange(4), slice(0, 140)), expected, rtol=1e-12)


def test_std_of_a_constant_feature_is_zero(source, own_cache):
    for path in source.iterdir():
        array = np.load(path)
        array[0] = -80.1
        np.save(path, array)
    store = open_store(source, cache=own_cache)
    assert store.mean_and_std(np.arange(4), slice(0, 1))[1] == pytest.approx(0, abs=1e-4)


def test_pickled_store_is_small_and_opens_the_file_again(source, own_cache):
    np.save(source / "7.fused.full.npy", np.full((140, 5000), -3.0))
    store = open_store(source, cache=own_cache)
    data = pickle.dumps(store)
    assert len(data) < 5000 < (store.folder / "frames.bin").stat().st_size
    again = pickle.loads(data)
    assert again.ids == store.ids
    for position in range(len(store)):
        np.testing.assert_array_equal(again[position], store[position])
