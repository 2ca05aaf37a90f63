"""The length of a sound file is a fact, and a clip is the same as in the whole file."""

import numpy as np
import pytest

from data.audio.sounds import clicks, loud_then_quiet, truncate, without_length, write, write_mp3_without_header
from musiclab.data.audio.decoding import AudioError, duration, load_audio
from musiclab.data.audio.sound_file import SoundFile

RATE = 44100


@pytest.fixture(scope="module")
def songs(tmp_path_factory):
    """12 s in each format, by its name."""
    folder = tmp_path_factory.mktemp("songs")
    samples = loud_then_quiet(2, 10)
    made = {suffix: write(folder / f"song.{suffix}", samples, RATE) for suffix in ("wav", "flac", "ogg", "mp3")}
    made["constant"] = write(folder / "constant.mp3", samples, RATE, bitrate_mode="CONSTANT")
    made["no header"] = write_mp3_without_header(folder / "bare.mp3", samples)
    made["no length"] = without_length(write(folder / "bare.flac", samples, RATE))
    return made


FORMATS = ["wav", "flac", "ogg", "mp3", "constant", "no header", "no length"]


@pytest.mark.parametrize("name", FORMATS)
def test_the_length_is_stated_or_that_of_what_is_decoded(name, songs):
    with SoundFile(songs[name]) as file:
        assert (file.stated is None) == (name in ("no header", "no length"))
        assert file.length() == len(file.clip(0, None)) == pytest.approx(12 * RATE, abs=3000)
        assert duration(songs[name]) == file.length() / RATE


@pytest.mark.parametrize("name", FORMATS)
def test_a_clip_is_what_stands_there_in_the_whole_file(name, songs):
    """Before, an mp3 clip began with up to 0.06 s of silence."""
    with SoundFile(songs[name]) as file:
        whole = file.clip(0, None)
    clips = [(0, 10), (1000, RATE), (5 * RATE + 17, RATE), (11 * RATE, None), (11 * RATE, 5 * RATE)]
    for first, count in clips[:3] if name == "ogg" else clips:  # libsndfile is 16 samples off in its last page
        with SoundFile(songs[name]) as file:
            clip = file.clip(first, count)
        np.testing.assert_allclose(clip, whole[first:][:count], atol=1e-6)
    with SoundFile(songs[name]) as file:
        assert file.clip(99 * RATE, RATE).shape == (0, 1)


def test_a_length_is_not_taken_for_a_promise(tmp_path):
    quiet_first = np.concatenate([np.zeros(RATE), loud_then_quiet(0, 28)])
    path = write_mp3_without_header(tmp_path / "song.mp3", quiet_first)
    assert len(load_audio(path)) == pytest.approx(29 * 22050, abs=2000)


def test_a_flac_without_a_length_that_is_cut_off_is_refused(tmp_path):
    path = truncate(without_length(write(tmp_path / "song.flac", clicks(5))))
    with pytest.raises(AudioError, match="truncated"):
        load_audio(path)
    with pytest.raises(AudioError, match="truncated"):
        duration(path)


def test_tags_before_the_first_frame_and_nothing_on_the_console(songs, tmp_path, capfd):
    tag = b"ID3\x04\x00\x00" + bytes([0, 0, 0x10, 0x04]) + bytes(0x804)
    for name, stated in [("mp3", True), ("constant", True), ("no header", False)]:
        path = tmp_path / f"{name}.mp3"
        path.write_bytes(tag + songs[name].read_bytes() + b"TAG" + bytes(125))
        with SoundFile(path) as file, SoundFile(songs[name]) as same:
            assert (file.stated is not None) == stated
            assert file.length() == same.length()
    assert capfd.readouterr().err == ""


def test_ogg_streams_one_after_another_are_refused(tmp_path):
    """Before, all but the first were left out in silence."""
    first, second = (write(tmp_path / f"{n}.ogg", clicks(2, seed=n)).read_bytes() for n in range(2))
    path = tmp_path / "chained.ogg"
    path.write_bytes(first + second)
    for ask in (load_audio, duration):
        with pytest.raises(AudioError, match="several ogg streams, of which libsndfile decodes the first alone"):
            ask(path)
    path.write_bytes(first + b"TAG" + bytes(125))
    assert len(load_audio(path)) == 2 * 22050
