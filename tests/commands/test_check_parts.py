"""`musiclab check` of data sets that give their validation part, or the test part of emotions."""

import re

import pytest
from conftest import give_test, give_validation, make_emotion_folder, make_genre_folder

from musiclab.commands.check.check import check, inspect_dataset


@pytest.fixture
def genres(tmp_path):
    """Tracks 100-108 to train, 109-111 to validate, 112-117 to test on."""
    return give_validation(make_genre_folder(tmp_path / "genres", train=12, test=6), 3)


@pytest.fixture
def emotions(tmp_path):
    """Tracks 100-103 to train, 104-106 to validate, 107-109 to test on, and two more in test/."""
    return give_validation(give_test(make_emotion_folder(tmp_path / "emotions", train=10, test=2), 3), 3)


def remove_unlabelled(root):
    for identifier in (110, 111):
        (root / "test" / f"{identifier}.fused.full.npy").unlink()


def append(root, part, *rows):
    with (root / f"{part}_labels.txt").open("a") as labels:
        labels.writelines(f"{row}\n" for row in rows)


def test_a_sound_genre_folder_is_summed_up(genres, capsys):
    check(str(genres))
    output = capsys.readouterr().out
    assert "train: 12 sound arrays" in output
    assert "\n  3 genres: Blues 3, Jazz 3, Rock 3\n" in output
    assert "\n  validation (3 tracks): 3 genres: Blues 1, Jazz 1, Rock 1\n" in output
    assert "nothing is wrong" in output


def test_a_sound_emotion_folder_is_summed_up(emotions, capsys):
    remove_unlabelled(emotions)
    check(str(emotions))
    output = capsys.readouterr().out
    assert re.search(r"train: 7 .*\n  valence .*\n  validation \(3 tracks\): valence .*\ntest: 3 .*\n  valence", output)
    assert "without labels" not in output


def test_what_is_wrong_between_parts_is_listed(genres):
    train = genres / "train"
    (train / "109.fused.full.npy").unlink()
    (train / "110.fused.full.npy").rename(train / "900.npy")
    append(genres, "validation", "100\tRock", "112\tOpera")
    assert inspect_dataset(genres).problems == {
        "Missing files": [
            f"{genres / 'train'}: no file for track {i} of validation_labels.txt" for i in (109, 110, 112)
        ],
        "Files without a label": [f"{train / '900.npy'}: not in train_labels.txt or validation_labels.txt"],
        "Tracks in two parts": [
            f"{genres}: track 100 is both in train and in validation",
            f"{genres}: track 112 is both in validation and in test",
        ],
        "Genres": [f"{genres / 'validation_labels.txt'}: genre Opera does not occur in train_labels.txt"],
    }


def test_labels_of_emotion_tests_are_compared(emotions):
    append(emotions, "test", "100,0.5,0.5,0.5", "107,0.1,0.1,high")
    problems = inspect_dataset(emotions).problems
    assert "is 'high', not a finite number" in problems["Label files"][1]
    assert len(problems["Label files"]) == 2
    assert problems["Missing files"] == [f"{emotions / 'test'}: no file for track 100 of test_labels.txt"]
    assert len(problems["Files without a label"]) == 2
    assert problems["Tracks in two parts"] == [f"{emotions}: track 100 is both in train and in test"]


def test_other_kinds_of_labels_are_problems(emotions):
    remove_unlabelled(emotions)
    (emotions / "validation_labels.txt").write_text("Id\tGenre\n104\tRock\n105\tRock\n106\tRock\n")
    (emotions / "test_labels.txt").write_text("Id,valence,danceability\n107,0,0\n108,0,0\n109,0,0\n")
    assert inspect_dataset(emotions).problems == {
        "Label files": [f"{emotions / 'validation_labels.txt'}: not the kind of labels that train_labels.txt has"],
        "Axes": [f"{emotions / 'test_labels.txt'}: no column energy, which train_labels.txt has"],
    }


def write_artists(root, artists):
    rows = [f"{identifier}\t{artist}" for identifier, artist in artists.items()]
    (root / "artists.txt").write_text("\n".join(["Id\tArtist", *rows]) + "\n")


def test_artists_that_stand_in_two_parts_are_counted_and_no_fault(genres, capsys):
    write_artists(genres, {100: "Can", 109: "Can", 110: "Can", 112: "Can", 113: "Neu!", 101: "Faust", 102: "Faust"})
    report = inspect_dataset(genres)
    assert report.problems == {}
    assert report.summary[-4:] == [
        "artists.txt: 3 artists of 7 of 18 tracks",
        "  of 3 validation tracks, 2 are by artists of train",
        "  of 6 test tracks, 1 are by artists of train",
        "  of 6 test tracks, 1 are by artists of validation",
    ]
    assert report.notes["Artists in two parts"] == [
        "Can: 1 in train, 2 in validation",
        "Can: 1 in train, 1 in test",
        "Can: 2 in validation, 1 in test",
    ]
    check(str(genres))
    assert "Artists in two parts: 3\n  Can: 1 in train, 2 in validation\n" in capsys.readouterr().out


def test_artists_of_tracks_to_predict_are_compared_too(emotions):
    (emotions / "test_labels.txt").unlink()
    write_artists(emotions, {100: "Can", 110: "Can", 111: "Can"})
    assert inspect_dataset(emotions).notes == {"Artists in two parts": ["Can: 1 in train, 2 in test"]}


def test_what_is_wrong_with_artists_is_listed(genres):
    path = genres / "artists.txt"
    path.write_text("Id\tArtist\n100\tCan\n100.npy\tNeu!\n101\t\n102\t\n900\tCan\n")
    problems, notes, _ = inspect_dataset(genres)
    assert problems == {
        "Label files": [
            f"{path}: id 100 stands there 2 times; keep one row per track",
            f"{path}: track 101 has no artist; fill it in or remove the row",
            f"{path}: track 102 has no artist; fill it in or remove the row",
        ]
    }
    assert notes == {"Artists of tracks that are not here": [f"{path}: 900 is no track of this folder"]}
    path.write_text("Track\tArtist\n100\tCan\n")
    assert "expected 'Id<TAB>Artist'" in inspect_dataset(genres).problems["Label files"][0]
