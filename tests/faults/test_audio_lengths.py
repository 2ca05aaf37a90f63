"""Audio files that say little or nothing of their length, and files that are none."""

import csv
import json
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile
from command_line import error_of, evaluate_args, fit_args, read_rows, run_folder
from conftest import GENRES
from data.audio.sounds import loud_then_quiet, without_length, write, write_mp3_without_header

from musiclab.cli import main
from musiclab.data.audio.sound_file import SoundFile


@pytest.fixture(scope="module")
def checkpoint(genre_root, tmp_path_factory):
    folder = tmp_path_factory.mktemp("genre")
    main(fit_args("genre_cnn.yaml", genre_root, folder))
    return run_folder(folder) / "checkpoints" / "last.ckpt"


def test_extract_takes_thirty_seconds_where_they_are(tmp_path):
    """Before: 275 frames of the first, and the second refused for the 51 s that "its header promises"."""
    write_mp3_without_header(tmp_path / "songs" / "loud.mp3", loud_then_quiet(3, 37))
    write_mp3_without_header(tmp_path / "songs" / "quiet.mp3", np.r_[np.zeros(44100), loud_then_quiet(0, 28)])
    without_length(write(tmp_path / "songs" / "piped.flac", loud_then_quiet(1, 34), 44100))
    main(["extract", str(tmp_path / "songs"), f"--out={tmp_path / 'out'}", "--kind=full", "--jobs=1"])
    frames = {path.name.split(".")[0]: np.load(path).shape[1] for path in (tmp_path / "out").glob("*.npy")}
    assert frames == {"loud": 1292, "piped": 1292, "quiet": pytest.approx(1250, abs=2)}


def test_predict_answers_about_the_whole_song(checkpoint, tmp_path):
    """Before, windows lay in the first 6 s."""
    bare = write_mp3_without_header(tmp_path / "bare.mp3", loud_then_quiet(3, 37))
    with SoundFile(bare) as file:
        soundfile.write(tmp_path / "samples.wav", file.clip(0, None), 44100, subtype="FLOAT")
    args = [
        "--data=AudioDataModule",
        "--data.window=4",
        "--data.jobs=1",
        f"--data.paths=[{bare},{tmp_path}/samples.wav]",
    ]
    main(evaluate_args("predict", checkpoint, tmp_path, *args))
    rows = {row["id"]: row for row in read_rows(run_folder(tmp_path) / "predictions.csv")}
    for genre in GENRES:
        assert float(rows["bare"][genre]) == pytest.approx(float(rows["samples"][genre]), abs=1e-4)


def test_what_is_no_file_is_refused_at_once(checkpoint, tmp_path, capfd):
    """Before, both waited for ever."""
    songs = tmp_path / "songs"
    songs.mkdir()
    os.mkfifo(songs / "song.wav")
    reason = "not a regular file but a pipe, socket or device"
    args = evaluate_args("predict", checkpoint, tmp_path, "--data=AudioDataModule", f"--data.paths={songs}")
    assert error_of(capfd, args) == f"musiclab: error: {songs / 'song.wav'}: {reason}"
    with pytest.raises(SystemExit):
        main(["extract", str(songs), f"--out={tmp_path / 'out'}"])
    with (tmp_path / "out" / "failures.csv").open() as stream:
        assert [row["reason"] for row in csv.DictReader(stream)] == [reason]


def test_a_window_that_is_left_out_is_said_also_of_the_last_song(checkpoint, tmp_path, capfd):
    """Before, it was said only where a whole batch failed."""
    song = write(tmp_path / "song.wav", np.r_[np.zeros(17 * 22050), loud_then_quiet(17, 0, 22050)])
    args = ["--data=AudioDataModule", "--data.window=17", "--data.jobs=1", f"--data.paths={song}"]
    main(evaluate_args("predict", checkpoint, tmp_path, *args))
    said = f"{song}: silent: its peak is 0.0e+00 of full scale; left out 1 of 2 windows, the first at 0 s"
    assert capfd.readouterr().out.splitlines().count(said) == 1


def test_files_that_could_not_be_used_stand_in_the_record(checkpoint, tmp_path):
    """Before, run.json said "finished" and named none, while the exit code was 1."""
    write(tmp_path / "songs" / "good.wav")
    write(tmp_path / "songs" / "silent.wav", np.zeros(44100))
    (tmp_path / "songs" / "text.wav").write_text("words")
    args = ["--data=AudioDataModule", f"--data.paths={tmp_path / 'songs'}"]
    with pytest.raises(SystemExit):
        main(evaluate_args("predict", checkpoint, tmp_path, *args))
    record = json.loads((run_folder(tmp_path) / "run.json").read_text())
    assert record["predict"]["tracks"] == 1
    names = [Path(failure.split(": ")[0]).name for failure in record["predict"]["failures"]]
    assert sorted(names) == ["silent.wav", "text.wav"]
