"""The command line, run as a user runs it."""

import json
import subprocess
import sys
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from command_line import (
    CONFIGS,
    GENRE_CONFIGS,
    MORE_GENRE_CONFIGS,
    PUBLISHED_CONFIGS,
    error_of,
    evaluate_args,
    fit_args,
    read_rows,
    run_folder,
)
from conftest import GENRES, SHARED, make_genre_folder
from forked import forked

from musiclab.cli import main
from musiclab.cli.dispatch import run_training


@pytest.fixture(scope="module")
def trained(genre_root, tmp_path_factory):
    """The run folder of a small CNN trained on easy tracks."""
    folder = tmp_path_factory.mktemp("trained")
    easy = ["--model.augmentations=[]", "--model.lr_scheduler.init_args.max_lr=0.02"]
    main(fit_args("genre_cnn.yaml", genre_root, folder, *easy, epochs=25))
    return run_folder(folder)


@pytest.mark.parametrize("config", [*GENRE_CONFIGS, "genre_resnet.yaml", *MORE_GENRE_CONFIGS, *PUBLISHED_CONFIGS])
def test_fit_trains_tests_and_leaves_its_results(config, genre_root, tmp_path):
    main(fit_args(config, genre_root, tmp_path))
    run = run_folder(tmp_path)
    assert {path.name for path in run.iterdir()} >= {
        "checkpoints",
        "classification_report.txt",
        "config.yaml",
        "confusion_matrix.csv",
        "confusion_matrix.png",
        "predictions.csv",
        "test_metrics.json",
    }
    assert {path.name for path in (run / "checkpoints").iterdir()} == {"best.ckpt", "last.ckpt"}
    assert 0 <= json.loads((run / "test_metrics.json").read_text())["test_accuracy"] <= 1


def test_a_checkpoint_alone_tests_and_predicts(trained, tmp_path):
    checkpoint = trained / "checkpoints" / "best.ckpt"
    torch.load(checkpoint, weights_only=True)
    main(evaluate_args("test", checkpoint, tmp_path))
    main(evaluate_args("predict", checkpoint, tmp_path))
    tested, predicted = run_folder(tmp_path, 0), run_folder(tmp_path, 1)
    assert json.loads((tested / "test_metrics.json").read_text()) == pytest.approx(
        json.loads((trained / "test_metrics.json").read_text()), abs=1e-6
    )
    assert (predicted / "predictions.csv").read_text() == (trained / "predictions.csv").read_text()


def test_the_easy_tracks_are_learnt_and_predictions_add_up(trained):
    rows = read_rows(trained / "predictions.csv")
    assert list(rows[0]) == ["id", "truth", "prediction", *GENRES]
    assert [int(row["id"]) for row in rows] == sorted(int(row["id"]) for row in rows)
    right = [row["truth"] == row["prediction"] for row in rows]
    metrics = json.loads((trained / "test_metrics.json").read_text())
    assert metrics["test_accuracy"] == pytest.approx(np.mean(right), abs=1e-6)
    assert np.mean(right) > 0.8
    for row in rows:
        assert sum(float(row[genre]) for genre in GENRES) == pytest.approx(1, abs=1e-5)


def test_test_by_config_and_checkpoint(trained, tmp_path):
    args = evaluate_args("test", trained / "checkpoints" / "last.ckpt", tmp_path)
    main([args[0], f"-c={trained / 'config.yaml'}", *args[1:]])
    assert (run_folder(tmp_path) / "test_metrics.json").exists()


def test_validate_and_predict_read_the_config_of_a_test(trained, tmp_path):
    checkpoint = trained / "checkpoints" / "best.ckpt"
    main(evaluate_args("test", checkpoint, tmp_path))
    config = f"-c={run_folder(tmp_path) / 'config.yaml'}"
    for command in ("validate", "predict"):
        main([command, config, *evaluate_args(command, checkpoint, tmp_path)[1:]])


def test_predict_without_labels_predicts_every_file(trained, tmp_path):
    root = make_genre_folder(tmp_path / "unlabelled", train=3, test=4)
    for name in ("train_labels.txt", "test_labels.txt"):
        (root / name).unlink()
    main(evaluate_args("predict", trained / "checkpoints" / "best.ckpt", tmp_path, f"--data.root={root}"))
    rows = read_rows(run_folder(tmp_path) / "predictions.csv")
    assert len(rows) == 4
    assert all(row["truth"] == "" and row["prediction"] in GENRES for row in rows)


def forms():
    """Yield each form with each features and each config; three pairs stand for the twelve, which are slow."""
    quick = [("genre_cnn.yaml", "mel", ""), ("genre_lstm.yaml", "chroma", ""), ("genre_cnn.yaml", "fused", "_beat")]
    for one in product(GENRE_CONFIGS, ["mel", "chroma", "fused"], ["", "_beat"]):
        yield pytest.param(*one, marks=[] if one in quick else pytest.mark.slow)


@pytest.mark.parametrize(("config", "features", "form"), forms())
def test_real_tracks_in_every_form(config, features, form, tmp_path):
    root = SHARED / "gtzan_100_fused" / f"fma_genre_spectrograms{form}"
    if not root.is_dir():
        pytest.skip("the real data set ../shared/data/gtzan_100_fused is not there")
    beat_synced = f"--data.beat_synced={str(bool(form)).lower()}"
    options = [f"--data.features={features}", beat_synced, "--data.limit=30", "--data.val_fraction=0.5"]
    main(fit_args(config, root, tmp_path, *options))
    checkpoint = run_folder(tmp_path) / "checkpoints" / "best.ckpt"
    main(evaluate_args("test", checkpoint, tmp_path))
    main(evaluate_args("predict", checkpoint, tmp_path))
    first, second = (read_rows(run_folder(tmp_path, version) / "predictions.csv") for version in (0, 2))
    assert first == second
    hyperparameters = torch.load(checkpoint, weights_only=True)["hyper_parameters"]
    assert (hyperparameters["features"], hyperparameters["beat_synced"]) == (features, bool(form))


@pytest.mark.parametrize("config", GENRE_CONFIGS)
def test_overfit_drives_the_training_loss_to_nearly_zero(config, genre_root, tmp_path):
    overlay = f"-c={CONFIGS / 'overfit.yaml'}"
    args = fit_args(config, genre_root, tmp_path, "--model.label_smoothing=0", epochs=40)
    cli = run_training([args[0], args[1], overlay, *args[2:]])
    assert cli.trainer.callback_metrics["train_loss"] < 0.05
    assert not (run_folder(tmp_path) / "test_metrics.json").exists()


def test_an_overlay_adds_shifts_and_filters_to_a_recipe_which_chroma_alone_has_no_bands_for(
    genre_root, tmp_path, capfd
):
    args = fit_args("genre_cnn.yaml", genre_root, tmp_path, "--trainer.limit_test_batches=0")
    args = [*args[:2], f"-c={CONFIGS / 'shift_filter.yaml'}", *args[2:]]
    error = error_of(capfd, [*args, "--data.features=chroma"])
    assert "ShiftFeatures changes 128 mel bands, but a frame has 12 features" in error
    augmentations = run_training([*args, "--data.features=fused"]).model.augmentations
    assert [type(one).__name__ for one in augmentations][-3:] == ["Mixup", "ShiftFeatures", "FilterAugment"]


def test_the_same_seed_gives_the_same_run(genre_root, tmp_path):
    weights = []
    for name in ("a", "b"):
        main(fit_args("genre_cnn.yaml", genre_root, tmp_path / name, epochs=2))
        weights.append(last_state(run_folder(tmp_path / name)))
    assert_same(*weights)


def last_state(run: Path) -> dict[str, torch.Tensor]:
    checkpoint = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)
    return {**checkpoint["state_dict"], **{f"now {k}": v for k, v in checkpoint["current_model_state"].items()}}


def assert_same(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> None:
    assert first.keys() == second.keys()
    for name, value in first.items():
        assert torch.equal(value, second[name]), name


@pytest.mark.parametrize(
    ("config", "batch", "workers"),
    [
        ("genre_cnn.yaml", 9, 0),
        ("genre_lstm.yaml", 10, 2),
        pytest.param("genre_cnn.yaml", 8, 2, marks=pytest.mark.slow),
    ],
)
def test_a_killed_run_resumes_to_the_same_weights(config, batch, workers, genre_root, tmp_path):
    """32 training tracks make 4 batches an epoch; the kill comes at the start of or within the third epoch."""
    options = [f"--data.num_workers={workers}", "--data.by_length=true"]
    main(fit_args(config, genre_root, tmp_path / "through", *options, epochs=4))

    args = fit_args(config, genre_root, tmp_path / "killed", *options, epochs=4)
    kill = ["--trainer.callbacks+=faults.KillAt", f"--trainer.callbacks.batch={batch}"]
    killed = forked([*args, *kill])
    assert killed.returncode == -9, killed.stderr
    run = run_folder(tmp_path / "killed")
    checkpoint = run / "checkpoints" / "last.ckpt"
    assert torch.load(checkpoint, weights_only=True)["global_step"] == 8

    main([*args, f"--ckpt_path={checkpoint}"])
    assert_same(last_state(run_folder(tmp_path / "through")), last_state(run))
    assert [path.name for path in run.parent.iterdir()] == ["version_0"]
    assert (run / "predictions.csv").read_text() == (run_folder(tmp_path / "through") / "predictions.csv").read_text()


def test_a_run_resumes_from_its_own_config_in_its_own_folder(genre_root, tmp_path):
    main(fit_args("genre_cnn.yaml", genre_root, tmp_path, epochs=2))
    run = run_folder(tmp_path)
    before = last_state(run)
    main(["fit", f"-c={run / 'config.yaml'}", f"--ckpt_path={run / 'checkpoints' / 'last.ckpt'}"])
    assert_same(before, last_state(run))  # it had finished
    assert [path.name for path in run.parent.iterdir()] == ["version_0"]


def test_a_schedule_of_another_length_is_refused(trained, capfd):
    checkpoint = f"--ckpt_path={trained / 'checkpoints' / 'last.ckpt'}"
    error = error_of(capfd, ["fit", f"-c={trained / 'config.yaml'}", checkpoint, "--trainer.max_epochs=30"])
    assert "100 steps, but this run 120" in error


def test_a_refused_resume_leaves_the_config_of_the_run(trained, capfd):
    before = (trained / "config.yaml").read_text()
    checkpoint = f"--ckpt_path={trained / 'checkpoints' / 'last.ckpt'}"
    error_of(capfd, ["fit", f"-c={trained / 'config.yaml'}", checkpoint, "--trainer.max_epochs=31"])
    assert (trained / "config.yaml").read_text() == before
    assert yaml.safe_load(before)["ckpt_path"] is None


@pytest.mark.parametrize("command", ["test", "validate", "predict"])
def test_random_weights_are_refused(command, trained, tmp_path, capfd):
    assert "--ckpt_path" in error_of(capfd, [command, f"-c={trained / 'config.yaml'}"])
    whole = tmp_path / "whole.yaml"
    whole.write_text(yaml.safe_dump({command: yaml.safe_load((trained / "config.yaml").read_text())}))
    assert "--ckpt_path" in error_of(capfd, [f"--config={whole}", command])


def test_a_checkpoint_named_in_a_config_is_refused(genre_root, tmp_path, capfd):
    config = tmp_path / "resume.yaml"
    config.write_text("ckpt_path: /nowhere.ckpt\n")
    args = fit_args("genre_cnn.yaml", genre_root, tmp_path, f"-c={config}")
    assert "/nowhere.ckpt" in error_of(capfd, args)


def test_settings_of_the_training_machine_and_its_limit_stay_behind(genre_root, tmp_path):
    main(fit_args("genre_cnn.yaml", genre_root, tmp_path, "--data.limit=30", f"--data.cache={tmp_path / 'cache'}"))
    larger = make_genre_folder(tmp_path / "larger", train=3, test=40)
    (tmp_path / "cache").rename(tmp_path / "gone")
    checkpoint = run_folder(tmp_path) / "checkpoints" / "best.ckpt"
    main(evaluate_args("predict", checkpoint, tmp_path, f"--data.root={larger}"))
    assert len(read_rows(run_folder(tmp_path, 1) / "predictions.csv")) == 40
    assert not (tmp_path / "cache").exists()


def test_labels_of_another_data_set_are_refused(trained, tmp_path, capfd):
    root = make_genre_folder(tmp_path / "other", train=9, test=3)
    for part in ("train", "test"):
        labels = root / f"{part}_labels.txt"
        labels.write_text(labels.read_text().replace("Blues", "Folk"))
    checkpoint = trained / "checkpoints" / "best.ckpt"
    error = error_of(capfd, evaluate_args("test", checkpoint, tmp_path, f"--data.root={root}"))
    assert "test_labels.txt" in error
    assert "Folk" in error


def test_a_resumed_run_refuses_other_genres(trained, tmp_path, capfd):
    root = make_genre_folder(tmp_path / "other")
    for part in ("train", "test"):
        labels = root / f"{part}_labels.txt"
        labels.write_text(labels.read_text().replace("Blues", "Soul"))
    args = fit_args("genre_cnn.yaml", root, tmp_path, f"--ckpt_path={trained / 'checkpoints' / 'last.ckpt'}")
    assert "target_names" in error_of(capfd, args)


def test_features_that_contradict_the_checkpoint_are_refused(trained, tmp_path, capfd):
    args = evaluate_args("test", trained / "checkpoints" / "best.ckpt", tmp_path, "--data.features=chroma")
    assert "128" in error_of(capfd, args)


def test_a_checkpoint_of_another_task_is_refused(trained, tmp_path, capfd):
    args = [*evaluate_args("test", trained / "checkpoints" / "best.ckpt", tmp_path), "--model=SpectrogramTask"]
    assert "checkpoint of ClassificationTask" in error_of(capfd, args)


def test_files_that_are_no_checkpoint_are_refused(tmp_path, capfd):
    text = tmp_path / "notes.ckpt"
    text.write_text("no checkpoint")
    foreign = tmp_path / "foreign.ckpt"
    torch.save({"state_dict": {}}, foreign)
    for path, reason in [(tmp_path / "none.ckpt", "no such"), (text, "not a checkpoint"), (foreign, "not of musiclab")]:
        error = error_of(capfd, evaluate_args("test", path, tmp_path))
        assert str(path) in error
        assert reason in error


def break_root(root: Path) -> None:
    root.rename(root.with_name("moved"))


def break_labels_missing(root: Path) -> None:
    (root / "train_labels.txt").unlink()


def break_labels_empty(root: Path) -> None:
    (root / "train_labels.txt").write_text("")


def break_labels_encoding(root: Path) -> None:
    (root / "train_labels.txt").write_bytes("Id\tGenre\n100\tÉlectronique\n".encode("latin-1"))


def break_duplicate(root: Path) -> None:
    with (root / "train_labels.txt").open("a") as stream:
        stream.write("100.fused.full.npy.gz\tBlues\n")


def break_escape(root: Path) -> None:
    with (root / "train_labels.txt").open("a") as stream:
        stream.write("../100.fused.full.npy.gz\tBlues\n")


def break_missing_file(root: Path) -> None:
    (root / "train" / "100.fused.full.npy").unlink()


def break_truncated(root: Path) -> None:
    path = root / "train" / "100.fused.full.npy"
    path.write_bytes(path.read_bytes()[:1000])


def break_pickled(root: Path) -> None:
    np.save(root / "train" / "100.fused.full.npy", np.array([{}], dtype=object), allow_pickle=True)


def break_nan(root: Path) -> None:
    np.save(root / "train" / "100.fused.full.npy", np.full((140, 9), np.nan))


def break_rows(root: Path) -> None:
    np.save(root / "train" / "100.fused.full.npy", np.zeros((100, 9)))


def break_frames(root: Path) -> None:
    np.save(root / "train" / "100.fused.full.npy", np.zeros((140, 0)))


@pytest.mark.parametrize(
    ("damage", "named", "said"),
    [
        (break_root, "", "no such folder"),
        (break_labels_missing, "train_labels.txt", "no such label file"),
        (break_labels_empty, "train_labels.txt", "empty"),
        (break_labels_encoding, "train_labels.txt", "UTF-8"),
        (break_duplicate, "train_labels.txt", "100"),
        (break_escape, "train_labels.txt", "inside the data set"),
        (break_missing_file, "train/100", "missing"),
        (break_truncated, "train/100.fused.full.npy", "truncated"),
        (break_pickled, "train/100.fused.full.npy", "pickled"),
        (break_nan, "train/100.fused.full.npy", "NaN"),
        (break_rows, "train/100.fused.full.npy", "100 rows"),
        (break_frames, "train/100.fused.full.npy", "no frames"),
    ],
)
def test_bad_data_is_one_line_that_names_the_file(damage, named, said, tmp_path, capfd):
    root = make_genre_folder(tmp_path / "data", train=30, test=6)
    damage(root)
    error = error_of(capfd, fit_args("genre_cnn.yaml", root, tmp_path))
    assert str(root / named) in error
    assert said in error


def test_chroma_of_mel_arrays_says_so(tmp_path, capfd):
    root = make_genre_folder(tmp_path / "data", train=30, test=6, rows=128)
    error = error_of(capfd, fit_args("genre_cnn.yaml", root, tmp_path, "--data.features=chroma"))
    assert "128" in error
    assert "no chroma" in error


def test_unknown_features_and_options_are_one_line(genre_root, tmp_path, capfd):
    args = fit_args("genre_cnn.yaml", genre_root, tmp_path)
    assert "melody" in error_of(capfd, [*args, "--data.features=melody"], code=2)
    assert "rot" in error_of(capfd, [*args, "--data.rot=1"], code=2)
    assert "config" in error_of(capfd, ["fit"])


def test_help_lists_all_commands(capsys):
    with pytest.raises(SystemExit) as exit_info:
        main(["--help"])
    assert exit_info.value.code == 0
    text = capsys.readouterr().out
    for command in ("fit", "validate", "test", "predict", "demo-data", "check", "latents", "activations", "combine"):
        assert f"  {command} " in text


def test_help_of_fit_imports_nothing_slow_but_what_lightning_does():
    # torchmetrics, which Lightning imports, brings matplotlib and an empty shell of librosa along.
    slow = "'sklearn', 'pandas', 'joblib', 'librosa.core', 'soundfile', 'numba', 'musiclab.report'"
    code = (
        "import atexit, sys; from musiclab.cli import main; "
        f"atexit.register(lambda: print('imported:', sorted({{{slow}}} & set(sys.modules)), file=sys.stderr)); "
        "main(['fit', '--help'])"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stderr.splitlines()[-1] == "imported: []"


@pytest.mark.parametrize("command", ["check", "study"])
def test_a_command_that_needs_no_torch(command, genre_root):
    args = {"check": [str(genre_root)], "study": ["search.yaml", "--show=true"]}[command]
    run = f"from musiclab.cli import main; main({[command, *args]!r})"
    code = f"import sys; {run}; print('torch' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.splitlines()[-1] == "False"


def test_configs_name_only_what_they_need():
    """A config of a genre runs on the demo corpus as it is: it names no path."""
    for name in [path.name for path in CONFIGS.glob("genre_*.yaml")]:
        assert "root" not in yaml.safe_load((CONFIGS / name).read_text())["data"]["init_args"]


def test_an_interruption_by_the_keyboard_is_no_traceback(monkeypatch, capfd):
    def interrupt(name, arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr("musiclab.cli.dispatch.run_command", interrupt)
    with pytest.raises(SystemExit) as exit_info:
        main(["check", "somewhere"])
    assert exit_info.value.code == 130
    assert capfd.readouterr().err == "musiclab: interrupted\n"
