"""Array files: read alike in every form, refused in one line that names the file, never unpickled."""

import gzip
import io
import os
import pickle
import socket
import tracemalloc

import numpy as np
import pytest

from musiclab.data.arrays import checksum, find_arrays, read_array, read_header, scan_arrays
from musiclab.errors import UserError

ARRAY = np.random.default_rng(0).uniform(-80, 0, (140, 7))
SPOT = ARRAY.max() == ARRAY


class Bomb:
    """Leaves a file behind where it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def npy_bytes(array, **options):
    stream = io.BytesIO()
    np.save(stream, array, **options)
    return stream.getvalue()


def with_header(header):
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(100)


def write(path, data):
    path.write_bytes(gzip.compress(data) if path.name.endswith(".gz") else data)
    return path


@pytest.fixture(params=["1043.fused.full.npy", "1043.fused.full.npy.gz"])
def path(tmp_path, request):
    return tmp_path / request.param


def assert_refused(path, text, read=read_array):
    with pytest.raises(UserError, match=text) as raised:
        read(path)
    assert str(raised.value).startswith(f"{path}: ")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("rows", [128, 140])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", ">f4"])
def test_every_float_dtype_is_read_as_it_is(path, rows, dtype):
    array = ARRAY[:rows].astype(dtype)
    read = read_array(write(path, npy_bytes(array)))
    assert read.dtype == array.dtype
    np.testing.assert_array_equal(read, array)


@pytest.mark.parametrize("dtype", ["float16", ">f4", "float64"])
@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_a_header_tells_the_size_of_an_array_that_is_not_read(path, dtype, version):
    stream = io.BytesIO()
    np.lib.format.write_array(stream, ARRAY.astype(dtype), version=version)
    rows, columns, name = read_header(write(path, stream.getvalue()))
    assert (rows, columns, name) == (140, 7, np.dtype(dtype).name)


def test_a_header_of_a_file_whose_values_are_cut_off_is_refused(tmp_path):
    assert_refused(write(tmp_path / "1.npy", npy_bytes(ARRAY)[:-1]), "truncated", read_header)


@pytest.mark.parametrize("data", [b"", b"Id\tGenre\n", bytes(500), npy_bytes(ARRAY)[:60], with_header(b"(" * 5000)])
def test_a_header_that_cannot_be_read_is_refused(path, data):
    assert_refused(write(path, data), "truncated or not an array file", read_header)


def test_a_header_of_objects_is_refused(path):
    data = npy_bytes(np.array([Bomb(path)], dtype=object), allow_pickle=True)
    assert_refused(write(path, data), "pickled objects, which are never loaded", read_header)


def test_fortran_order_is_read(path):
    np.testing.assert_array_equal(read_array(write(path, npy_bytes(np.asfortranarray(ARRAY)))), ARRAY)


@pytest.mark.parametrize(
    ("array", "text"),
    [
        (np.where(SPOT, np.nan, ARRAY), "NaN or infinite"),
        (np.where(SPOT, -np.inf, ARRAY), "NaN or infinite"),
        (ARRAY[:100], r"100 rows; expected 128 \(mel\) or 140"),
        (ARRAY.T, r"an array of \(7, 140\), likely transposed: \(time, rows\); save \(rows, time\), as array.T"),
        (ARRAY[:128].T, r"an array of \(7, 128\), likely transposed"),
        (ARRAY[:, :0], "no frames"),
        (ARRAY[:, 0], r"shape \(140,\); expected \(rows, time\)"),
        (ARRAY[None], r"shape \(1, 140, 7\)"),
        (np.array(-3.0), r"shape \(\)"),
        (ARRAY.astype(np.int16), "array of int16; expected floats"),
        (ARRAY.astype(complex), "array of complex128"),
        (ARRAY.astype("U4"), "expected floats"),
        (np.zeros((140, 2), [("power", "f4")]), "expected floats"),
    ],
    ids=[
        "NaN",
        "inf",
        "rows",
        "transposed",
        "transposed mel",
        "no frames",
        "1-D",
        "3-D",
        "0-D",
        "ints",
        "complex",
        "text",
        "records",
    ],
)
def test_arrays_that_break_the_contract_are_refused(path, array, text):
    assert_refused(write(path, npy_bytes(array)), text)
    if "NaN" not in text:
        assert_refused(path, text, read_header)


@pytest.mark.parametrize("kept", [0, 4, 8, 60, 128, 1000, -1])
def test_truncated_content_is_refused(path, kept):
    assert_refused(write(path, npy_bytes(ARRAY)[:kept]), "truncated or not an array file")


@pytest.mark.parametrize("kept", [0, 5, 30, 1000, -9, -1])
def test_truncated_gz_is_refused(tmp_path, kept):
    path = tmp_path / "1.npy.gz"
    path.write_bytes(gzip.compress(npy_bytes(ARRAY))[:kept])
    assert_refused(path, "truncated or not an array file")


def test_gz_with_a_wrong_checksum_is_refused(tmp_path):
    data = bytearray(gzip.compress(npy_bytes(ARRAY), compresslevel=0))
    data[3000] ^= 1
    path = tmp_path / "1.npy.gz"
    path.write_bytes(data)
    assert_refused(path, "truncated or not an array file")


@pytest.mark.parametrize(
    "data",
    [b"Id\tGenre\n", b"PK\x03\x04" + bytes(100), npy_bytes(ARRAY)[1:], bytes(500)],
    ids=["text", "zip", "shifted", "zeros"],
)
def test_files_of_another_kind_are_refused(path, data):
    assert_refused(write(path, data), "truncated or not an array file")


@pytest.mark.parametrize("name", ["plain.npy.gz", "packed.npy"])
def test_suffix_that_does_not_fit_the_content_is_refused(tmp_path, name):
    data = npy_bytes(ARRAY)
    path = tmp_path / name
    path.write_bytes(data if name.endswith(".gz") else gzip.compress(data))
    assert_refused(path, "truncated or not an array file")


@pytest.mark.parametrize(
    "header",
    [
        b"{'descr': '<f8', 'fortran_order': False, 'shape': (140, 7",
        b"{'descr': '<f8', 'fortran_order': False, 'shape': ('a', 7), }",
        b"{'descr': '<q99', 'fortran_order': False, 'shape': (140, 7), }",
        b"{'descr': '<f8', 'fortran_order': False, 'shape': (-140, -7), }",
        b"'''",
        b"(" * 5000,
        b"[[]]",
        b"\xff\xfe",
    ],
    ids=["cut", "shape", "dtype", "negative", "quotes", "deep", "list", "bytes"],
)
def test_damaged_headers_are_refused(path, header):
    assert_refused(write(path, with_header(header)), "truncated or not an array file")


@pytest.mark.parametrize("frames", [700000000000000, 10**30, 4_000_001])
def test_headers_that_promise_more_than_a_day_of_music_are_refused(path, frames):
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (140, %d), }" % frames
    for read in (read_array, read_header):
        assert_refused(write(path, with_header(header)), f"{frames} frames by its header, over a day of music", read)


@pytest.mark.parametrize("shape", [b"(140, True)", b"(True, 7)", b"(140, -7)", b"(140, 7.0)", b"(140, None)"])
def test_headers_with_an_absurd_shape_are_refused(path, shape):
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': " + shape + b", }"
    for read in (read_array, read_header):
        assert_refused(write(path, with_header(header)), "truncated or not an array file", read)


@pytest.mark.parametrize("name", ["1.npy", "1.npy.gz"])
def test_bytes_after_the_array_are_refused_and_not_unpacked(tmp_path, name, monkeypatch):
    path, data = tmp_path / name, npy_bytes(ARRAY) + bytes(50_000_000)
    path.write_bytes(gzip.compress(data, 1) if name.endswith(".gz") else data)
    tracemalloc.start()
    assert_refused(path, "holds more bytes than its header says")
    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()
    if name == "1.npy":
        assert_refused(path, "holds more bytes than its header says", read_header)


@pytest.mark.parametrize("read", [read_array, read_header])
def test_pipes_and_sockets_are_refused_at_once(tmp_path, read):
    os.mkfifo(tmp_path / "1.npy")
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(tmp_path / "2.npy"))
        for name in ("1.npy", "2.npy"):
            assert_refused(tmp_path / name, "not a regular file but a pipe, socket or device", read)


def test_object_arrays_are_refused_and_not_unpickled(path):
    trap = path.with_name("executed")
    data = npy_bytes(np.array([Bomb(trap)], dtype=object), allow_pickle=True)
    assert_refused(write(path, data), "pickled objects, which are never loaded")
    assert not trap.exists()


def test_bare_pickles_are_refused_and_not_unpickled(path):
    trap = path.with_name("executed")
    assert_refused(write(path, pickle.dumps(Bomb(trap))), "not an array file")
    assert not trap.exists()


def test_paths_that_are_no_files_are_refused(tmp_path):
    assert_refused(tmp_path / "1.npy", "no such file")
    (tmp_path / "2.npy").mkdir()
    assert_refused(tmp_path / "2.npy", "cannot be read")


def test_arrays_are_found_by_id_in_the_order_of_names(tmp_path):
    names = ["20.fused.full.npy", "3.full.fused.npy.gz", "1000.npy"]
    for name in [*names, "notes.txt", "4.npz", "4.npy.part"]:
        (tmp_path / name).touch()
    found = find_arrays(tmp_path)
    assert list(found.items()) == [(i, tmp_path / n) for i, n in zip(("1000", "20", "3"), sorted(names), strict=True)]


def test_two_files_of_one_id_are_refused(tmp_path):
    for name in ("7.npy", "7.npy.gz", "8.npy"):
        (tmp_path / name).touch()
    with pytest.raises(UserError, match=r"7\.npy\.gz: id 7 is also that of 7\.npy; keep one"):
        find_arrays(tmp_path)
    assert list(scan_arrays(tmp_path)[0]) == ["7", "8"]


def test_hidden_files_are_passed_over(tmp_path):
    for name in ("._7.npy", ".npy", "7.npy"):
        (tmp_path / name).touch()
    assert list(find_arrays(tmp_path)) == ["7"]


def test_missing_folder_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"train: no such folder"):
        find_arrays(tmp_path / "train")


def test_a_checksum_is_of_values_not_of_how_they_are_kept():
    array = np.random.default_rng(0).normal(size=(128, 30)).astype(np.float16)
    forms = [array, array.astype(np.float64), array.astype(">f4"), np.asfortranarray(array)]
    assert len({checksum(form) for form in forms}) == 1
    assert len(checksum(array)) == 16
    changed = array.copy()
    changed[127, 29] += 0.5
    assert len({checksum(array), checksum(changed), checksum(array.T), checksum(array[:, :-1])}) == 4
