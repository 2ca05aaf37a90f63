"""`musiclab check` of a folder of tags: taken for one by its values, or because the user says so."""

import pytest
from command_line import error_of
from conftest import make_tag_folder

from musiclab.cli import main
from musiclab.commands.check.check import inspect_dataset

LABELS = ["Id,rock,sitar,80s", "100,1,0,0", "101,1,0,1", "102,0,0,1", "103,1,0,1"]


@pytest.fixture
def root(tmp_path):
    root = make_tag_folder(tmp_path / "tags", train=4, test=1, tags=("rock", "sitar", "80s"))
    write(root, LABELS)
    return root


def write(root, lines):
    (root / "train_labels.txt").write_text("\n".join(lines) + "\n")


def test_tags_are_counted_and_those_of_no_track_noted(root, capsys):
    main(["check", str(root)])
    printed = capsys.readouterr().out
    assert "labels: tags, 0 or 1, to train on by --data TagDataModule (--tags false: values on axes)" in printed
    assert "  3 tags, 1.5 a track: rock 3, sitar 0, 80s 3" in printed
    assert "Tags of no training track: 1\n  sitar: 0 for all 4 tracks" in printed
    assert "nothing is wrong" in printed


def test_a_2_among_the_tags_is_named(root, capsys):
    write(root, [*LABELS[:4], "103,1,2,1"])
    with pytest.raises(SystemExit):
        main(["check", str(root)])
    assert f"{root / 'train_labels.txt'}: track 103: sitar is '2', neither 0 nor 1; write 1" in capsys.readouterr().out


def test_values_are_said_to_be_taken_for_values_and_may_be_told_to_be_tags(root, capsys):
    write(root, [LABELS[0], "100,0.5,1,0", "101,0.5,0,0.25", "102,0.5,0,1", "103,1,1,1"])
    main(["check", str(root)])
    assert "labels: values on axes, to train on by --data EmotionDataModule" in capsys.readouterr().out
    assert len(inspect_dataset(root, tags=True).problems["Label files"]) == 4
    write(root, LABELS)
    _, notes, summary = inspect_dataset(root, tags=False)
    assert notes == {}
    assert "  rock 0..1, sitar 0..0, 80s 0..1" in summary


def test_genres_are_no_tags(genre_root):
    (problem, *_) = inspect_dataset(genre_root, tags=True).problems["Label files"]
    assert problem.endswith("expected 'Id,rock,piano,...'; genres are for a genre model, as in -c genre_cnn.yaml")


def test_a_tag_that_another_part_lacks(root):
    (root / "test_labels.txt").write_text("Id,rock,80s\n104,1,0\n")
    assert inspect_dataset(root).problems == {
        "Axes": [f"{root / 'test_labels.txt'}: no column sitar, which train_labels.txt has"]
    }


def test_copies_are_told_by_their_tags(root):
    (root / "train" / "101.fused.full.npy").write_bytes((root / "train" / "100.fused.full.npy").read_bytes())
    (problem,) = next(iter(inspect_dataset(root).problems.values()))
    assert problem == "train/100.fused.full.npy (rock) and train/101.fused.full.npy (rock, 80s)"


def test_a_folder_that_is_not_there(tmp_path, capfd):
    assert "no such folder" in error_of(capfd, ["check", str(tmp_path / "x"), "--tags", "true"])
