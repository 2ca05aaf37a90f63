"""Arrays are written whole, once, and whatever happens to other tracks."""

import errno
from pathlib import Path

import numpy as np
import pytest

from data.audio.sounds import RATE, clicks, swell, write, write_many
from musiclab.data.audio import extraction
from musiclab.data.audio.decoding import load_audio
from musiclab.data.audio.extraction import (
    Clip,
    Failure,
    Outcome,
    Track,
    extract_track,
    extract_tracks,
    is_whole,
    thin_out,
)
from musiclab.errors import UserError

CLIP = Clip()


def track(path, folder, forms=("full", "beat")):
    return Track(path, {form: [folder / form / f"{path.stem}.npy"] for form in forms})


def arrays(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_both_forms_in_one_pass_equal_each_alone(tmp_path):
    path = write(tmp_path / "song.wav")
    assert extract_track(track(path, tmp_path / "both"), CLIP) is None
    for form in ("full", "beat"):
        assert extract_track(track(path, tmp_path / "alone", [form]), CLIP) is None
    assert arrays(tmp_path / "both") == arrays(tmp_path / "alone")
    assert set(arrays(tmp_path / "both")) == {"full/song.npy", "beat/song.npy"}


def test_a_track_of_several_data_sets_is_computed_once(tmp_path):
    places = [tmp_path / "genre" / "1.npy", tmp_path / "emotion" / "1.npy"]
    both = Track(write(tmp_path / "1.wav"), {"full": places})
    extract_track(both, CLIP)
    assert places[0].read_bytes() == places[1].read_bytes()
    places[0].unlink()
    before = places[1].stat()
    assert extract_tracks([both], CLIP, jobs=1) == Outcome(1, 0, [])
    assert is_whole(places[0])
    assert places[1].stat().st_mtime_ns == before.st_mtime_ns


def test_the_processes_do_not_show_in_the_arrays(tmp_path):
    files = sorted(write_many(tmp_path / "in", 4, seconds=1).iterdir())
    for jobs in (1, 2):
        outcome = extract_tracks([track(path, tmp_path / str(jobs)) for path in files], CLIP, jobs)
        assert outcome == Outcome(4, 0, [])
    assert arrays(tmp_path / "1") == arrays(tmp_path / "2")
    assert len(arrays(tmp_path / "1")) == 8


def test_a_track_without_a_beat_fails_in_that_form_only(tmp_path):
    path = write(tmp_path / "swell.wav", swell(), subtype="FLOAT")
    assert extract_track(track(path, tmp_path / "out"), CLIP) == Failure(path, "beat", "no beat was found")
    assert list(arrays(tmp_path / "out")) == ["full/swell.npy"]
    assert extract_track(track(path, tmp_path / "full", ["full"]), CLIP) is None


def odd_sounds():
    impulse = np.zeros(2 * RATE)
    impulse[RATE] = 1e-4
    yield "impulse", impulse
    yield "offset", np.full(2 * RATE, 0.5)
    yield "half silent", np.concatenate([np.zeros(RATE), clicks(1)])
    yield "nearly silent", np.where(np.arange(2 * RATE) < 100, 1.0, 0.0)
    yield "square", np.sign(swell())
    yield "far too loud", 1e15 * clicks()
    yield "much too loud", 1e25 * clicks()


@pytest.mark.parametrize(("name", "samples"), odd_sounds(), ids=lambda value: value if isinstance(value, str) else "")
@pytest.mark.filterwarnings("ignore:overflow", "ignore:invalid value")
def test_no_array_ever_holds_nan(name, samples, tmp_path):
    path = write(tmp_path / f"{name}.wav", samples, subtype="FLOAT")
    for forms in (["full"], ["full", "beat"]):
        failure = extract_track(track(path, tmp_path / forms[-1], forms), CLIP)
        assert failure or is_whole(tmp_path / forms[-1] / "full" / f"{name}.npy")
    found = sorted(tmp_path.rglob("*.npy"))
    for path in found:
        array = np.load(path)
        assert np.isfinite(array).all()
        assert array[:128].max() == 0
        assert (array[:128] < 0).any()


def test_an_unexpected_error_is_the_failure_of_its_track_alone(tmp_path, monkeypatch):
    first, second = (write(tmp_path / f"{name}.wav") for name in "ab")

    def load(path, *clip):
        if path == first:
            raise KeyError("deep inside")
        return load_audio(path, *clip)

    monkeypatch.setattr(extraction, "load_audio", load)
    outcome = extract_tracks([track(path, tmp_path / "out") for path in (first, second)], CLIP, jobs=1)
    assert outcome == Outcome(1, 0, [Failure(first, "both", "KeyError: 'deep inside'")])


def test_what_is_whole(tmp_path):
    path = tmp_path / "a.npy"

    def judge(array):
        np.save(path, array, allow_pickle=True)
        return is_whole(path)

    sound = np.zeros((140, 7), np.float32)
    assert judge(sound)
    assert not judge(sound.astype(np.float64))
    assert judge(sound[:64])
    assert not judge(sound[:, :0])
    assert not judge(sound[None])
    assert not judge(np.array([{}], dtype=object))
    np.save(path, sound)
    content = path.read_bytes()
    for damaged in (
        content[:-1],
        content + b"\0",
        content[:50],
        b"",
        b"\0" * len(content),
        content.replace(b"{", b"}"),
    ):
        path.write_bytes(damaged)
        assert not is_whole(path)
    assert not is_whole(tmp_path / "none.npy")
    assert not is_whole(tmp_path)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EACCES])
def test_a_full_disk_leaves_nothing_half_written(code, tmp_path, monkeypatch):
    files = sorted(write_many(tmp_path / "in", 3, seconds=1).iterdir())
    tracks = [track(path, tmp_path / "out", ["full"]) for path in files]
    extract_tracks(tracks[:1], CLIP, jobs=1)
    write_bytes = Path.write_bytes

    def fail_half_way(path, content):
        write_bytes(path, content[: len(content) // 2])
        raise OSError(code, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", fail_half_way)
        with pytest.raises(
            UserError, match=r"track\.01\.npy: cannot be written \(No space left on device\); "
        ) as error:
            extract_tracks(tracks, CLIP, jobs=1)
    assert ("free some space" in str(error.value)) == (code == errno.ENOSPC)
    assert list(arrays(tmp_path / "out")) == ["full/track.00.npy"]
    assert extract_tracks(tracks, CLIP, jobs=1) == Outcome(2, 1, [])


@pytest.mark.parametrize("value", [-1.0, float("nan"), float("inf")])
def test_clips_that_make_no_sense(value):
    with pytest.raises(UserError, match="offset is"):
        Clip(offset=value)
    with pytest.raises(UserError, match="seconds is"):
        Clip(seconds=value)


def test_a_number_of_processes_that_makes_no_sense(tmp_path):
    with pytest.raises(UserError, match="jobs is 0"):
        extract_tracks([], CLIP, jobs=0)


@pytest.mark.parametrize(
    ("step", "columns"), [(1.0, list(range(9))), (2.0, [0, 2, 4, 6, 8]), (3.4, [0, 3, 7]), (8.6, [0]), (50.0, [0])]
)
def test_thinned_out_arrays_have_the_nearest_columns(step, columns):
    array = np.arange(18, dtype=np.float32).reshape(2, 9)
    np.testing.assert_array_equal(thin_out(array, step), array[:, columns])
