"""``musiclab build-genres``: from a folder per genre to a data set that trains."""

import numpy as np
import pytest
from command_line import error_of, fit_args, run_folder
from data.audio.sounds import clicks, swell, write

from musiclab.cli import main
from musiclab.commands.build_genres import draw_parts, listed_parts
from musiclab.data.audio.files import find_audio, name_tracks
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


class TestLists:
    """A split by given lists."""

    @pytest.fixture
    def files(self, tmp_path):
        for name in ("rock/1.a.wav", "rock/2.wav", "jazz/1.wav", "jazz/3.mp3"):
            (tmp_path / "tree" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "tree" / name).touch()
        return name_tracks(find_audio([tmp_path / "tree"]))

    def parts(self, files, folder, train=None, test=None):
        paths = []
        for part, lines in (("train", train), ("test", test)):
            paths.append(None if lines is None else str(folder / f"{part}.txt"))
            if lines is not None:
                (folder / f"{part}.txt").write_text(lines)
        return listed_parts(files, *paths)

    def test_tracks_are_named_by_path_name_or_id(self, files, tmp_path):
        found = self.parts(files, tmp_path, "rock/1.a.wav\n\njazz/1\n", "2.wav\n3\n")
        assert found == {"1_a": "train", "1": "train", "2": "test", "3": "test"}
        found = self.parts(files, tmp_path, "1_a\n", f"{tmp_path}/tree/rock/2.wav\n")
        assert found == {"1_a": "train", "2": "test"}
        assert self.parts(files, tmp_path, "1.a\n", "./2\n") == found

    def test_one_list_leaves_the_others_to_the_other_part(self, files, tmp_path):
        assert self.parts(files, tmp_path, test="2\n") == {"1": "train", "2": "test", "3": "train", "1_a": "train"}
        assert self.parts(files, tmp_path, train="2\n") == {"1": "test", "2": "train", "3": "test", "1_a": "test"}

    @pytest.mark.parametrize(
        ("train", "test", "message"),
        [
            ("4\n5\n", None, r"train\.txt: 4 is not in the tree; .*\(and 1 more\)"),
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
