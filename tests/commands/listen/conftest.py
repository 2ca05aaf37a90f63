"""Pages of songs that tests only read."""

import numpy as np
import pytest
from data.audio.sounds import clicks, write

from musiclab.cli import main


@pytest.fixture(scope="session")
def songs(tmp_path_factory):
    """A song of 10 s, one of 1.2 s and one whose end is silent."""
    folder = tmp_path_factory.mktemp("songs")
    write(folder / "long.flac", clicks(10.0))
    write(folder / "short.flac", clicks(1.2, seed=1))
    write(folder / "index.flac", np.concatenate([clicks(2.0, seed=2), np.zeros(66150)]))
    return folder


@pytest.fixture(scope="session")
def pages(songs, genre_cnn, emotion_cnn, tmp_path_factory):
    """Their pages, of a genre and an emotion model."""
    out = tmp_path_factory.mktemp("pages")
    main(["listen", str(songs), f"--ckpt_path={genre_cnn}", f"--ckpt_path={emotion_cnn}", "--hop=0.5", f"--out={out}"])
    return out
