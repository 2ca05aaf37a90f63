"""``musiclab extract``, run as a user runs it."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from command_line import error_of
from conftest import SHARED
from data.audio.sounds import clicks, swell, truncate, write, write_many

from musiclab.cli import main

TESTS = Path(__file__).resolve().parents[1]
RECORDINGS = SHARED / "audio"


def extract(inputs, out, *more, jobs=1):
    main(
        [
            "extract",
            *map(str, [inputs] if isinstance(inputs, Path) else inputs),
            f"--out={out}",
            f"--jobs={jobs}",
            *more,
        ]
    )


def extract_with_failures(*args, **kwargs):
    with pytest.raises(SystemExit) as exit_info:
        extract(*args, **kwargs)
    assert exit_info.value.code == 1


def contents(*folders):
    """All that stands in folders but for locks."""
    return {
        f"{folder.name}/{path.name}": path.read_bytes()
        for folder in folders
        for path in folder.iterdir()
        if not path.name.endswith(".lock")
    }


def failures(folder):
    with (folder / "failures.csv").open(newline="", encoding="utf-8") as stream:
        return [(Path(row["path"]).name, row["form"], row["reason"]) for row in csv.DictReader(stream)]


def killed(how, count, args):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS.parent), str(TESTS)])}
    command = [sys.executable, str(TESTS / "commands" / "killed.py"), how, str(count), *args]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == -9, result.stderr


@pytest.mark.skipif(not RECORDINGS.is_dir(), reason=f"no recordings to compare with: {RECORDINGS} is not there")
def test_the_recordings_give_the_labs_arrays(tmp_path, capsys):
    extract(RECORDINGS, tmp_path / "arrays")
    expected = sorted((RECORDINGS / "expected").iterdir())
    assert len(expected) == 8
    for path in expected:
        identifier, _, form, _ = path.name.split(".")
        folder = tmp_path / ("arrays" if form == "full" else "arrays_beat")
        array = np.load(folder / f"{identifier}.fused.full.npy", allow_pickle=False)
        assert array.dtype == np.float32
        np.testing.assert_allclose(array, np.load(path), atol=1e-3)
    assert "4 tracks extracted; arrays in" in capsys.readouterr().out


def test_forms_and_formats(tmp_path):
    music = tmp_path / "music"
    stereo = np.stack([clicks(2, 44100), clicks(2, 44100, seed=1)], axis=1)
    for number, suffix in enumerate(["wav", "flac", "ogg", "mp3"]):
        write(music / "deep" / f"song.{number}.{suffix}", stereo, 44100)
    extract(music, tmp_path / "out", "--offset=0.5", "--seconds=1")
    names = {f"song_{number}.fused.full.npy" for number in range(4)}
    for folder in ("out", "out_beat"):
        assert {path.name for path in (tmp_path / folder).glob("[!.]*.npy")} == names
    for name in names:
        full, beat = (np.load(tmp_path / folder / name) for folder in ("out", "out_beat"))
        assert full.shape == (140, 44)
        assert 2 <= beat.shape[1] < 10
    extract(music, tmp_path / "alone", "--kind=full", "--offset=0.5", "--seconds=1")
    assert not (tmp_path / "alone_beat").exists()
    extract(music, tmp_path / "alone", "--kind=beat", "--offset=0.5", "--seconds=1")
    for name in names:
        for form in ("", "_beat"):
            assert (tmp_path / f"alone{form}" / name).read_bytes() == (tmp_path / f"out{form}" / name).read_bytes()


def test_whole_files(tmp_path):
    extract(write(tmp_path / "long.wav", clicks(32)), tmp_path / "out", "--kind=full")
    extract(tmp_path / "long.wav", tmp_path / "whole", "--kind=full", "--seconds=null")
    assert np.load(tmp_path / "out" / "long.fused.full.npy").shape[1] == 1292
    assert np.load(tmp_path / "whole" / "long.fused.full.npy").shape[1] == 1379


def test_failures_are_listed_and_tried_again(tmp_path, capsys):
    music = write_many(tmp_path / "music", 2)
    write(music / "silent.wav", np.zeros(44100))
    write(music / "swell.wav", swell(), subtype="FLOAT")
    write(music / "short.wav", clicks(0.5))
    truncate(write(music / "cut.flac", clicks(3)))
    (music / "empty.mp3").touch()
    (music / "words.mp3").write_text("These are words. " * 500)
    out = tmp_path / "out"
    extract_with_failures(music, out)
    listed = failures(out)
    assert [(name, form) for name, form, _ in listed] == [
        ("cut.flac", "both"),
        ("empty.mp3", "both"),
        ("short.wav", "both"),
        ("silent.wav", "both"),
        ("swell.wav", "beat"),
        ("words.mp3", "both"),
    ]
    for (_, _, reason), word in zip(
        listed, ["truncated", "empty", "0.50 s", "silent", "beat", "not audio"], strict=True
    ):
        assert word in reason
    captured = capsys.readouterr()
    for name, _, reason in listed:
        assert f"{name}: {reason}" in captured.err
    assert f"2 tracks extracted, 6 failed, listed in {out / 'failures.csv'}" in captured.out
    sound = {"track_00.fused.full.npy", "track_01.fused.full.npy"}
    assert {path.name for path in out.glob("[!.]*.npy")} == {*sound, "swell.fused.full.npy"}
    assert {path.name for path in (tmp_path / "out_beat").glob("[!.]*.npy")} == sound

    for name in ("silent.wav", "short.wav", "swell.wav"):
        write(music / name)
    write(music / "cut.flac")
    (music / "empty.mp3").unlink()
    extract_with_failures(music, out)
    assert [name for name, _, _ in failures(out)] == ["words.mp3"]
    assert "4 tracks extracted, 2 there already, 1 failed" in capsys.readouterr().out
    (music / "words.mp3").unlink()
    extract(music, out)
    assert not (out / "failures.csv").exists()


def test_after_a_kill_every_file_is_whole_and_none_done_twice(tmp_path):
    music = write_many(tmp_path / "music", 50, seconds=1)
    args = ["extract", str(music), f"--out={tmp_path / 'killed' / 'out'}", "--jobs=1"]
    folders = [tmp_path / "killed" / name for name in ("out", "out_beat")]
    killed("writing", 50, args)
    assert [len(list(folder.glob("[!.]*.npy"))) for folder in folders] == [25, 24]
    assert len(list(folders[1].glob(".*.partial-*"))) == 1
    (folders[0] / "track_03.fused.full.npy").write_bytes(b"half")
    before = {path: path.stat().st_mtime_ns for folder in folders for path in folder.glob("[!.]*.npy")}
    main(args)
    done_again = {path for path, time in before.items() if path.stat().st_mtime_ns != time}
    assert {path.name for path in done_again} == {"track_03.fused.full.npy"}
    extract(music, tmp_path / "through" / "out")
    assert contents(*folders) == contents(*(tmp_path / "through" / folder.name for folder in folders))
    assert len(contents(*folders)) == 2 * 52


@pytest.mark.slow
def test_processes_of_a_killed_run_stop(tmp_path):
    music = write_many(tmp_path / "music", 30)
    args = ["extract", str(music), f"--out={tmp_path / 'out'}", "--jobs=2", "--kind=full"]
    killed("waiting", 5, args)
    found = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("[!.]*.npy")}
    assert 5 <= len(found) <= 12  # what was in hand may still be finished, what was queued is not begun
    main(args)
    assert sum(path.stat().st_mtime_ns != time for path, time in found.items()) == 0
    assert len(list((tmp_path / "out").glob("[!.]*.npy"))) == 30


def test_a_folder_grows_by_further_inputs(tmp_path, capsys):
    music = write_many(tmp_path / "music", 2, seconds=1)
    extract(music / "track.00.wav", tmp_path / "out", "--kind=full")
    extract(music, tmp_path / "out", "--kind=full")
    assert "1 track extracted, 1 there already" in capsys.readouterr().out
    extract(music / "track.00.wav", tmp_path / "out", "--kind=full")
    described = json.loads((tmp_path / "out" / "extraction.json").read_text())
    assert list(described["tracks"]) == ["track_00", "track_01"]


def test_a_folder_of_other_making_is_refused(tmp_path, capfd):
    music = write_many(tmp_path / "music", 1, seconds=1)
    song = music / "track.00.wav"
    out = tmp_path / "out"
    args = ["extract", str(song), f"--out={out}", "--jobs=1"]
    main(args)
    before = contents(out, tmp_path / "out_beat")
    error = error_of(capfd, [*args, "--seconds=20"])
    assert f"{out}: was made with seconds 30.0; use the same settings or name another folder" in error
    assert "offset 0.0" in error_of(capfd, [*args, "--offset=1"])
    other = write(tmp_path / "other" / "track.00.wav")
    error = error_of(capfd, ["extract", str(other), f"--out={out}"])
    assert f"track track_00 was made of {song}, not of {other}" in error
    assert 'form "beat"' in error_of(capfd, ["extract", str(song), f"--out={out}_beat", "--kind=full"])
    assert contents(out, tmp_path / "out_beat") == before
    (out / "extraction.json").write_text("{")
    assert "extraction.json: damaged" in error_of(capfd, args)


def test_a_folder_that_holds_something_else_is_refused(tmp_path, capfd):
    song = write(tmp_path / "music" / "song.wav")
    thesis = tmp_path / "work" / "thesis.txt"
    thesis.parent.mkdir()
    thesis.write_text("mine")
    assert "work: holds thesis.txt and is no extraction" in error_of(
        capfd, ["extract", str(song), f"--out={thesis.parent}"]
    )
    thesis.parent.rename(tmp_path / "out_beat")
    assert "out_beat: holds thesis.txt" in error_of(capfd, ["extract", str(song), f"--out={tmp_path / 'out'}"])
    assert not (tmp_path / "out").exists()
    error = error_of(capfd, ["extract", str(song), f"--out={song}"])
    assert "song.wav: cannot be written" in error
    assert "song.wav" in error_of(capfd, ["extract", str(song), f"--out={song / 'out'}"])


def test_a_folder_that_another_process_writes_to_is_refused(tmp_path, capfd):
    from filelock import FileLock

    song = write(tmp_path / "song.wav")
    (tmp_path / "out").mkdir()
    with FileLock(tmp_path / "out" / ".extraction.lock"):
        assert "another process is extracting" in error_of(capfd, ["extract", str(song), f"--out={tmp_path / 'out'}"])


def test_mistakes_of_a_line(tmp_path, capfd):
    song = write(tmp_path / "song.wav")
    out = f"--out={tmp_path / 'out'}"
    assert "out" in error_of(capfd, ["extract", str(song)], code=2)
    assert "INPUTS" in error_of(capfd, ["extract", out], code=2)
    assert "kind" in error_of(capfd, ["extract", str(song), out, "--kind=mel"], code=2)
    assert "seconds is 0.5; it must be 1 or more" in error_of(capfd, ["extract", str(song), out, "--seconds=0.5"])
    assert "jobs is 0" in error_of(capfd, ["extract", str(song), out, "--jobs=0"])
    assert "no such file or folder" in error_of(capfd, ["extract", str(tmp_path / "none"), out])
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "no audio was found" in error_of(capfd, ["extract", str(empty), out])
    write(tmp_path / "more" / "song.wav")
    assert "would both be track song" in error_of(capfd, ["extract", str(tmp_path), out])


def test_torch_is_not_imported(tmp_path):
    write(tmp_path / "song.wav")
    code = (
        "import sys; from musiclab.cli import main; main(sys.argv[1:]); "
        "sys.exit('torch' in sys.modules or 'sklearn' in sys.modules)"
    )
    command = [
        sys.executable,
        "-c",
        code,
        "extract",
        str(tmp_path / "song.wav"),
        f"--out={tmp_path / 'out'}",
        "--jobs=1",
    ]
    subprocess.run(command, check=True, capture_output=True)


@pytest.mark.parametrize("recipe", [["--recipe=musicnn"], []])
def test_what_songs_lack_that_a_recipe_by_name_wants(recipe, tmp_path, capsys):
    write(tmp_path / "dull.wav", clicks(2.0), rate=8000)
    write(tmp_path / "whole.wav", clicks(2.0))
    extract(tmp_path, tmp_path / "arrays", "--kind=full", *recipe)
    told = "dull.wav: sampled at 8000 Hz, so that all from 4000 to 8000 Hz is missing\n" in capsys.readouterr().out
    assert told == bool(recipe)


def test_a_recipe_by_name(tmp_path, capfd):
    """What MusiCNN reads, by librosa and numpy."""
    import librosa

    song = write(tmp_path / "song.wav", clicks(2.0, rate=16000), 16000)
    extract(song, tmp_path / "arrays", "--recipe=musicnn")
    audio, _ = librosa.load(song, sr=None)
    power = librosa.feature.melspectrogram(y=audio, sr=16000, n_fft=512, hop_length=256, n_mels=96)
    array = np.load(tmp_path / "arrays" / "song.fused.full.npy")
    np.testing.assert_allclose(array, np.log10(10000 * power + 1), atol=1e-6)
    assert array.shape == (96, 126)
    assert json.loads((tmp_path / "arrays" / "features.json").read_text()) == {
        "seconds": 0.016, "rate": 16000, "window": 512, "hop": 256, "mels": 96, "chroma": 0,
        "scale": "log10(10000 x + 1)",
    }  # fmt: skip
    assert not (tmp_path / "arrays_beat").exists()
    for more, message in [
        (["--recipe=musicnn", "--mels=64"], "recipe is musicnn and mels 64; give a recipe by its name or by --mels"),
        (["--recipe=musicnn", "--kind=beat"], "with --mels, --hop, --rate, --window or --recipe there is a column a"),
        (["--recipe=vgg"], "--recipe"),
    ]:
        args = ["extract", str(song), f"--out={tmp_path / 'other'}", *more]
        assert message.strip("-") in error_of(capfd, args, 2 if "vgg" in more[0] else 1)
