"""Which folders are taken for runs, what is left out and why, and what runs are called."""

import pytest

from musiclab.commands.report.folders import NO_RECORD, find_folders, short_names
from musiclab.errors import UserError


def make_version(root, name="version_0"):
    folder = root / "lightning_logs" / name
    folder.mkdir(parents=True)
    (folder / "run.json").write_text("{}")
    (folder / "checkpoints").mkdir()
    (folder / "checkpoints" / "config.yaml").write_text("")  # nothing is looked for within a run
    return folder


def test_runs_are_found_wherever_they_are_and_each_once(tmp_path):
    first = make_version(tmp_path / "a")
    tenth, second = make_version(tmp_path / "a", "version_10"), make_version(tmp_path / "a", "version_2")
    other = make_version(tmp_path / "deep" / "er")
    (tmp_path / "a" / ".hidden").mkdir()
    (tmp_path / "a" / ".hidden" / "config.yaml").write_text("musiclab.")
    assert find_folders([str(tmp_path)]) == ([first, second, tenth, other], [])
    assert find_folders([str(second), str(tmp_path / "a"), str(second)])[0] == [second, first, tenth]


def test_a_root_with_settings_of_its_own_is_no_run(tmp_path):
    run = make_version(tmp_path)
    (tmp_path / "config.yaml").write_text("musiclab.")
    assert find_folders([str(tmp_path)]) == ([run], [])


def test_runs_within_a_run_are_found_too(tmp_path):
    run = make_version(tmp_path)
    inner = make_version(run)
    assert find_folders([str(tmp_path)]) == ([run, inner], [])


def test_a_renamed_run_is_found(tmp_path):
    run = make_version(tmp_path).rename(tmp_path / "best one")
    assert find_folders([str(run)]) == ([run], [])


def test_what_is_left_out_and_why(tmp_path):
    run = make_version(tmp_path)
    logs = tmp_path / "lightning_logs"
    (logs / "version_1").mkdir()
    (logs / "version_2").mkdir()
    (logs / "version_2" / "notes.txt").write_text("")
    (make_version(tmp_path, "version_3") / "run.json").rename(logs / "version_3" / "config.yaml")
    (logs / "version_4").mkdir()
    (logs / "version_4" / "events.out.tfevents.1.host").write_text("")
    (tmp_path / "empty").mkdir()
    folders, left = find_folders([str(tmp_path), str(tmp_path / "empty"), str(run / "run.json"), str(logs)])
    assert folders == [run]
    assert [(path.name, reason) for path, reason in left] == [
        ("version_1", "empty"),
        ("version_2", "holds no file of a run"),
        ("version_3", NO_RECORD),
        ("version_4", NO_RECORD),
        ("empty", "empty"),
        ("run.json", "a file, not the folder of a run"),
    ]
    (tmp_path / "empty" / "data.npy").write_text("")
    assert find_folders([str(tmp_path / "empty")])[1][0].reason == "holds no run"


def test_paths_that_do_not_exist_are_refused(tmp_path):
    with pytest.raises(UserError, match="nowhere: no such folder; give the folder of a run"):
        find_folders([str(tmp_path / "nowhere")])
    with pytest.raises(UserError, match="no runs: give the folders of runs"):
        find_folders([])


def test_runs_are_called_by_what_tells_them_apart(tmp_path):
    versions = [make_version(tmp_path / name, version) for name, version in (("a", "version_0"), ("a", "version_1"))]
    only, renamed = make_version(tmp_path / "b" / "c", "version_7"), tmp_path / "b" / "kept"
    renamed.mkdir()
    names = short_names([*versions, only, renamed])
    assert list(names.values()) == ["a/version_0", "a/version_1", "b/c", "b/kept"]
    assert list(short_names([only]).values()) == ["version_7"]
    assert list(short_names(versions).values()) == ["version_0", "version_1"]
    assert short_names([]) == {}
