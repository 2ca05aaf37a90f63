"""``musiclab import-weights`` on made-up wheels."""

import zipfile

import numpy as np
import pytest
import torch
from command_line import error_of, evaluate_args, read_rows, run_folder
from conftest import make_genre_folder
from data.audio.sounds import clicks, write

import musiclab
from commands.import_weights.made_wheel import TAGS, musicnn_tensors, write_wheel
from musiclab.checkpoint import read_checkpoint
from musiclab.cli import main
from musiclab.data.recipe import write_recipe
from musiclab.spectrogram import MUSICNN


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    folder = tmp_path_factory.mktemp("imported")
    wheel = write_wheel(folder / "musicnn.whl")
    main(["import-weights", str(wheel), f"--out={folder / 'new' / 'musicnn.ckpt'}"])
    return folder / "new" / "musicnn.ckpt"


@pytest.fixture(scope="module")
def song(tmp_path_factory):
    return write(tmp_path_factory.mktemp("songs") / "song.wav", clicks(4.0, rate=16000), 16000)


def test_each_weight_has_its_place(checkpoint):
    tensors, weights = musicnn_tensors(), read_checkpoint(checkpoint)["state_dict"]

    def equal(name, array):
        np.testing.assert_array_equal(weights[name].numpy(), array)

    equal("backbone.timbral.1.convolution.weight", np.einsum("tfio->oitf", tensors["conv2d_1/kernel"]))
    equal("backbone.temporal.2.convolution.weight", np.einsum("tfio->oitf", tensors["conv2d_4/kernel"]))
    equal("backbone.layers.0.convolution.weight", np.einsum("tmio->omt", tensors["conv2d_5/kernel"]))
    equal("backbone.layers.2.convolution.bias", tensors["conv2d_7/bias"])
    equal("backbone.input_norm.running_mean", tensors["batch_normalization/moving_mean"])
    equal("backbone.timbral.0.norm.weight", tensors["batch_normalization_1/gamma"])
    equal("backbone.layers.2.norm.bias", tensors["batch_normalization_8/beta"])
    equal("backbone.pooled_norm.running_var", tensors["batch_normalization_9/moving_variance"])
    equal("backbone.dense_norm.weight", tensors["batch_normalization_10/gamma"])
    equal("backbone.dense.weight", tensors["dense/kernel"].T)
    equal("head.weight", tensors["dense_1/kernel"].T)
    equal("feature_mean", np.zeros(96))
    equal("feature_std", np.ones(96))


def test_the_command_says_what_it_made(tmp_path, capsys):
    out = tmp_path / "musicnn.ckpt"
    main(["import-weights", str(write_wheel(tmp_path / "musicnn.whl")), "--out", str(out)])
    printed = capsys.readouterr().out
    assert f"MSD_musicnn: 3 tags, embeddings of 5 values: {out}" in printed
    assert f"musiclab predict --ckpt_path {out} --data.paths song.mp3" in printed
    assert sorted(path.name for path in tmp_path.iterdir()) == ["musicnn.ckpt", "musicnn.whl"]


def test_a_song_gets_tags_and_an_embedding(checkpoint, song, tmp_path, capsys):
    model = musiclab.load(checkpoint)
    assert "MusiCNN on all (96 rows, frames of 16 ms), 3 tags: rock, female vocalists, 80s" in repr(model)
    assert (model.kind, model.window) == ("tags", pytest.approx(186.5 * 0.016))
    answer = model.predict(song)
    assert list(answer) == TAGS
    assert all(0 < value < 1 for value in answer.values())
    assert model.embed(song).shape == (5,)
    main(evaluate_args("predict", checkpoint, tmp_path, f"--data.paths={song}"))
    (row,) = read_rows(run_folder(tmp_path) / "predictions.csv")
    assert list(row) == ["id", *(f"{kind}_{tag}" for tag in TAGS for kind in ("truth", "probability"))]
    for tag, value in answer.items():
        assert float(row[f"probability_{tag}"]) == pytest.approx(value, abs=1e-5)
        assert row[f"truth_{tag}"] == ""
    best = max(answer, key=answer.get)
    assert f"song  {best} {answer[best]:.3f}" in capsys.readouterr().out


def test_a_song_at_8_khz_is_answered_and_what_it_lacks_is_said(checkpoint, tmp_path, capsys):
    path = write(tmp_path / "dull.wav", clicks(2.0, rate=8000), 8000)
    assert set(musiclab.load(checkpoint).predict(path)) == set(TAGS)
    assert f"{path}: sampled at 8000 Hz, so that all from 4000 to 8000 Hz is missing" in capsys.readouterr().out


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A genre data set of arrays that MusiCNN could read."""
    folder = make_genre_folder(tmp_path_factory.mktemp("data") / "genres", train=30, test=6, frames=(30, 31))
    for path in folder.glob("t*/*.npy"):
        np.save(path, np.load(path)[:96] / 40 + 2)
    write_recipe(folder, MUSICNN)
    return folder


def test_a_training_starts_from_it(checkpoint, root, tmp_path, capsys):
    sizes = {"timbral": 3, "temporal": 2, "layer": 4, "embedding_size": 5}
    arguments = [f"--model.backbone.init_args.{name}={size}" for name, size in sizes.items()]
    main([
        "fit", "--model=ClassificationTask", "--model.backbone=MusiCNN", *arguments, f"--model.pretrained={checkpoint}",
        "--model.frozen_epochs=all", "--data=GenreDataModule", f"--data.root={root}", "--data.features=all",
        "--trainer.max_epochs=1", "--trainer.accelerator=cpu", f"--trainer.default_root_dir={tmp_path}",
    ])  # fmt: skip
    best = read_checkpoint(run_folder(tmp_path) / "checkpoints" / "best.ckpt")
    assert best["hyper_parameters"]["recipe"]["scale"] == "log10(10000 x + 1)"
    source = read_checkpoint(checkpoint)["state_dict"]
    for name, weight in best["state_dict"].items():
        if name.startswith("backbone."):
            assert torch.equal(weight, source[name]) or name.endswith("num_batches_tracked")


def test_latents_are_those_of_a_data_set_that_is_named(checkpoint, root, tmp_path, capfd):
    assert error_of(capfd, ["latents", "--ckpt_path", str(checkpoint)]).endswith("name a folder by --data.root")
    main(["latents", "--ckpt_path", str(checkpoint), f"--data.root={root}", f"--out={tmp_path}", "--neighbours=1"])
    (table,) = tmp_path.glob("embeddings_*.csv")
    rows = {row["id"]: row for row in read_rows(table)}
    array = next((root / "test").iterdir())
    own = rows[array.name.split(".")[0]]
    expected = musiclab.load(checkpoint).embed(array)
    np.testing.assert_allclose([float(own[f"e{n}"]) for n in range(5)], expected, rtol=1e-4)


def test_activations_are_not_those_of_musicnn(checkpoint, root, capfd):
    error = error_of(capfd, ["activations", "--ckpt_path", str(checkpoint), f"--data.root={root}"])
    assert "the model's backbone is MusiCNN; what can be shown" in error


def changed(**tensors):
    """Weights of which some are others, or None for none."""
    return {name: array for name, array in {**musicnn_tensors(), **tensors}.items() if array is not None}


@pytest.mark.parametrize(
    ("made", "message"),
    [
        ({"tensors": changed(**{"conv2d_5/kernel": None})}, "it has no weights conv2d_5/kernel"),
        ({"tensors": changed(**{"dense/bias": None})}, "it has no weights dense/bias"),
        (
            {"tensors": changed(**{"conv2d/kernel": np.ones((7, 40, 1, 3), np.float32)})},
            "conv2d/kernel does not fit MusiCNN: 7x40x1x3, which would be 3x1x7x40 where 3x1x7x38 is needed",
        ),
        ({"tensors": musicnn_tensors(tags=2)}, "dense_1/kernel does not fit"),
        ({"tensors": changed(**{"dense/bias": np.full(5, np.nan, np.float32)})}, "dense/bias has values that are not"),
        ({"index": b"nothing"}, "musicnn/MSD_musicnn/.index: no table of TensorFlow's, or it is cut off"),
        ({"data": b"\0" * 100}, "does not lie where it should"),
        ({"configuration": b"MSD_LABELS = labels()"}, "has no list MSD_LABELS"),
        ({"configuration": b"MTT_LABELS = ['a']"}, "has no list MSD_LABELS"),
        ({"configuration": b"def ("}, "has no list MSD_LABELS"),
    ],
)
def test_weights_that_do_not_fit_are_named(made, message, tmp_path, capfd):
    wheel = write_wheel(tmp_path / "musicnn.whl", **made)
    error = error_of(capfd, ["import-weights", str(wheel), f"--out={tmp_path / 'x.ckpt'}"])
    assert message in error
    assert str(wheel) in error
    assert not list(tmp_path.glob("*.ckpt"))


def other_package(path):
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("numpy/version.py", "")
        wheel.writestr("numpy-2.1.0.dist-info/METADATA", "Name: numpy\n")


def truncated(path):
    write_wheel(path)
    path.write_bytes(path.read_bytes()[:-200])


def damaged(path):
    write_wheel(path)
    content = bytearray(path.read_bytes())
    content[3000] ^= 1
    path.write_bytes(bytes(content))


def incomplete(path):
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("musicnn/MSD_musicnn/.index", "")


@pytest.mark.parametrize(
    ("make", "more", "message"),
    [
        (other_package, [], "a wheel of numpy-2.1.0, without models of musicnn; give that of musicnn: `pip download"),
        (
            truncated,
            [],
            "not a wheel, or truncated or damaged; fetch it again: `pip download --no-deps musicnn==0.1.0`",
        ),
        (damaged, [], "not a wheel, or truncated or damaged"),
        (lambda path: path.write_text("wheel"), [], "not a wheel"),
        (incomplete, [], "lacks a file of MSD_musicnn"),
        (lambda path: None, [], "no such file; give the wheel of musicnn"),
        (lambda path: path.mkdir(), [], "a folder; give the wheel in it"),
        (write_wheel, ["--model=MSD_musicn"], "has no model MSD_musicn; did you mean MSD_musicnn?"),
        (write_wheel, ["--model=resnet"], "has no model resnet; there are MSD_musicnn"),
    ],
)
def test_what_is_no_wheel_of_musicnn(make, more, message, tmp_path, capfd):
    make(tmp_path / "a.whl")
    out = tmp_path / "x.ckpt"
    assert message in error_of(capfd, ["import-weights", str(tmp_path / "a.whl"), f"--out={out}", *more])
    assert not out.exists()


def test_the_checkpoint_is_written_where_nothing_else_lies(tmp_path, capfd):
    wheel = write_wheel(tmp_path / "a.whl")
    before = wheel.read_bytes()
    assert "a folder; give a file in it" in error_of(capfd, ["import-weights", str(wheel), f"--out={tmp_path}"])
    assert "the wheel itself" in error_of(capfd, ["import-weights", str(wheel), f"--out={wheel}"])
    assert wheel.read_bytes() == before


@pytest.mark.slow
def test_it_is_exported(checkpoint, root, tmp_path):
    pytest.importorskip("onnxscript", reason="there is no onnxscript")
    onnxruntime = pytest.importorskip("onnxruntime", reason="there is no onnxruntime")
    main(["export", f"--ckpt_path={checkpoint}", f"--out={tmp_path / 'musicnn.onnx'}"])
    array = np.load(next((root / "test").iterdir()))
    inputs = {"spectrograms": array.T[None], "lengths": np.array([array.shape[1]])}
    (tags,) = onnxruntime.InferenceSession(tmp_path / "musicnn.onnx").run(["probabilities"], inputs)
    np.testing.assert_allclose(tags[0], list(musiclab.load(checkpoint).predict(array).values()), atol=1e-4)
