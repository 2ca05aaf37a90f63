"""``musiclab build-fma``: which tracks and genres are taken, runs that go on, and what can go wrong."""

import builtins
import shutil
import subprocess
import sys

import pytest
from command_line import error_of

from commands.build_fma.fma_tree import Row, mp3_path, write_clip, write_metadata
from commands.build_fma.test_build_fma import EMOTION, GENRE, arguments, build, failures, ids, labels
from musiclab.cli import main

TRACKS = {
    2: Row(top="Rock", genres="[58, 70]", emotions=[0.1, 0.2, 0.3]),
    3: Row(top="Electronic", genres="[267]", emotions=[0.2, 0.3, 0.1]),
    4: Row("test", "Rock", "[58, 12]", emotions=[0.4, 0.2, 0.1]),
    5: Row("test", "Electronic", "[297]", emotions=[0.6, 0.5, 0.9]),
    6: Row("training", "Rock", "[58, 25]"),
    7: Row("training", "Rock", "[12]"),
    8: Row("validation", "Rock", "[70]", "medium"),
    9: Row("test", "Old-Time / Historic", "[8]", "medium"),
    10: Row("training", "Old-Time / Historic", "[8]", "large", [0.5, 0.5, 0.5]),
    11: Row("training", "", "[58]", "large"),
}


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """All tracks of all subsets, in a folder called after none."""
    root = tmp_path_factory.mktemp("choices")
    write_metadata(root / "fma_metadata", TRACKS)
    for key in TRACKS:
        write_clip(root / "mp3s", key, 1.0)
    return root


def command(tree, out, *more):
    """A command line that builds the full form alone, which is quicker."""
    return arguments(tree, out, "--kind=full", f"--audio={tree / 'mp3s'}", *more)


@pytest.mark.parametrize(
    ("subset", "genres", "emotions"),
    [
        ("small", {2, 3, 4, 5, 6, 7}, {2, 3, 4, 5}),
        ("medium", {2, 3, 4, 5, 6, 7, 8}, {2, 3, 4, 5}),
        ("large", set(range(2, 11)), {2, 3, 4, 5, 10}),
        ("full", set(range(2, 11)), {2, 3, 4, 5, 10}),
    ],
)
def test_each_subset_holds_those_before_it(tree, tmp_path, subset, genres, emotions):
    main(command(tree, tmp_path, f"--subset={subset}"))
    parts = ["train", "test"] + ["validation"] * (subset != "small")
    assert set().union(*(ids(tmp_path / GENRE, part) for part in parts)) == genres
    assert set().union(*(ids(tmp_path / EMOTION, part) for part in ("train", "test"))) == emotions
    assert (tmp_path / GENRE / "validation_labels.txt").exists() is (subset != "small")
    assert not (tmp_path / EMOTION / "validation_labels.txt").exists()
    assert not (tmp_path / f"{GENRE}_beat").exists()


def test_the_labs_genres(tree, tmp_path, capsys):
    main(command(tree, tmp_path, "--subset=large", "--genres=lab"))
    found = {row[0].split(".")[0]: row[1] for part in ("train", "test") for row in labels(tmp_path / GENRE, part)[1:]}
    expected = {"2": "Post-Punk", "3": "Chiptune", "4": "Psych-Rock", "7": "Rock", "9": "Old-Time", "10": "Old-Time"}
    assert found == expected | {"11": "Psych-Rock"}
    assert labels(tmp_path / GENRE, "validation")[1:] == [["8.fused.full.npy", "Post-Punk"]]
    output = capsys.readouterr().out
    assert "  left out: 1 track with several equally deep ones\n" in output
    assert "  left out: 1 track with a genre that no track to train on has\n" in output
    assert f"musiclab fit -c genre_cnn.yaml --data.root {tmp_path / GENRE}\n" in output


def test_genres_by_name(tree, tmp_path, capsys):
    main(command(tree, tmp_path, "--subset=large", "--genres", "Punk", "Electronic", "Old-Time"))
    found = {row[0].split(".")[0]: row[1] for part in ("train", "test") for row in labels(tmp_path / GENRE, part)[1:]}
    expected = {"2": "Punk", "3": "Electronic", "5": "Electronic", "6": "Punk", "9": "Old-Time", "10": "Old-Time"}
    assert found == expected
    assert "  left out: 3 tracks with none of the genres\n" in capsys.readouterr().out


def test_a_run_goes_on_and_failures_are_tried_again(tmp_path, capsys):
    root = tmp_path / "fma"
    write_metadata(root / "fma_metadata", TRACKS)
    for key in range(2, 8):
        write_clip(root / "fma_small", key, 1.0)
    gone = mp3_path(root / "fma_small", 4)
    gone.rename(root / "aside")
    out = tmp_path / "out"
    build(root, out, "--kind=full")
    assert list(failures(out / GENRE)) == list(failures(out / EMOTION)) == [("000004.mp3", "full")]
    assert failures(out / GENRE)["000004.mp3", "full"].startswith("missing")
    assert ids(out / GENRE, "test") == {5}
    (out / EMOTION / "train" / "2.fused.full.npy").unlink()
    (root / "aside").rename(gone)
    capsys.readouterr()
    main(arguments(root, out, "--kind=full"))
    assert "2 tracks extracted, 4 there already; arrays in" in capsys.readouterr().out
    assert ids(out / GENRE, "test") == ids(out / EMOTION, "test") == {4, 5}
    assert not list(out.rglob("failures.csv"))


def test_mistakes_of_a_line(tree, tmp_path, capfd):
    def error(*more):
        return error_of(capfd, command(tree, tmp_path / "out", *more))

    assert "mp3s: not called after a subset, as fma_medium; say which: --subset small|medium" in error()
    assert "none: no such folder; give that of the unpacked audio" in error(f"--audio={tmp_path / 'none'}")
    assert "none: no such folder; give that of the unpacked fma_meta" in error(f"--metadata={tmp_path / 'none'}")
    empty = tmp_path / "fma_medium"
    empty.mkdir()
    said = error(f"--audio={empty}")
    assert f"{empty}: no audio of the subset was found, such as 000/000002.mp3; check --audio" in said
    small = "--subset=small"
    assert f"{empty / 'tracks.csv'}: no such file; give the folder of" in error(small, f"--metadata={empty}")
    assert "Psych Rock is no genre of FMA's; did you mean Psych-Rock" in error(small, "--genres", "Rock", "Psych Rock")
    assert f"{GENRE}: would have no track of the subset in test/" in error(small, "--genres=Post-Punk")
    assert "seconds is 0.1" in error(small, "--seconds=0.1")
    assert "jobs is 0" in error(small, "--jobs=0")
    assert "subset" in error_of(capfd, command(tree, tmp_path / "out", "--subset=tiny"), code=2)


def test_folders_that_hold_something_else_are_refused(tree, tmp_path, capfd):
    args = command(tree, tmp_path / "out", "--subset=small")
    other = tmp_path / "out" / EMOTION
    (other / "train").mkdir(parents=True)
    assert f"{other}: holds train and is no extraction of musiclab; name another folder" in error_of(capfd, args)
    assert [path.name for path in (tmp_path / "out").iterdir()] == [EMOTION]
    args = command(tree, other, "--subset=small")
    assert f"{other}: is a data set or an extraction itself (it holds train)" in error_of(capfd, args)
    args = command(tree, tree / "fma_metadata" / "tracks.csv", "--subset=small")
    assert f"tracks.csv/{GENRE}: cannot be written" in error_of(capfd, args)


@pytest.mark.parametrize("table", ["tracks.csv", "genres.csv", "echonest.csv"])
def test_a_wrong_table_is_one_line(tree, tmp_path, capfd, table):
    root = shutil.copytree(tree / "fma_metadata", tmp_path / "fma_metadata")
    args = command(tree, tmp_path / "out", "--subset=small", f"--metadata={root}", "--genres=lab")
    path = root / table
    path.write_text("Id,Genre\n1,Rock\n2,Rock\n3,Jazz\n4,Jazz\n5,Jazz\n")
    assert f"{path}: has no column " in error_of(capfd, args)
    path.write_bytes(b"PK\x03\x04\xff\xfe\x00")
    assert f"{path}: not a csv table, or damaged" in error_of(capfd, args)
    path.unlink()
    assert f"{path}: no such file" in error_of(capfd, args)


def test_pandas_that_is_missing_is_said(tree, tmp_path, capfd, monkeypatch):
    real = builtins.__import__

    def without_pandas(name, *args, **kwargs):
        if name == "pandas":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without_pandas)
    error = error_of(capfd, command(tree, tmp_path / "out", "--subset=small"))
    assert error.endswith("reading FMA's tables needs pandas; install it: pip install 'musiclab[fma]'")


def test_neither_torch_nor_pandas_is_imported_beforehand():
    module, heavy = "musiclab.commands.build_fma.build_fma", "{'torch', 'sklearn', 'pandas'}"
    code = f"import sys, {module}; sys.exit(bool({heavy} & set(sys.modules)))"
    subprocess.run([sys.executable, "-c", code], check=True)
