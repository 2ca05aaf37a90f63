"""Options and classes that there are not: one line, with what may have been meant."""

from pathlib import Path

import pytest
from command_line import error_of

from musiclab.cli.explanations import explain
from musiclab.cli.options import all_options, nearest_option

GENRE = ["fit", "-c", "genre_cnn.yaml"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--data.batchsize", "4"], "no such option of GenreDataModule; did you mean --data.batch_size?"),
        (["--batch_size", "4"], "--batch_size: no such option; did you mean --data.batch_size?"),
        (["--dat.root", "x"], "--dat.root: no such option; did you mean --data.root?"),
        (["--model.dropuot=1"], "no such option of ClassificationTask; did you mean --model.backbone.dropout?"),
        (["--model.backbone.dropuot=1"], "no such option of CNN; did you mean --model.backbone.dropout?"),
        (["--model.optimiser.lr=1"], "--model.optimiser.lr: no such option; did you mean --model.optimizer.lr?"),
        (["--lr=1"], "--lr: no such option; did you mean --model.optimizer.lr?"),
        (["--epochs", "3"], "did you mean --trainer.max_epochs?"),
        (["--trainer.epochs", "3"], "did you mean --trainer.max_epochs?"),
        (["--data.axes", "valence"], "--data.axes: no such option of GenreDataModule; EmotionDataModule has it"),
        (["--model.backbone=CCN"], "--model.backbone: no class CCN; did you mean CNN?"),
        (["--data=GenreData"], "--data: no class GenreData; did you mean GenreDataModule?"),
        (["--data.batch_size=many"], "--data.batch_size: Expected int. Got value: many"),
        (["--data.features=melody"], "Expected one of 'mel', 'chroma', 'fused', 'all'. Got value: melody"),
        (["--model.optimizer.lr=x"], "--model.optimizer.lr: Expected float. Got value: x"),
        (["--data.class_map=rock"], "--data.class_map: Expected one of 'auto', 'lab' or dict"),
        (["song.ogg"], "song.ogg: songs are given as in --data.paths song.ogg"),
        (["."], ".: a folder is given as in --data.root ."),
        (["--data.help", "GenreDatamodule"], "--data.help: no class GenreDatamodule; did you mean GenreDataModule?"),
    ],
)  # fmt: skip
def test_on_the_command_line(options, said, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    assert said in error_of(capfd, [*GENRE, *options], code=2)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("data: {init_args: {batchsize: 4}}", "--data.batchsize: no such option of GenreDataModule; did you mean"),
        ("modle: {class_path: CNN}", "modle.class_path: no such key of a config; did you mean model?"),
        ("trainer: {max_epoch: 1}", "trainer.max_epoch: no such key of a config; did you mean trainer.max_epochs?"),
        ("model: {init_args: {backbone: {init_args: {dropuot: 0}}}}", "did you mean --model.backbone.dropout?"),
    ],
)  # fmt: skip
def test_in_a_config(text, said, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    Path("mine.yaml").write_text(text)
    assert said in error_of(capfd, [*GENRE, "-c", "mine.yaml"], code=2)


def test_options_without_a_class_ask_for_one(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    Path("mine.yaml").write_text("data: {root: .}")
    error = error_of(capfd, ["fit", "-c", "mine.yaml"], code=2)
    assert "--data.root: of which class? Give a config by -c, or name the class, as in --data GenreDataModule" in error


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["extract", "x.wav"], "--out OUT must be given, as in: musiclab extract INPUTS --out OUT"),
        (["extract"], "INPUTS and --out OUT must be given, as in: musiclab extract INPUTS --out OUT"),
        (["explore", "x"], "--out OUT must be given, as in: musiclab explore ROOT --out OUT"),
        (["report", "x"], "--out OUT must be given, as in: musiclab report RUNS --out OUT"),
        (["latents"], "--ckpt_path CKPT_PATH"),
        (["demo-data"], "OUT must be given, as in: musiclab demo-data OUT"),
        (["extract", "x.wav", "--out=x", "--offst=3"], "--offst: no such option; did you mean --offset?"),
        (["tset"], "no command 'tset'; did you mean test?"),
        (["confgis"], "no command 'confgis'; did you mean configs?"),
        (["frobnicate"], "no command 'frobnicate'; there are fit, validate,"),
    ],
)
def test_of_other_commands(args, said, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    assert said in error_of(capfd, args, code=2)
    assert not list(tmp_path.iterdir())


def test_what_nobody_can_have_meant_has_no_neighbour():
    assert nearest_option("--frobnicate=1") == ""
    assert explain("something else is wrong") == "something else is wrong"


def test_all_options_are_those_of_the_parser():
    assert {"data.root", "data.axes", "data.paths", "model.label_smoothing", "trainer.max_epochs"} <= set(all_options())


def test_what_lightning_does_not_know_is_one_line(genre_root, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    error = error_of(capfd, [*GENRE, f"--data.root={genre_root}", "--trainer.strategy=foo"])
    assert "invalid strategy name: `strategy='foo'`" in error
    assert not list(tmp_path.glob("lightning_logs/*"))
