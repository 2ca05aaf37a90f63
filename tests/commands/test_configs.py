"""The configs that come along: listed, and copied to be changed."""

from pathlib import Path

import pytest
import yaml
from command_line import CONFIGS, REPOSITORY, error_of

from musiclab.cli import main
from musiclab.files import own_configs


@pytest.fixture(autouse=True)
def empty(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_all_are_listed_with_what_they_are_for(capsys):
    main(["configs"])
    lines = capsys.readouterr().out.splitlines()
    published = CONFIGS / "published"
    names = [sorted(path.name for path in one.glob("*.yaml")) for one in (CONFIGS, published, REPOSITORY / "studies")]
    names[1] = [f"published/{name}" for name in names[1]]
    assert [line.split()[0] for line in lines] == [name for folder in names for name in folder]
    assert all(len(line.split()) > 4 and "#" not in line for line in lines)
    assert next(line for line in lines if line.startswith("genre_cnn")).endswith("image (the lab's step 7).")


def test_one_is_copied(capsys):
    main(["configs", "genre_cnn.yaml"])
    assert Path("genre_cnn.yaml").read_bytes() == (CONFIGS / "genre_cnn.yaml").read_bytes()
    assert "musiclab fit -c genre_cnn.yaml" in capsys.readouterr().out


def test_a_study_is_copied(capsys):
    main(["configs", "studies/lab.yaml"])
    assert Path("lab.yaml").read_bytes() == (REPOSITORY / "studies" / "lab.yaml").read_bytes()
    assert "musiclab study lab.yaml" in capsys.readouterr().out


def test_one_of_a_folder_is_copied_to_such_a_folder(capsys):
    main(["configs", "published/genre_cnn.yaml"])
    assert Path("published/genre_cnn.yaml").read_bytes() == (CONFIGS / "published" / "genre_cnn.yaml").read_bytes()
    assert "musiclab fit -c published/genre_cnn.yaml" in capsys.readouterr().out


def test_several_are_copied_to_a_folder():
    main(["configs", "emotion_cnn.yaml", "configs/loss_spearman.yaml", "--out", "mine"])
    assert sorted(path.name for path in Path("mine").iterdir()) == ["emotion_cnn.yaml", "loss_spearman.yaml"]


def test_one_is_copied_to_a_file():
    main(["configs", "emotion_cnn.yaml", "--out=mine.yaml"])
    assert yaml.safe_load(Path("mine.yaml").read_text())["data"]["class_path"] == "EmotionDataModule"


def test_nothing_is_overwritten_and_nothing_half_done(capfd):
    Path("genre_cnn.yaml").write_text("mine")
    error = error_of(capfd, ["configs", "emotion_cnn.yaml", "genre_cnn.yaml"])
    assert error.startswith("musiclab: error: genre_cnn.yaml: is there already")
    assert Path("genre_cnn.yaml").read_text() == "mine"
    assert not Path("emotion_cnn.yaml").exists()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("genre_cmn.yaml", "did you mean genre_cnn.yaml?"),
        ("published/genre_cmn.yaml", "did you mean published/genre_cnn.yaml?"),
        ("xyz", "`musiclab configs` lists them"),
    ],
)
def test_a_wrong_name(name, said, capfd):
    assert said in error_of(capfd, ["configs", name])


@pytest.mark.parametrize("kind", ["configs", "studies"])
def test_each_is_described_in_its_first_line(kind):
    assert all(path.read_text().startswith("# ") for path in own_configs(kind).values())
