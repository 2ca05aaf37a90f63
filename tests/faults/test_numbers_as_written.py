"""Numbers as Python reads them but nobody writes them, and names with characters that nobody sees."""

import pytest
from command_line import error_of, fit_args
from conftest import make_emotion_folder, make_genre_folder

from musiclab.cli import main

STRANGE = [
    "1_0",
    " nan",
    "NaN",
    "inf",
    "-Infinity",
    "0x10",
    "0.5\0",
    "1e400",
    "\u0661",
    "\u0660.\u0665",
    "0.5 0.6",
    "1/2",
]
PLAIN = [".5", "5e-1", "+0.5", " 0.5 ", '"0.5"', "0"]


def change_label(root, text):
    path = root / "train_labels.txt"
    header, *rows = path.read_text().splitlines()
    identifier, _, *rest = rows[2].split(",")
    rows[2] = ",".join([identifier, text, *rest])
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("text", STRANGE)
def test_no_numbers(text, tmp_path, capfd):
    """Before, digits of other scripts were numbers."""
    root = make_emotion_folder(tmp_path / "emotions")
    path = change_label(root, text)
    with pytest.raises(SystemExit):
        main(["check", str(root)])
    assert f"{path}: track 102: valence is {text.strip()!r}, not a finite number" in capfd.readouterr().out
    if text in STRANGE[:3]:  # read by the same function
        assert f"{path}: " in error_of(capfd, fit_args("emotion_multitask.yaml", root, tmp_path))


@pytest.mark.parametrize("text", PLAIN)
def test_numbers(text, tmp_path, capsys):
    root = make_emotion_folder(tmp_path / "emotions")
    change_label(root, text)
    main(["check", str(root)])
    assert "nothing is wrong" in capsys.readouterr().out


@pytest.mark.parametrize("text", [*STRANGE, ""])
def test_no_numbers_in_predictions(text, tmp_path, capfd):
    """Before, `1_0` was 10."""
    path = tmp_path / "predictions.csv"
    path.write_text(f"id,prediction_valence\n1,0.5\n2,{text}\n", encoding="utf-8")
    args = ["combine", str(path), f"--solution={tmp_path / 'out.txt'}", "--header=Id,valence"]
    assert f"musiclab: error: {path}: " in error_of(capfd, args)
    assert not (tmp_path / "out.txt").exists()


@pytest.mark.parametrize("character", ["\0", "\x1b", "\x07", "\x9b"])
@pytest.mark.parametrize("place", ["genre", "id", "header"])
def test_names_with_control_characters(character, place, tmp_path, capfd):
    """Before: a genre like any other, and nothing was wrong."""
    root = make_genre_folder(tmp_path / "genres")
    path = root / "train_labels.txt"
    text = path.read_text()
    old, new = {
        "genre": ("Rock", f"Ro{character}ck"),
        "id": ("102.", f"1{character}02."),
        "header": ("Id", f"I{character}d"),
    }[place]
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(SystemExit):
        main(["check", str(root)])
    said = capfd.readouterr().out
    assert f"{path}: line {1 if place == 'header' else 4}: " in said
    assert character not in said
    assert f"{path}: line" in error_of(capfd, fit_args("genre_lstm.yaml", root, tmp_path))


def test_a_name_in_two_forms_is_one(tmp_path, capfd):
    root = make_genre_folder(tmp_path / "genres")
    path = root / "train_labels.txt"
    path.write_text(path.read_text().replace("100.", "\xe9.").replace("103.", "e\u0301."), encoding="utf-8")
    assert "id \xe9 stands there 2 times" in error_of(capfd, fit_args("genre_lstm.yaml", root, tmp_path))
    predictions = tmp_path / "predictions.csv"
    predictions.write_text("id,prediction_valence\n\xe9,0.1\ne\u0301.npy,0.2\n", encoding="utf-8")
    assert "track \xe9 stands there twice" in error_of(capfd, ["combine", str(predictions)])
