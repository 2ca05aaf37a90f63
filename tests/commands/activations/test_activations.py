"""``musiclab activations``, as a user runs it."""

import numpy as np
import pytest
import torch
from command_line import error_of, read_rows
from conftest import GENRES, make_genre_folder

from commands.report.pages import Outline, Tables
from musiclab.cli import main
from musiclab.commands.activations.activations import load_track
from musiclab.inference.trained import TrainedModel

pytestmark = pytest.mark.filterwarnings("ignore:.*does not have many workers")


def page_of(folder):
    return Outline((folder / "index.html").read_text(encoding="utf-8"))


def test_a_cnn_shows_a_picture_for_each_block(genre_cnn, capsys):
    main(["activations", f"--ckpt_path={genre_cnn}", "--maps=5"])
    folder = genre_cnn.parent.parent / "activations" / "136"  # the first test track
    assert str(folder / "index.html") in capsys.readouterr().out
    page = page_of(folder)
    blocks = [f"block_{number}.png" for number in (1, 2, 3, 4)]
    assert [image["src"] for image in page.all("img")] == ["track.png", *blocks]  # the spectrogram once
    assert page.all("img")[1]["alt"].startswith("Block 1: 5 of 8 maps, those with the highest mean")
    assert all((folder / f"block_{number}.png").stat().st_size > 1000 for number in (1, 2, 3, 4))


def test_it_says_what_the_model_predicts(genre_cnn, tmp_path):
    (row, *_) = [row for row in read_rows(genre_cnn.parent.parent / "predictions.csv") if row["id"] == "140"]
    main(["activations", f"--ckpt_path={genre_cnn}", "--track=140", "--maps=1", f"--out={tmp_path}"])
    page = page_of(tmp_path)
    assert f"The label says {row['truth']}; the model, {row['prediction']}." in page.texts["p"]
    ((header, rows),) = [(header, rows) for _, header, rows in Tables((tmp_path / "index.html").read_text()).all]
    assert header == ["genre", "probability", "label"]
    assert rows[0][0] == row["prediction"]
    assert len(rows) in (3, 4)
    for genre, probability, label in rows:
        assert genre in GENRES
        assert float(probability) == pytest.approx(float(row[genre]), abs=1e-3)
        assert label == ("true genre" if genre == row["truth"] else "")
    assert row["truth"] in [genre for genre, *_ in rows]


def test_an_lstm_shows_its_attention_to_a_training_track(genre_lstm, tmp_path):
    main(["activations", f"--ckpt_path={genre_lstm}", "--track=101", f"--out={tmp_path}", "--data.seconds=0.2"])
    assert [image["src"] for image in page_of(tmp_path).all("img")] == ["attention.png"]
    assert (tmp_path / "attention.png").is_file()


def test_a_crnn_shows_both(fit, genre_root, tmp_path):
    checkpoint = fit("genre_crnn.yaml", genre_root)
    main(["activations", f"--ckpt_path={checkpoint}", "--track=101", f"--out={tmp_path}", "--maps=2"])
    page = page_of(tmp_path)
    blocks = [f"block_{number}.png" for number in (1, 2, 3, 4)]
    assert [image["src"] for image in page.all("img")] == ["attention.png", *blocks]
    assert page.all("img")[4]["alt"].endswith("one for 4 frames by 64 mel bands")
    assert any("weighted by attention" in text and "Each block is" in text for text in page.texts["p"])


def test_emotion_models_say_values(energy_cnn, tmp_path):
    main(
        ["activations", f"--ckpt_path={energy_cnn}", "--track=141", "--maps=1", f"--out={tmp_path}"]
    )  # a track without labels
    page = page_of(tmp_path)
    assert page.texts["td"][0] == "energy"
    assert page.texts["th"] == ["axis", "prediction"]
    assert "No label file says what is true." in page.texts["p"]
    main(["activations", f"--ckpt_path={energy_cnn}", "--track=101", "--maps=1", f"--out={tmp_path}"])
    page = page_of(tmp_path)
    assert page.texts["th"] == ["axis", "prediction", "label"]
    labels = TrainedModel(energy_cnn).data().parts.labelled("train")
    assert page.texts["td"][2] == f"{float(labels.targets[labels.ids.index('101'), 0]):.3f}"


@pytest.mark.parametrize("model", ["genre_cnn", "genre_lstm"])
def test_a_track_is_loaded_as_a_test_loads_it(model, request):
    checkpoint = request.getfixturevalue(model)
    data = TrainedModel(checkpoint).data()
    data.setup("test")
    (batch, *_) = data.test_dataloader()
    alone = load_track(data, batch.ids[2])
    length = int(batch.lengths[2])
    assert alone.lengths.tolist() == [length]
    assert alone.targets.tolist() == batch.targets[[2]].tolist()
    torch.testing.assert_close(alone.spectrograms[0], batch.spectrograms[2, :length], rtol=0, atol=0)
    task = TrainedModel(checkpoint).task()
    with torch.inference_mode():
        outputs = task(alone.spectrograms, alone.lengths)[0], task(batch.spectrograms, batch.lengths)[2]
    torch.testing.assert_close(*outputs, atol=1e-5, rtol=1e-5)


def error_with(capfd, checkpoint, *more, code=1):
    return error_of(capfd, ["activations", f"--ckpt_path={checkpoint}", *more], code=code)


def test_what_the_user_can_put_right_is_one_line(genre_cnn, genre_lstm, tmp_path, capfd):
    error = error_with(capfd, genre_cnn, "--track=1360")
    assert "no track '1360'" in error
    assert "136" in error.split("close to it:")[1]
    assert "close" not in error_with(capfd, genre_cnn, "--track=zz")
    assert "no such checkpoint" in error_with(capfd, tmp_path / "none.ckpt")
    assert "maps is 0" in error_with(capfd, genre_cnn, "--maps=0")
    root = make_genre_folder(tmp_path / "mel", rows=128)
    assert "no chroma" in error_with(capfd, genre_lstm, f"--data.root={root}")
    assert "no such folder" in error_with(capfd, genre_cnn, f"--data.root={tmp_path / 'none'}")


def test_an_lstm_without_attention_is_refused_before_anything_is_written(fit, genre_root, tmp_path, capfd):
    checkpoint = fit("genre_lstm.yaml", genre_root, "--model.backbone.init_args.pooling=mean")
    assert "pooling: mean" in error_with(capfd, checkpoint, f"--out={tmp_path / 'new'}")
    assert not (tmp_path / "new").exists()


def test_maps_of_all_sizes_are_drawn_for_short_tracks(genre_cnn, tmp_path):
    root = make_genre_folder(tmp_path / "short", train=3, test=3, frames=(1, 2))
    main(["activations", f"--ckpt_path={genre_cnn}", f"--data.root={root}", "--maps=2", f"--out={tmp_path / 'out'}"])
    assert len(page_of(tmp_path / "out").all("img")) == 5
    assert np.load(next((root / "test").iterdir())).shape[1] == 1


def test_a_model_without_test_tracks_needs_a_track(fit, emotion_root, tmp_path, capfd):
    checkpoint = fit("emotion_cnn.yaml", emotion_root, "--data.test_fraction=0")
    assert "give --track" in error_with(capfd, checkpoint)
    main(["activations", f"--ckpt_path={checkpoint}", "--track=100", "--maps=1", f"--out={tmp_path}"])
