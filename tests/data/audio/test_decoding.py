"""Audio files are decoded as librosa does, and refused with a reason."""

import pickle

import numpy as np
import pytest

from data.audio.sounds import RATE, clicks, truncate, write
from musiclab.data.audio.decoding import AudioError, load_audio

FORMATS = ["wav", "flac", "ogg", "mp3", "aiff"]


def reason(path, offset=0.0, seconds=30.0):
    with pytest.raises(AudioError) as error:
        load_audio(path, offset, seconds)
    assert str(error.value) == f"{path}: {error.value.reason}"
    assert "\n" not in str(error.value)
    return error.value.reason


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize(("offset", "seconds"), [(0.0, None), (0.5, 1.25)])
def test_the_samples_are_librosas(suffix, offset, seconds, tmp_path):
    import librosa

    stereo = np.stack([clicks(3, 44100), clicks(3, 44100, seed=1, pitch=330)], axis=1)
    path = write(tmp_path / f"song.{suffix}", stereo, 44100)
    expected, _ = librosa.load(path, sr=RATE, offset=offset, duration=seconds)
    audio = load_audio(path, offset, seconds)
    assert audio.dtype == np.float32
    assert len(audio) == pytest.approx((seconds or 3) * RATE, abs=60)
    np.testing.assert_array_equal(audio, expected)


@pytest.mark.parametrize("rate", [8000, 22050, 48000])
def test_other_sample_rates_are_resampled(rate, tmp_path):
    audio = load_audio(write(tmp_path / "song.wav", clicks(2, rate), rate))
    assert len(audio) == 2 * RATE


def test_a_format_is_told_by_its_content(tmp_path):
    path = write(tmp_path / "song.wav").rename(tmp_path / "song.mp3")
    assert len(load_audio(path)) == 2 * RATE


@pytest.mark.parametrize("suffix", [*FORMATS, "w64", "au"])
def test_a_truncated_file_serves_up_to_where_it_ends(suffix, tmp_path):
    path = truncate(write(tmp_path / f"song.{suffix}", clicks(5)))
    assert len(load_audio(path, 0, 1.5)) == pytest.approx(1.5 * RATE)
    for clip in [(0.0, 30.0), (0.0, None), (1.5, 3.0)]:
        assert reason(path, *clip).startswith("truncated")


def test_a_clip_shorter_than_asked_for_is_no_fault(tmp_path):
    for suffix in FORMATS:
        assert len(load_audio(write(tmp_path / f"song.{suffix}"), 0, 30)) == pytest.approx(2 * RATE, rel=0.01)


def test_a_wav_from_a_pipe_has_no_length_in_its_header(tmp_path):
    path = write(tmp_path / "song.wav")
    content = bytearray(path.read_bytes())
    content[4:8] = content[40:44] = b"\xff" * 4
    path.write_bytes(content)
    assert len(load_audio(path)) == 2 * RATE


@pytest.mark.parametrize("suffix", ["wav", "mp3", "flac", "ogg"])
def test_what_is_no_audio(suffix, tmp_path):
    path = tmp_path / f"song.{suffix}"
    path.write_bytes(b"These are words. " * 500)
    assert "not audio" in reason(path)
    path.write_bytes(b"")
    assert "empty (0 bytes)" in reason(path)


def test_a_header_without_samples(tmp_path):
    assert "without samples" in reason(write(tmp_path / "song.wav", np.zeros(0)))


def test_silence_and_samples_that_are_no_numbers(tmp_path):
    assert "silent" in reason(write(tmp_path / "silent.wav", np.zeros(2 * RATE)))
    dither = np.random.default_rng(0).integers(-1, 2, 2 * RATE).astype(np.int16)
    assert "silent" in reason(write(tmp_path / "dither.wav", dither))
    broken = clicks()
    broken[1000] = np.nan
    assert "not finite" in reason(write(tmp_path / "nan.wav", broken, subtype="FLOAT"))


def test_less_than_a_second(tmp_path):
    path = write(tmp_path / "song.wav", clicks(2))
    assert "only 0.50 s long from 1.5 s on" in reason(path, 1.5)
    assert "only 0.00 s" in reason(path, 60)
    assert "only 0.90 s" in reason(write(tmp_path / "short.wav", clicks(0.9)))
    assert len(load_audio(path, 1.0)) == RATE


def test_files_that_cannot_be_opened(tmp_path):
    assert "missing: no such file" in reason(tmp_path / "none.wav")
    assert "cannot be read" in reason(tmp_path)


def test_the_error_crosses_processes(tmp_path):
    error = pickle.loads(pickle.dumps(AudioError(tmp_path, "silent")))
    assert (error.path, error.reason, str(error)) == (tmp_path, "silent", f"{tmp_path}: silent")


def test_channels_that_cancel_out_are_named_as_such(tmp_path):
    one = clicks(2)
    path = write(tmp_path / "song.wav", np.stack([one, -one], axis=1), subtype="FLOAT")
    assert reason(path) == "left and right cancel out, so that mixed to mono it is silent; invert one of them"
    assert reason(write(tmp_path / "none.wav", np.zeros((44100, 2)))).startswith("silent")


@pytest.mark.parametrize(
    ("name", "content"), [("song.m4a", b"anything"), ("SONG.AAC", b"\xff\xf1\x50"), ("song.wav", b"\0\0\0\x20ftypM4A ")]
)
def test_what_has_to_be_converted_is_told_how(name, content, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "")  # no ffmpeg
    path = tmp_path / name
    path.write_bytes(content)
    assert reason(path) == (
        "of a kind that libsndfile does not decode; install ffmpeg, or convert it elsewhere, as by ffmpeg -i song.m4a "
        "song.wav"
    )
