"""The same music twice: listed, first where it leaks from one part into another, and left out if that is asked for."""

import csv
import shutil

import numpy as np
import pytest
import soundfile
from conftest import SHARED, give_validation, make_emotion_folder, make_genre_folder

from musiclab.cli import main
from musiclab.demo.genres import draw_traits
from musiclab.demo.synth import render

SONGS = SHARED / "emotify_120" / "songs"
GENRES = ("Classical", "Jazz", "Metal")
RATE = 22050


def name(number):
    return f"{number}.fused.full.npy"


def checked(root, capsys):
    """Run check; return its exit code and what it says."""
    try:
        main(["check", str(root)])
    except SystemExit as stopped:
        return stopped.code, capsys.readouterr().out
    return 0, capsys.readouterr().out


@pytest.fixture
def root(tmp_path):
    """Tracks 100-111 train, 112-117 test, in turns of Blues, Jazz and Rock."""
    return make_genre_folder(tmp_path / "genres", train=12, test=6)


def test_identical_tracks_across_parts_are_a_fault(root, capsys):
    np.save(root / "test" / name(112), np.load(root / "train" / name(100)).astype(np.float64))
    code, output = checked(root, capsys)
    assert code == 1
    assert "\nIdentical tracks in two parts or with two labels: 1\n" in output
    assert f"  train/{name(100)} (Blues) and test/{name(112)} (Blues)\n" in output


def test_identical_tracks_with_two_labels_are_a_fault(root, capsys):
    shutil.copy(root / "train" / name(100), root / "train" / name(101))
    code, output = checked(root, capsys)
    assert code == 1
    assert f"  train/{name(100)} (Blues) and train/{name(101)} (Jazz)\n" in output


def test_identical_tracks_of_train_and_validation_are_a_fault(root, capsys):
    give_validation(root, 3)
    shutil.copy(root / "train" / name(102), root / "train" / name(111))
    assert checked(root, capsys)[0] == 1


def test_an_unlabelled_test_part_counts(tmp_path, capsys):
    root = make_emotion_folder(tmp_path / "emotions", train=4, test=2)
    shutil.copy(root / "train" / name(100), root / "test" / name(104))
    code, output = checked(root, capsys)
    assert code == 1
    assert f" and test/{name(104)} (no label)" in output


def test_identical_tracks_of_one_part_and_label_are_listed(root, capsys):
    shutil.copy(root / "train" / name(100), root / "train" / name(103))
    code, output = checked(root, capsys)
    assert code == 0
    assert "\nIdentical tracks of one part and label: 1\n" in output
    assert "nothing is wrong" in output


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """Synthesised songs, three of a genre; of one a copy as mp3, of one at -12 dB, of one under another genre."""
    folder = tmp_path_factory.mktemp("music") / "tree"
    songs = {}
    for number, genre in enumerate(3 * GENRES):
        rng = np.random.default_rng(number)
        songs[f"{genre}/song{number}"] = render(draw_traits(genre, rng), rng)
    songs["Jazz/twin"] = songs["Classical/song0"]
    songs["Jazz/quiet"] = songs["Jazz/song1"] * 10 ** (-12 / 20)
    for path, samples in songs.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(folder / f"{path}.wav", samples, RATE)
    soundfile.write(folder / "Metal" / "mp3.mp3", songs["Metal/song2"], RATE)
    return folder


PLANTED = {("quiet", "song1"), ("song0", "twin"), ("mp3", "song2")}


def listed(out):
    """Return the pairs of duplicates.csv by their ids, the kind of each, and what was left out."""
    with (out / "duplicates.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    pairs = {tuple(sorted(row[key].split("/")[1] for key in ("track", "copy"))): row for row in rows}
    return pairs, {row["left_out"].split("/")[1] for row in rows if row["left_out"]}


def ids_of(out):
    return {line.split(".")[0] for part in ("train", "test") for line in _rows(out / f"{part}_labels.txt")}


def _rows(path):
    return path.read_text().splitlines()[1:]


def test_planted_copies_are_found_and_no_others(tree, tmp_path, capsys):
    out = tmp_path / "out"
    command = ["build-genres", str(tree), f"--out={out}", "--jobs=1", "--kind=full", "--test_fraction=0.3"]
    main(command)
    pairs, left_out = listed(out)
    assert pairs.keys() == PLANTED
    assert pairs["song0", "twin"]["how"] == "identical"
    assert not left_out
    assert "1 pairs of identical tracks, 2 likely ones" in capsys.readouterr().out
    code, output = checked(out, capsys)
    assert code == 1
    assert "\nLikely the same recording: 2\n" in output

    main([*command, "--duplicates=drop"])
    assert listed(out)[1] == {"song1", "twin", "song2"}  # the later ids
    assert len(ids_of(out)) == 9
    code, output = checked(out, capsys)
    assert code == 0
    assert "Likely" not in output


@pytest.mark.slow
@pytest.mark.skipif(not SONGS.is_dir(), reason="shared/data/emotify_120 is not beside the repository")
def test_planted_copies_of_real_songs_are_found_and_no_others(tmp_path):
    tree, planted = tmp_path / "tree", set()
    for genre in sorted(SONGS.iterdir()):
        for number, song in enumerate(sorted(genre.iterdir())[:8]):
            target = tree / genre.name / song.name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(song, target)
            samples, rate = soundfile.read(song)
            if number == 0:
                soundfile.write(target.with_name(f"{song.stem}_copy.mp3"), samples, rate)
            elif number == 1:
                soundfile.write(target.with_name(f"{song.stem}_copy.wav"), samples * 10 ** (-12 / 20), rate)
            if number < 2:
                planted.add((song.stem, f"{song.stem}_copy"))
    out = tmp_path / "out"
    main(["build-genres", str(tree), f"--out={out}", "--kind=full"])
    assert listed(out)[0].keys() == planted
