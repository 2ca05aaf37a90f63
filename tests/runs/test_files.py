"""The files of a run: what is read, and how damage is named."""

import json

import numpy as np
import pytest
from commands.report.making import make_config, make_record

from musiclab.errors import UserError
from musiclab.runs.files import (
    Record,
    read_confusion,
    read_json,
    read_metrics,
    read_record,
    read_yaml,
)

RECORD = make_record("genre", ["Jazz"], [{"epoch": 1, "val_accuracy": 0.5}], make_config())


def written(tmp_path, content):
    path = tmp_path / "file"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_yaml_with_python_objects_is_read_as_far_as_it_is_plain(tmp_path):
    text = "a: !!python/tuple [1, 2]\nb: !!python/object:os.Thing {x: 1}\nc: !!python/name:os.path ''\n"
    assert read_yaml(written(tmp_path, text)) == {"a": [1, 2], "b": {"x": 1}, "c": ""}
    assert read_yaml(written(tmp_path, "")) == {}


def test_a_record_is_read(tmp_path):
    assert read_record(written(tmp_path, json.dumps(RECORD))) == RECORD
    without_best = {**RECORD, "best": None}
    assert read_record(written(tmp_path, json.dumps(without_best))) == without_best
    tested = {"command": "test", **{name: RECORD[name] for name in Record.__annotations__ if name != "command"}}
    assert read_record(written(tmp_path, json.dumps(tested))) == tested


def test_a_confusion_matrix_is_read(tmp_path):
    confusion = read_confusion(written(tmp_path, "truth,Jazz,Rock\nJazz,3,1\nRock,0,2\n"))
    assert confusion.names == ["Jazz", "Rock"]
    np.testing.assert_array_equal(confusion.matrix, [[3, 1], [0, 2]])


@pytest.mark.parametrize(
    ("read", "content", "message"),
    [
        (read_yaml, "a: [1", "not YAML"),
        (read_yaml, "- 1", "holds a list where names and values were expected"),
        (read_json, '{"a": ', "not JSON"),
        (read_metrics, '{"test_accuracy": "good"}', "test_accuracy is 'good', not a number"),
        (read_metrics, '{"test_accuracy": true}', "test_accuracy is True, not a number"),
        (read_record, json.dumps({**RECORD, "epochs": "3"}), "epochs is '3', which no run.json of this version has"),
        (read_record, json.dumps({**RECORD, "history": None}), "history is None, which no run.json"),
        (read_record, json.dumps({**RECORD, "demo": 0}), "demo is 0, which no run.json"),
        (read_record, "{}", "command is None"),
        (read_confusion, "", "not a square table"),
        (read_confusion, "truth,Jazz,Rock\nJazz,3,1\n", "not a square table"),
        (read_confusion, "truth,Jazz\nJazz,many\n", "a count is no number"),
        (read_confusion, b"id,\xff\xfe\n", "utf-8"),
    ],
)
def test_damage_is_named(tmp_path, read, content, message):
    with pytest.raises((UserError, ValueError), match=message):
        read(written(tmp_path, content))
