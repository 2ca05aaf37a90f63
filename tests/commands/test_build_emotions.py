"""``musiclab build-emotions``, run as a user runs it."""

import json
import re

import numpy as np
import pytest
from command_line import error_of, read_rows
from data.audio.sounds import clicks, write

from musiclab.cli import main
from musiclab.data.audio.ratings import meaning, read_ratings
from musiclab.data.datamodules import EmotionDataModule
from musiclab.errors import UserError

ROWS = ["0.wav,0.1,0.9,x", "1,0.2,0.8,x", "pop/2.wav,0.3,0.7,y", "3.0,0.4,0.6,y", "9.ogg,0.5,0.5,y"]


@pytest.fixture(scope="module")
def songs(tmp_path_factory):
    """Five songs of 1.2 s, some in a folder of their own."""
    folder = tmp_path_factory.mktemp("songs")
    for number in range(5):
        write(
            folder / ("pop" if number == 2 else ".") / f"{number}.wav",
            clicks(1.2, seed=number, pitch=110 + 60 * number),
        )
    return folder


def table(tmp_path, rows=ROWS, header="Song,joy,fear,genre"):
    path = tmp_path / "ratings.csv"
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def command(songs, labels, out, *more):
    return ["build-emotions", str(songs), f"--labels={labels}", f"--out={out}", "--mels=32", "--jobs=1", *more]


@pytest.fixture(scope="module")
def built(songs, tmp_path_factory):
    folder = tmp_path_factory.mktemp("built")
    return table(folder), folder / "set"


def test_songs_and_ratings_make_a_set(songs, built, capsys):
    labels, root = built
    main(command(songs, labels, root))
    output = capsys.readouterr().out
    assert (root / "train_labels.txt").read_text() == "Id,joy,fear\n0,0.1,0.9\n1,0.2,0.8\n2,0.3,0.7\n3,0.4,0.6\n"
    assert sorted(path.name for path in (root / "train").glob("*.npy")) == [f"{n}.fused.full.npy" for n in range(4)]
    assert not (root / "test").exists()
    assert "Axes: joy, fear; not taken for axes: genre" in output
    assert f"Left out: 1 songs have no row in {labels}: 4.wav; all in {root / 'unmatched.csv'}" in output
    assert f"Left out: 1 rows of {labels} have no song: 9.ogg" in output
    assert [(row["what"], row["name"]) for row in read_rows(root / "unmatched.csv")] == [
        ("song without a row", str(songs / "4.wav")),
        ("row without a song", "9.ogg"),
    ]
    fit = f"musiclab fit -c emotion_multitask.yaml --data.root {root} --data.features all"
    assert output.splitlines()[-1].endswith(fit)
    main(["check", str(root)])
    assert "nothing is wrong" in capsys.readouterr().out
    assert EmotionDataModule(root=root, features="all").target_names == ["joy", "fear"]
    main(command(songs, labels, root))
    assert "0 tracks extracted, 4 there already" in capsys.readouterr().out


def test_a_test_part_keeps_artists_together(songs, tmp_path, capsys):
    rows = [f"{number},{number + 1},{'AABBC'[number]}" for number in range(5)]
    root = tmp_path / "set"
    labels = table(tmp_path, rows, "track_id,calm,Artist")
    main(command(songs, labels, root, "--test_fraction=0.4", "--value_range=[1,9]", "--axes=calm"))
    parts = {
        part: re.findall(r"^(\d),", (root / f"{part}_labels.txt").read_text(), re.MULTILINE)
        for part in ("train", "test")
    }
    assert sorted(parts["train"] + parts["test"]) == list("01234")
    assert parts["test"]
    for one, other in ("01", "23"):
        assert (one in parts["test"]) == (other in parts["test"])
    assert (root / "artists.txt").read_text().splitlines()[:2] == ["Id\tArtist", "0\tA"]
    assert not (root / "unmatched.csv").exists()
    assert "emotion_cnn.yaml" in (output := capsys.readouterr().out)
    assert "--data.value_range [1,9] --data.features all" in output
    data = EmotionDataModule(root=root, features="all", value_range=(1, 9))
    assert data.parts.is_given("test")
    assert json.loads((root / "features.json").read_text())["mels"] == 32


def test_failures_are_listed_and_get_no_label(tmp_path):
    folder = tmp_path / "songs"
    write(folder / "0.wav", clicks(1.2))
    write(folder / "1.wav", np.zeros(44100))
    labels = table(tmp_path, ["0,0.5", "1,0.7"], "id,joy")
    with pytest.raises(SystemExit) as exit_info:
        main(command(folder, labels, tmp_path / "set"))
    assert exit_info.value.code == 1
    assert (tmp_path / "set" / "train_labels.txt").read_text() == "Id,joy\n0,0.5\n"
    assert len(read_rows(tmp_path / "set" / "failures.csv")) == 1


@pytest.mark.parametrize(
    ("header", "rows", "more", "said"),
    [
        ("number,joy", ["0,1"], [], "no column that names the songs; call it id, song"),
        ("id,genre", ["0,pop"], [], "no column of numbers beside the songs"),
        ("id,joy", [], [], "no rows"),
        ("id,joy", ["x,0.5"], [], "no row is of any song: it names x, where the songs are 0"),
        ("id,joy", ["0,7", "1,8"], [], r"line 2, 0: joy is 7, outside the range 0 to 1; .*--value_range"),
        ("id,joy", ["0,0.1", "1,0.2", "2,"], [], "line 4, 2: joy is '', not a number"),
        ("id,joy", ["0,0.1", "0.wav,0.2"], [], "0 and 0.wav are both song 0; keep one row a song"),
        ("id,joy", [",0.1", "1,0.2"], [], "line 2 names no song"),
        ("id,joy", ["0,0.1"], ["--axes=fear"], "no column fear; there are id, joy"),
        ("id,joy", ["0,0.1"], ["--value_range=[1,0]"], "value_range is"),
        ("id,joy", ["0,0.1"], ["--test_fraction=1"], "test_fraction is 1"),
    ],
)
def test_tables_that_cannot_be_used(header, rows, more, said, songs, tmp_path, capfd):
    labels = table(tmp_path, rows, header)
    assert re.search(said, error_of(capfd, command(songs, labels, tmp_path / "set", *more)))
    assert not (tmp_path / "set").exists()


def test_a_table_that_is_not_there(songs, tmp_path, capfd):
    assert "none.csv: cannot be read" in error_of(capfd, command(songs, tmp_path / "none.csv", tmp_path / "set"))


def test_names_of_columns(tmp_path):
    path = table(tmp_path, ["a\tx\t1", "b\ty\t2"], "Title\tTrack ID\tJoy")
    ratings = read_ratings(path, None, (0, 9))
    assert [rating.song for rating in ratings.rows] == ["x", "y"]
    assert (ratings.axes, ratings.others) == (["Joy"], ["Title"])
    with pytest.raises(UserError, match="no column joy"):
        read_ratings(path, ["joy"], (0, 9))


@pytest.mark.parametrize(
    ("song", "meant"),
    [
        ("10", True),
        ("10.0", True),
        ("10.fused.full.npy", True),
        ("10.wav", True),
        ("10.000", True),
        ("10.5", False),
        ("10. Blue", False),
        ("10,000", False),
    ],
)
def test_a_name_means_a_song_as_it_is_or_without_endings(song, meant):
    assert meaning(song, {"10": {"10"}}) == ({"10"} if meant else set())


def test_decimal_commas_are_of_values_and_not_of_names(tmp_path):
    path = tmp_path / "ratings.csv"
    path.write_text("valence;song;energy\n0,5;10,000;0,25\n1;11;0,75\n")
    ratings = read_ratings(path, None, (0.0, 1.0))
    assert (ratings.axes, [rating.values for rating in ratings.rows]) == (
        ["valence", "energy"],
        [[0.5, 0.25], [1, 0.75]],
    )
    assert ratings.rows[0].song == "10,000"
