"""The packed store: what the files hold, built once, rebuilt when they change, and never half of it."""

import gzip
import multiprocessing
import os
import pickle
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import platformdirs
import pytest

from musiclab.data import store as store_module
from musiclab.data.store import PARTIAL_SUFFIX, open_store
from musiclab.errors import UserError
from musiclab.files import cache_folder

FRAMES = {"7": 5, "30": 9, "100": 1, "41": 30}

BUILD_SLOWLY = """
import sys, time
from musiclab.data import store

read, reads = store.read_array, 0

def slow(path):
    global reads
    time.sleep(float(sys.argv[3]))
    reads += 1
    print("read", reads, flush=True)
    return read(path)

store.read_array = slow
print("ready", flush=True)
sys.stdin.readline()
opened = store.open_store(sys.argv[1], cache=sys.argv[2])
print("done", reads, sum(float(opened[i].sum()) for i in range(len(opened))), flush=True)
"""


@pytest.fixture
def own_cache(tmp_path):
    """A cache of each test's own."""
    return tmp_path / "cache"


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "genres" / "train"
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for identifier, frames in FRAMES.items():
        array = np.concatenate([rng.uniform(-80, 0, (128, frames)), rng.uniform(0, 1, (12, frames))])
        np.save(folder / f"{identifier}.fused.full.npy", array)
    return folder


def arrays(source):
    return {path.name.split(".")[0]: np.load(path) for path in sorted(source.iterdir())}


def folders(cache):
    return sorted(path for path in (cache / "stores").iterdir() if path.is_dir())


def mtime(store):
    return (store.folder / "frames.bin").stat().st_mtime_ns


def keep(store):
    global kept
    kept = store


def sum_of_track(position):
    return float(kept[position].sum(dtype=float))


def start_slow_build(source, cache, seconds):
    process = subprocess.Popen(
        [sys.executable, "-c", BUILD_SLOWLY, str(source), str(cache), str(seconds)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "ready\n"
    return process


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
    descriptor = store._descriptor
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


def test_zipped_arrays_make_the_same_store(source, own_cache):
    plain = open_store(source, cache=own_cache)
    frames = (plain.folder / "frames.bin").read_bytes()
    for path in source.iterdir():
        path.with_name(path.name + ".gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    zipped = open_store(source, cache=own_cache)
    assert zipped.ids == plain.ids
    assert (zipped.folder / "frames.bin").read_bytes() == frames


def test_store_is_built_once(source, own_cache, monkeypatch):
    first = open_store(source, cache=own_cache)
    built = mtime(first)
    monkeypatch.setattr(store_module, "read_array", None)
    second = open_store(source, cache=own_cache)
    assert second.folder == first.folder
    assert mtime(second) == built


def test_dtypes_and_folders_of_one_name_have_stores_of_their_own(source, own_cache, tmp_path):
    other = shutil.copytree(source, tmp_path / "elsewhere" / "genres" / "train")
    opened = [
        open_store(source, "float16", own_cache),
        open_store(source, "float32", own_cache),
        open_store(other, cache=own_cache),
    ]
    assert folders(own_cache) == sorted(store.folder for store in opened)


def change_content(source):
    np.save(source / "7.fused.full.npy", np.full((140, 8), -3.0))


def change_time(source):
    os.utime(source / "7.fused.full.npy", ns=(0, 1))


def add_file(source):
    np.save(source / "8.npy", np.full((140, 8), -3.0))


def remove_file(source):
    (source / "7.fused.full.npy").unlink()


def rename_file(source):
    (source / "7.fused.full.npy").rename(source / "9.fused.full.npy")


@pytest.mark.parametrize("name", ["genres", "genres [v2]*"])
@pytest.mark.parametrize("change", [change_content, change_time, add_file, remove_file, rename_file])
def test_changed_files_lead_to_a_new_store_and_the_outdated_one_is_removed(source, own_cache, change, name):
    source = source.parent.rename(source.parent.with_name(name)) / source.name
    outdated = open_store(source, cache=own_cache)
    change(source)
    store = open_store(source, cache=own_cache)
    assert folders(own_cache) == [store.folder] != [outdated.folder]
    assert store.ids == list(arrays(source))
    for position, array in enumerate(arrays(source).values()):
        np.testing.assert_allclose(store[position], array.T, rtol=1e-3)


def test_open_store_outlives_the_change_of_its_files(source, own_cache):
    store = open_store(source, cache=own_cache)
    before = [store[position] for position in range(4)]
    change_content(source)
    open_store(source, cache=own_cache)
    for position in range(4):
        np.testing.assert_array_equal(store[position], before[position])


@pytest.mark.parametrize("name", ["genres", "genres [v2]*"])
def test_what_a_killed_build_left_is_removed(source, own_cache, name):
    source = source.parent.rename(source.parent.with_name(name)) / source.name
    folder = open_store(source, cache=own_cache).folder
    partial = folder.rename(folder.with_name(folder.name + PARTIAL_SUFFIX))
    (partial / "frames.bin").write_bytes(b"half")
    assert open_store(source, cache=own_cache).folder == folder
    assert folders(own_cache) == [folder]


def test_build_that_is_really_killed_leaves_the_next_run_clean(source, own_cache):
    with start_slow_build(source, own_cache, 0.05) as process:
        print(file=process.stdin, flush=True)
        for _ in range(3):
            process.stdout.readline()
        process.send_signal(signal.SIGKILL)
    assert [path.suffix for path in folders(own_cache)] == [PARTIAL_SUFFIX]
    store = open_store(source, cache=own_cache)
    assert folders(own_cache) == [store.folder]
    assert dict(zip(store.ids, store.lengths.tolist(), strict=True)) == FRAMES
    np.testing.assert_allclose(store[3], arrays(source)["7"].T, rtol=1e-3)


def test_two_processes_at_once_build_once(source, own_cache):
    processes = [start_slow_build(source, own_cache, 0.1) for _ in range(2)]
    for process in processes:
        print(file=process.stdin, flush=True)
    ends = [process.communicate(timeout=30)[0].splitlines()[-1].split() for process in processes]
    assert sorted(reads for _, reads, _ in ends) == ["0", "4"]
    assert ends[0][2] == ends[1][2]
    assert len(folders(own_cache)) == 1


def test_source_is_only_read(source, own_cache):
    before = [(path.name, path.stat().st_mtime_ns) for path in sorted(source.parent.rglob("*"))]
    for path in [*source.iterdir(), source, source.parent]:
        path.chmod(0o555)
    try:
        assert len(open_store(source, cache=own_cache)) == 4
    finally:
        source.parent.chmod(0o755)
        source.chmod(0o755)
    assert [(path.name, path.stat().st_mtime_ns) for path in sorted(source.parent.rglob("*"))] == before


def test_cache_is_that_of_the_argument_else_the_variable_else_the_users(tmp_path, monkeypatch):
    monkeypatch.setattr(platformdirs, "user_cache_dir", lambda name: str(tmp_path / name))
    monkeypatch.delenv("MUSICLAB_CACHE", raising=False)
    assert cache_folder() == tmp_path / "musiclab"
    monkeypatch.setenv("MUSICLAB_CACHE", str(tmp_path / "variable"))
    assert cache_folder() == tmp_path / "variable"
    assert cache_folder(tmp_path / "argument") == tmp_path / "argument"
    assert cache_folder("~/here") == Path.home() / "here"


def test_store_goes_to_the_cache_of_the_variable(source, tmp_path, monkeypatch):
    monkeypatch.setenv("MUSICLAB_CACHE", str(tmp_path / "variable"))
    assert open_store(source).folder.parent == tmp_path / "variable" / "stores"


def test_cache_that_cannot_be_written_is_a_user_error(source, own_cache):
    own_cache.write_text("a file")
    with pytest.raises(UserError, match=r"cannot be written .*choose another cache folder") as raised:
        open_store(source, cache=own_cache)
    assert str(own_cache) in str(raised.value)


def test_full_disk_is_a_user_error_and_leaves_no_store(source, own_cache, monkeypatch):
    def no_space(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np.lib.format, "write_array_header_1_0", no_space)
    with pytest.raises(UserError, match="No space left on device"):
        open_store(source, cache=own_cache)
    assert folders(own_cache) == []


def test_pickled_store_is_small_and_opens_the_file_again(source, own_cache):
    np.save(source / "7.fused.full.npy", np.full((140, 5000), -3.0))
    store = open_store(source, cache=own_cache)
    data = pickle.dumps(store)
    assert len(data) < 5000 < (store.folder / "frames.bin").stat().st_size
    again = pickle.loads(data)
    assert again.ids == store.ids
    for position in range(len(store)):
        np.testing.assert_array_equal(again[position], store[position])


def test_arrays_of_different_rows_are_refused(source, own_cache):
    np.save(source / "8.npy", np.zeros((128, 3)))
    with pytest.raises(UserError, match=r"8\.npy: 128 rows where the other files of the folder have 140"):
        open_store(source, cache=own_cache)


def test_values_beyond_float16_are_refused(source, own_cache):
    np.save(source / "7.fused.full.npy", np.full((140, 3), -7e4))
    with pytest.raises(UserError, match=r"7\.fused\.full\.npy: values up to 7e\+04 do not fit float16"):
        open_store(source, cache=own_cache)
    assert open_store(source, "float32", own_cache)[3][0, 0] == -7e4


def test_bad_file_leaves_no_store_behind(source, own_cache):
    path = source / "7.fused.full.npy"
    good = path.read_bytes()
    path.write_bytes(good[:-8])
    with pytest.raises(UserError, match=r"7\.fused\.full\.npy: truncated"):
        open_store(source, cache=own_cache)
    assert folders(own_cache) == []
    path.write_bytes(good)
    assert len(open_store(source, cache=own_cache)) == 4


def test_folder_without_arrays_is_refused(tmp_path, own_cache):
    with pytest.raises(UserError, match="no array files"):
        open_store(tmp_path, cache=own_cache)
    with pytest.raises(UserError, match="no such folder"):
        open_store(tmp_path / "nowhere", cache=own_cache)


def test_link_to_nowhere_is_named(tmp_path):
    (tmp_path / "7.npy").symlink_to(tmp_path / "gone")
    with pytest.raises(UserError, match=r"7\.npy: cannot be read"):
        open_store(tmp_path)
