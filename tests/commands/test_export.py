"""``musiclab export``, as a user runs it."""

import json
import sys

import numpy as np
import pytest
from command_line import REPOSITORY, error_of
from conftest import GENRES
from data.audio.sounds import clicks, write
from test_docs import blocks

import musiclab
from musiclab.cli import main
from musiclab.inference.library import read_library

pytest.importorskip("onnxscript", reason="there is no onnxscript")
onnxruntime = pytest.importorskip("onnxruntime", reason="there is no onnxruntime")


def export(checkpoint, path):
    main(["export", f"--ckpt_path={checkpoint}", f"--out={path}"])
    return onnxruntime.InferenceSession(path)


def test_the_lines_of_the_docs_go_from_an_mp3_to_the_answer(fit, genre_root, tmp_path, monkeypatch, capfd):
    """Of a model of coarse frames: its window is about 3 s long."""
    checkpoint = fit("genre_cnn.yaml", genre_root, "--data.seconds=0.1")
    monkeypatch.chdir(tmp_path)
    capfd.readouterr()
    session = export(checkpoint, "model.onnx")
    said = capfd.readouterr()
    assert said.out.startswith("model.onnx: 0.2 MB; its answers are PyTorch's to ")
    assert said.err == ""
    model = musiclab.load(checkpoint)
    write(tmp_path / "song.mp3", clicks(3.1 * model.window, seed=3))
    lines: dict = {}
    (block,) = blocks(REPOSITORY / "docs" / "export.md", "python")
    assert len([line for line in block.splitlines() if line]) <= 12
    exec(block, lines)
    first = model.over_time("song.mp3", hop=model.window).values[0]
    assert list(lines["answer"]) == GENRES
    np.testing.assert_allclose(list(lines["answer"].values()), first, atol=1e-4)
    about = session.get_modelmeta().custom_metadata_map
    assert (about["kind"], about["features"], about["num_features"]) == ("classes", "mel", "128")
    assert (about["beat_synced"], float(about["seconds"]), float(about["window"])) == ("false", 0.1, model.window)
    assert json.loads(about["recipe"])["rate"] == 22050


def test_a_model_of_all_axes_and_its_fingerprint(fit, emotion_root, tmp_path):
    checkpoint = fit("emotion_lstm.yaml", emotion_root, "--data.features=fused")
    session = export(checkpoint, tmp_path / "model.onnx")
    arrays = [np.load(path) for path in sorted((emotion_root / "test").iterdir())]
    frames = np.zeros((len(arrays), 50, 140), np.float32)
    for row, array in zip(frames, arrays, strict=True):
        row[: array.shape[1]] = array.T.astype(np.float16)  # as a store keeps them
    lengths = np.array([array.shape[1] for array in arrays])
    (values,) = session.run(["values"], {"spectrograms": frames, "lengths": lengths})
    answers = musiclab.load(checkpoint).predict(arrays)
    np.testing.assert_allclose(values, [list(answer.values()) for answer in answers], atol=1e-4)
    about = session.get_modelmeta().custom_metadata_map
    assert json.loads(about["target_names"]) == ["valence", "energy", "danceability"]
    library = tmp_path / "library.npz"
    main(["embed", str(emotion_root), f"--ckpt_path={checkpoint}", f"--out={library}"])
    assert about["model"] == read_library(library).model


def test_bad_requests(genre_cnn, tmp_path, capfd, monkeypatch):
    args = ["export", f"--ckpt_path={genre_cnn}", f"--out={tmp_path / 'model.onnx'}"]
    assert "model.pt: an export is an ONNX file" in error_of(capfd, [*args, f"--out={tmp_path / 'model.pt'}"])
    assert "gone.ckpt: no such checkpoint" in error_of(capfd, [*args, "--ckpt_path=gone.ckpt"])
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    assert "an export needs onnxscript; install it: pip install 'musiclab[onnx]'" in error_of(capfd, args)
    assert not list(tmp_path.iterdir())
