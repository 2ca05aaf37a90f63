"""Artists, tracks to leave out, and nothing to test on, from the command line."""

import json
import shutil

import pytest
import torch
import yaml
from command_line import error_of, evaluate_args, fit_args, run_folder
from conftest import make_emotion_folder, make_genre_folder

from cli.test_earlier_checkpoints import EARLIER
from musiclab.cli import main
from musiclab.inference.trained import TrainedModel


def write_artists(root, artists):
    rows = [f"{identifier}\t{artist}" for identifier, artist in artists.items()]
    (root / "artists.txt").write_text("\n".join(["Id\tArtist", *rows]) + "\n")


def metrics(folder, name):
    return json.loads((folder / f"{name}_metrics.json").read_text())


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run on an emotion set of ten artists of four tracks each, whose test and validation parts were drawn."""
    folder = tmp_path_factory.mktemp("artists")
    root = make_emotion_folder(folder / "emotions", test=2)
    write_artists(root, {number: number // 4 for number in range(100, 140)})
    main(fit_args("emotion_multitask.yaml", root, folder, "--data.axes=energy"))
    return run_folder(folder)


def test_a_checkpoint_draws_the_parts_that_its_training_had(trained, tmp_path, capfd):
    best = trained / "checkpoints" / "best.ckpt"
    assert TrainedModel(best).data_settings()[1]["groups"] == "artists.txt"
    main(evaluate_args("test", best, tmp_path))
    assert metrics(run_folder(tmp_path), "test") == pytest.approx(metrics(trained, "test"))
    error = error_of(capfd, evaluate_args("test", best, tmp_path, "--data.groups=null"))
    assert "the checkpoint's training has trained on" in error
    assert "groups, leave_out" in error


def test_a_checkpoint_of_before_there_were_groups_draws_as_then(trained, tmp_path, capfd):
    root = shutil.copytree(trained.parents[1] / "emotions", tmp_path / "emotions")
    (root / "artists.txt").unlink()
    main(fit_args("emotion_multitask.yaml", root, tmp_path, "--data.axes=energy"))
    write_artists(root, {number: number // 4 for number in range(100, 140)})
    run = run_folder(tmp_path)
    for path in (run / "checkpoints").iterdir():
        checkpoint = torch.load(path, weights_only=True)
        del checkpoint["datamodule_hyper_parameters"]["groups"]
        torch.save(checkpoint, path)
    config = yaml.safe_load((run / "config.yaml").read_text())
    del config["data"]["init_args"]["groups"]
    (run / "config.yaml").write_text(yaml.safe_dump(config))
    main(evaluate_args("test", run / "checkpoints" / "best.ckpt", tmp_path / "again"))
    assert metrics(run_folder(tmp_path / "again"), "test") == pytest.approx(metrics(run, "test"))
    last = f"--ckpt_path={run / 'checkpoints' / 'last.ckpt'}"
    main(["fit", f"-c={run / 'config.yaml'}", last])
    error = error_of(capfd, ["fit", f"-c={run / 'config.yaml'}", last, "--data.groups=artists.txt"])
    assert "the checkpoint's training has" in error


def test_a_checkpoint_of_the_first_version_knew_no_groups():
    assert TrainedModel(EARLIER / "genre.ckpt").data_settings()[1]["groups"] is None


def test_tracks_that_are_left_out_stay_out_when_a_training_goes_on(tmp_path, caplog, monkeypatch):
    root = make_genre_folder(tmp_path / "genres", train=30, test=6)
    (root / "test_labels.txt").unlink()
    (tmp_path / "out.txt").write_text("100\n101\n")
    monkeypatch.chdir(tmp_path)
    main(fit_args("genre_cnn.yaml", root, tmp_path, "--data.leave_out=out.txt"))
    assert f"Left out of training and validation: 2 of 30 tracks, by {tmp_path / 'out.txt'}" in caplog.text
    assert f"Test: none, as there is no {root / 'test_labels.txt'}" in caplog.text
    run = run_folder(tmp_path)
    assert not (run / "test_metrics.json").exists()
    best = run / "checkpoints" / "best.ckpt"
    main(evaluate_args("predict", best, tmp_path / "predicted"))
    assert (run_folder(tmp_path / "predicted") / "predictions.csv").exists()
    shutil.rmtree(root / "test")
    last = f"--ckpt_path={run / 'checkpoints' / 'last.ckpt'}"
    main(["fit", f"-c={run / 'config.yaml'}", last])


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("--data.groups=discs.txt", "discs.txt: no such file; name one of the data set folder"),
        ("--data.leave_out=none.txt", "none.txt: cannot be read (No such file"),
        ("--data.folds=11", "40 labelled tracks by 10 artists cannot be split (folds 11)"),
    ],
)
def test_bad_options_are_one_line(option, said, trained, tmp_path, capfd):
    root = trained.parents[1] / "emotions"
    assert said in error_of(capfd, fit_args("emotion_multitask.yaml", root, tmp_path, option))
    assert not run_folder(tmp_path).exists()
