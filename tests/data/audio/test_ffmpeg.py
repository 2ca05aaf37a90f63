"""m4a, aac and films are read by ffmpeg, and are refused with a reason."""

import subprocess

import numpy as np
import pytest

from data.audio.sounds import RATE, clicks, truncate, write
from musiclab.data.audio.decoding import AudioError, audio_blocks, duration, load_audio
from musiclab.data.audio.extraction import Clip, clip_spectrograms
from musiclab.data.audio.ffmpeg import FfmpegFile, has_ffmpeg
from musiclab.data.audio.files import find_audio
from musiclab.data.audio.windows import cut

pytestmark = pytest.mark.skipif(not has_ffmpeg(), reason="there is no ffmpeg")

PICTURES = ["-f", "lavfi", "-i", "testsrc=duration=4:size=64x64"]
MADE = {
    "song.m4a": ["-c:a", "aac"],
    "song.aac": ["-c:a", "aac"],
    "song.mka": ["-c:a", "pcm_s16le"],
    "song.wma": ["-c:a", "wmav2"],
    "film.mp4": ["-c:a", "aac", "-c:v", "mpeg4", "-shortest"],
}


def ffmpeg(*arguments):
    subprocess.run(["ffmpeg", "-v", "error", "-y", *map(str, arguments)], check=True, stdin=subprocess.DEVNULL)


@pytest.fixture(scope="module")
def songs(tmp_path_factory):
    """4 s in stereo, at 44 100 Hz, in each format by its name."""
    folder = tmp_path_factory.mktemp("songs")
    stereo = np.stack([clicks(4, 44100), clicks(4, 44100, seed=1, pitch=330)], axis=1)
    source = write(folder / "source" / "song.wav", stereo, 44100)
    for name, options in MADE.items():
        ffmpeg(*(PICTURES if name.startswith("film") else []), "-i", source, *options, folder / name)
    return folder


@pytest.mark.parametrize("name", MADE)
def test_the_samples_are_those_of_the_song(name, songs):
    expected = load_audio(songs / "source" / "song.wav")
    audio = load_audio(songs / name)
    assert audio.dtype == np.float32
    assert len(audio) == pytest.approx(4 * RATE, abs=0.1 * RATE)
    assert duration(songs / name) == pytest.approx(len(audio) / RATE, abs=1e-3)
    if name == "song.mka":
        np.testing.assert_allclose(audio, expected, atol=1e-6)
    elif name not in ("song.aac", "song.wma"):  # which do not say how much of their beginning is none of the song
        common = min(len(audio), len(expected))
        assert np.corrcoef(audio[:common], expected[:common])[0, 1] > 0.9


@pytest.mark.parametrize("name", MADE)
def test_a_clip_is_what_stands_there_in_the_whole_file(name, songs, tmp_path):
    """But for noise, which decoders of aac make up anew, and for half a millisecond, to which Matroska rounds times."""
    ffmpeg("-i", songs / name, "-af", "lowpass=400,lowpass=400", *MADE[name], tmp_path / name)
    with FfmpegFile(tmp_path / name) as file:
        assert (file.samplerate, file.channels) == (44100, 2)
        whole = file.clip(0, None)
        assert len(whole) == file.length()
        for first, count in [(0, 100), (1000, 44100), (2 * 44100 + 17, 44100), (len(whole) - 999, None), (10**7, 5)]:
            clip, expected = file.clip(first, count), whole[first:][:count]
            if name == "song.mka":
                assert abs(len(clip) - len(expected)) < 0.0006 * 44100
                continue
            np.testing.assert_allclose(clip, expected, atol=5e-3)


def test_folders_and_windows_take_them(songs):
    assert [file.path.name for file in find_audio([songs])] == [*sorted(MADE), "song.wav"]
    array = clip_spectrograms(songs / "song.m4a", Clip(1.0, 2.0), ["full"])["full"]
    assert array.shape == (140, 87)
    assert [window.clip.offset for window in cut(songs / "song.m4a", 2.0)] == pytest.approx([0, 2], abs=0.05)


def reason(path, *clip):
    reasons = set()
    for ask in (lambda: load_audio(path, *clip), lambda: duration(path)):
        with pytest.raises(AudioError) as error:
            ask()
        reasons.add(error.value.reason)
        assert "\n" not in str(error.value)
    (one,) = reasons
    return one


def test_truncated_files(songs, tmp_path):
    ffmpeg("-i", songs / "song.m4a", "-c", "copy", "-movflags", "+faststart", tmp_path / "first.m4a")
    for name in ("first.m4a", "last.m4a", "song.aac"):
        path = tmp_path / name
        if not path.exists():
            path.write_bytes((songs / name.replace("last", "song")).read_bytes())
        truncate(path)
    assert reason(tmp_path / "first.m4a").startswith("truncated or damaged (")
    assert reason(tmp_path / "song.aac").startswith("truncated or damaged (")
    assert reason(tmp_path / "last.m4a") == "no sound that ffmpeg decodes, or damaged (moov atom not found)"
    assert len(load_audio(tmp_path / "first.m4a", 0.0, 1.0)) == RATE  # up to where it ends


def test_what_has_no_sound(tmp_path):
    ffmpeg(*PICTURES, "-c:v", "mpeg4", tmp_path / "mute.mp4")
    assert reason(tmp_path / "mute.mp4") == "no sound that ffmpeg decodes, or damaged (there is no sound track)"
    for name in ("words.m4a", "words.aac", "-odd.wma"):
        (tmp_path / name).write_bytes(b"These are words. " * 500)
        assert reason(tmp_path / name).startswith("no sound that ffmpeg decodes, or damaged (")
    write(tmp_path / "silent.wav", np.zeros(2 * RATE))
    ffmpeg("-i", tmp_path / "silent.wav", tmp_path / "silent.m4a")
    with pytest.raises(AudioError, match="silent: its peak"):
        load_audio(tmp_path / "silent.m4a")


def test_a_list_in_disguise_opens_no_other_file(songs, tmp_path):
    path = tmp_path / "list.m4a"
    path.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\n{songs / 'song.aac'}\n#EXT-X-ENDLIST\n")
    with pytest.raises(AudioError):
        load_audio(path)
    path.write_text(f"ffconcat version 1.0\nfile '{songs / 'song.m4a'}'\n")
    with pytest.raises(AudioError):
        load_audio(path)


@pytest.mark.parametrize("name", MADE)
def test_blocks_are_the_whole_file(name, songs, monkeypatch):
    monkeypatch.setattr("musiclab.data.audio.ffmpeg._BLOCK", 2**16)
    blocks = [block for block, _ in audio_blocks(songs / name)]
    assert len(blocks) > 5
    with FfmpegFile(songs / name) as file:
        np.testing.assert_array_equal(np.concatenate(blocks), file.clip(0, None))
