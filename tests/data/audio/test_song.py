"""Frames of a whole song: what windows are cut from, block by block."""

import numpy as np
import pytest

from data.audio.sounds import clicks, swell, truncate, write
from musiclab.data.audio import song as module
from musiclab.data.audio.decoding import AudioError
from musiclab.data.audio.extraction import Clip, clip_spectrograms
from musiclab.data.audio.song import read_song
from musiclab.spectrogram import Recipe

RECIPE = Recipe(None, 16000, 1024, 400, 40, 0, "dB")


@pytest.fixture
def short_blocks(monkeypatch):
    """Blocks of two seconds."""
    monkeypatch.setattr(module, "BLOCK", 2.0)


def test_of_one_block_a_song_is_what_extract_makes_of_it(tmp_path):
    path = write(tmp_path / "a.flac", clicks(3.0))
    song = read_song(path)
    whole = clip_spectrograms(path, Clip(0.0, None), ["full"])["full"]
    np.testing.assert_array_equal(song.window(0.0, song.duration), whole)
    of_beats = clip_spectrograms(path, Clip(0.0, None), ["beat"])["beat"]
    np.testing.assert_array_equal(read_song(path, beats=True).window(0.0, song.duration, form="beat"), of_beats)
    np.testing.assert_array_equal(read_song(path, RECIPE).window(0.0, 3.0), _of_recipe(path))
    assert song.duration == 3.0
    assert song.beats is None


def _of_recipe(path):
    return clip_spectrograms(path, Clip(0.0, None, RECIPE), ["full"])["full"]


@pytest.mark.usefixtures("short_blocks")
@pytest.mark.parametrize("seconds", [6.0, 6.01, 7.37])
def test_of_several_blocks_mel_is_the_same_and_chroma_nearly(seconds, tmp_path):
    path = write(tmp_path / "a.flac", clicks(seconds))
    song, whole = read_song(path), clip_spectrograms(path, Clip(0.0, None), ["full"])["full"]
    array = song.window(0.0, seconds)
    assert array.shape == whole.shape
    np.testing.assert_allclose(array[:128], whole[:128], atol=1e-3)
    assert np.abs(array[128:] - whole[128:]).mean() < 0.05
    np.testing.assert_allclose(read_song(path, RECIPE).window(0.0, seconds), _of_recipe(path), atol=0.01)


def test_a_window_has_its_own_maximum_and_as_many_frames_as_a_clip(tmp_path):
    samples = np.concatenate([0.1 * clicks(2.0), clicks(2.0, seed=1)])
    song = read_song(write(tmp_path / "a.flac", samples))
    window = song.window(0.5, 1.0)
    clip = clip_spectrograms(song.path, Clip(0.5, 1.0), ["full"])["full"]
    assert window.shape == clip.shape == (140, 44)
    assert window[:128].max() == 0
    first = round(0.5 * 22050 / 512)
    power = song.power[:, first : first + 44]
    expected = np.maximum(10 * np.log10(np.maximum(power, 1e-10) / power.max()), -80)
    np.testing.assert_allclose(window[:128], expected, atol=1e-4)
    np.testing.assert_array_equal(window[128:], song.chroma[:, first : first + 44])
    np.testing.assert_array_equal(
        song.window(0.5, 1.0, every=0.1), window[:, np.rint(np.arange(0, 43.5, 4.3066)).astype(int)]
    )
    assert song.window(3.5, 1.0).shape[1] == song.power.shape[1] - round(3.5 * 22050 / 512)  # to the end


@pytest.mark.usefixtures("short_blocks")
def test_beats_go_on_where_blocks_meet(tmp_path):
    song = read_song(write(tmp_path / "a.flac", clicks(8.0)), beats=True)
    gaps = np.diff(song.beats)
    assert len(song.beats) > 10
    assert (gaps > 0.2).all()
    np.testing.assert_allclose(gaps / 0.25, np.rint(gaps / 0.25), atol=0.25)  # they lie on clicks, four a second
    assert len(read_song(write(tmp_path / "b.wav", swell(3.0), subtype="FLOAT"), beats=True).beats) == 0


@pytest.mark.usefixtures("short_blocks")
def test_silence_is_no_window(tmp_path):
    song = read_song(write(tmp_path / "a.flac", np.concatenate([clicks(2.0), np.zeros(6 * 22050)])), beats=True)
    assert not isinstance(song.window(0.0, 2.0), AudioError)
    assert "silent: its peak is" in str(song.window(4.0, 2.0))
    assert not isinstance(song.window(1.0, 3.0), AudioError)


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (np.zeros(44100), "silent: its peak is 0.0e"),
        (clicks(0.5), "only 0.50 s long; at least 1 s are needed"),
        (np.stack([clicks(2.0), -clicks(2.0)], axis=1), "left and right cancel out"),
    ],
)
def test_songs_of_which_nothing_can_be_used(samples, message, tmp_path):
    with pytest.raises(AudioError, match=message):
        read_song(write(tmp_path / "a.wav", samples, subtype="FLOAT"))


@pytest.mark.usefixtures("short_blocks")
def test_what_is_damaged_leaves_the_rest(tmp_path):
    samples = clicks(9.0)
    samples[22050 * 8] = np.nan
    song = read_song(write(tmp_path / "a.wav", samples, subtype="FLOAT"))
    assert song.window(0.0, 3.0).shape == (140, 130)
    assert str(song.window(7.0, 2.0)) == f"{song.path}: holds samples that are not finite"
    cut = truncate(write(tmp_path / "b.flac", clicks(9.0)))
    song = read_song(cut)
    assert not isinstance(song.window(0.0, 1.5), AudioError)
    assert "truncated" in str(song.window(7.0, 1.5))
    assert [type(fault) for fault in song.faults] == [AudioError] * len(song.faults)
