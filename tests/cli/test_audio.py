"""Asking a trained model about audio files, as a user does."""

import re

import numpy as np
import pytest
import torch
from command_line import error_of, evaluate_args, fit_args, read_rows, run_folder
from conftest import GENRES, SHARED, make_genre_folder
from data.audio.sounds import clicks, swell, truncate, write

import musiclab
from musiclab.cli import main
from musiclab.data.audio.extraction import Clip, clip_spectrograms
from musiclab.data.datamodules import AudioDataModule
from musiclab.models import CNN
from musiclab.spectrogram import FRAME_SECONDS
from musiclab.tasks import ClassificationTask

AXES = ["valence", "energy", "danceability"]
RECORDINGS = SHARED / "audio"


@pytest.fixture(scope="module")
def genre_run(genre_root, tmp_path_factory):
    """A CNN on mel spectrograms; its training tracks have 20 to 39 frames, less than a second."""
    folder = tmp_path_factory.mktemp("genre")
    main(fit_args("genre_cnn.yaml", genre_root, folder))
    return run_folder(folder) / "checkpoints" / "best.ckpt"


@pytest.fixture(scope="module")
def emotion_run(emotion_root, tmp_path_factory):
    """An LSTM on chroma and mel of beats."""
    folder = tmp_path_factory.mktemp("emotion")
    more = ["--data.features=fused", "--data.beat_synced=true"]
    main(fit_args("emotion_lstm.yaml", emotion_root, folder, *more))
    return run_folder(folder) / "checkpoints" / "best.ckpt"


@pytest.fixture(scope="module")
def songs(tmp_path_factory):
    """A folder of songs, one of them in a folder of its own."""
    folder = tmp_path_factory.mktemp("songs")
    for number, (name, seconds) in enumerate([("a", 1.2), ("b", 4.0), ("album/c", 7.5)]):
        write(folder / f"{name}.wav", clicks(seconds, seed=number, pitch=90 + 60 * number))
    return folder


def ask(checkpoint, folder, paths, *more):
    main(evaluate_args("predict", checkpoint, folder, "--data=AudioDataModule", f"--data.paths={paths}", *more))
    runs = sorted((folder / "lightning_logs").iterdir(), key=lambda run: int(run.name.split("_")[1]))
    return read_rows(runs[-1] / "predictions.csv")


def test_a_genre_model_gives_probabilities_and_prints_the_likeliest(genre_run, songs, tmp_path, capsys):
    rows = ask(genre_run, tmp_path, songs, "--data.window=2")
    assert [row["id"] for row in rows] == ["a", "b", "c"]
    for row in rows:
        probabilities = {genre: float(row[genre]) for genre in GENRES}
        assert sum(probabilities.values()) == pytest.approx(1, abs=1e-5)
        assert row["truth"] == ""
        assert row["prediction"] == max(probabilities, key=probabilities.get)
    lines = capsys.readouterr().out.splitlines()
    best = max(GENRES, key=lambda genre: float(rows[0][genre]))
    assert any(re.fullmatch(rf"a  {best} +{float(rows[0][best]):.3f}  .*", line) for line in lines)
    assert any(line.startswith("Predictions for 3 tracks: ") for line in lines)


def test_an_emotion_model_gives_its_axes_and_writes_no_solution(emotion_run, songs, tmp_path, capsys):
    rows = ask(emotion_run, tmp_path, songs)
    assert list(rows[0]) == ["id", *(f"{kind}_{axis}" for axis in AXES for kind in ("truth", "prediction"))]
    assert len(rows) == 3
    assert all(row["truth_energy"] == "" for row in rows)
    assert not (run_folder(tmp_path) / "solution.txt").exists()
    assert re.search(r"^a  valence +\d\.\d{3}  energy \d\.\d{3}  dance", capsys.readouterr().out, re.MULTILINE)


@pytest.mark.parametrize("run", ["genre_run", "emotion_run"])
def test_a_file_gets_the_same_answer_alone_as_with_others(run, songs, tmp_path, request):
    checkpoint = request.getfixturevalue(run)
    together = ask(checkpoint, tmp_path / "together", songs, "--data.window=2")
    files = sorted(songs.rglob("*.wav"))
    alone = [ask(checkpoint, tmp_path / str(n), file, "--data.window=2")[0] for n, file in enumerate(files)]
    assert sorted(alone, key=lambda row: row["id"]) == together
    assert ask(checkpoint, tmp_path / "processes", songs, "--data.window=2", "--data.jobs=2") == together


def test_an_answer_is_the_mean_over_windows_of_what_the_model_says(genre_run, songs, tmp_path):
    task = ClassificationTask.load_from_checkpoint(
        genre_run, weights_only=True, backbone=lambda n: CNN(n, (8, 8, 16, 16)), optimizer=None, lr_scheduler=None
    )
    task.eval()
    song = songs / "b.wav"
    expected = []
    for offset in (0.0, 2.0):
        array = clip_spectrograms(song, Clip(offset, 2.0), ["full"])["full"][:128]
        with torch.no_grad():
            expected.append(task(torch.tensor(array.T)[None], torch.tensor([array.shape[1]])).softmax(dim=1)[0])
    (row,) = ask(genre_run, tmp_path, song, "--data.window=2", "--data.batch_size=1")
    np.testing.assert_allclose([float(row[genre]) for genre in GENRES], sum(expected) / 2, atol=2e-6)


def test_windows_are_as_long_as_the_training_tracks(tmp_path):
    """Tracks of 100 frames make windows of 100 frames."""

    root = make_genre_folder(tmp_path / "data", frames=(100, 101))
    main(fit_args("genre_cnn.yaml", root, tmp_path))
    checkpoint = run_folder(tmp_path) / "checkpoints" / "best.ckpt"
    assert torch.load(checkpoint, weights_only=True)["track_frames"] == 100
    song = write(tmp_path / "song.wav", clicks(5.0))
    data = AudioDataModule(str(song), str(checkpoint))
    assert data.window == pytest.approx(99.5 * FRAME_SECONDS)
    data.setup("predict")
    (batch,) = data.predict_dataloader()
    assert batch.lengths.tolist() == [100, 100, 100]
    assert batch.spectrograms.shape == (3, 100, 128)
    assert batch.ids == ["song"] * 3


def test_beats_are_looked_for_in_windows_of_30_seconds(emotion_run, songs):
    data = AudioDataModule(str(songs / "b.wav"), str(emotion_run))
    data.setup("predict")
    (batch,) = data.predict_dataloader()
    assert data.window == 30
    assert batch.spectrograms.shape[2] == 140
    assert batch.lengths[0] < 20


def test_what_cannot_be_used_is_told_and_stops_no_others(genre_run, tmp_path, capfd):
    songs = tmp_path / "songs"
    write(songs / "good.wav", clicks(2.0))
    write(songs / "pause.wav", np.concatenate([clicks(2.0), np.zeros(44100)]))
    write(songs / "silent.wav", np.zeros(44100))
    truncate(write(songs / "cut.flac"), 0.02)
    with pytest.raises(SystemExit) as exit_info:
        ask(genre_run, tmp_path, songs, "--data.window=2")
    assert exit_info.value.code == 1
    rows = read_rows(run_folder(tmp_path) / "predictions.csv")
    assert [row["id"] for row in rows] == ["good", "pause"]
    output = capfd.readouterr()
    assert re.search(r"pause\.wav: silent: .*; left out 1 of 2 windows, the first at 2 s", output.out)
    errors = [line for line in output.err.splitlines() if line.startswith("musiclab: error: ")]
    assert len(errors) == 2
    assert any("silent.wav: silent" in line for line in errors)
    assert any("cut.flac: " in line for line in errors)


def test_no_beat_in_any_window(emotion_run, tmp_path, capfd):
    song = write(tmp_path / "swell.wav", swell(2.0), subtype="FLOAT")
    args = evaluate_args("predict", emotion_run, tmp_path, "--data=AudioDataModule", f"--data.paths={song}")
    assert error_of(capfd, args) == f"musiclab: error: {song}: no beat was found"


@pytest.mark.parametrize(
    ("command", "options", "message"),
    [
        ("predict", ["--data.paths=missing.wav"], "missing.wav: no such file or folder"),
        ("predict", ["--data.paths=SONGS", "--data.window=0.5"], "window is 0.5; it must be at least 1"),
        ("predict", ["--data.paths=SONGS", "--data.jobs=0"], "jobs is 0; it must be at least 1"),
        ("predict", ["--data.paths=[SONGS/one.wav,SONGS/folder/one.wav]"], "would both be track one"),
        ("predict", ["--data.paths=ROOT/test/1.npy.gz"], "1.npy.gz: an array and no audio file; ask about arrays by"),
        ("test", ["--data.paths=SONGS"], "musiclab predict --ckpt_path"),
    ],
)
def test_bad_requests(command, options, message, genre_run, tmp_path, capfd):
    songs = tmp_path / "songs"
    write(songs / "one.wav")
    write(songs / "folder" / "one.wav")
    options = [option.replace("SONGS", str(songs)) for option in options]
    assert message in error_of(capfd, evaluate_args(command, genre_run, tmp_path, "--data=AudioDataModule", *options))


@pytest.fixture(scope="module")
def coarse_runs(genre_root, tmp_path_factory):
    """Models of frames of 0.1 s, of mel bands and of all 128 rows of arrays; their tracks are about 3 s long."""
    runs = {}
    mel_root = make_genre_folder(tmp_path_factory.mktemp("coarse") / "data", rows=128)
    for name, root in [("mel", genre_root), ("all", mel_root)]:
        folder = tmp_path_factory.mktemp(name)
        options = [f"--data.features={name}", "--data.seconds=0.1", "--data.store_dtype=float32"]
        main(fit_args("genre_cnn.yaml", root, folder, *options))
        runs[name] = run_folder(folder) / "checkpoints" / "best.ckpt"
    return runs


@pytest.mark.parametrize("name", ["mel", "all"])
def test_a_model_of_coarser_frames_is_asked_about_those_nearest_to_its_own(name, coarse_runs, tmp_path):
    model = musiclab.load(coarse_runs[name])
    length = model.window
    frames = round(length / 0.1 + 0.5)
    assert 20 <= frames <= 40
    song = write(tmp_path / "song.wav", clicks(2 * length), subtype="FLOAT")
    fine = [clip_spectrograms(song, Clip(start, length), ["full"])["full"] for start in (0, length)]
    columns = [round(number * 0.1 / FRAME_SECONDS) for number in range(frames)]  # the lab's frames are centred
    coarse = [array[:128, columns] for array in fine]
    expected = [list(answer.values()) for answer in model.predict(coarse)]
    (row,) = ask(coarse_runs[name], tmp_path, song)
    assert [float(row[genre]) for genre in GENRES] == pytest.approx(np.mean(expected, axis=0), abs=1e-6)
    assert list(model.predict(song).values()) == pytest.approx(np.mean(expected, axis=0), abs=1e-6)
    first, second = model.over_time(song, hop=length).values
    np.testing.assert_allclose(first, expected[0], atol=1e-6)
    np.testing.assert_allclose(second, expected[1], atol=0.02)  # cut from the frames of the whole song


def test_a_model_of_finer_frames_is_refused(genre_root, tmp_path, capfd):
    main(fit_args("genre_cnn.yaml", genre_root, tmp_path, "--data.seconds=0.01"))
    checkpoint = run_folder(tmp_path) / "checkpoints" / "best.ckpt"
    song = write(tmp_path / "song.wav")
    args = evaluate_args("predict", checkpoint, tmp_path, "--data=AudioDataModule", f"--data.paths={song}")
    assert "was trained on frames of 0.01 s, but frames of audio files have 0.02322 s" in error_of(capfd, args)


@pytest.mark.skipif(not RECORDINGS.is_dir(), reason="the shared recordings are not at hand")
@pytest.mark.parametrize("run", ["genre_run", "emotion_run"])
def test_the_shared_recordings(run, tmp_path, request):
    rows = ask(request.getfixturevalue(run), tmp_path, RECORDINGS, "--data.window=30")
    assert [row["id"] for row in rows] == [path.stem for path in sorted(RECORDINGS.glob("*.ogg"))]
