"""``docs/pictures.py``, which makes the pictures of the docs: what needs no training of its own."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

import musiclab

PATH = Path(__file__).parents[2] / "docs" / "pictures.py"


@pytest.fixture(scope="module")
def pictures():
    spec = importlib.util.spec_from_file_location("docs_pictures", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def song(pictures, tmp_path_factory):
    path = tmp_path_factory.mktemp("song") / "song.wav"
    pictures.write_song(path, ("Classical", "Metal"))
    return path


def test_a_song_is_its_parts_one_after_the_other(pictures, song, tmp_path):
    samples, rate = soundfile.read(song)
    assert rate == 22050
    assert 14 <= len(samples) / rate <= 18
    pictures.write_song(tmp_path / "first.wav", ("Classical",))
    first, _ = soundfile.read(tmp_path / "first.wav")
    np.testing.assert_array_equal(samples[: len(first)], first)


def test_pictures_are_joined_and_small(pictures, tmp_path):
    for name, height in (("a", 300), ("b", 500)):
        Image.new("RGB", (900, height), "navy").save(tmp_path / f"{name}.png")
    pictures.shrink([tmp_path / "a.png", tmp_path / "b.png"], tmp_path / "out.png")
    with Image.open(tmp_path / "out.png") as joined:
        assert joined.size == (1200, 333)
        white = np.asarray(joined.convert("RGB"))[-50:, :500]
        assert (white > 250).all()  # below the lower one
        assert len(joined.getcolors()) <= pictures.COLOURS


def test_without_a_browser_the_picture_of_a_page_stays_as_it_is(pictures, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(pictures.shutil, "which", lambda name: None)
    pictures.photograph(tmp_path / "report.html", tmp_path / "report.png")
    assert "is left as it is" in capsys.readouterr().out
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(musiclab, "load"), reason="needs musiclab.load")
def test_two_models_answer_about_the_song(pictures, song, genre_cnn, emotion_cnn, tmp_path):
    pictures.answer(genre_cnn, emotion_cnn, song, tmp_path / "answer.png")
    assert 10_000 < (tmp_path / "answer.png").stat().st_size <= 120_000
