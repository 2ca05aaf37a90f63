"""``musiclab latents``, as a user runs it."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from command_line import error_of, read_rows
from conftest import GENRES, make_genre_folder

from commands.report.pages import Outline
from musiclab.cli import main
from musiclab.commands.latents.analysis import analyse_model, fit_settings
from musiclab.commands.latents.comparison import EmbeddedModel, compare_models
from musiclab.commands.latents.comparison import TrackChoice as Choice
from musiclab.commands.latents.latents import describe_tracks, summarise
from musiclab.commands.latents.page import all_notes, file_names, largest_share, latents_page, scores_table
from musiclab.commands.latents.separability import neighbour_accuracy, neighbour_correlation, standardise
from musiclab.inference.embeddings import Embeddings

pytestmark = pytest.mark.filterwarnings("ignore:.*does not have many workers")


@pytest.fixture(scope="module")
def genres(genre_cnn, genre_lstm, tmp_path_factory):
    """What the command leaves of two genre models."""
    out = tmp_path_factory.mktemp("latents") / "new"
    main(["latents", f"--ckpt_path={genre_cnn}", "--ckpt_path", str(genre_lstm), f"--out={out}", "--neighbours=2"])
    return out


def model_names(folder):
    return [model["name"] for model in json.loads((folder / "latents.json").read_text())["models"]]


def test_the_csv_files_hold_the_embeddings(genres, genre_cnn, genre_lstm):
    comparison = compare_models([genre_cnn, genre_lstm], Choice())
    for name, model in zip(file_names(model_names(genres)), comparison.models, strict=True):
        rows = read_rows(genres / f"embeddings_{name}.csv")
        assert [row["id"] for row in rows] == model.embeddings.ids
        assert [row["genre"] for row in rows] == [GENRES[target] for target in model.embeddings.targets]
        values = np.array([[float(value) for value in list(row.values())[2:]] for row in rows])
        np.testing.assert_allclose(values, model.embeddings.values, rtol=1e-5)
        assert list(rows[0])[2] == "e0"


def test_json_holds_the_numbers(genres, genre_cnn, genre_lstm):
    content = json.loads((genres / "latents.json").read_text())
    assert (content["tracks"], content["neighbours"], content["target_names"]) == (9, 2, GENRES)
    assert content["perplexity"] == pytest.approx(8 / 3)
    assert content["notes"] == ["perplexity 30 is too many for 9 tracks; 2.67 was taken"]
    for path, model in zip((genre_cnn, genre_lstm), content["models"], strict=True):
        embeddings = compare_models([path], Choice()).models[0].embeddings
        values = standardise(embeddings.values)
        assert model["checkpoint"] == str(path)
        assert model["embedding_size"] == embeddings.values.shape[1]
        assert model["knn_accuracy"] == neighbour_accuracy(values, embeddings.targets, 2)
        assert -1 <= model["silhouette"] <= 1
        assert 0 < sum(model["pca_variance"]) <= 1


def test_the_page_shows_all_pictures(genres):
    outline = Outline((genres / "index.html").read_text(encoding="utf-8"))
    sources = [image["src"] for image in outline.all("img")]
    files = file_names(model_names(genres))
    assert sources == [f"{name}_{method}.png" for name in files for method in ("pca", "tsne")]
    for source in sources:
        assert (genres / source).read_bytes().startswith(b"\x89PNG")
    assert "perplexity 30 is too many for 9 tracks; 2.67 was taken" in outline.texts["p"]
    assert outline.texts["th"][:3] == ["model", "silhouette", "k-NN accuracy"]


def test_the_projector_finds_the_embeddings_of_both_models(genres):
    pytest.importorskip("tensorboard")
    from google.protobuf import text_format
    from tensorboard.plugins.projector.projector_config_pb2 import ProjectorConfig

    folder = genres / "projector"
    config = text_format.Parse((folder / "projector_config.pbtxt").read_text(), ProjectorConfig())
    assert [info.tensor_name for info in config.embeddings] == [f"{name}:00000" for name in model_names(genres)]
    for info in config.embeddings:
        tensors = np.loadtxt(folder / info.tensor_path, delimiter="\t")
        with (folder / info.metadata_path).open(newline="") as stream:
            metadata = list(csv.reader(stream, delimiter="\t"))
        assert metadata[0] == ["id", "genre"]
        assert len(metadata) == 1 + len(tensors) == 10


def test_again_in_the_same_folder_replaces_what_was_there(genre_cnn, tmp_path, capsys):
    other = tmp_path / "notes.txt"
    other.write_text("mine")
    for seed in (0, 1):
        main(["latents", f"--ckpt_path={genre_cnn}", f"--out={tmp_path}", f"--seed={seed}"])
    assert json.loads((tmp_path / "latents.json").read_text())["seed"] == 1
    assert len(list((tmp_path / "projector").glob("events*"))) == 1
    assert other.exists()
    assert not list(tmp_path.glob(".*"))
    captured = capsys.readouterr()
    assert "k-NN accuracy" in captured.out
    assert "warning" not in captured.out + captured.err


def test_emotion_is_coloured_by_each_axis_and_goes_to_the_run_folder(energy_cnn, emotion_cnn, capsys):
    main(["latents", "--ckpt_path", str(energy_cnn), str(emotion_cnn)])
    out = energy_cnn.parent.parent / "latents"
    assert str(out / "index.html") in capsys.readouterr().out
    axes = ["energy", "valence", "danceability"]
    outline = Outline((out / "index.html").read_text(encoding="utf-8"))
    assert outline.texts["h2"] == [*(f"Coloured by {axis}" for axis in axes), "Checkpoints"]
    assert len(outline.all("img")) == 12
    content = json.loads((out / "latents.json").read_text())
    embeddings = compare_models([energy_cnn, emotion_cnn], Choice()).models[1].embeddings
    neighbours = content["neighbours"]
    for index, axis in enumerate(axes):
        expected = neighbour_correlation(standardise(embeddings.values), embeddings.targets[:, index], neighbours)
        assert content["models"][1][f"knn_spearman_{axis}"] == expected
    rows = read_rows(out / f"embeddings_{file_names(model_names(out))[1]}.csv")
    assert [float(row["valence"]) for row in rows] == pytest.approx(embeddings.targets[:, 1].tolist())


def error_with(capfd, checkpoint, *more):
    return error_of(capfd, ["latents", f"--ckpt_path={checkpoint}", *more])


def test_what_the_user_can_put_right_is_one_line(genre_cnn, genre_root, tmp_path, capfd):
    assert "no such checkpoint" in error_with(capfd, tmp_path / "none.ckpt")
    assert "no such folder" in error_with(capfd, genre_cnn, f"--data.root={tmp_path / 'none'}")
    assert "neighbours is 0" in error_with(capfd, genre_cnn, "--neighbours=0")
    assert "perplexity is 0" in error_with(capfd, genre_cnn, "--perplexity=0")
    assert "seed is -1" in error_with(capfd, genre_cnn, "--seed=-1")
    assert "4 test tracks are too few" in error_with(capfd, genre_cnn, "--data.limit=4")
    assert "ckpt_path" in error_of(capfd, ["latents"], code=2)
    assert "data.limit" in error_of(capfd, ["latents", f"--ckpt_path={genre_cnn}", "--data.limit=few"], code=2)


def test_features_that_the_data_lack(genre_lstm, tmp_path, capfd):
    root = make_genre_folder(tmp_path / "mel", rows=128)
    assert "no chroma" in error_with(capfd, genre_lstm, f"--data.root={root}")
    assert not (genre_lstm.parent.parent / "latents").exists()


def make_analyses(targets, embeddings=None, tracks=12, neighbours=3):
    torch.manual_seed(0)
    values = torch.randn(tracks, 5).numpy() if embeddings is None else embeddings
    ids = [str(number) for number in range(tracks)]
    model = EmbeddedModel("CNN x", Path("run/checkpoints/best.ckpt"), Embeddings(ids, targets, values))
    settings = fit_settings(tracks, 3.0, neighbours, 0)
    names = ["a", "b"]
    return [analyse_model(model, names, settings)], names, settings


def test_a_single_class_leaves_the_silhouette_blank():
    analyses, names, settings = make_analyses(np.zeros(12, int))
    assert scores_table(analyses).rows[0][:3] == ["CNN x", "", "1.000"]
    assert summarise(analyses, names, settings)["models"][0]["silhouette"] is None
    page = Outline(latents_page(analyses, names, settings).to_html(embed=True))
    assert "silhouette is not defined: there is one genre only, or no two tracks are of the same" in page.texts["p"]


def test_unknown_values_are_left_out_and_empty_in_the_csv():
    targets = np.random.default_rng(0).uniform(size=(12, 2))
    targets[3, 0] = targets[:, 1] = np.nan
    analyses, names, settings = make_analyses(targets)
    assert scores_table(analyses).rows[0][2] == ""
    (note,) = all_notes(analyses, settings)
    assert note.startswith("knn_spearman_b is not defined")
    Outline(latents_page(analyses, names, settings).to_html(embed=True))
    header, rows = describe_tracks(analyses[0].model.embeddings, names)
    assert header == ["id", "a", "b"]
    assert rows[3] == ["3", "", ""]
    assert describe_tracks(Embeddings(["7"], np.array([-1]), np.zeros((1, 2))), names)[1] == [["7", ""]]


def test_a_model_that_maps_all_tracks_to_one_embedding_is_refused():
    with pytest.raises(ValueError, match=r"best\.ckpt: the model maps all tracks to the same"):
        make_analyses(np.zeros(12, int), np.full((12, 5), 0.3, np.float32))


def test_file_names_are_plain_and_differ():
    assert file_names(["CNN a/version_0 best", "LSTM é"]) == ["CNN_a_version_0_best", "LSTM"]
    assert file_names(["a/b", "a_b", "c"]) == ["a_b_1", "a_b_2", "c"]


def test_the_share_of_the_largest_class_is_that_of_known_ones():
    assert largest_share(np.array([0, 1, 1, -1])) == pytest.approx(2 / 3)
