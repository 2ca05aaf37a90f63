"""Inputs are found and named."""

import os
from pathlib import Path

import pytest

from musiclab.data.audio.files import CONVERT, audio_suffixes, find_audio, make_id, name_tracks
from musiclab.errors import UserError


def touch(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def names(files):
    return [str(file.name) for file in files]


def test_folders_are_searched_with_all_below(tmp_path, capsys):
    touch(tmp_path, "b.wav", "rock/x/A.MP3", "rock/c.flac", "notes.pdf", "cover.jpg", "README", ".git/d.wav", "._b.wav")
    assert names(find_audio([tmp_path])) == ["b.wav", "rock/c.flac", "rock/x/A.MP3"]
    assert capsys.readouterr().out == "Not taken for audio: 1 .jpg, 1 .pdf, 1 without suffix\n"


def test_a_file_that_is_named_is_taken_whatever_it_is_called(tmp_path):
    touch(tmp_path, "song.xyz")
    assert names(find_audio([tmp_path / "song.xyz"])) == ["song.xyz"]


def test_each_file_once(tmp_path, monkeypatch):
    touch(tmp_path, "a/b.wav", "a/c.wav")
    monkeypatch.chdir(tmp_path)
    assert len(find_audio(["a", tmp_path / "a" / "b.wav", "a/../a/c.wav"])) == 2


def test_a_list_names_files_and_folders_from_where_it_is(tmp_path, monkeypatch):
    touch(tmp_path / "data", "rock/1.wav", "jazz/1.wav", "more/2.ogg")
    other = touch(tmp_path / "elsewhere", "3.wav") / "3.wav"
    listing = tmp_path / "data" / "list.txt"
    listing.write_text(f"\ufeffrock/1.wav\r\n\r\n jazz/1.wav\nmore\n{other}\n", encoding="utf-8")
    monkeypatch.chdir(other.parent)
    assert names(find_audio([listing])) == ["jazz/1.wav", "2.ogg", "rock/1.wav", "3.wav"]


def test_linked_folders_are_searched(tmp_path):
    touch(tmp_path / "disk", "a.wav")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "link").symlink_to(tmp_path / "disk")
    assert names(find_audio([tmp_path / "data"])) == ["link/a.wav"]


def test_suffixes_are_those_that_libsndfile_decodes():
    assert {".wav", ".flac", ".ogg", ".mp3", ".aiff", ".aif"} < audio_suffixes()
    assert not {".raw", ".m4a", ".txt", ".npy"} & audio_suffixes()


@pytest.mark.parametrize(
    ("name", "identifier"),
    [
        ("blues.00000.wav", "blues_00000"),
        ("000002.mp3", "000002"),
        ("rock/01. Intro (live).flac", "rock_01_ Intro (live)"),
        ("song", "song"),
        (".wav", "_wav"),
        ("a\tb\nc.wav", "a_b_c"),
        (" é .wav", "é"),
    ],
)
def test_ids(name, identifier):
    assert make_id(Path(name)) == identifier


def test_an_id_can_always_be_written():
    make_id(Path(os.fsdecode(b"caf\xe9.wav"))).encode()


def test_two_files_of_one_id_are_both_named(tmp_path):
    files = find_audio([touch(tmp_path, "jazz/1.wav", "rock/1.wav")])
    with pytest.raises(UserError, match=r"jazz/1\.wav and .*rock/1\.wav would both be track 1; .*--ids path"):
        name_tracks(files)
    assert list(name_tracks(files, "path")) == ["jazz_1", "rock_1"]
    with pytest.raises(UserError, match=r"a\.mp3 and .*a\.wav would both be track a; rename one$"):
        name_tracks(find_audio([touch(tmp_path / "same", "a.mp3", "a.wav")]))


def test_nothing_to_find(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "")  # no ffmpeg
    with pytest.raises(UserError, match=r"no audio was found; give files"):
        find_audio([tmp_path])
    touch(tmp_path, "c.jpg")
    with pytest.raises(UserError, match=r"no audio was found, only 1 \.jpg; give files"):
        find_audio([tmp_path])
    touch(tmp_path, "a.m4a", "b.m4a")
    with pytest.raises(UserError, match=r"only 1 \.jpg, 2 \.m4a; install ffmpeg, or convert it elsewhere, as by"):
        find_audio([tmp_path])


def test_what_is_left_out_and_can_be_converted_is_said(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("PATH", "")  # no ffmpeg
    touch(tmp_path, "a.m4a", "b.wav")
    assert [file.path.name for file in find_audio([tmp_path])] == ["b.wav"]
    assert capsys.readouterr().out == f"Not taken for audio: 1 .m4a; {CONVERT}\n"
    monkeypatch.undo()
    monkeypatch.setattr("musiclab.data.audio.files.has_ffmpeg", lambda: True)
    assert [file.path.name for file in find_audio([tmp_path])] == ["a.m4a", "b.wav"]
    assert capsys.readouterr().out == ""


def test_inputs_that_are_not_there(tmp_path):
    with pytest.raises(UserError, match=r"none\.wav: no such file or folder"):
        find_audio([tmp_path / "none.wav"])
    listing = tmp_path / "list.txt"
    listing.write_text("a.wav\nb.wav\n")
    with pytest.raises(UserError, match=r"list\.txt: names .*a\.wav, which does not exist \(and 1 more\)"):
        find_audio([listing])
    listing.write_bytes(b"caf\xe9.wav\n")
    with pytest.raises(UserError, match="not UTF-8"):
        find_audio([listing])


def test_a_folder_that_cannot_be_read(tmp_path, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    touch(tmp_path, "a.wav")
    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(UserError, match=r"cannot be read \(Permission denied\); change its permissions"):
        find_audio([tmp_path])


def test_a_list_may_be_written_in_other_ways(tmp_path):
    songs = ["a song.wav", "e\u0301tude.wav", "line\u2028break.wav"]
    paths = [touch(tmp_path, name) / name for name in songs]
    listing = tmp_path / "list.txt"
    listing.write_bytes('\ufeff"a song.wav"\r\n\xe9tude.wav\r\nline\u2028break.wav'.encode())
    assert [file.path for file in find_audio([listing])] == sorted(paths)
    assert find_audio([tmp_path / "\xe9tude.wav"])[0].path == paths[1]
    assert make_id(Path("e\u0301tude.wav")) == "\xe9tude"


def test_patterns_that_the_shell_leaves_are_expanded(tmp_path):
    touch(tmp_path, "a.wav", "b.wav", "c.ogg", "[d].wav")
    assert [file.path.name for file in find_audio([tmp_path / "?.wav"])] == ["a.wav", "b.wav"]
    assert [file.path.name for file in find_audio([tmp_path / "[d].wav"])] == ["[d].wav"]
    with pytest.raises(UserError, match=r"\*\.mp3: no such file or folder"):
        find_audio([tmp_path / "a.wav", tmp_path / "*.mp3"])
