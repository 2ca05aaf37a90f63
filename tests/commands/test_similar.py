"""``musiclab similar``, as a user runs it."""

import numpy as np
import pytest
from command_line import error_of
from data.audio.sounds import clicks, write

from musiclab.cli import main
from musiclab.inference.library import read_library


@pytest.fixture(scope="module")
def library(genre_cnn, genre_root, tmp_path_factory):
    path = tmp_path_factory.mktemp("library") / "library.npz"
    main(["embed", str(genre_root), f"--ckpt_path={genre_cnn}", f"--out={path}"])
    return path


def similar(capsys, song, library, checkpoint, *more):
    capsys.readouterr()
    main(["similar", str(song), f"--library={library}", f"--ckpt_path={checkpoint}", *more])
    first, *lines = capsys.readouterr().out.splitlines()
    return first, [line.split() for line in lines]


def test_the_nearest_tracks_by_cosine_with_their_genre(genre_cnn, genre_root, library, tmp_path, capsys):
    song = genre_root / "train" / "101.fused.full.npy"
    first, lines = similar(capsys, song, library, genre_cnn, "--most=4")
    assert first == f"Of 45 in {library}, nearest to {song} by cosine:"
    known = read_library(library)
    values = known.values / np.linalg.norm(known.values, axis=1, keepdims=True)
    cosines = values @ values[1]
    nearest = [index for index in np.argsort(-cosines) if index != 1][:4]  # not itself
    expected = [
        [f"{cosines[index]:.3f}", *(str(known.columns[name][index]) for name in ("id", "genre", "path"))]
        for index in nearest
    ]
    assert lines == expected
    copy = tmp_path / "copy.npy"
    copy.write_bytes(song.read_bytes())
    assert similar(capsys, copy, library, genre_cnn, "--most=1")[1] == [["1.000", "101", "Jazz", str(song)]]
    assert len(similar(capsys, song, library, genre_cnn, "--most=100")[1]) == 44


def test_windows_of_songs_say_where_they_begin(genre_cnn, tmp_path, capsys):
    song = write(tmp_path / "a.wav", clicks(2.0))
    write(tmp_path / "b.wav", clicks(2.0, seed=1))
    path = tmp_path / "library.csv"
    main(["embed", str(tmp_path), f"--ckpt_path={genre_cnn}", f"--out={path}", "--windows=true"])
    _, lines = similar(capsys, song, path, genre_cnn)
    assert sorted(line[1:-1] for line in lines) == [["b", "from", "0.0", "s"], ["b", "from", "1.0", "s"]]


def test_bad_requests(genre_cnn, genre_lstm, library, genre_root, tmp_path, capfd):
    song = genre_root / "train" / "101.fused.full.npy"
    (tmp_path / "broken.npz").write_bytes(library.read_bytes()[:500])
    (tmp_path / "other.csv").write_text("id,genre\n1,Rock\n")
    write(tmp_path / "silent.wav", np.zeros(44100))

    def error(song=song, library=library, checkpoint=genre_cnn, more=()):
        return error_of(capfd, ["similar", str(song), f"--library={library}", f"--ckpt_path={checkpoint}", *more])

    said = error(checkpoint=genre_lstm)
    assert f"{library}: of another model (" in said
    assert f"make it anew by musiclab embed --ckpt_path {genre_lstm}" in said
    assert "gone.npz: no such file; `musiclab embed` makes one" in error(library=tmp_path / "gone.npz")
    for name in ("broken.npz", "other.csv"):
        assert f"{name}: no embeddings, or damaged" in error(library=tmp_path / name)
    assert "song.txt: no audio file" in error(song="song.txt")
    assert "silent.wav: silent" in error(song=tmp_path / "silent.wav")
    assert "most is 0; it must be at least 1" in error(more=["--most=0"])
