"""Labels and lists as people and programs write them: quotes, spellings, forms of letters, several names at once."""

import re

import pytest
from command_line import evaluate_args, fit_args, read_rows, run_folder
from conftest import make_genre_folder
from data.audio.sounds import write

from musiclab.cli import main


def rewrite(root, change):
    for path in root.glob("*_labels.txt"):
        header, *rows = path.read_text().splitlines()
        path.write_text("\n".join([header, *map(change, rows)]) + "\n", encoding="utf-8")


def test_quoted_labels_are_the_same_labels(genre_root, tmp_path, capsys):
    """Before, the genres were `"Blues"` and so on, and a good model was refused for them."""
    main(fit_args("genre_cnn.yaml", genre_root, tmp_path))
    checkpoint = run_folder(tmp_path) / "checkpoints" / "last.ckpt"
    root = make_genre_folder(tmp_path / "quoted")
    for path in root.glob("*_labels.txt"):
        path.write_text(re.sub(r"(.+)\t(.+)", r'"\1","\2"', path.read_text()))
    main(["check", str(root)])
    assert "3 genres: Blues 12, Jazz 12, Rock 12" in capsys.readouterr().out
    for version, folder in enumerate((genre_root, root), start=1):
        main(evaluate_args("test", checkpoint, tmp_path, "--data=GenreDataModule", f"--data.root={folder}"))
        rows = read_rows(run_folder(tmp_path, version) / "predictions.csv")
        assert {row["truth"] for row in rows} == {"Blues", "Jazz", "Rock"}


def test_spellings_of_a_genre_are_pointed_at(tmp_path, capsys, caplog):
    """Before, they were genres of their own, and "nothing is wrong"."""
    root = make_genre_folder(tmp_path / "genres")
    rewrite(root, lambda row: row.replace("Blues", "blues") if "10" in row else row)
    with pytest.raises(SystemExit):
        main(["check", str(root)])
    assert re.search(r"genres: genres 'Blues' \(\d+\) and 'blues' \(\d+\) differ only in case", capsys.readouterr().out)
    said = r"'Blues' \(\d+\) and 'blues' \(\d+\) differ only in case"
    main(fit_args("genre_cnn.yaml", root, tmp_path))
    assert re.search(said, caplog.text)
    caplog.clear()
    main(fit_args("genre_cnn.yaml", root, tmp_path, '--data.class_map={"blues": "Blues"}'))
    assert not re.search(said, caplog.text)


def test_a_letter_is_the_same_in_a_name_and_in_a_label(tmp_path, capsys):
    """Before: a file without a label, and a track without a file."""
    root = make_genre_folder(tmp_path / "genres")
    (root / "train" / "100.fused.full.npy").rename(root / "train" / "e\u0301tude.fused.full.npy")
    rewrite(root, lambda row: row.replace("100.", "\xe9tude."))
    main(["check", str(root)])
    assert "nothing is wrong" in capsys.readouterr().out
    main(fit_args("genre_cnn.yaml", root, tmp_path))


@pytest.mark.parametrize("axes", ["valence, energy", "valence,energy", "[valence, energy]"])
def test_axes_with_commas_are_several(axes, emotion_root, tmp_path):
    """Before: no column "valence, energy"."""
    main(fit_args("emotion_multitask.yaml", emotion_root, tmp_path, f"--data.axes={axes}"))
    checkpoint = run_folder(tmp_path) / "checkpoints" / "last.ckpt"
    main(evaluate_args("test", checkpoint, tmp_path))
    header = list(read_rows(run_folder(tmp_path, 1) / "predictions.csv")[0])
    assert header == ["id", *(f"{kind}_{axis}" for axis in ("valence", "energy") for kind in ("truth", "prediction"))]


def test_genres_and_paths_with_commas(genre_root, tmp_path, capsys):
    main(fit_args("genre_cnn.yaml", genre_root, tmp_path, "--data.target_names=Rock, Jazz, Blues"))
    checkpoint = run_folder(tmp_path) / "checkpoints" / "last.ckpt"
    main(evaluate_args("test", checkpoint, tmp_path))
    assert list(read_rows(run_folder(tmp_path, 1) / "predictions.csv")[0])[3:] == ["Rock", "Jazz", "Blues"]
    songs = [write(tmp_path / name) for name in ("live, 1999.wav", "a.wav", "b.wav")]
    for version, (paths, ids) in enumerate([(songs[0], ["live, 1999"]), (f"{songs[1]}, {songs[2]}", ["a", "b"])], 2):
        main(evaluate_args("predict", checkpoint, tmp_path, "--data=AudioDataModule", f"--data.paths={paths}"))
        assert [row["id"] for row in read_rows(run_folder(tmp_path, version) / "predictions.csv")] == ids
    main(["explore", str(genre_root), f"--out={tmp_path / 'look'}", "--tracks", "100,101"])
    page = (tmp_path / "look" / "index.html").read_text()
    assert "100" in page
    assert "101" in page
