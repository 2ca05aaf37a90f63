"""``musiclab build-genres``: from a folder per genre to a data set that trains."""

from pathlib import Path

import numpy as np
import pytest
from command_line import error_of, fit_args, read_rows, run_folder
from data.audio.sounds import clicks, swell, write

from musiclab.cli import main
from musiclab.commands.build_genres import artists_of, draw_parts, listed_parts
from musiclab.data.artists import Artists, read_artists
from musiclab.data.audio.files import AudioFile, find_audio, name_tracks
from musiclab.errors import UserError

GENRES = {"blues": 110.0, "Hip-Hop": 220.0, "old time": 440.0}


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """Ten tracks of each genre, named as those of GTZAN; each genre has a pitch of its own."""
    root = tmp_path_factory.mktemp("audio") / "tree"
    for genre, pitch in GENRES.items():
        for number in range(10):
            samples = clicks(1.2, seed=number, pitch=pitch * 1.01**number)
            write(root / genre / f"{genre}.{number:05}.wav", samples)
    return root


@pytest.fixture(scope="module")
def built(tree, tmp_path_factory):
    """The data set folder of the tree; the beat-synchronised one is beside it."""
    out = tmp_path_factory.mktemp("built") / "genres"
    main(["build-genres", str(tree), f"--out={out}", "--jobs=1"])
    return out


def labels(folder, part):
    header, *rows = (folder / f"{part}_labels.txt").read_text(encoding="utf-8").splitlines()
    assert header == "Id\tGenre"
    return dict(row.split("\t") for row in rows)


@pytest.mark.parametrize("form", ["", "_beat"])
def test_the_layout_is_that_of_a_data_set(form, built, capsys):
    folder = built.with_name(built.name + form)
    for part, count in (("train", 8), ("test", 2)):
        found = labels(folder, part)
        assert {path.name for path in (folder / part).iterdir()} == set(found)
        assert {genre: list(found.values()).count(genre) for genre in GENRES} == dict.fromkeys(GENRES, count)
        for name, genre in found.items():
            assert name.startswith(f"{genre}_0000")
            assert name.endswith(".fused.full.npy")
    main(["check", str(folder)])
    assert "nothing is wrong" in capsys.readouterr().out


def test_a_second_run_changes_nothing(tree, built, capsys):
    before = {path: path.stat().st_mtime_ns for path in built.rglob("*.npy")}
    files = {path: path.read_bytes() for path in built.iterdir() if path.is_file()}
    main(["build-genres", str(tree), f"--out={built}", "--jobs=1"])
    assert {path: path.stat().st_mtime_ns for path in built.rglob("*.npy")} == before
    assert {path: path.read_bytes() for path in built.iterdir() if path.is_file()} == files
    assert "0 tracks extracted, 30 there already" in capsys.readouterr().out


@pytest.mark.parametrize("form", ["", "_beat"])
def test_the_data_set_trains(form, built, tmp_path):
    root = built.with_name(built.name + form)
    options = ["--data.class_map=null", f"--data.beat_synced={str(bool(form)).lower()}", "--data.val_fraction=0.2"]
    main(fit_args("genre_cnn.yaml", root, tmp_path, *options))
    assert (run_folder(tmp_path) / "test_metrics.json").exists()


def test_the_split_is_stratified_and_goes_with_the_seed():
    genres = {f"{genre}{number}": genre for genre, count in (("a", 20), ("b", 10)) for number in range(count)}
    first, again, other = (draw_parts(list(genres), list(genres.values()), 0.2, seed) for seed in (0, 0, 1))
    assert first == again != other
    tested = [genres[identifier] for identifier, part in first.items() if part == "test"]
    assert sorted(tested) == ["a"] * 4 + ["b"] * 2
    assert first == draw_parts(list(genres)[::-1], list(genres.values())[::-1], 0.2, 0)


def test_a_split_by_artists_has_each_on_one_side():
    genres = {f"{genre}{number:02}": genre for genre in "ab" for number in range(20)}
    artists = Artists(Path("artists.txt"), {track: track[:2] for track in genres})  # ten tracks each
    first, other = (
        draw_parts(list(keys), [genres[key] for key in keys], 0.5, 0, artists) for keys in (genres, [*genres][::-1])
    )
    assert first == other
    sides = [{track[:2] for track, part in first.items() if part == name} for name in ("train", "test")]
    assert not sides[0] & sides[1]
    assert {artist[0] for artist in sides[0]} == {artist[0] for artist in sides[1]} == {"a", "b"}
    with pytest.raises(UserError, match=r"are by one artist, .*; draw without regard to them: --artist_level null"):
        draw_parts(list(genres), None, 0.2, 0, Artists(Path("artists.txt"), dict.fromkeys(genres, "c")))


@pytest.mark.parametrize(
    ("level", "found"),
    [(1, {"0": "Can", "1": 'The "X"', "2": "Can"}), (2, {"1": "Live"}), (3, None), (0, None), (-1, None)],
)
def test_artists_are_folders_below_genres(level, found):
    names = ["rock/Can/0.wav", 'rock/The  "X"/Live/1.wav', "jazz/Can/2.wav", "jazz/3.wav"]
    files = name_tracks([AudioFile(Path("/tree", name), Path(name)) for name in names])
    if found is not None:
        assert artists_of(files, level).of == found
        return
    with pytest.raises(UserError, match="artist_level" if level < 1 else "/tree/rock/Can/0.wav: no track lies in a"):
        artists_of(files, level)


def test_a_tree_with_artists_gives_their_file(tmp_path, capsys):
    tree, out = tmp_path / "tree", tmp_path / "out"
    for genre in ("rock", "jazz"):
        for number in range(6):
            write(tree / genre / f'"{number // 2}"' / f"{genre}{number}.wav", clicks(1, seed=number))
    write(tree / "rock" / "alone.wav", clicks(1, seed=9))
    write(tree / "rock" / "silent" / "silent.wav", np.zeros(22050))
    args = ["build-genres", str(tree), f"--out={out}", "--jobs=1", "--kind=full", "--artist_level=1"]
    with pytest.raises(SystemExit):
        main(args)
    expected = {f"{genre}{number}": f'"{number // 2}"' for genre in ("rock", "jazz") for number in range(6)}
    assert read_artists(out) == expected
    assert "Artists: 4, of 13 tracks" in capsys.readouterr().out
    tested = {name.split(".")[0] for name in labels(out, "test")}
    assert not {expected.get(name) for name in tested} & {
        expected.get(name.split(".")[0]) for name in labels(out, "train")
    }


def test_published_lists_are_taken_by_genre_and_name(tmp_path, capsys):
    tree, out = tmp_path / "tree", tmp_path / "out"
    for genre in ("blues", "jazz"):
        for number in range(4):
            write(tree / genre / f"{genre}.{number:05}.ogg", clicks(1, seed=number), format="OGG")
    for part, numbers in (("train", (0, 54)), ("validation", (1,)), ("test", (2,))):
        lines = [f"{genre}/{genre}.{number:05}.wav" for genre in ("blues", "jazz") for number in numbers]
        (tmp_path / f"{part}.txt").write_text("\n".join(lines))
    lists = [f"--{part}_list={tmp_path / part}.txt" for part in ("train", "validation", "test")]
    main(["build-genres", str(tree), f"--out={out}", "--jobs=1", "--kind=full", *lists])
    for part, number in (("train", 0), ("validation", 1), ("test", 2)):
        assert labels(out, part) == {f"{genre}_0000{number}.fused.full.npy": genre for genre in ("blues", "jazz")}
    printed = capsys.readouterr().out
    said = (
        f"Left out: 2 tracks of {tmp_path / 'train.txt'} are not in the tree: blues.00054.wav, jazz.00054.wav; all in"
    )
    assert said in printed
    assert "Left out: 2 files are in no list: blues.00003.ogg, jazz.00003.ogg; all in" in printed
    assert [(row["what"], row["name"]) for row in read_rows(out / "unmatched.csv")] == [
        *((f"line of {tmp_path / 'train.txt'} without a file", f"{g}/{g}.00054.wav") for g in ("blues", "jazz")),
        *(("file in no list", str(tree / g / f"{g}.00003.ogg")) for g in ("blues", "jazz")),
    ]


def test_failed_tracks_are_in_no_label_file(tmp_path):
    tree, out = tmp_path / "tree", tmp_path / "out"
    for genre in ("a", "b"):
        for number in range(5):
            write(tree / genre / f"{genre}{number}.wav", clicks(1, seed=number))
    write(tree / "a" / "a0.wav", np.zeros(22050))
    write(tree / "b" / "b0.wav", swell(1.5), subtype="FLOAT")
    with pytest.raises(SystemExit):
        main(["build-genres", str(tree), f"--out={out}", "--jobs=1"])
    for folder, missing in ((out, {"a0"}), (tmp_path / "out_beat", {"a0", "b0"})):
        listed = labels(folder, "train") | labels(folder, "test")
        assert {f"{genre}{number}" for genre in "ab" for number in range(5)} - missing == {
            name.split(".")[0] for name in listed
        }
    write(tree / "a" / "a0.wav", clicks(1))
    write(tree / "b" / "b0.wav", clicks(1))
    main(["build-genres", str(tree), f"--out={out}", "--jobs=1"])
    assert len(labels(out, "train") | labels(out, "test")) == 10
    assert not (out / "failures.csv").exists()


def test_folders_within_genres_and_ids_of_paths(tmp_path):
    tree = tmp_path / "tree"
    for genre in ("rock", "jazz"):
        for album in ("first", "second"):
            write(tree / genre / album / "01 intro.wav", clicks(1))
    main(["build-genres", str(tree), f"--out={tmp_path / 'out'}", "--test_fraction=0.5", "--kind=full", "--ids=path"])
    found = labels(tmp_path / "out", "train") | labels(tmp_path / "out", "test")
    assert {name.removesuffix(".fused.full.npy"): genre for name, genre in found.items()} == {
        f"{genre}_{album}_01 intro": genre for genre in ("rock", "jazz") for album in ("first", "second")
    }


def test_without_a_test_part_all_tracks_are_to_train_on(tmp_path, capsys):
    for genre, pitch in (("rock", 110.0), ("jazz", 220.0)):
        for number in range(2):
            write(tmp_path / "tree" / genre / f"{number}.wav", clicks(1.2, seed=number, pitch=pitch * 1.01**number))
    arguments = ["build-genres", str(tmp_path / "tree"), f"--out={tmp_path / 'out'}", "--kind=full", "--ids=path"]
    main([*arguments, "--test_fraction=0"])
    assert len(labels(tmp_path / "out", "train")) == 4
    assert not (tmp_path / "out" / "test_labels.txt").exists()
    main(["check", str(tmp_path / "out")])
    assert "nothing is wrong" in capsys.readouterr().out


class TestLists:
    """A split by given lists."""

    @pytest.fixture
    def files(self, tmp_path):
        for name in ("rock/1.a.wav", "rock/2.wav", "jazz/1.wav", "jazz/3.mp3"):
            (tmp_path / "tree" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "tree" / name).touch()
        return name_tracks(find_audio([tmp_path / "tree"]))

    def parts(self, files, folder, train=None, test=None, validation=None):
        paths = []
        for part, lines in (("train", train), ("test", test), ("validation", validation)):
            paths.append(None if lines is None else str(folder / f"{part}.txt"))
            if lines is not None:
                (folder / f"{part}.txt").write_text(lines)
        return listed_parts(files, *paths)[0]

    def test_tracks_are_named_by_path_name_or_id(self, files, tmp_path):
        found = self.parts(files, tmp_path, "rock/1.a.wav\n\njazz/1\n", "2.wav\n3\n")
        assert found == {"1_a": "train", "1": "train", "2": "test", "3": "test"}
        found = self.parts(files, tmp_path, "1_a\n", f"{tmp_path}/tree/rock/2.wav\n")
        assert found == {"1_a": "train", "2": "test"}
        assert self.parts(files, tmp_path, "1.a\n", "./2\n") == found

    def test_one_list_leaves_the_others_to_the_other_part(self, files, tmp_path):
        assert self.parts(files, tmp_path, test="2\n") == {"1": "train", "2": "test", "3": "train", "1_a": "train"}
        assert self.parts(files, tmp_path, train="2\n") == {"1": "test", "2": "train", "3": "test", "1_a": "test"}

    def test_tracks_to_validate_on_are_taken_from_those_to_train_on(self, files, tmp_path):
        found = self.parts(files, tmp_path, test="2\n", validation="3\n")
        assert found == {"1": "train", "2": "test", "3": "validation", "1_a": "train"}
        found = self.parts(files, tmp_path, train="2\n", validation="3.wav\n")
        assert found == {"1": "test", "2": "train", "3": "validation", "1_a": "test"}
        with pytest.raises(UserError, match=r"is both in .*test\.txt and in .*validation\.txt"):
            self.parts(files, tmp_path, test="2\n", validation="2\n")
        with pytest.raises(UserError, match=r"validation\.txt: what is to be tested on is not said; give --test_list"):
            self.parts(files, tmp_path, validation="2\n")

    @pytest.mark.parametrize(
        ("train", "test", "message"),
        [
            ("4\n5\n", None, r"train\.txt: 4 is not in the tree, nor is any other; give paths"),
            ("1\n", "1.wav\n", r"track 1 is both in .*train\.txt and in .*test\.txt"),
            ("1\n", "\n", r"leave no track for test/"),
            ("1\n2\n3\n1_a\n", None, r"leave no track for test/"),
        ],
    )
    def test_mistakes(self, train, test, message, files, tmp_path):
        with pytest.raises(UserError, match=message):
            self.parts(files, tmp_path, train, test)

    def test_a_name_that_may_be_several_tracks(self, files, tmp_path):
        (tmp_path / "tree" / "rock" / "1.wav").touch()
        files = name_tracks(find_audio([tmp_path / "tree"]), "path")
        with pytest.raises(UserError, match=r"1\.wav may be any of jazz_1, rock_1; give its path"):
            self.parts(files, tmp_path, "1.wav\n")
        assert self.parts(files, tmp_path, test="rock/1.wav\n")["rock_1"] == "test"

    def test_a_list_that_is_not_there(self, files, tmp_path):
        with pytest.raises(UserError, match=r"none\.txt: cannot be read"):
            listed_parts(files, str(tmp_path / "none.txt"), None)


def test_mistakes_of_a_line(tree, built, tmp_path, capfd):
    args = ["build-genres", str(tree), f"--out={built}"]
    assert "holds a data set of other tracks" in error_of(capfd, [*args, "--seed=1"])
    assert "was made with seconds 30.0" in error_of(capfd, [*args, "--seconds=20"])
    assert "holds" in error_of(capfd, ["build-genres", str(tree), f"--out={tree}"])
    extraction = ["extract", str(tree), f"--out={built}", "--ids=path"]
    assert 'was made with made by "musiclab build-genres"' in error_of(capfd, extraction)
    out = f"--out={tmp_path / 'out'}"
    assert "no such folder" in error_of(capfd, ["build-genres", str(tmp_path / "none"), out])
    assert "test_fraction" in error_of(capfd, ["build-genres", str(tree), out, "--test_fraction=0.01"])
    assert "lies in no genre's folder" in error_of(capfd, ["build-genres", str(tree / "blues"), out])
    assert not (tmp_path / "out").exists()
