"""``musiclab listen``, as a user runs it."""

import base64
import io
import json
import re

import numpy as np
import pytest
import soundfile
from command_line import error_of, fit_args, run_folder
from data.audio.sounds import clicks, swell, write

import musiclab
from commands.report.pages import Outline, Tables
from musiclab.cli import main
from musiclab.commands.listen.listen import page_names


def data_of(path):
    data, _ = Outline(path.read_text(encoding="utf-8")).texts["script"]
    return json.loads(data)


def test_values_in_the_page_are_those_of_over_time(pages, songs, genre_cnn, emotion_cnn):
    data = data_of(pages / "long.html")
    assert data["duration"] == 10.0
    for key, path in (("model0", genre_cnn), ("model1", emotion_cnn)):
        model = musiclab.load(path)
        over_time = model.over_time(songs / "long.flac", hop=0.5)
        assert data[key]["names"] == model.target_names
        np.testing.assert_allclose(data[key]["seconds"], over_time.seconds, atol=1e-3)
        np.testing.assert_allclose(data[key]["values"], over_time.values, atol=1e-6)


def test_the_answer_about_the_whole_song_is_that_of_predict(pages, songs, genre_cnn, emotion_cnn):
    (_, header, genres), (_, _, values) = Tables((pages / "long.html").read_text(encoding="utf-8")).all
    assert header == ["genre", "song", "here"]
    answer = musiclab.load(genre_cnn).predict(songs / "long.flac")
    assert {name: said for name, said, _ in genres} == {name: f"{value:.2f}" for name, value in answer.items()}
    answer = musiclab.load(emotion_cnn).predict(songs / "long.flac")
    assert [(name, said) for name, said, _ in values] == [(name, f"{value:.2f}") for name, value in answer.items()]


def test_a_page_plays_the_song_and_shows_all(pages):
    page = Outline((pages / "long.html").read_text(encoding="utf-8"))
    (audio,) = page.all("audio")
    samples, rate = soundfile.read(io.BytesIO(base64.b64decode(audio["src"].split(",")[1])))
    assert len(samples) / rate == pytest.approx(10.0, abs=0.1)
    assert page.texts["h2"] == [
        "Mel spectrogram", "Chromagram", "Beats", "Genre", "Valence, energy and danceability", "Valence and energy",
    ]  # fmt: skip
    assert [image["alt"].split()[0] for image in page.all("img")][:3] == ["Mel", "Chromagram", "Beats:"]
    assert page.texts["p"][0] == "All songs" or "index.html" in page.all("a")[0]["href"]


def test_silent_windows_have_no_values(pages):
    data = data_of(pages / "index_.html")
    assert [row is None for row in data["model0"]["values"]] == [False] * 4 + [True] * 5
    notes = Outline((pages / "index_.html").read_text(encoding="utf-8")).texts["p"][-2:]
    assert all(re.fullmatch(r"CNN .*: 5 of 9 windows have no answer\.", note) for note in notes)


def test_a_song_shorter_than_a_hop_is_one_window(pages):
    data = data_of(pages / "short.html")
    assert data["model0"]["seconds"] == [0.5]
    assert "in one window of 1 s" in " ".join(Outline((pages / "short.html").read_text(encoding="utf-8")).texts["p"])


def test_several_songs_have_a_page_that_lists_them(pages, songs, genre_cnn):
    html = (pages / "index.html").read_text(encoding="utf-8")
    assert [link["href"] for link in Outline(html).all("a")] == ["index_.html", "long.html", "short.html"]
    ((_, header, rows),) = Tables(html).all
    assert header == ["song", "length", "genre", "probability", "valence", "energy", "danceability"]
    answer = musiclab.load(genre_cnn).predict(songs / "long.flac")
    best = max(answer, key=answer.get)
    assert rows[1][:4] == ["long", "0:10", best, f"{answer[best]:.2f}"]


def test_what_cannot_be_used_is_named_and_stops_no_other(genre_cnn, songs, tmp_path, capsys):
    (tmp_path / "text.wav").write_text("no music")
    write(tmp_path / "silent.wav", np.zeros(44100))
    with pytest.raises(SystemExit) as info:
        main(
            ["listen", str(tmp_path), str(songs / "short.flac"), f"--ckpt_path={genre_cnn}", f"--out={tmp_path / 'o'}"]
        )
    assert info.value.code == 1
    said = capsys.readouterr().out
    assert f"{tmp_path / 'text.wav'}: not audio" in said
    assert f"{tmp_path / 'silent.wav'}: silent: its peak" in said
    assert sorted(path.name for path in (tmp_path / "o").iterdir()) == ["index.html", "short.html"]
    assert Outline((tmp_path / "o" / "index.html").read_text(encoding="utf-8")).texts["p"][0].startswith("Left out: ")


def test_bad_requests(genre_cnn, songs, tmp_path, capfd):
    song = songs / "short.flac"
    (tmp_path / "text.wav").write_text("no music")

    def error(*args):
        return error_of(capfd, ["listen", *map(str, args), f"--out={tmp_path / 'out'}"]).removeprefix(
            "musiclab: error: "
        )

    assert error(tmp_path / "text.wav", f"--ckpt_path={genre_cnn}").startswith(f"{tmp_path / 'text.wav'}: not audio")
    assert error(song, f"--ckpt_path={genre_cnn}", "--hop=0").startswith("hop is 0.0; it must be at least 0.1")
    assert "given twice" in error(song, f"--ckpt_path={genre_cnn}", f"--ckpt_path={genre_cnn}")
    assert "missing.ckpt: " in error(song, f"--ckpt_path={tmp_path / 'missing.ckpt'}")
    assert "missing.wav: no such file" in error(tmp_path / "missing.wav", f"--ckpt_path={genre_cnn}")
    assert "missing.npz: no such file" in error(
        song, f"--ckpt_path={genre_cnn}", f"--library={tmp_path / 'missing.npz'}"
    )
    assert not list((tmp_path / "out").glob("*.html"))
    (tmp_path / "out").rmdir()
    (tmp_path / "out").write_text("")
    assert error(song, f"--ckpt_path={genre_cnn}").startswith(f"{tmp_path / 'out'}: a file; give the folder")


def test_the_strongest_tags_are_shown(tag_cnn, genre_cnn, songs, tmp_path, monkeypatch):
    monkeypatch.setattr("musiclab.commands.listen.page.STRONGEST", 2)
    args = ["listen", str(songs), f"--ckpt_path={genre_cnn}", f"--ckpt_path={tag_cnn}", f"--out={tmp_path}"]
    main([*args, "--hop=2"])
    model, song = musiclab.load(tag_cnn), songs / "long.flac"
    whole = model.predict(song)
    best = sorted(whole, key=lambda tag: -whole[tag])
    html = (tmp_path / "long.html").read_text(encoding="utf-8")
    page = Outline(html)
    assert page.texts["h2"][-2:] == ["Genre", "Tags"]
    assert "the 2 strongest of 3" in page.texts["small"]
    *_, (_, header, rows) = Tables(html).all
    assert header == ["tag", "song", "here"]
    assert [row[:2] for row in rows] == [[tag, f"{whole[tag]:.2f}"] for tag in best[:2]]
    data = data_of(tmp_path / "long.html")["model1"]
    assert data["names"] == best[:2]
    columns = [model.target_names.index(tag) for tag in best[:2]]
    np.testing.assert_allclose(data["values"], model.over_time(song, hop=2).values[:, columns], atol=1e-6)
    assert data["lines"] == [[0], [1]]
    ((_, header, rows),) = Tables((tmp_path / "index.html").read_text(encoding="utf-8")).all
    assert header[-1] == "strongest tags"
    assert rows[1][-1] == ", ".join(f"{tag} {whole[tag]:.2f}" for tag in best)


def test_beats_that_are_not_there(genre_root, tmp_path, capfd):
    main(fit_args("genre_lstm.yaml", genre_root, tmp_path, "--data.beat_synced=true", "--data.features=mel"))
    checkpoint = run_folder(tmp_path) / "checkpoints" / "best.ckpt"
    song = write(tmp_path / "swell.wav", swell(2.0), subtype="FLOAT")
    said = error_of(capfd, ["listen", str(song), f"--ckpt_path={checkpoint}", f"--out={tmp_path / 'out'}"])
    assert said == f"musiclab: error: {song}: no beat was found"
    beats = write(tmp_path / "clicks.flac", clicks(6.0))
    main(["listen", str(beats), f"--ckpt_path={checkpoint}", f"--out={tmp_path / 'out'}"])
    data = data_of(tmp_path / "out" / "clicks.html")
    np.testing.assert_allclose(data["model0"]["values"], musiclab.load(checkpoint).over_time(beats).values, atol=1e-6)


def test_the_nearest_tracks_of_a_library(genre_cnn, emotion_cnn, genre_root, songs, tmp_path, capfd):
    library, song = tmp_path / "library.npz", songs / "short.flac"
    main(["embed", str(genre_root), f"--ckpt_path={genre_cnn}", f"--out={library}"])
    args = ["listen", str(song), f"--library={library}", f"--out={tmp_path / 'out'}"]
    main([*args, f"--ckpt_path={emotion_cnn}", f"--ckpt_path={genre_cnn}"])
    page = Outline((tmp_path / "out" / "short.html").read_text(encoding="utf-8"))
    capfd.readouterr()
    main(["similar", str(song), f"--library={library}", f"--ckpt_path={genre_cnn}"])
    lines = [line.split() for line in capfd.readouterr().out.splitlines()[1:]]
    assert page.texts["li"] == [name for _, name, *_ in lines]
    assert page.texts["small"][-10:] == [f"cosine {cosine}, {genre}" for cosine, _, genre, _ in lines]
    assert "embeddings of two models do not compare" in error_of(capfd, [*args, f"--ckpt_path={emotion_cnn}"])


def test_no_two_songs_have_one_page():
    names = page_names(["index", "index_", "A", "a", "b"])
    assert list(names.values()) == ["index_.html", "index__.html", "A.html", "a_.html", "b.html"]
