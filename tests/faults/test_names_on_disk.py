"""Names of files and folders that are not UTF-8, that steer a terminal, or that lead round in circles."""

import csv
import json
import os
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
from command_line import error_of, evaluate_args, fit_args, read_rows, run_folder
from conftest import make_array, make_genre_folder
from data.audio.sounds import write

from musiclab.cli import main

NAMES = {
    "bytes": os.fsdecode(b"\xff"),
    "colour": "a\x1b[31mb",
    "lines": "a\nb",
    "bell": "\x07",
    "turned": "a\u202eb",
    "csv": "a, \"b\"; 'c'",
}
NAMES["all but bytes"] = "a\x1b[31mb\nc\x07d\u202ee, \"f\"; 'g'"
QUICK = ("bytes", "all but bytes")
"""Those that the other tests are slow for."""

UNSHOWN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e\ud800-\udfff]")


@pytest.fixture(params=[pytest.param(name, marks=[] if name in QUICK else pytest.mark.slow) for name in NAMES], ids=str)
def name(request):
    return NAMES[request.param]


@pytest.fixture(scope="module")
def checkpoint(genre_root, tmp_path_factory):
    folder = tmp_path_factory.mktemp("genre")
    main(fit_args("genre_cnn.yaml", genre_root, folder))
    return run_folder(folder) / "checkpoints" / "last.ckpt"


def ends(args, capfd, given=False) -> str:
    """Run a command, which may fail in one line, and return what it says.

    That has nothing that a terminal would act on, unless the user has given it.
    """
    code = 0
    try:
        main(args)
    except SystemExit as end:
        code = end.code
    said = "".join(capfd.readouterr())
    assert code in (0, 1), said
    assert "Traceback" not in said
    assert given or not UNSHOWN.search(said.replace("\r", "")), said
    return said


def require_utf8(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.suffix in (".csv", ".json", ".txt", ".html", ".md", ".yaml"):
            text = path.read_bytes().decode()
            if path.suffix == ".json":
                json.loads(text)


def songs_called(name: str, folder: Path) -> Path:
    """Songs of two genres, one of them called so, as is a song, something that is no song, and a suffix."""
    song = write(folder.parent / "song.wav")
    for genre in ("Blues", f"G{name}"):
        (folder / genre).mkdir(parents=True)
        for track in ("one", "two"):
            shutil.copy(song, folder / genre / f"{track} {len(genre)}.wav")
    shutil.copy(song, folder / "Blues" / f"{name}.wav")
    (folder / "Blues" / f"no song {name}.wav").write_bytes(b"words")
    (folder / "Blues" / f"other.{name}").write_bytes(b"words")
    return folder


def test_arrays(name, tmp_path, capfd):
    """Before: `explore` ended in a UnicodeEncodeError, and `check` coloured the terminal."""
    root = make_genre_folder(tmp_path / "genres")
    np.save(root / "train" / f"{name}.npy", make_array(0, np.random.default_rng(9), 30))
    ends(["check", str(root)], capfd)
    ends(["explore", str(root), f"--out={tmp_path / 'look'}"], capfd)
    ends(fit_args("genre_lstm.yaml", root, tmp_path / "run"), capfd)
    require_utf8(tmp_path)


def test_a_data_set_folder(name, tmp_path, capfd):
    """Before: UnicodeEncodeError, or an exit code of 2 and an error about `data`."""
    root = make_genre_folder(tmp_path / f"genres{name}")
    assert "nothing is wrong" in ends(["check", str(root)], capfd)
    ends(["explore", str(root), f"--out={tmp_path / 'look'}"], capfd)
    said = ends(fit_args("genre_lstm.yaml", root, tmp_path / f"run{name}"), capfd, given=True)
    ends(["report", str(tmp_path / f"run{name}"), f"--out={tmp_path / 'report'}"], capfd)
    if name == NAMES["bytes"]:
        assert "not UTF-8, so that no config can hold it" in said
    require_utf8(tmp_path)


def test_songs(name, checkpoint, tmp_path, capfd):
    """Before: no song in a folder, or of a name, that is not UTF-8 could be read."""
    songs = songs_called(name, tmp_path / "songs")
    ends(["extract", str(songs), f"--out={tmp_path / 'arrays'}", "--kind=full", "--jobs=1"], capfd)
    assert len(list((tmp_path / "arrays").glob("*.npy"))) == 5
    with (tmp_path / "arrays" / "failures.csv").open(encoding="utf-8", newline="") as stream:
        assert len(list(csv.DictReader(stream))) == 1
    out = tmp_path / "genres"
    ends(["build-genres", str(songs), f"--out={out}", "--kind=full", "--jobs=1", "--test_fraction=0.4"], capfd)
    assert len(list(out.glob("t*/*.npy"))) == 5
    assert "control characters" not in ends(["check", str(out)], capfd)
    options = ["--data=AudioDataModule", f"--data.paths={songs}", "--data.any_scale=true", "--data.jobs=1"]
    ends(evaluate_args("predict", checkpoint, tmp_path / "run", *options), capfd)
    assert len(read_rows(run_folder(tmp_path / "run") / "predictions.csv")) == 5
    require_utf8(tmp_path)


def test_links_that_lead_back_are_followed_once(checkpoint, tmp_path, capfd):
    """Before: "would both be track a", or a search that never ends where there are several."""
    songs = tmp_path / "songs"
    write(songs / "Blues" / "a.wav")
    write(songs / "Jazz" / "b.wav")
    for number in range(4):
        (songs / "Blues" / f"back {number}").symlink_to(songs)
    (songs / "Jazz" / "there").symlink_to(songs / "Blues")
    (songs / "Jazz" / "self.wav").symlink_to("self.wav")
    (songs / "one").symlink_to("other")
    (songs / "other").symlink_to("one")
    ends(["extract", str(songs), f"--out={tmp_path / 'arrays'}", "--kind=full", "--jobs=1"], capfd)
    assert {path.name.split(".")[0] for path in (tmp_path / "arrays").glob("*.npy")} == {"a", "b"}
    options = ["--data=AudioDataModule", f"--data.paths={songs}", "--data.any_scale=true", "--data.jobs=1"]
    assert "self.wav: cannot be read (Too many levels" in ends(
        evaluate_args("predict", checkpoint, tmp_path / "run", *options), capfd
    )


@pytest.mark.parametrize("part", ["validation", "test"])
@pytest.mark.parametrize("target", ["itself", "nowhere"])
def test_label_files_that_lead_nowhere_are_not_taken_for_missing(part, target, tmp_path, capfd):
    """Before: nothing was wrong, and the validation part was drawn."""
    root = make_genre_folder(tmp_path / "genres")
    labels = root / f"{part}_labels.txt"
    labels.unlink(missing_ok=True)
    labels.symlink_to(labels.name if target == "itself" else "nowhere")
    assert str(labels) in ends(["check", str(root)], capfd)
    assert str(labels) in error_of(capfd, fit_args("genre_lstm.yaml", root, tmp_path))


def test_an_array_that_links_to_itself(tmp_path, capfd):
    root = make_genre_folder(tmp_path / "genres")
    path = root / "train" / "900.npy"
    path.symlink_to(path.name)
    assert str(path) in ends(["check", str(root)], capfd)
    assert str(path) in error_of(capfd, fit_args("genre_lstm.yaml", root, tmp_path))


@pytest.mark.parametrize(("rate", "taken"), [(1000, False), (3999, False), (4000, True)])
def test_what_is_sampled_too_rarely(rate, taken, checkpoint, tmp_path, capfd):
    """Before, `predict` answered about it."""
    song = tmp_path / "song.wav"
    soundfile.write(song, np.random.default_rng(0).uniform(-0.5, 0.5, 5 * rate), rate)
    options = ["--data=AudioDataModule", f"--data.paths={song}", "--data.any_scale=true", "--data.jobs=1"]
    said = ends(evaluate_args("predict", checkpoint, tmp_path, *options), capfd)
    more = ends(["extract", str(song), f"--out={tmp_path / 'out'}", "--kind=full", "--jobs=1"], capfd)
    assert (f"{song}: sampled at {rate} Hz; at least 4000 Hz are needed" in said) is not taken
    assert (f"sampled at {rate} Hz" in more) is not taken
