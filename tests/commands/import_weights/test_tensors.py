"""Tables and tensors of TensorFlow, as a writer of our own has them, and as TensorFlow's own reader."""

import zipfile
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from commands.import_weights.made_wheel import checkpoint, entry, field, musicnn_tensors, table
from commands.import_weights.test_original import WHEEL, needs_wheel
from musiclab.commands.import_weights.table import TableError, read_table
from musiclab.commands.import_weights.tensors import read_tensors


@settings(max_examples=50, deadline=None)
@given(
    entries=st.dictionaries(st.binary(max_size=12), st.binary(max_size=300), max_size=60), a_block=st.integers(1, 20)
)
def test_a_table_is_read_as_it_was_written(entries, a_block):
    assert read_table(table(entries, a_block)) == entries


def test_tensors_are_those_that_were_written():
    tensors = {
        **musicnn_tensors(),
        "scalar": np.float32(0.25).reshape(()),
        "empty": np.zeros((0, 3), np.float32),
        "long": np.arange(70000, dtype=np.float32).reshape(7, 100, 100),
    }
    found = read_tensors(*checkpoint(tensors))
    assert found.keys() == tensors.keys() - {"global_step"}  # of whole numbers
    for name, array in found.items():
        assert array.dtype == np.float32
        np.testing.assert_array_equal(array, tensors[name])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda index: b"", "cut off"),
        (lambda index: index[:-3], "cut off"),
        (lambda index: b"x" * 2000, "no table"),
        (lambda index: index[300:], "damaged"),
        (lambda index: b"\xff" * 400 + index[400:], "damaged"),
        (lambda index: index[:-48] + b"\xff" * 20 + index[-28:], "without an end"),
        (lambda index: table({b"a": b"b"}), "of no checkpoint"),
        (lambda index: table({b"": field(1, 2)}), "several files"),
        (lambda index: table({b"": field(1, 1) + field(2, 1)}), "highest byte first"),
        (lambda index: table({b"": b"\x0b"}), "a field of no kind"),
        (lambda index: table({b"": b"\x0a\x09x"}), "beyond its message"),
        (lambda index: table({b"": b"", b"a": field(1, 1) + field(4, b"x")}), "text in place"),
        (lambda index: table({b"": b"", b"a": field(1, 1) + field(2, 3)}), "number in place"),
        (lambda index: table({b"": b""}, kind=1), "compressed"),
        (lambda index: table({b"": b"", b"a": entry(np.zeros(4, np.float32), 10**6)}), "a does not lie"),
    ],
)
def test_what_is_no_checkpoint_says_so(change, message):
    index, values = checkpoint(musicnn_tensors())
    with pytest.raises(TableError, match=message):
        read_tensors(change(index), values)


def test_values_that_are_cut_off():
    index, values = checkpoint(musicnn_tensors())
    with pytest.raises(TableError, match="does not lie where it should"):
        read_tensors(index, values[:-100])


@settings(max_examples=300, deadline=None)
@given(place=st.integers(0, 10**6), byte=st.integers(0, 255))
def test_a_damaged_byte_never_ends_in_another_error(place, byte):
    index, values = checkpoint({"a/kernel": np.ones((2, 3), np.float32), "a/bias": np.ones(3, np.float32)})
    damaged = bytearray(index)
    damaged[place % len(index)] = byte
    with suppress(TableError):
        read_tensors(bytes(damaged), values)


@pytest.mark.slow
@needs_wheel
def test_tensorflows_own_reader_agrees(tmp_path):
    tensorflow = pytest.importorskip("tensorflow", reason="TensorFlow, to compare with, is not installed")
    with zipfile.ZipFile(WHEEL) as wheel:
        models = sorted(name.split("/")[1] for name in wheel.namelist() if name.endswith("/.index"))
        wheel.extractall(tmp_path)
    for model in models:
        folder = tmp_path / "musicnn" / model
        reader = tensorflow.compat.v1.train.NewCheckpointReader(f"{folder}/")
        shapes = reader.get_variable_to_shape_map()
        found = read_tensors((folder / ".index").read_bytes(), (folder / ".data-00000-of-00001").read_bytes())
        assert found.keys() == shapes.keys()
        for name, array in found.items():
            np.testing.assert_array_equal(array, reader.get_tensor(name))
