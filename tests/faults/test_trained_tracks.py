"""A test set that would turn into trained tracks: rows in another order, another seed, other rows, other data."""

import json
import logging
import random
import shutil

import numpy as np
import pytest
from cli.test_earlier_checkpoints import EARLIER, make_tracks
from command_line import TRAINER, error_of, evaluate_args, fit_args, run_folder
from conftest import give_test, give_validation, make_emotion_folder, make_genre_folder

from musiclab.cli import main


@pytest.fixture(autouse=True)
def lines(caplog):
    """Record what is said."""
    caplog.set_level(logging.INFO)


@pytest.fixture(scope="module")
def emotions(tmp_path_factory):
    """28 tracks to train on, 4 to validate on and 8 to test on, all drawn; ids count from 100."""
    return make_emotion_folder(tmp_path_factory.mktemp("data") / "emotions")


@pytest.fixture(scope="module")
def trained(emotions, tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    main(fit_args("emotion_lstm.yaml", emotions, folder, epochs=2))
    return run_folder(folder)


@pytest.fixture
def changing(emotions, tmp_path):
    """A copy of the data set, elsewhere."""
    return shutil.copytree(emotions, tmp_path / "moved" / "emotions")


def checkpoint(run):
    return run / "checkpoints" / "best.ckpt"


def change_rows(root, change, name="train_labels.txt"):
    header, *rows = (root / name).read_text().splitlines()
    (root / name).write_text("\n".join([header, *change(rows)]) + "\n")


def metrics_of(run):
    return json.loads((run / "test_metrics.json").read_text())


@pytest.mark.parametrize("order", [sorted, lambda rows: rows[::-1], lambda rows: random.Random(0).sample(rows, 40)])
def test_the_order_of_rows_changes_no_part_and_no_figure(changing, trained, order, tmp_path, caplog):
    """Before, 20 of 24 test tracks were trained or validated on after the rows had been sorted: 0.17 for -0.14."""
    change_rows(changing, order)
    main(evaluate_args("test", checkpoint(trained), tmp_path, f"--data.root={changing}"))
    assert metrics_of(run_folder(tmp_path)) == metrics_of(trained)
    assert "is not what the checkpoint was trained with" not in caplog.text


def test_a_training_is_the_same_for_rows_in_any_order(changing, trained, tmp_path):
    change_rows(changing, lambda rows: random.Random(1).sample(rows, 40))
    main(fit_args("emotion_lstm.yaml", changing, tmp_path, epochs=2))
    assert metrics_of(run_folder(tmp_path)) == metrics_of(trained)
    histories = [json.loads((run / "run.json").read_text())["history"] for run in (run_folder(tmp_path), trained)]
    assert histories[0] == histories[1]


@pytest.mark.parametrize(
    ("command", "part"),
    [("test", "8 test"), ("validate", "7 validation"), ("latents", "8 test"), ("fit", "")],
)
@pytest.mark.parametrize("cause", ["seed", "row"])
def test_parts_that_would_be_drawn_otherwise_are_refused(
    emotions, changing, trained, command, part, cause, tmp_path, capfd
):
    root = emotions
    options = ["--data.seed=1"]
    if cause == "row":  # one row less, in a copy elsewhere
        root, options = changing, []
        change_rows(root, lambda rows: rows[1:])
    if command == "latents":
        if cause == "seed":
            pytest.skip("latents takes the seed from the checkpoint")
        args = ["latents", f"--ckpt_path={checkpoint(trained)}", f"--data.root={root}", f"--out={tmp_path / 'latents'}"]
    elif command == "fit":
        last = trained / "checkpoints" / "last.ckpt"
        args = fit_args("emotion_lstm.yaml", root, tmp_path, f"--ckpt_path={last}", *options, epochs=2)
    else:
        args = evaluate_args(command, checkpoint(trained), tmp_path, f"--data.root={root}", *options)
    before = {path: path.read_bytes() for path in trained.rglob("*") if path.is_file()}
    error = error_of(capfd, args)
    assert f"{root}: of {part}" in error
    assert "the checkpoint's training has" in error
    assert "draw the parts as then (data.seed" in error
    assert {path: path.read_bytes() for path in before} == before


def test_a_fold_tests_what_it_has_not_trained_on(emotions, tmp_path, capfd):
    main(fit_args("emotion_lstm.yaml", emotions, tmp_path, "--data.folds=4"))
    model = checkpoint(run_folder(tmp_path))
    main(evaluate_args("test", model, tmp_path))
    error = error_of(capfd, evaluate_args("test", model, tmp_path, "--data.fold=1"))
    assert "of 10 test tracks, the checkpoint's training has trained on" in error


def test_tracks_of_another_data_set_are_others_though_their_ids_are_the_same(trained, tmp_path, caplog):
    other = make_emotion_folder(tmp_path / "other", seed=1)
    main(evaluate_args("test", checkpoint(trained), tmp_path, f"--data.root={other}", "--data.seed=1"))
    assert f"{other}: train/ with labels is not what the checkpoint was trained with" in caplog.text


def test_given_test_tracks_that_were_trained_on_are_said(changing, trained, tmp_path, caplog):
    give_test(changing, 10)
    caplog.clear()
    main(evaluate_args("test", checkpoint(trained), tmp_path, f"--data.root={changing}"))
    error = caplog.text
    assert f"{changing}: of 10 test tracks, the checkpoint's training has trained on" in error
    assert "figures on them flatter" in error


def test_tracks_that_a_pretrained_backbone_was_trained_on_are_said(emotions, trained, tmp_path, caplog):
    options = [f"--model.pretrained={checkpoint(trained)}", "--data.seed=1"]
    main(fit_args("emotion_lstm.yaml", emotions, tmp_path, *options))
    assert f"{emotions}: of 8 test tracks, the checkpoint's training has trained on" in caplog.text
    assert "figures on them may flatter, as the backbone comes from there" in caplog.text
    assert "is not what the checkpoint was trained with" not in caplog.text


def test_another_data_set_is_said(tmp_path, caplog):
    root = make_genre_folder(tmp_path / "genres")
    main(fit_args("genre_lstm.yaml", root, tmp_path))
    run = run_folder(tmp_path)
    record = json.loads((run / "run.json").read_text())
    assert [len(checksum) for checksum in record["checksums"].values()] == [16, 16]
    caplog.clear()
    for change, said in [(None, False), ("array", True), ("labels", True)]:
        if change == "array":
            path = next((root / "test").iterdir())
            np.save(path, np.load(path) * np.float32(0.99))
        elif change == "labels":
            change_rows(root, lambda rows: rows[1:], "test_labels.txt")
        main(evaluate_args("test", checkpoint(run), tmp_path))
        error = caplog.text
        caplog.clear()
        assert (f"{root}: test/ with labels is not what the checkpoint was trained with" in error) is said
    now = json.loads((run_folder(tmp_path, 3) / "run.json").read_text())["checksums"]
    assert now["test"] != record["checksums"]["test"]


def test_checkpoints_without_tracks_test_what_is_given_and_refuse_what_is_drawn(tmp_path, capfd, caplog):
    root = make_tracks(tmp_path / "genres")
    old, option = EARLIER / "genre.ckpt", f"--data.root={root}"
    main(evaluate_args("predict", old, tmp_path, option))
    main(evaluate_args("test", old, tmp_path, option))
    assert "The checkpoint does not say which tracks it was trained on" in caplog.text

    error = error_of(capfd, evaluate_args("validate", old, tmp_path, option))
    assert "does not say which tracks it was trained on" in error
    assert "name its tracks in validation_labels.txt" in error
    run = tmp_path / "resumed" / "lightning_logs" / "version_0"
    (run / "checkpoints").mkdir(parents=True)
    shutil.copy(old, run / "checkpoints" / "last.ckpt")
    resume = ["fit", f"-c={EARLIER / 'config.yaml'}", f"--ckpt_path={run / 'checkpoints' / 'last.ckpt'}", option]
    error = error_of(capfd, [*resume, f"--trainer.default_root_dir={tmp_path}", *TRAINER])
    assert "the validation part, which is drawn, may hold some of them" in error
    give_validation(root, 2)
    main([*resume, f"--trainer.default_root_dir={tmp_path}", *TRAINER])
    assert (run / "test_metrics.json").exists()
