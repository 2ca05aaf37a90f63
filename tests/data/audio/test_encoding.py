"""mp3 for a page: the same song, whatever it was."""

import io
import subprocess

import numpy as np
import pytest
import soundfile

from data.audio.sounds import clicks, truncate, write
from musiclab.data.audio.decoding import AudioError
from musiclab.data.audio.encoding import to_mp3
from musiclab.data.audio.ffmpeg import has_ffmpeg


def decoded(content):
    return soundfile.read(io.BytesIO(content), always_2d=True)


@pytest.mark.parametrize(
    ("rate", "channels", "given"), [(22050, 1, 22050), (44100, 2, 44100), (24000, 1, 22500), (48000, 1, 96000)]
)
def test_it_is_the_same_song(rate, channels, given, tmp_path):
    samples = clicks(2.0, rate=given)
    path = write(tmp_path / "a.flac", np.stack([samples] * channels, axis=1), given)
    content = to_mp3(path)
    found, found_rate = decoded(content)
    assert (found_rate, found.shape[1]) == (rate, channels)
    assert len(found) / rate == pytest.approx(2.0, abs=0.1)
    # As loud at the same time, in steps of 10 ms.
    step, own = rate // 100, given // 100
    loud = np.abs(found[: 190 * step, 0]).reshape(-1, step).mean(axis=1)
    expected = np.abs(samples[: 190 * own]).reshape(-1, own).mean(axis=1)
    assert np.corrcoef(loud, expected)[0, 1] > 0.95


def test_many_channels_are_mixed_down(tmp_path):
    samples = np.stack([clicks(2.0, seed=seed) for seed in range(6)], axis=1)
    found, _ = decoded(to_mp3(write(tmp_path / "a.wav", samples)))
    assert found.shape[1] == 1


def test_what_is_damaged_at_its_end_ends_there(tmp_path):
    found, rate = decoded(to_mp3(truncate(write(tmp_path / "a.flac", clicks(100.0, rate=8000), 8000), 0.6)))
    assert 29 < len(found) / rate < 65
    with pytest.raises(AudioError, match="not audio"):
        to_mp3(_text(tmp_path / "b.wav"))


def _text(path):
    path.write_text("no music")
    return path


@pytest.mark.skipif(not has_ffmpeg(), reason="ffmpeg is not installed")
def test_what_ffmpeg_decodes(tmp_path):
    path = write(tmp_path / "a.flac", clicks(31.0, rate=8000), 8000)
    subprocess.run(["ffmpeg", "-loglevel", "error", "-i", path, tmp_path / "a.m4a"], check=True)
    found, rate = decoded(to_mp3(tmp_path / "a.m4a"))
    assert len(found) / rate == pytest.approx(31.0, abs=0.2)  # two blocks
