"""Runs that would end well with nothing usable, or with figures that say another thing than they seem to."""

import json
import logging

import pytest
import torch
from command_line import error_of, evaluate_args, fit_args, run_folder

from musiclab.cli import main

SPOIL = ["--trainer.callbacks+=faults.SpoilWeights"]


def record_of(folder, version=0):
    return json.loads((run_folder(folder, version) / "run.json").read_text())


def checkpoints(folder):
    return sorted(path.name for path in (run_folder(folder) / "checkpoints").glob("*"))


def test_nothing_validated_leaves_the_last_checkpoint_and_a_word(genre_root, tmp_path, caplog):
    """Before: "finished", exit code 0 and no checkpoint at all."""
    caplog.set_level(logging.INFO)
    main(fit_args("genre_lstm.yaml", genre_root, tmp_path, "--trainer.check_val_every_n_epoch=5", epochs=3))
    assert checkpoints(tmp_path) == ["last.ckpt"]
    (problem,) = record_of(tmp_path)["problems"]
    assert problem.startswith("nothing was validated by val_accuracy, so that there is no best checkpoint")
    assert problem in caplog.text
    main(evaluate_args("test", run_folder(tmp_path) / "checkpoints" / "last.ckpt", tmp_path))


@pytest.mark.parametrize("every", [1, 2])
def test_the_last_checkpoint_is_of_the_last_epoch_whatever_is_validated(every, genre_root, tmp_path):
    options = [f"--trainer.check_val_every_n_epoch={every}"]
    main(fit_args("genre_lstm.yaml", genre_root, tmp_path, *options, epochs=3))
    last = torch.load(run_folder(tmp_path) / "checkpoints" / "last.ckpt", weights_only=True)
    assert last["epoch"] == 2
    assert record_of(tmp_path)["problems"] == []


def test_early_stopping_without_a_validation_is_refused_in_a_line(genre_root, tmp_path, capfd):
    own = ["--trainer.callbacks+=EarlyStopping", "--trainer.callbacks.monitor=val_loss"]
    error = error_of(
        capfd, fit_args("genre_lstm.yaml", genre_root, tmp_path, "--trainer.limit_val_batches=0", *own, epochs=2)
    )
    assert "Early stopping conditioned on metric `val_loss` which is not available" in error


def test_a_training_without_a_step_is_an_error(genre_root, tmp_path, capfd):
    options = ["--trainer.limit_train_batches=0", "--model.lr_scheduler=null"]
    error = error_of(capfd, fit_args("genre_lstm.yaml", genre_root, tmp_path, *options))
    assert "nothing was trained" in error


def test_weights_that_are_not_finite_end_the_run_and_are_not_saved(genre_root, tmp_path, capfd):
    """Before: accuracy of chance, probabilities of NaN, exit code 0, "finished"."""
    options = [*SPOIL, "--trainer.callbacks.batch=0"]
    error = error_of(capfd, fit_args("genre_cnn.yaml", genre_root, tmp_path, *options, epochs=3))
    assert "the weights are not finite after epoch 1, no checkpoint is left; lower the learning rate" in error
    assert checkpoints(tmp_path) == []
    record = record_of(tmp_path)
    assert record["status"] == "interrupted"
    assert record["reason"].startswith("the weights are not finite after epoch 1")


def test_what_was_best_before_the_weights_broke_is_left(genre_root, tmp_path, capfd):
    options = [*SPOIL, "--trainer.callbacks.batch=5"]  # in the second epoch of four steps
    error = error_of(capfd, fit_args("genre_cnn.yaml", genre_root, tmp_path, *options, epochs=3))
    best = run_folder(tmp_path) / "checkpoints" / "best.ckpt"
    assert f"the weights are not finite after epoch 2, what was best before is {best}" in error
    assert checkpoints(tmp_path) == ["best.ckpt", "last.ckpt"]
    for path in (best, best.with_name("last.ckpt")):
        assert torch.load(path, weights_only=True)["epoch"] == 0
        main(evaluate_args("test", path, tmp_path))


@pytest.mark.parametrize("command", ["test", "validate", "predict", "latents", "fit"])
def test_checkpoints_whose_weights_are_not_finite_are_refused(command, genre_root, tmp_path, capfd):
    main(fit_args("genre_cnn.yaml", genre_root, tmp_path))
    path = run_folder(tmp_path) / "checkpoints" / "best.ckpt"
    checkpoint = torch.load(path, weights_only=True)
    next(iter(checkpoint["state_dict"].values())).view(-1)[0] = float("nan")
    torch.save(checkpoint, path)
    args = {
        "latents": ["latents", f"--ckpt_path={path}"],
        "fit": fit_args("genre_cnn.yaml", genre_root, tmp_path, f"--ckpt_path={path}", epochs=2),
    }
    error = error_of(capfd, args.get(command, evaluate_args(command, path, tmp_path)))
    assert f"{path}: its weights are not finite" in error


@pytest.mark.parametrize("asked", [None, "32-true"])
def test_a_test_has_the_precision_of_the_training(asked, genre_root, tmp_path):
    """Before, a test in float32 gave other figures than that of the training in bfloat16."""
    main(fit_args("genre_cnn.yaml", genre_root, tmp_path, "--trainer.precision=bf16-mixed", epochs=2))
    best = run_folder(tmp_path) / "checkpoints" / "best.ckpt"
    options = [f"--trainer.precision={asked}"] if asked else []
    for command in ("test", "predict", "validate"):
        main(evaluate_args(command, best, tmp_path, *options))
    records = [record_of(tmp_path, version) for version in range(4)]
    assert [record["precision"] for record in records] == ["bf16-mixed"] + 3 * [asked or "bf16-mixed"]
    if asked is None:
        read = [(run_folder(tmp_path, version) / "predictions.csv").read_text() for version in range(3)]
        assert read[0] == read[1] == read[2]
