"""Packing: a store is built once, rebuilt when its files change, and never half of one."""

import gzip
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import platformdirs
import pytest

from data.conftest import FRAMES
from musiclab.data import packing
from musiclab.data.packing import PARTIAL_SUFFIX, damaged_tracks, open_store
from musiclab.errors import UserError
from musiclab.files import cache_folder

BUILD_SLOWLY = """
import sys, time
from musiclab.data import packing

read, reads = packing.read_array, 0

def slow(path):
    global reads
    time.sleep(float(sys.argv[3]))
    reads += 1
    print("read", reads, flush=True)
    return read(path)

packing.read_array = slow
print("ready", flush=True)
sys.stdin.readline()
opened = packing.open_store(sys.argv[1], cache=sys.argv[2])
print("done", reads, sum(float(opened[i].sum()) for i in range(len(opened))), flush=True)
"""


def arrays(source):
    return {path.name.split(".")[0]: np.load(path) for path in sorted(source.iterdir())}


def folders(cache):
    return sorted(path for path in (cache / "stores").iterdir() if path.is_dir())


def mtime(store):
    return (store.folder / "frames.bin").stat().st_mtime_ns


def start_slow_build(source, cache, seconds):
    process = subprocess.Popen(
        [sys.executable, "-c", BUILD_SLOWLY, str(source), str(cache), str(seconds)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "ready\n"
    return process


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
    monkeypatch.setattr(packing, "read_array", None)
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


def replace_unseen(path, array):
    """Put another array in the place of one, of the same size and date, as ``cp -p`` and ``mv`` do."""
    before = path.stat()
    other = path.with_suffix(".new")
    with other.open("wb") as stream:
        np.save(stream, array)
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.replace(path)
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)


def test_a_file_replaced_by_one_of_its_size_and_date_is_packed_anew(source, own_cache, capfd):
    before = open_store(source, cache=own_cache)
    path = source / "41.fused.full.npy"
    replace_unseen(path, np.load(path) * 0.5)
    store = open_store(source, cache=own_cache)
    assert store.folder == before.folder
    assert f"{path}: replaced by another of its size and date; {source} is packed anew" in capfd.readouterr().err
    for position, array in enumerate(arrays(source).values()):
        np.testing.assert_allclose(store[position], array.T, rtol=1e-3)
    assert np.flatnonzero(store.checksums != before.checksums).tolist() == [store.ids.index("41")]


def test_files_put_back_as_they_were_are_compared_once_and_not_packed(source, own_cache, monkeypatch, capfd):
    """As by unpacking the same archive again."""
    before = open_store(source, cache=own_cache)
    built = mtime(before)
    for path in source.iterdir():
        replace_unseen(path, np.load(path))
    assert mtime(open_store(source, cache=own_cache)) == built
    monkeypatch.setattr(packing, "read_array", None)
    assert mtime(open_store(source, cache=own_cache)) == built
    assert capfd.readouterr().err == ""


def cut_frames(folder):
    os.truncate(folder / "frames.bin", (folder / "frames.bin").stat().st_size - 1)


def spoil_index(folder):
    (folder / "index.json").write_text('{"ids": ["7"')


def take_an_id(folder):
    index = json.loads((folder / "index.json").read_text())
    (folder / "index.json").write_text(json.dumps({**index, "ids": index["ids"][1:]}))


def empty_moments(folder):
    (folder / "moments.npy").write_bytes(b"")


def cut_files(folder):
    np.save(folder / "files.npy", np.load(folder / "files.npy")[:2])


def lose_files(folder):
    (folder / "files.npy").unlink()


@pytest.mark.parametrize("damage", [cut_frames, spoil_index, take_an_id, empty_moments, cut_files, lose_files])
def test_a_damaged_store_is_packed_anew_with_a_line(source, own_cache, damage, capfd):
    folder = open_store(source, cache=own_cache).folder
    damage(folder)
    store = open_store(source, cache=own_cache)
    error = capfd.readouterr().err
    assert error.startswith(f"{folder}: damaged (")
    assert error.endswith(f"{source} is packed anew\n")
    assert len(error.splitlines()) == 1
    for position, array in enumerate(arrays(source).values()):
        np.testing.assert_allclose(store[position], array.T, rtol=1e-3)


def test_values_that_a_disk_has_changed_are_found_by_a_comparison(source, own_cache):
    assert damaged_tracks(source, own_cache) == []
    store = open_store(source, cache=own_cache)
    assert damaged_tracks(source, own_cache) == []
    with (store.folder / "frames.bin").open("r+b") as stream:
        stream.seek(1000)
        stream.write(b"\x01\x02")
    problems = damaged_tracks(source, own_cache)
    assert len(problems) == 1
    assert f"{store.folder}: 1 of 4 tracks are not as their files are" in problems[0]
    cut_frames(store.folder)
    assert "damaged (frames.bin has" in damaged_tracks(source, own_cache)[0]


def test_stores_of_earlier_formats_are_removed(source, own_cache):
    store = open_store(source, cache=own_cache)
    earlier = packing.Source.look_at(source).store_name("float16", 1)
    old = store.folder.rename(store.folder.with_name(f"{earlier}-0123456789ab"))
    assert folders(own_cache) == [old]
    assert open_store(source, cache=own_cache).folder == store.folder
    assert folders(own_cache) == [store.folder]
