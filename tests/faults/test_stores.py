"""Packed stores whose source or own files are not what they were."""

import os

import numpy as np
import pytest
from command_line import fit_args, run_folder
from conftest import make_genre_folder

from musiclab.cli import main


@pytest.fixture
def genres(tmp_path, monkeypatch):
    monkeypatch.setenv("MUSICLAB_CACHE", str(tmp_path / "cache"))
    return make_genre_folder(tmp_path / "genres", train=24, test=9)


def fit_mean(root, folder):
    """Train for an epoch; return the mean of the first mel band over the training part."""
    import torch

    main(fit_args("genre_lstm.yaml", root, folder, epochs=1))
    checkpoint = torch.load(run_folder(folder) / "checkpoints" / "last.ckpt", weights_only=True)
    return float(checkpoint["state_dict"]["feature_mean"][0])


def test_a_file_that_was_replaced_under_its_own_date_is_seen(genres, tmp_path, capfd):
    """As by ``cp -p``, ``mv`` or ``tar``: before, the store of the old file was used, and nothing said."""
    before = fit_mean(genres, tmp_path / "before")
    for path in (genres / "train").iterdir():
        status, array = path.stat(), np.load(path)
        array[0] -= np.float32(5).astype(array.dtype)
        with (tmp_path / "new.npy").open("wb") as stream:
            np.save(stream, array)
        os.utime(tmp_path / "new.npy", ns=(status.st_atime_ns, status.st_mtime_ns))
        (tmp_path / "new.npy").replace(path)
    capfd.readouterr()
    assert fit_mean(genres, tmp_path / "after") == pytest.approx(before - 5, abs=0.1)
    assert "replaced by another of its size and date" in capfd.readouterr().err


def test_a_damaged_store_is_packed_anew(genres, tmp_path, capfd):
    """Before, a traceback about JSON, or frames that were another track's."""
    before = fit_mean(genres, tmp_path / "before")
    stores = tmp_path / "cache" / "stores"
    next(stores.glob("genres-train-*/index.json")).write_text('{"ids": [')
    frames = next(stores.glob("genres-test-*/frames.bin"))
    os.truncate(frames, frames.stat().st_size // 2)
    capfd.readouterr()
    assert fit_mean(genres, tmp_path / "after") == before
    lines = [line for line in capfd.readouterr().err.splitlines() if "packed anew" in line]
    assert len(lines) == 2
    assert all(": damaged (" in line for line in lines)


def test_check_compares_stores_with_their_arrays(genres, tmp_path, capsys):
    fit_mean(genres, tmp_path / "run")
    capsys.readouterr()
    main(["check", str(genres), "--store", "true"])
    assert "packed stores: those in the cache folder hold the values of the arrays" in capsys.readouterr().out
    frames = next((tmp_path / "cache" / "stores").glob("genres-train-*/frames.bin"))
    with frames.open("r+b") as stream:
        stream.seek(5000)
        stream.write(bytes(2))
    main(["check", str(genres)])
    with pytest.raises(SystemExit):
        main(["check", str(genres), "--store", "true"])
    assert f"{frames.parent}: 1 of 24 tracks are not as their files are" in capsys.readouterr().out
