"""Runs whose root is null: on the demo corpus, wherever that is, and neither config nor checkpoint names it."""

import json

import pytest
import torch
import yaml
from command_line import evaluate_args, fit_args, read_rows, run_folder
from conftest import make_emotion_folder, make_genre_folder

from musiclab.cli import main
from musiclab.data.datamodules import AudioDataModule, EmotionDataModule, FolderDataModule, GenreDataModule
from musiclab.demo import corpus
from musiclab.inference.trained import TrainedModel, fill_root

FOLDERS = {GenreDataModule: "fma_genre_spectrograms", EmotionDataModule: "multitask_dataset"}


class OwnDataModule(GenreDataModule):
    """A user's own.

    Args:
        more: Whatever it is.
        kwargs: See :class:`GenreDataModule`.
    """

    def __init__(self, *, more: int = 0, **kwargs):
        super().__init__(**kwargs)


@pytest.fixture(scope="module")
def demo_corpora(tmp_path_factory):
    """Corpora of two machines."""
    folders = [tmp_path_factory.mktemp(f"machine_{number}") for number in range(2)]
    for folder in folders:
        make_genre_folder(folder / "fma_genre_spectrograms")
        make_emotion_folder(folder / "multitask_dataset_beat")
    return folders


@pytest.fixture
def use_corpus(monkeypatch):
    """Stand in for the making of a corpus."""
    return lambda folder: monkeypatch.setattr(corpus, "make_corpus", lambda out: folder)


@pytest.mark.parametrize(
    ("config", "more", "folder"),
    [
        ("genre_cnn.yaml", [], "fma_genre_spectrograms"),
        ("genre_cnn.yaml", ["--data=cli.test_demo_root.OwnDataModule", "--data.more=3"], "fma_genre_spectrograms"),
        ("emotion_cnn.yaml", ["--data.beat_synced=true", "--data.axes=energy"], "multitask_dataset_beat"),
    ],
)
def test_a_run_on_the_demo_corpus_is_tested_on_another_machine(
    config, more, folder, demo_corpora, use_corpus, tmp_path
):
    use_corpus(demo_corpora[0])
    main(fit_args(config, "null", tmp_path, *more))
    run = run_folder(tmp_path)
    assert json.loads((run / "run.json").read_text())["data_root"] == str(demo_corpora[0] / folder)
    settings = yaml.safe_load((run / "config.yaml").read_text())["data"]
    assert settings["init_args"]["root"] is None
    checkpoint = run / "checkpoints" / "best.ckpt"
    saved = torch.load(checkpoint, weights_only=True)["datamodule_hyper_parameters"]
    assert (saved["root"], saved["_class_path"]) == (None, settings["class_path"])

    use_corpus(demo_corpora[1])
    main(evaluate_args("test", checkpoint, tmp_path))
    main([*evaluate_args("validate", checkpoint, tmp_path), f"-c={run / 'config.yaml'}"])
    assert (run_folder(tmp_path, 1) / "predictions.csv").read_text() == (run / "predictions.csv").read_text()
    data = TrainedModel(checkpoint).data()
    assert data.root == demo_corpora[1] / folder
    data.setup("test")
    assert data.track_counts() == {"test": len(read_rows(run / "predictions.csv"))}


def test_the_printed_config_has_no_root(use_corpus, tmp_path, capsys):
    use_corpus(None)  # it is not asked for
    with pytest.raises(SystemExit):
        main([*fit_args("genre_cnn.yaml", "null", tmp_path), "--print_config"])
    assert yaml.safe_load(capsys.readouterr().out)["data"]["init_args"]["root"] is None


@pytest.mark.parametrize("kind", FOLDERS)
def test_only_a_null_root_is_filled(kind, use_corpus, tmp_path):
    use_corpus(tmp_path)
    name = f"{kind.__module__}.{kind.__name__}"
    arguments = {"root": None, "beat_synced": True}
    assert fill_root(name, arguments)
    assert arguments == {"root": str(tmp_path / f"{FOLDERS[kind]}_beat"), "beat_synced": True}
    assert not fill_root(name, arguments)
    assert not fill_root(name, {})


@pytest.mark.parametrize("kind", [AudioDataModule, FolderDataModule])
def test_there_is_no_demo_corpus_of_other_data(kind, use_corpus, tmp_path):
    use_corpus(tmp_path)
    for name in (f"{kind.__module__}.{kind.__name__}", "elsewhere.DataModule", "json.loads"):
        arguments = {"root": None}
        assert not fill_root(name, arguments)
        assert arguments == {"root": None}
