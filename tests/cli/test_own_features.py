"""Features of one's own: other mel bands, from songs to an answer, and what is no spectrogram at all."""

import gzip
import json
import logging

import numpy as np
import pytest
import torch
from command_line import error_of, evaluate_args, fit_args, read_rows, run_folder
from data.audio.sounds import clicks, write

import musiclab
from musiclab.cli import main
from musiclab.data.arrays import read_array
from musiclab.data.audio.asked_recipe import own_recipe
from musiclab.data.audio.extraction import Clip, clip_spectrograms
from musiclab.data.datamodules import AudioDataModule, EmotionDataModule, GenreDataModule
from musiclab.data.recipe import write_recipe
from musiclab.errors import UserError
from musiclab.spectrogram import Recipe

OPTIONS = ["--mels=64", "--hop=1024", "--rate=16000", "--window=2048"]
OWN = own_recipe(64, 1024, 16000, 2048)
ALL = "--data.features=all"


def make_set(root, rows=6, frames=5, shift=0.0, parts=(("train", 24), ("test", 6))):
    """Tracks of two genres that rows of any meaning tell apart; half of the files are zipped."""
    rng = np.random.default_rng(0)
    number = 0
    for part, count in parts:
        (root / part).mkdir(parents=True)
        lines = ["Id\tGenre"]
        for _ in range(count):
            genre = number % 2
            array = rng.normal(size=(rows, frames + number % 3 if frames > 1 else 1)) / 100 + shift
            array[0] += genre / 20
            if number % 4 < 2:
                np.save(root / part / f"{number}.npy", array.astype(np.float32))
            else:
                with gzip.open(root / part / f"{number}.npy.gz", "wb") as stream:
                    np.save(stream, array)
            lines.append(f"{number}\t{'ab'[genre]}")
            number += 1
        (root / f"{part}_labels.txt").write_text("\n".join(lines) + "\n")
    return root


def rate_tracks(root):
    """Have the set be of two axes."""
    rows = (root / "train_labels.txt").read_text().split()[2::2]
    values = np.random.default_rng(0).uniform(size=(len(rows), 2)).round(3)
    lines = [f"{identifier},{one},{two}" for identifier, (one, two) in zip(rows, values, strict=True)]
    (root / "train_labels.txt").write_text("\n".join(["Id,joy,fear", *lines]) + "\n")
    (root / "test_labels.txt").unlink()
    return root


def best(folder):
    return run_folder(folder) / "checkpoints" / "best.ckpt"


@pytest.fixture(scope="module")
def songs(tmp_path_factory):
    """Songs of two genres, of 2 s each, in a folder per genre."""
    tree = tmp_path_factory.mktemp("songs")
    for number in range(16):
        genre = number % 2
        samples = clicks(2.0, seed=number, pitch=(150, 600)[genre] + 7 * number)
        write(tree / ("low", "high")[genre] / f"{number}.wav", samples)
    return tree


@pytest.fixture(scope="module")
def bands(songs, tmp_path_factory):
    """A genre set of 64 mel bands of them."""
    root = tmp_path_factory.mktemp("bands") / "set"
    main(["build-genres", str(songs), f"--out={root}", "--test_fraction=0.25", "--jobs=1", *OPTIONS])
    return root


@pytest.fixture(scope="module")
def bands_model(bands, tmp_path_factory):
    folder = tmp_path_factory.mktemp("bands_model")
    main(fit_args("genre_cnn.yaml", bands, folder, ALL, "--data.class_map=null", "--model.augmentations=[]"))
    return best(folder)


def test_the_recipe_travels_with_arrays_and_checkpoint(bands, bands_model, capsys):
    assert not bands.with_name("set_beat").exists()
    assert json.loads((bands / "features.json").read_text()) == OWN.plain()
    assert np.load(next((bands / "train").glob("*.npy"))).shape == (64, 32)
    data = GenreDataModule(root=bands, features="all", class_map=None)
    assert (data.num_features, data.seconds, data.recipe) == (64, 0.064, OWN.plain())
    checkpoint = torch.load(bands_model, weights_only=True)
    assert checkpoint["hyper_parameters"]["recipe"] == OWN.plain()
    assert checkpoint["hyper_parameters"]["seconds"] == 0.064
    assert checkpoint["state_dict"]["feature_mean"].shape == (64,)
    main(["check", str(bands)])
    output = capsys.readouterr().out
    assert "mels 64" in output
    assert "train with --data.features all" in output
    assert "64 rows, 32 to 32 frames" in output


def test_an_answer_about_a_song_is_that_about_its_array(bands, bands_model, songs, tmp_path):
    main(evaluate_args("predict", bands_model, tmp_path / "arrays", "--data.batch_size=1"))
    expected = {row["id"]: row for row in read_rows(run_folder(tmp_path / "arrays") / "predictions.csv")}
    assert len(expected) == 4
    paths = ",".join(str(path) for path in songs.rglob("*.wav") if path.stem in expected)
    data = ["--data=AudioDataModule", f"--data.paths={paths}", "--data.window=2"]
    main(evaluate_args("predict", bands_model, tmp_path / "songs", *data))
    rows = read_rows(run_folder(tmp_path / "songs") / "predictions.csv")
    assert [row["id"] for row in rows] == list(expected)
    for row in rows:
        assert float(row["low"]) == pytest.approx(float(expected[row["id"]]["low"]), abs=2e-3)  # float16 of the store
    assert AudioDataModule(paths, str(bands_model)).making == OWN


def test_in_python_too(bands, bands_model, songs):
    model = musiclab.load(bands_model)
    path = next((bands / "test").glob("*.npy"))
    (song,) = songs.rglob(f"{path.name.split('.')[0]}.wav")
    assert model.predict(song) == pytest.approx(model.predict(path), abs=2e-3)
    assert model.over_time(song).values.shape == (1, 2)
    with pytest.raises(UserError, match="the array: all features need 64 rows, but it has 65"):
        model.predict(np.zeros((65, 9), np.float32))
    data = GenreDataModule(root=bands, features="all", class_map=None)
    assert musiclab.ClassificationTask.for_data(data).hparams["recipe"] == OWN.plain()


def test_windows_have_the_recipes_frames(bands_model, songs):
    data = AudioDataModule(str(songs / "low" / "0.wav"), str(bands_model))
    assert data.window == pytest.approx(31.5 * 0.064)
    data.setup("predict")
    (batch,) = data.predict_dataloader()
    assert batch.spectrograms.shape == (1, 32, 64)
    array = clip_spectrograms(songs / "low" / "0.wav", Clip(0.0, data.window, OWN), ["full"])["full"]
    np.testing.assert_array_equal(batch.spectrograms[0].numpy().T, array)


@pytest.mark.parametrize(
    ("config", "rows", "frames"),
    [("genre_cnn.yaml", 200, 1), ("genre_lstm.yaml", 1, 5), ("emotion_multitask.yaml", 6, 5)],
)
def test_what_is_no_spectrogram_is_learnt_tested_and_predicted(config, rows, frames, tmp_path, capfd):
    root = make_set(tmp_path / "set", rows, frames)
    parts = ["--data.class_map=null"] if "genre" in config else []
    if not parts:
        rate_tracks(root)
    main(fit_args(config, root, tmp_path, ALL, *parts, "--data.val_fraction=0.25"))
    for number, command in enumerate(("test", "predict"), 1):
        main(evaluate_args(command, best(tmp_path), tmp_path))
        assert read_rows(run_folder(tmp_path, number) / "predictions.csv")
    song = write(tmp_path / "song.wav")
    args = evaluate_args("predict", best(tmp_path), tmp_path, "--data=AudioDataModule", f"--data.paths={song}")
    capfd.readouterr()
    assert "cannot be asked about audio files" in error_of(capfd, args)


def test_features_of_any_scale_are_normalised(tmp_path):
    root = make_set(tmp_path / "set", shift=100.0)
    data = GenreDataModule(root=root, features="all", store_dtype="float32")
    main(fit_args("genre_cnn.yaml", root, tmp_path, ALL, "--data.store_dtype=float32"))
    weights = torch.load(best(tmp_path), weights_only=True)["state_dict"]
    data.setup("fit")
    mean, std = data.feature_statistics()
    assert mean.min() > 99
    torch.testing.assert_close(weights["feature_mean"], mean)
    torch.testing.assert_close(weights["feature_std"], std)


def test_the_labs_rows_all_of_them(genre_root):
    data = GenreDataModule(root=genre_root, features="all", store_dtype="float16")  # as that of the lab's features
    assert data.num_features == 140
    data.setup("fit")
    fused = GenreDataModule(root=genre_root, features="fused")
    fused.setup("fit")
    torch.testing.assert_close(data.feature_statistics(), fused.feature_statistics())


def test_seconds_come_from_the_file(tmp_path):
    root = make_set(tmp_path / "set")
    assert GenreDataModule(root=root, features="all").seconds == pytest.approx(512 / 22050)
    assert GenreDataModule(root=root, features="all", seconds=0.5).seconds == 0.5
    write_recipe(root / "train", Recipe(0.5, scale="embedding"))
    assert GenreDataModule(root=root, features="all").seconds == 0.5
    assert GenreDataModule(root=root, features="all", seconds=0.5).recipe == {
        "seconds": 0.5,
        "chroma": 0,
        "scale": "embedding",
    }
    with pytest.raises(UserError, match=r"features\.json: a frame lasts 0\.5 s, but --data\.seconds is 0\.1; leave"):
        GenreDataModule(root=root, features="all", seconds=0.1)
    with pytest.raises(UserError, match="seconds is -1"):
        GenreDataModule(root=root, features="all", seconds=-1)


def test_arrays_that_do_not_go_together(tmp_path, bands):
    root = make_set(tmp_path / "set")
    module = GenreDataModule(root=root)
    with pytest.raises(UserError, match=r"0\.npy: 6 rows; expected 128 .*--data\.features all"):
        module.setup("fit")
    np.save(root / "train" / "0.npy", np.zeros((7, 3)))
    module = GenreDataModule(root=root, features="all")
    with pytest.raises(UserError, match=r"\.npy(\.gz)?: 6 rows where the other files of the folder have 7"):
        module.setup("fit")
    make_set(tmp_path / "other")
    for path in (tmp_path / "other" / "test").glob("*.npy*"):
        path.unlink()
    np.save(tmp_path / "other" / "test" / "24.npy", np.zeros((7, 3)))
    module = GenreDataModule(root=tmp_path / "other", features="all")
    with pytest.raises(UserError, match=r"test: arrays of 7 rows, where those of train/ have 6"):
        module.setup("predict")
    with pytest.raises(UserError, match=r"features\.json: other arrays than the lab's.*mels 128 and 64.*features all"):
        GenreDataModule(root=bands, features="mel")
    write_recipe(tmp_path / "other", OWN)
    with pytest.raises(UserError, match=r"features\.json: 64 rows, but the arrays have 6"):
        GenreDataModule(root=tmp_path / "other", features="all")


def test_data_that_were_made_otherwise_are_refused(bands, bands_model, songs, tmp_path, capfd):
    other = tmp_path / "other"
    options = [OPTIONS[0], "--hop=512", *OPTIONS[2:]]
    main(["build-genres", str(songs), f"--out={other}", "--test_fraction=0.25", "--jobs=1", *options])
    said = "made otherwise than those of the data: seconds 0.064 and 0.032, hop 1024 and 512"
    capfd.readouterr()
    for command in ("test", "predict"):
        assert said in error_of(capfd, evaluate_args(command, bands_model, tmp_path, f"--data.root={other}"))
    transfer = [ALL, "--data.class_map=null", f"--model.pretrained={bands_model}"]
    assert said in error_of(capfd, fit_args("genre_cnn.yaml", other, tmp_path, *transfer))


def test_only_mel_bands_in_decibels_are_held_against_decibels(bands, tmp_path, capfd, caplog):
    caplog.set_level(logging.INFO)
    main(fit_args("genre_cnn.yaml", make_set(tmp_path / "set"), tmp_path, ALL))
    assert "Warning" not in caplog.text
    for path in bands.rglob("*.npy"):
        target = tmp_path / "shifted" / path.relative_to(bands)
        target.parent.mkdir(parents=True, exist_ok=True)
        np.save(target, np.load(path) + 80)
    for path in (*bands.glob("*.txt"), bands / "features.json"):
        (tmp_path / "shifted" / path.name).write_text(path.read_text())
    main(fit_args("genre_cnn.yaml", tmp_path / "shifted", tmp_path, ALL, "--data.class_map=null"))
    assert "likely dB above the quietest value" in caplog.text
    assert "mel rows of all" in checked(tmp_path / "shifted", capfd)


def checked(root, capfd):
    with pytest.raises(SystemExit):
        main(["check", str(root)])
    return capfd.readouterr().out


def test_check_knows_rows_of_any_number(tmp_path, capfd):
    root = make_set(tmp_path / "set")
    main(["check", str(root)])
    output = capfd.readouterr().out
    assert "train with --data.features all, and --data.seconds" in output
    assert "6 rows, 5 to 7 frames (median 6), float32, float64, values" in output
    assert "nothing is wrong" in output
    (root / "features.json").write_text('{"hop_length": 512}')
    assert "'hop_length' is no key of it; did you mean hop" in checked(root, capfd)
    write_recipe(root, OWN)
    assert "features.json says 64 rows, but its arrays have 6" in checked(root, capfd)


def test_check_and_embeddings_of_as_many_rows_as_the_labs(tmp_path, capfd):
    root = make_set(tmp_path / "set", rows=128)
    assert 'features.json, as {"scale": "embedding"}' in checked(root, capfd)
    write_recipe(root, Recipe(scale="embedding"))
    main(["check", str(root)])
    assert "nothing is wrong" in capfd.readouterr().out


def test_check_names_transposed_arrays(tmp_path, capfd):
    root = make_set(tmp_path / "set", rows=128)
    for path in root.rglob("*.npy*"):
        array = read_array(path)
        path.unlink()
        np.save(path.with_name(path.name.removesuffix(".gz")), array.T)
    assert "arrays of 5 to 7 rows and 128 columns each, likely transposed; save (rows, time)" in checked(root, capfd)
    with pytest.raises(UserError, match="likely transposed"):
        GenreDataModule(root=root).setup("fit")


def test_an_emotion_set_needs_no_test_folder(tmp_path, capfd):
    root = rate_tracks(make_set(tmp_path / "set", parts=(("train", 24), ("test", 0))))
    (root / "test").rmdir()
    main(["check", str(root)])
    assert "nothing is wrong" in capfd.readouterr().out
    main(fit_args("emotion_multitask.yaml", root, tmp_path, ALL))
    args = evaluate_args("predict", best(tmp_path), tmp_path)
    capfd.readouterr()
    assert "test: no such folder; put the arrays to predict there, or ask about songs" in error_of(capfd, args)
    assert EmotionDataModule(root=root, features="all").has_test


@pytest.mark.parametrize("kind", ["beat", "both"])
def test_there_are_no_beats_of_other_mel_bands(kind, songs, tmp_path, capfd):
    args = ["extract", str(songs), f"--out={tmp_path / 'out'}", f"--kind={kind}", *OPTIONS]
    assert f"kind is {kind}, but with --mels" in error_of(capfd, args)
    assert not list(tmp_path.iterdir())


def test_options_that_make_no_features(songs, tmp_path, capfd):
    args = ["extract", str(songs), f"--out={tmp_path / 'out'}", "--mels=128", "--window=256", "--hop=256"]
    assert "mel bands would be empty" in error_of(capfd, args)
    assert not list(tmp_path.iterdir())


def test_features_are_shown(bands, tmp_path, capfd):
    main(["explore", str(bands), f"--out={tmp_path / 'bands'}"])
    page = (tmp_path / "bands" / "index.html").read_text()
    assert "64 bands by 32 frames of 64 ms" in page
    assert "which are all mel bands" in page
    main(["explore", str(make_set(tmp_path / "set")), f"--out={tmp_path / 'page'}", "--seconds=0.5"])
    page = (tmp_path / "page" / "index.html").read_text()
    assert "Rows are drawn as they are" in page
    assert "6 rows by" in page


def test_what_a_network_sees_of_them(bands_model, tmp_path):
    main(["activations", f"--ckpt_path={bands_model}", "--maps=4", f"--out={tmp_path}"])
    assert "16 by 32 values each, one for 2 frames by 2 rows" in (tmp_path / "index.html").read_text()
