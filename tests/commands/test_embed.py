"""``musiclab embed``, as a user runs it: the vectors of ``latents`` and of Python, in a file."""

import json
import shutil

import numpy as np
import pytest
import torch
from command_line import error_of, fit_args, run_folder
from conftest import GENRES
from data.audio.sounds import clicks, write

import musiclab
from musiclab.cli import main
from musiclab.commands.latents.comparison import TrackChoice, compare_models
from musiclab.inference.library import read_library
from musiclab.inference.unfinished import Unfinished


@pytest.fixture(scope="module")
def songs(tmp_path_factory):
    """Three songs of 1.2, 2.5 and 4 s, of which the last two make several windows, and one that is no music."""
    folder = tmp_path_factory.mktemp("songs")
    for number, seconds in enumerate([1.2, 2.5, 4.0]):
        write(folder / f"{number}.wav", clicks(seconds, seed=number, pitch=100 + 60 * number))
    write(folder / "2.wav", np.concatenate([clicks(2.0, seed=2), np.zeros(22050), clicks(1.0, seed=3)]))
    return folder


def embed(checkpoint, out, *inputs, options=()):
    main(["embed", *map(str, inputs), f"--ckpt_path={checkpoint}", f"--out={out}", *options])
    return read_library(out)


@pytest.mark.parametrize("model", ["genre_cnn", "genre_lstm"])
def test_those_of_a_data_set_are_those_of_latents(model, genre_root, tmp_path, request, capsys):
    checkpoint = request.getfixturevalue(model)
    library = embed(checkpoint, tmp_path / "new" / "library.npz", genre_root)
    assert f"Embeddings of 45 tracks, {library.values.shape[1]} values each: " in capsys.readouterr().out
    assert library.columns["id"].tolist() == [str(number) for number in range(100, 145)]
    assert library.columns["path"][44] == str(genre_root / "test" / "144.fused.full.npy")
    assert library.columns["genre"].tolist() == GENRES * 15
    expected = compare_models([checkpoint], TrackChoice()).models[0].embeddings
    assert expected.ids == library.columns["id"][36:].tolist()
    np.testing.assert_allclose(library.values[36:], expected.values, atol=1e-6)
    arrays = [np.load(path) for path in library.columns["path"][:2]]
    np.testing.assert_allclose(library.values[:2], musiclab.load(checkpoint).embed(arrays), atol=1e-6)
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["library.npz"]


def test_values_on_axes_are_known_of_labelled_tracks(emotion_cnn, emotion_root, tmp_path):
    library = embed(emotion_cnn, tmp_path / "library.csv", emotion_root)
    assert list(library.columns) == ["id", "path", "valence", "energy", "danceability"]
    assert np.isnan(library.columns["energy"]).tolist() == [False] * 40 + [True] * 8
    line = (emotion_root / "train_labels.txt").read_text().splitlines()[1].split(",")
    assert library.columns["energy"][0] == float(line[2])


def test_those_of_songs_are_those_of_python(genre_cnn, songs, tmp_path, capsys):
    library = embed(genre_cnn, tmp_path / "library.npz", songs)
    assert "2.wav: silent" in (said := capsys.readouterr().out)
    assert "left out 1 of 4 windows" in said
    paths = [songs / f"{number}.wav" for number in range(3)]
    assert library.columns["path"].tolist() == list(map(str, paths))
    np.testing.assert_allclose(library.values, musiclab.load(genre_cnn).embed(paths), atol=1e-6)


def test_windows_are_rows_and_their_mean_is_the_song(genre_cnn, songs, tmp_path):
    library = embed(genre_cnn, tmp_path / "library.npz", songs, options=["--windows=true"])
    assert library.columns["id"].tolist() == list("00111222")
    assert library.columns["start"].tolist() == pytest.approx([0, 0.2, 0, 0.75, 1.5, 0, 1, 3], abs=1e-3)
    own = musiclab.load(genre_cnn).embed(songs / "2.wav")
    np.testing.assert_allclose(library.values[5:].mean(axis=0), own, atol=1e-6)


def test_arrays_are_cut_as_songs_are(genre_cnn, genre_root, tmp_path):
    """Into windows as long as the tracks of the training, evenly spaced."""
    root = tmp_path / "root"
    (root / "test").mkdir(parents=True)
    frames = torch.load(genre_cnn, weights_only=True)["track_frames"]
    track = np.load(genre_root / "test" / "144.fused.full.npy")
    longer = np.tile(track, 3)[:, : int(2.5 * frames)]
    np.save(root / "test" / "1.npy", longer)
    np.save(root / "test" / "2.npy", longer[:, : frames // 2])
    library = embed(genre_cnn, tmp_path / "library.npz", root, options=["--windows=true"])
    begins = [0, round(0.75 * frames), longer.shape[1] - frames]
    assert library.columns["id"].tolist() == ["1", "1", "1", "2"]
    assert library.columns["start"].tolist() == pytest.approx([*(512 / 22050 * begin for begin in begins), 0])
    expected = musiclab.load(genre_cnn).embed([longer[:, begin:][:, :frames] for begin in begins])
    np.testing.assert_allclose(library.values[:3], expected, atol=1e-6)


def test_a_data_set_of_embeddings_is_trained_on(genre_cnn, genre_root, tmp_path, capfd):
    (artists := genre_root / "artists.txt").write_text("Id\tArtist\n100\tsomebody\n")
    try:
        args = ["embed", str(genre_root), f"--ckpt_path={genre_cnn}", "--windows=true"]
        main([*args, f"--out={tmp_path / 'embedded'}"])
    finally:
        artists.unlink()
    root = tmp_path / "embedded"
    library = embed(genre_cnn, tmp_path / "library.npz", genre_root, options=["--windows=true"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["embedded", "library.npz"]
    texts = ["artists.txt", "features.json", "test", "test_labels.txt", "train", "train_labels.txt"]
    assert sorted(path.name for path in root.iterdir()) == texts
    array = np.load(root / "test" / "144.npy")
    np.testing.assert_allclose(array.T, library.values[library.columns["id"] == "144"], atol=1e-6)
    recipe = json.loads((root / "features.json").read_text())
    assert recipe["scale"] == f"embedding of CNN {library.model}"
    assert f"{len(library.values)} windows, {len(array)} values each: {root}" in capfd.readouterr().out
    main(fit_args("probe_genre.yaml", root, tmp_path / "run"))
    run = run_folder(tmp_path / "run")
    assert 0 <= json.loads((run / "test_metrics.json").read_text())["test_accuracy"] <= 1
    checkpoint = run / "checkpoints" / "last.ckpt"
    # What another model knows of the same tracks looks alike.
    (root / "features.json").write_text(json.dumps({**recipe, "scale": "embedding of CNN 0123456789abcdef"}))
    error = error_of(capfd, ["test", f"--ckpt_path={checkpoint}", f"--data.root={root}"])
    assert f"scale embedding of CNN {library.model} and embedding of CNN 0123456789abcdef in features.json" in error
    error = error_of(capfd, ["predict", f"--ckpt_path={checkpoint}", f"--data.paths={root / 'song.wav'}"])
    assert f"it was trained on the embedding of CNN {library.model}; make arrays of the songs" in error


def test_what_fails_is_told_and_stops_no_others(genre_cnn, songs, genre_root, tmp_path, capfd):
    folder = tmp_path / "songs"
    shutil.copytree(songs, folder)
    (folder / "3.wav").write_text("no music")
    write(folder / "4.wav", np.zeros(44100))
    with pytest.raises(SystemExit) as ended:
        embed(genre_cnn, tmp_path / "library.npz", folder)
    assert ended.value.code == 1
    said = capfd.readouterr()
    assert "3.wav: not audio" in said.err
    assert "4.wav: silent" in said.err
    assert "Embeddings of 3 tracks, 2 failed" in said.out
    assert len(read_library(tmp_path / "library.npz").values) == 3
    root = tmp_path / "data"
    shutil.copytree(genre_root, root)
    (root / "train" / "100.fused.full.npy").write_bytes(b"no array")
    with pytest.raises(SystemExit):
        embed(genre_cnn, tmp_path / "library.npz", root)
    assert "100.fused.full.npy: " in capfd.readouterr().err
    assert len(read_library(tmp_path / "library.npz").values) == 44


@pytest.mark.parametrize("kind", ["songs", "arrays"])
def test_it_goes_on_where_it_was_interrupted(kind, genre_cnn, songs, genre_root, tmp_path, monkeypatch, capfd):
    source, total = (songs, 3) if kind == "songs" else (genre_root, 45)
    whole = embed(genre_cnn, tmp_path / "whole.npz", source)
    out, part = tmp_path / "library.npz", tmp_path / "library.npz.part"
    added = []
    add = Unfinished.add

    def stop(self, track, embedded):
        if len(added) == 2:
            raise KeyboardInterrupt
        added.append(track)
        add(self, track, embedded)

    monkeypatch.setattr(Unfinished, "add", stop)
    with pytest.raises(SystemExit) as ended:
        embed(genre_cnn, out, source)
    assert ended.value.code == 130
    assert not out.exists()
    with part.open("ab") as stream:  # as if it had been killed in the middle of a line
        stream.write(b'["/songs/2.wav", [1')
    assert "begun with another model or other options" in error_of(
        capfd, ["embed", str(songs), f"--ckpt_path={genre_cnn}", f"--out={out}", "--windows=true"]
    )
    later = []
    monkeypatch.setattr(Unfinished, "add", lambda self, *args: (later.append(args[0]), add(self, *args)))
    library = embed(genre_cnn, out, source)
    assert not part.exists()
    assert len(later) == total - 2
    assert not set(later) & set(added)
    np.testing.assert_allclose(library.values, whole.values, atol=1e-6)
    assert {name: list(column) for name, column in library.columns.items()} == {
        name: list(column) for name, column in whole.columns.items()
    }


@pytest.mark.parametrize(
    ("inputs", "options", "message"),
    [
        (["ROOT"], ["--out=library.txt"], "library.txt: embeddings are written as .npz, .csv or .parquet"),
        (["ROOT", "SONGS"], [], "a data set folder, whose arrays are embedded to a file of its own"),
        (["ROOT"], ["--out=ROOT"], "is there already; name a new folder for the data set of embeddings"),
        (["SONGS"], ["--out=library"], "library: embeddings are written as .npz, .csv or .parquet"),
        (["NOTHING"], [], "no audio was found"),
        (["SILENCE"], [], "silent.wav: silent: its peak is"),
        (["gone.mp3"], [], "gone.mp3: no such file or folder"),
        (["LOUD"], [], "9 arrays: values of 40"),
        (["SONGS"], ["--ckpt_path=gone.ckpt"], "gone.ckpt: no such checkpoint"),
    ],
)
def test_bad_requests(inputs, options, message, genre_cnn, genre_root, songs, tmp_path, capfd):
    places = {"ROOT": genre_root, "SONGS": songs}
    for name in ("NOTHING", "SILENCE", "LOUD"):
        places[name] = tmp_path / name
        places[name].mkdir()
    write(places["SILENCE"] / "silent.wav", np.zeros(44100))
    for number in range(9):
        (places["LOUD"] / "test").mkdir(exist_ok=True)
        np.save(places["LOUD"] / "test" / f"{number}.npy", np.full((128, 30), 40.0))
    out = tmp_path / "library.npz"
    args = ["embed", *(str(places.get(name, name)) for name in inputs), f"--ckpt_path={genre_cnn}", f"--out={out}"]
    options = [option.replace("ROOT", str(genre_root)) for option in options]
    assert message in error_of(capfd, [*args, *options])
    assert not list(tmp_path.glob("library*"))


def test_a_model_of_beats_on_a_song_without_any(fit, genre_root, tmp_path, capfd):
    checkpoint = fit("genre_lstm.yaml", genre_root, "--data.features=fused", "--data.beat_synced=true")
    time = np.arange(66150) / 22050
    song = write(tmp_path / "swell.wav", np.sin(2 * np.pi * 220 * time) * np.hanning(66150), subtype="FLOAT")
    out = tmp_path / "library.npz"
    args = ["embed", str(song), f"--ckpt_path={checkpoint}", f"--out={out}"]
    assert "swell.wav: no beat was found" in error_of(capfd, args)
    assert [path.name for path in tmp_path.iterdir()] == ["swell.wav"]


def test_of_songs_that_were_sampled_less_often_what_is_missing_is_said(genre_cnn, songs, tmp_path, capsys):
    folder = shutil.copytree(songs, tmp_path / "songs")
    for name in ("dull", "too"):
        write(folder / f"{name}.wav", clicks(1.2, seed=5)[::2], 11025)
    embed(genre_cnn, tmp_path / "library.npz", folder)
    said = [line for line in capsys.readouterr().out.splitlines() if "sampled at" in line]
    assert len(said) == 1
    assert "dull.wav: sampled at 11025 Hz, so that all from 5512 to 11025 Hz is missing" in said[0]
    assert said[0].endswith("(and 1 more file)")


def test_what_has_changed_and_cannot_be_read_any_more_is_not_written(genre_cnn, songs, tmp_path, monkeypatch):
    folder = shutil.copytree(songs, tmp_path / "songs")
    with monkeypatch.context() as patch:
        patch.setattr("musiclab.commands.embed.embed.write_library", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            embed(genre_cnn, tmp_path / "out.npz", folder)
    (folder / "1.wav").write_text("no music")
    with pytest.raises(SystemExit):
        embed(genre_cnn, tmp_path / "out.npz", folder)
    assert read_library(tmp_path / "out.npz").columns["id"].tolist() == ["0", "2"]


def test_an_axis_of_a_name_that_files_need_is_refused(emotion_cnn, emotion_root, tmp_path, capfd):
    root = shutil.copytree(emotion_root, tmp_path / "root")
    labels = root / "train_labels.txt"
    labels.write_text(labels.read_text().replace("valence", "model", 1))
    error = error_of(capfd, ["embed", str(root), f"--ckpt_path={emotion_cnn}", f"--out={tmp_path / 'out.npz'}"])
    assert "an axis is called model" in error
