"""Small models, trained for an epoch, that tests only read."""

import pytest
from command_line import fit_args, run_folder

from musiclab.cli import main


@pytest.fixture(scope="session")
def fit(tmp_path_factory):
    """Train a model and return the path of its best checkpoint."""

    def run(config, root, *more):
        folder = tmp_path_factory.mktemp(config.split(".")[0])
        main(fit_args(config, root, folder, "--model.augmentations=[]", *more))
        return run_folder(folder) / "checkpoints" / "best.ckpt"

    return run


@pytest.fixture(scope="session")
def genre_cnn(fit, genre_root):
    return fit("genre_cnn.yaml", genre_root)


@pytest.fixture(scope="session")
def genre_lstm(fit, genre_root):
    """An LSTM with attention, on mel and chroma."""
    return fit("genre_lstm.yaml", genre_root, "--data.features=fused")


@pytest.fixture(scope="session")
def emotion_cnn(fit, emotion_root):
    """A CNN of all three axes."""
    return fit("emotion_multitask.yaml", emotion_root)


@pytest.fixture(scope="session")
def tag_cnn(fit, tag_root):
    """A CNN of three tags."""
    return fit("tags_cnn.yaml", tag_root)


@pytest.fixture(scope="session")
def energy_cnn(fit, emotion_root):
    """A CNN of one axis, on chroma."""
    return fit("emotion_cnn.yaml", emotion_root, "--data.axes=energy", "--data.features=chroma")
