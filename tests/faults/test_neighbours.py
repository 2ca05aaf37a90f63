"""Neighbours by a track's own artist say nothing of a genre."""

import json

import numpy as np
import pytest
from command_line import error_of, fit_args, run_folder
from conftest import GENRES, make_array, make_genre_folder

from musiclab.cli import main


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A model, and test tracks of which each artist's are copies of one, of whatever genre the label says."""
    folder = tmp_path_factory.mktemp("artists")
    root = make_genre_folder(folder / "genres")
    rng = np.random.default_rng(0)
    rows, artists = ["Id\tGenre"], ["Id\tArtist"]
    for path in (root / "test").glob("*.npy"):
        path.unlink()
    for artist in range(12):
        array = make_array(artist % 3, rng, 30)
        for copy in range(4):
            np.save(root / "test" / f"{1000 + 4 * artist + copy}.fused.full.npy", array)
            rows.append(f"{1000 + 4 * artist + copy}.npy\t{GENRES[(artist // 3 + artist) % 3]}")
            artists.append(f"{1000 + 4 * artist + copy}\tartist {artist}")
    (root / "test_labels.txt").write_text("\n".join(rows) + "\n")
    main(fit_args("genre_lstm.yaml", root, folder))
    return root, run_folder(folder) / "checkpoints" / "last.ckpt", "\n".join(artists) + "\n"


def accuracy(checkpoint, out):
    main(["latents", f"--ckpt_path={checkpoint}", f"--out={out}", "--neighbours=3"])
    content = json.loads((out / "latents.json").read_text())
    return content["models"][0]["knn_accuracy"], content["known_artists"], (out / "index.html").read_text()


def test_own_artists_are_left_out_where_they_are_known(trained, tmp_path, capsys):
    """Before: 1.0 whatever the labels say, as the nearest tracks are the artist's own."""
    root, checkpoint, artists = trained
    flattering, known, page = accuracy(checkpoint, tmp_path / "unknown")
    assert (flattering, known) == (1, 0)
    assert "no artists are known" in page
    (root / "artists.txt").write_text(artists)
    capsys.readouterr()
    fair, known, page = accuracy(checkpoint, tmp_path / "known")
    assert fair < 0.7
    assert known == 48
    said = "artists are known for 48 of 48 tracks; k-NN asks no neighbours by a track's own artist"
    assert said in capsys.readouterr().out
    assert said.replace("'", "&#39;") in page or said in page
    assert "leaving out those by its own artist" in page


def test_a_wrong_list_of_artists_is_refused(trained, tmp_path, capfd):
    root, checkpoint, artists = trained
    (root / "artists.txt").write_text(artists + "1000\tanother\n")
    error = error_of(capfd, ["latents", f"--ckpt_path={checkpoint}", f"--out={tmp_path}"])
    assert f"{root / 'artists.txt'}: id 1000 stands there 2 times" in error
