"""Songs as windows: where they lie, and that each is an excerpt like any other."""

import numpy as np
import pytest

from data.audio.sounds import clicks, swell, write
from musiclab.data.audio.decoding import AudioError
from musiclab.data.audio.extraction import Clip, clip_spectrograms
from musiclab.data.audio.windows import Window, cut, mean_over_windows, window_spectrogram, window_spectrograms


@pytest.mark.parametrize(
    ("length", "offsets"),
    [
        (1.5, [0]),  # shorter than a window
        (2.0, [0]),
        (2.15, [0]),  # too little is left over for a second one
        (2.5, [0, 0.5]),
        (4.0, [0, 2]),
        (5.0, [0, 1.5, 3]),
        (6.1, [0, 2.05, 4.1]),
    ],
)
def test_windows_are_evenly_spaced_from_beginning_to_end(length, offsets, tmp_path):
    path = write(tmp_path / "song.wav", clicks(length))
    windows = cut(path, 2.0)
    assert [window.clip.seconds for window in windows] == [2.0] * len(offsets)
    assert [window.clip.offset for window in windows] == pytest.approx(offsets, abs=1e-4)


@pytest.mark.parametrize("content", [b"", b"no audio at all"])
def test_what_is_not_audio_cannot_be_cut(content, tmp_path):
    path = tmp_path / "song.wav"
    path.write_bytes(content)
    with pytest.raises(AudioError, match=r"song\.wav: "):
        cut(path, 2.0)


def test_each_window_has_decibels_relative_to_its_own_maximum(tmp_path):
    samples = clicks(4.0)
    samples[: len(samples) // 2] *= 0.01
    path = write(tmp_path / "song.wav", samples, subtype="FLOAT")
    quiet, loud = (window_spectrogram(window, "full") for window in cut(path, 2.0))
    for array in (quiet, loud):
        assert array.shape == (140, 87)
        assert array[:128].max() == 0
    alone = write(tmp_path / "alone.wav", samples[: len(samples) // 2], subtype="FLOAT")
    np.testing.assert_array_equal(quiet, clip_spectrograms(alone, Clip(), ["full"])["full"])


@pytest.mark.parametrize("jobs", [1, 2])
def test_windows_come_in_order_with_what_is_wrong_with_some(jobs, tmp_path):
    song = write(tmp_path / "song.wav", np.concatenate([clicks(2.0), np.zeros(44100), swell(2.0)]), subtype="FLOAT")
    windows = cut(song, 2.0)
    results = list(window_spectrograms(windows, "beat", jobs))
    assert [window for window, _ in results] == windows
    first, second, third = (result for _, result in results)
    assert first.shape[0] == 140
    assert "silent" in str(second)
    assert str(third) == f"{song}: no beat was found"
    assert isinstance(window_spectrogram(Window(song, Clip(99.0, 2.0)), "full"), AudioError)


def test_a_song_has_the_mean_over_its_windows():
    ids = ["b", "10", "b", "9", "b", "10"]
    targets = np.array([5, 1, 5, 0, 5, 1])
    predictions = np.array([[0.1, 0.9], [1, 0], [0.2, 0.8], [0.3, 0.7], [0.6, 0.4], [0, 1]])
    songs, of_songs, means = mean_over_windows(ids, targets, predictions)
    assert songs == ["9", "10", "b"]
    assert of_songs.tolist() == [0, 1, 5]
    np.testing.assert_array_equal(means, [[0.3, 0.7], [0.5, 0.5], np.add.reduce(predictions[[0, 2, 4]]) / 3])


def test_tracks_of_one_row_are_left_as_they_are():
    predictions = np.random.default_rng(0).uniform(size=(3, 4))
    _, _, means = mean_over_windows(["2", "0", "1"], np.zeros(3), predictions)
    np.testing.assert_array_equal(means, predictions[[1, 2, 0]])
