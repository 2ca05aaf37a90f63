"""`musiclab check`: a sound folder is summed up, a bad one lists everything that is wrong with it."""

import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
from conftest import SHARED, make_emotion_folder, make_genre_folder

from musiclab.cli import main
from musiclab.commands.check.check import check, inspect_dataset
from musiclab.errors import UserError

REAL = [
    "fma_small_mel/fma_genre_spectrograms",
    "fma_small_mel/multitask_dataset",
    "gtzan_100_fused/fma_genre_spectrograms",
    "gtzan_100_fused/fma_genre_spectrograms_beat",
]


class Bomb:
    """Leaves a file behind where it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


@pytest.fixture
def root(tmp_path):
    """A data set to be spoilt: tracks 100-111 train, 112-117 test, in turns of Blues, Jazz and Rock."""
    return make_genre_folder(tmp_path / "genres", train=12, test=6)


@pytest.fixture
def emotion_root(tmp_path):
    root = make_emotion_folder(tmp_path / "emotions", train=3, test=2)
    (root / "train_labels.txt").write_text("Id,valence,energy\n100,0.1,0.2\n101,0.5,0\n102,1,0.25\n")
    return root


def spoil(root):
    """Break a data set in every way there is; return the problems expected, by kind."""
    train, test = root / "train", root / "test"
    name = "{}.fused.full.npy".format

    def replace(identifier, array):
        np.save(train / name(identifier), array)

    sound = np.load(train / name(100))
    (train / name(100)).unlink()
    (test / name(112)).unlink()
    np.save(train / "900.npy", sound)
    (train / name(101)).write_bytes((train / name(101)).read_bytes()[:-1])
    replace(102, np.array([Bomb(root / "executed")], dtype=object))
    replace(103, np.full((140, 5), np.nan))
    replace(104, np.full((140, 5), -np.inf))
    replace(105, np.zeros((96, 5)))
    replace(106, np.zeros((140, 0)))
    replace(107, np.zeros((140, 5), int))
    (train / name(108)).write_text("Id\tGenre\n")
    (train / name(109)).write_bytes(b"")
    replace(110, sound[:128])
    np.save(train / "111.npy", sound)
    with (root / "train_labels.txt").open("a") as labels:
        labels.write("111.full.fused.npy.gz\tRock\n../../112.npy\tRock\n113.npy\n.npy\tJazz\n")
    with (root / "test_labels.txt").open("a") as labels:
        labels.write("111.npy\tOpera\n")
    return {
        "Label files": [
            "id 111 stands there 2 times",
            "line 15: .*112",
            "line 16 has 1 fields",
            r"line 17: '\.npy'",
        ],
        "Folders and file names": ["id 111 is also that of"],
        "Arrays": [
            "101.*truncated",
            "102.*pickled",
            "103.*NaN",
            "104.*NaN or infinite",
            "105.*96 rows",
            "106.*no frames",
            "107.*array of int64",
            "108.*not an array file",
            "109.*not an array file",
        ],
        "Missing files": [
            "track 100 of train_labels",
            "track 111 of test_labels",
            "track 112 of test_labels",
        ],
        "Files without a label": [r"900\.npy: not in train_labels"],
        "Rows": ["1 with 128 and 7 with 140"],
        "Tracks in two parts": ["track 111 is both in train and in test"],
        "Genres": ["genre Opera does not occur in train"],
    }


def test_sound_folder_is_summed_up(root, capsys):
    check(str(root))
    output = capsys.readouterr().out
    assert re.search(r"train: 12 sound arrays, 140 rows, \d+ to \d+ frames \(median \d+\), float32, dB -\d", output)
    assert re.search(r"dB -\S+\.\.0, chroma 0\.\d+\.\.0\.\d+", output)
    assert "3 genres: Blues 4, Jazz 4, Rock 4" in output
    assert "test: 6 sound arrays" in output
    assert output.endswith(f"{root}: nothing is wrong\n")


def test_emotion_folder_without_test_labels_is_sound(emotion_root, capsys):
    check(str(emotion_root))
    output = capsys.readouterr().out
    assert "valence 0.1..1, energy 0..0.25" in output
    assert "test: 2 sound arrays" in output
    assert "without labels" in output
    assert "nothing is wrong" in output


@pytest.mark.parametrize("header", ["Id,arousal", "Id\tarousal"])
def test_emotion_folder_with_a_single_axis_is_sound(emotion_root, capsys, header):
    rows = [f"{number}{header[2]}{value}" for number, value in ((100, "0.25"), (101, "-1"), (102, "3e-1"))]
    (emotion_root / "train_labels.txt").write_text("\n".join([header, *rows]))
    check(str(emotion_root), value_range=["-1", "1"])
    output = capsys.readouterr().out
    assert "arousal -1..0.3\n" in output
    assert "without labels" in output


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("Id,valence\n100,0.1\n101,0.2\n102,high\n", "track 102: valence is 'high', not a finite number"),
        ("Id,valence\n100,high\n101,0.1\n102,0.2\n", "track 100: valence is 'high', not a finite number"),
        ("Id\tStyle\n100\tRock\n101\tJazz\n102\tRock\n", "the header is 'Id | Style'; expected 'Id<TAB>Genre'"),
    ],
)
def test_two_columns_are_an_axis_where_there_are_numbers_and_genres_where_there_are_none(emotion_root, content, said):
    (emotion_root / "train_labels.txt").write_text(content)
    assert said in inspect_dataset(emotion_root).problems["Label files"][0]


def test_folder_without_chroma_is_sound(tmp_path, capsys):
    check(str(make_genre_folder(tmp_path / "mel", train=3, test=3, rows=128)))
    output = capsys.readouterr().out
    assert "128 rows" in output
    assert ", chroma" not in output


def test_everything_wrong_is_found_at_once(root):
    expected = spoil(root)
    problems = inspect_dataset(root).problems
    assert problems.keys() == expected.keys()
    for kind, patterns in expected.items():
        found = [problem.replace(str(root), "ROOT") for problem in problems[kind]]  # numbers in it might match
        unmatched = [pattern for pattern in patterns if sum(bool(re.search(pattern, text)) for text in found) != 1]
        assert not unmatched, found
        assert len(found) == len(patterns), found
        assert all("ROOT" in problem and "\n" not in problem for problem in found)


def test_everything_wrong_is_listed_with_counts_and_exits_1(root, capsys):
    expected = spoil(root)
    with pytest.raises(SystemExit) as stopped:
        check(str(root))
    assert stopped.value.code == 1
    output = capsys.readouterr().out
    for kind, patterns in expected.items():
        assert f"\n{kind}: {len(patterns)}\n" in output
        assert all(re.search(pattern, output) for pattern in patterns)
    assert f"{root}: {sum(map(len, expected.values()))} problems" in output
    assert "nothing is wrong" not in output


def test_nothing_is_unpickled(root):
    spoil(root)
    inspect_dataset(root)
    assert not (root / "executed").exists()


def test_most_shortens_the_lists_and_not_the_counts(root, capsys):
    spoil(root)
    with pytest.raises(SystemExit):
        check(str(root), most=2)
    output = capsys.readouterr().out
    assert "\nArrays: 9\n" in output
    assert "  and 7 more; --most 9 lists them all" in output
    assert output.count("fused.full.npy: ") == 2


@pytest.mark.parametrize(
    ("part", "content", "text"),
    [
        ("train", "Id\tGenre\n100\tR\xe9ggae\n".encode("latin-1"), r"train_labels\.txt: not UTF-8"),
        ("test", b"\xff\xfeI\x00d", r"test_labels\.txt: not UTF-8"),
        ("train", b"", r"train_labels\.txt: the label file is empty"),
        ("train", b"Track\tStyle\n100\tRock\n", r"train_labels\.txt: the header is"),
        ("train", None, r"train_labels\.txt: no such label file"),
    ],
)
def test_label_file_that_cannot_be_read_is_one_problem(root, part, content, text):
    path = root / f"{part}_labels.txt"
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    problems = inspect_dataset(root).problems
    assert problems.keys() == {"Label files"}
    assert len(problems["Label files"]) == 1
    assert re.search(text, problems["Label files"][0])


def test_a_genre_folder_without_test_labels_is_sound_and_has_nothing_to_test_on(root):
    (root / "test_labels.txt").unlink()
    assert inspect_dataset(root).summary[-2:] == [
        "  without labels",
        "no test_labels.txt: `fit` has nothing to test on (--data.test_fraction 0.2 holds out a share)",
    ]
    shutil.rmtree(root / "test")
    problems, _, summary = inspect_dataset(root)
    assert problems == {}
    assert not [line for line in summary if line.startswith("test")]


def test_labels_of_a_test_folder_that_is_not_there_are_a_problem(root):
    shutil.rmtree(root / "test")
    assert "no such folder" in inspect_dataset(root).problems["Folders and file names"][0]


def test_bad_values_of_an_emotion_folder_are_listed(emotion_root):
    (emotion_root / "train_labels.txt").write_text("Id,valence,energy\n100,0.1,nan\n101,high,0\n102,1,0.25\n103,0,0\n")
    problems = inspect_dataset(emotion_root).problems
    assert len(problems["Label files"]) == 2
    assert len(problems["Missing files"]) == 1


def test_missing_part_is_reported(root):
    for path in (root / "test").iterdir():
        path.unlink()
    (root / "test").rmdir()
    problems = inspect_dataset(root).problems
    assert "test: no such folder" in problems["Folders and file names"][0]


def test_root_that_is_missing_is_a_user_error(tmp_path):
    with pytest.raises(UserError, match="nowhere: no such folder"):
        check(str(tmp_path / "nowhere"))


def test_command_returns_for_a_sound_folder(root, capsys):
    main(["check", str(root)])
    assert "nothing is wrong" in capsys.readouterr().out


def test_command_exits_1_for_a_bad_folder(root, capsys):
    spoil(root)
    with pytest.raises(SystemExit) as stopped:
        main(["check", str(root), "--most", "1"])
    assert stopped.value.code == 1
    assert "and 8 more" in capsys.readouterr().out


def test_command_exits_1_with_one_line_for_a_missing_folder(tmp_path, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["check", str(tmp_path / "nowhere")])
    assert stopped.value.code == 1
    errors = capsys.readouterr().err
    assert errors.startswith("musiclab: error: ")
    assert errors.count("\n") == 1


def test_command_line_that_is_wrong_exits_2(capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["check"])
    assert stopped.value.code == 2


def test_torch_is_not_imported():
    code = "import musiclab.commands.check.check, sys; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("name", REAL)
def test_real_data_is_sound(name):
    if not (SHARED / name).is_dir():
        pytest.skip(f"shared/data/{name} is not beside the repository")
    assert inspect_dataset(SHARED / name).problems == {}


@pytest.mark.parametrize("words", [["1", "9"], ["1,9"], ["[1,9]"], ["1", "9.5"]])
def test_labels_of_another_range_are_pointed_at_the_option(emotion_root, words, capsys):
    rows = ["Id,valence,energy", "100,1.5,0.5", "101,8.25,1", "102,1,0"]
    (emotion_root / "train_labels.txt").write_text("\n".join(rows))
    with pytest.raises(SystemExit):
        main(["check", str(emotion_root)])
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "is outside" in line]
    assert "train_labels.txt: valence is outside 0..1 for 2 of 3 tracks, such as 1.5; " in line
    assert line.endswith("check --value_range 0 9, and fit --data.value_range [0,9]")
    (emotion_root / "train_labels.txt").write_text("\n".join([rows[0], "100,1.5,2.5", "101,8.25,1", "102,1,9"]))
    main(["check", str(emotion_root), "--value_range", *words])
    assert "valence 1..8.25, energy 1..9" in capsys.readouterr().out


@pytest.mark.parametrize("words", [["9", "1"], ["1"], ["low", "high"], ["1", "2", "3"]])
def test_a_range_that_is_none(emotion_root, words):
    with pytest.raises(UserError, match=r"--value_range .*: give the lowest and the highest value, as in 1 9"):
        check(str(emotion_root), value_range=words)
