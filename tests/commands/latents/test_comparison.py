"""Which tracks models are compared on, and by what names."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from conftest import GENRES, make_emotion_folder, make_genre_folder

from musiclab.commands.latents.comparison import TrackChoice, compare_models
from musiclab.errors import UserError
from musiclab.inference.embeddings import embed_tracks
from musiclab.inference.trained import TrainedModel, name_models, results_folder

pytestmark = pytest.mark.filterwarnings("ignore:.*does not have many workers")

ALL = TrackChoice()


def names(*paths):
    return name_models([Path(path) for path in paths], [SimpleNamespace(backbone=1)] * len(paths))


def test_names_say_as_much_of_the_path_as_it_takes():
    best, last = "checkpoints/best.ckpt", "checkpoints/last.ckpt"
    run = "/runs/a/lightning_logs/version_0"
    assert names(f"{run}/{best}") == ["int version_0"]
    assert names(f"{run}/{best}", f"/runs/a/lightning_logs/version_1/{best}") == ["int version_0", "int version_1"]
    assert names(f"{run}/{best}", f"/runs/b/lightning_logs/version_0/{best}") == ["int a/version_0", "int b/version_0"]
    assert names(f"{run}/{best}", f"{run}/{last}") == ["int version_0 best", "int version_0 last"]
    assert names("/x/best.ckpt", "/y/x/best.ckpt", "/best.ckpt") == ["int x", "int y/x", "int "]
    assert names("/x/best.ckpt", f"/x/{best}") == ["int /x/best.ckpt", f"int /x/{best}"]
    assert names("/best.ckpt") == ["int /best.ckpt"]


def test_results_go_to_the_run_folder():
    assert results_folder(Path("run/checkpoints/best.ckpt"), "latents") == Path("run/latents")
    assert results_folder(Path("some.ckpt"), "activations", "7") == Path("activations/7")


def test_each_model_is_given_its_own_features_of_the_same_tracks(genre_cnn, genre_lstm):
    comparison = compare_models([genre_cnn, genre_lstm], ALL)
    assert comparison.target_names == GENRES
    for path, model in zip((genre_cnn, genre_lstm), comparison.models, strict=True):
        data = TrainedModel(path).data()
        data.setup("test")
        expected = embed_tracks(TrainedModel(path).task(), data.test_dataloader(), "own")
        assert model.path == path
        assert model.embeddings.ids == expected.ids == [str(number) for number in range(136, 145)]
        np.testing.assert_array_equal(model.embeddings.targets, expected.targets)
        np.testing.assert_array_equal(model.embeddings.values, expected.values)
    assert [model.name.split()[0] for model in comparison.models] == ["CNN", "LSTM"]


def test_models_of_single_axes_are_shown_all_of_them(energy_cnn, emotion_cnn, emotion_root):
    comparison = compare_models([energy_cnn, emotion_cnn], ALL)
    assert comparison.target_names == ["energy", "valence", "danceability"]
    data = TrainedModel(emotion_cnn).data()
    part = data.parts.test()
    known = dict(zip(part.ids, part.targets.tolist(), strict=True))
    for model in comparison.models:
        for identifier, values in zip(model.embeddings.ids, model.embeddings.targets.tolist(), strict=True):
            valence, energy, danceability = known[identifier]
            assert values == [energy, valence, danceability]


def test_a_model_of_another_kind_joins_in_on_the_tracks_of_the_first(emotion_cnn, genre_cnn, emotion_root):
    comparison = compare_models([emotion_cnn, genre_cnn], ALL)
    first, second = (model.embeddings for model in comparison.models)
    assert first.ids == second.ids
    assert first.ids == sorted(TrainedModel(emotion_cnn).data().parts.test().ids, key=int)
    np.testing.assert_array_equal(first.targets, second.targets)
    assert compare_models([genre_cnn, emotion_cnn], ALL).target_names == GENRES


def test_root_and_limit(genre_cnn, genre_lstm, tmp_path):
    root = make_genre_folder(tmp_path / "other", train=3, test=12, seed=5)
    comparison = compare_models([genre_cnn, genre_lstm], TrackChoice(str(root), limit=6, cache=str(tmp_path / "cache")))
    first, second = (model.embeddings for model in comparison.models)
    assert first.ids == second.ids
    assert sorted(first.targets) == [0, 0, 1, 1, 2, 2]
    assert (tmp_path / "cache" / "stores").is_dir()


def test_a_genre_data_set_needs_no_training_tracks(genre_cnn, tmp_path):
    root = make_genre_folder(tmp_path / "other", train=3, test=9)
    shutil.rmtree(root / "train")
    (root / "train_labels.txt").unlink()
    assert len(compare_models([genre_cnn], TrackChoice(str(root))).models[0].embeddings.ids) == 9


def refused(paths, choice=ALL):
    with pytest.raises(UserError) as info:
        compare_models(paths, choice)
    return str(info.value)


def test_a_checkpoint_given_twice(genre_cnn):
    assert "given twice" in refused([genre_cnn, genre_cnn.parent / "../checkpoints/best.ckpt"])


def test_models_that_were_trained_on_each_others_test_tracks(fit, emotion_cnn, emotion_root):
    other = fit("emotion_cnn.yaml", emotion_root, "--data.seed=1")
    error = refused([emotion_cnn, other])
    assert str(other) in error
    assert "of 8 test tracks, the checkpoint's training has trained on" in error
    assert "data.seed" in error


def test_beats_and_frames_in_one_folder(fit, genre_cnn, genre_root, tmp_path):
    beats = fit("genre_cnn.yaml", genre_root, "--data.beat_synced=true")
    for paths, choice in [([genre_cnn, beats], ALL), ([beats, genre_cnn], TrackChoice(str(genre_root)))]:
        error = refused(paths, choice)
        assert "beats" in error
        assert str(genre_root) in error


def test_data_sets_of_other_tracks(fit, genre_cnn, tmp_path):
    other = fit("genre_cnn.yaml", make_genre_folder(tmp_path / "other", test=12))
    error = refused([genre_cnn, other])
    assert "3 are in one of them alone, as 145" in error
    assert len(compare_models([genre_cnn, other], TrackChoice(str(tmp_path / "other"))).models) == 2


def test_an_emotion_data_set_has_no_genres(genre_cnn, tmp_path):
    root = make_emotion_folder(tmp_path / "emotion")
    assert "test_labels.txt" in refused([genre_cnn], TrackChoice(str(root)))


def test_a_model_without_test_tracks(fit, emotion_root):
    fold = fit("emotion_cnn.yaml", emotion_root, "--data.test_fraction=0")
    assert f"{fold}: trained with data.test_fraction 0" in refused([fold])
