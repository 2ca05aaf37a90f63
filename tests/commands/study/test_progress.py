"""How far a training is, by its folder."""

import json

import pytest
import yaml
from filelock import FileLock

from commands.study.standins import leave
from musiclab.commands.study.progress import busy_version, changes, done_version, next_arguments

FRESH = ["fit", "-c", "genre_cnn.yaml", "--trainer.max_epochs", "3", "--trainer.default_root_dir"]


@pytest.fixture
def root(tmp_path):
    return tmp_path / "out" / "cnn"


def make(root, finished=True, **record):
    leave([*FRESH, str(root)], lambda options: 0.5, finished=finished, record=record)
    return root / "lightning_logs" / "version_0"


def rewrite(path, **changes):
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_nothing_yet(root):
    assert next_arguments(root, FRESH) == FRESH
    assert changes(root, "cnn", FRESH) is None
    assert busy_version(root) is None


def test_one_that_was_tested(root):
    version = make(root)
    assert done_version(root) == version
    assert next_arguments(root, FRESH) is None


def test_one_that_was_interrupted_goes_on(root):
    version = make(root, finished=False)
    assert done_version(root) is None
    assert next_arguments(root, FRESH) == [
        *("fit", "-c", str(version / "config.yaml")),
        *("--ckpt_path", str(version / "checkpoints" / "last.ckpt")),
    ]


def test_one_that_was_interrupted_before_its_first_checkpoint_begins_anew(root):
    version = make(root, finished=False)
    for path in (version / "checkpoints").iterdir():
        path.unlink()
    assert next_arguments(root, FRESH) == FRESH


def test_of_several_the_last_that_was_begun_goes_on(root):
    version = make(root, finished=False)
    (root / "lightning_logs" / "version_1").mkdir()
    assert str(version / "config.yaml") in next_arguments(root, FRESH)
    version.rename(root / "lightning_logs" / "version_10")
    make(root, finished=False)
    assert str(root / "lightning_logs" / "version_10" / "config.yaml") in next_arguments(root, FRESH)


@pytest.mark.parametrize(
    ("tracks", "trainer", "done"),
    [
        ({"train": 3, "validation": 2}, {}, True),  # nothing to test
        ({"train": 3, "validation": 2, "test": 2}, {}, False),  # killed before its test
        ({"train": 3, "validation": 2, "test": 2}, {"limit_test_batches": 0}, True),
        ({"train": 3, "validation": 2, "test": 2}, {"overfit_batches": 2}, True),
        ({"train": 3, "validation": 2, "test": 2}, {"enable_checkpointing": False}, True),
    ],
)
def test_one_that_ended_without_a_test(tracks, trainer, done, root):
    version = make(root, finished=False, status="finished", tracks=tracks)
    (version / "config.yaml").write_text(yaml.safe_dump({"trainer": trainer}))
    assert (done_version(root) == version) is done


def test_damaged_records_are_no_end(root):
    version = make(root, finished=False)
    for text in ("", "[]", '{"status": "finished", "tracks": {"test": 3}}'):
        (version / "run.json").write_text(text)
        (version / "config.yaml").write_text("{")
        assert done_version(root) is None


def test_options_that_have_changed_are_named(root):
    make(root)
    now = [*FRESH, str(root)]
    assert changes(root, "cnn", now) is None
    other = [*FRESH[:4], "5", "--data.limit", "3", FRESH[5], str(root)]
    assert changes(root, "cnn", other) == (
        "with --trainer.max_epochs 3 and without --trainer.max_epochs 5 --data.limit 3"
    )
    assert changes(root, "cnn", [*FRESH[:3], "-c", "quick.yaml", *FRESH[3:], str(root)]) == "without -c quick.yaml"


def test_a_study_that_was_moved_has_not_changed(root, tmp_path):
    version = make(root)
    before = [*FRESH[:5], "--model.pretrained", "runs/old/base/best.ckpt", FRESH[5], "runs/old/cnn"]
    rewrite(version / "run.json", command_line=["musiclab", *before])
    now = [*FRESH[:5], "--model.pretrained", str(tmp_path / "out/base/best.ckpt"), FRESH[5], str(root)]
    assert changes(root, "cnn", now) is None


def test_a_folder_in_which_a_process_trains(root):
    version = make(root, finished=False)
    with FileLock(version / ".lock"):
        assert busy_version(root) == version
    (version / ".lock").touch()  # of one that was killed
    assert busy_version(root) is None


@pytest.mark.parametrize("record", [{"status": 3}, {"tracks": 4}, {"command_line": 5}, {"command_line": {"a": 1}}])
def test_records_of_other_kinds_say_nothing(record, root):
    version = make(root, finished=False, **{"status": "finished", "tracks": {"train": 3}, **record})
    assert done_version(root) == (None if "status" in record else version)
    assert changes(root, "cnn", [*FRESH, str(root)]) is None
