"""The callbacks that ``fit`` brings along: changed, replaced, left out, and never there twice."""

import pytest
import yaml
from command_line import CONFIGS, error_of, fit_args, run_folder
from pytorch_lightning.callbacks import EarlyStopping, LearningRateMonitor, ModelCheckpoint, WeightAveraging

from musiclab.cli import main
from musiclab.cli.dispatch import run_training

KINDS = {
    "weight_averaging": WeightAveraging,
    "checkpoint": ModelCheckpoint,
    "last_checkpoint": ModelCheckpoint,
    "early_stopping": EarlyStopping,
    "lr_monitor": LearningRateMonitor,
}


@pytest.fixture
def trained(genre_root, emotion_root, tmp_path, monkeypatch):
    """The callbacks of a trainer as ``fit`` makes it; it does not train."""
    monkeypatch.setattr("musiclab.runs.trainer.Trainer.fit", lambda *_, **__: None)
    monkeypatch.setattr("musiclab.cli.training.TrainingCLI.after_fit", lambda _: None)

    def make(*more, config="genre_cnn.yaml"):
        root = genre_root if "genre" in config else emotion_root
        callbacks = run_training(fit_args(config, root, tmp_path, *more)).trainer.callbacks
        return [callback for callback in callbacks if isinstance(callback, tuple(KINDS.values()))]

    return make


def kinds(callbacks):
    return [next(kind for kind in KINDS.values() if isinstance(callback, kind)) for callback in callbacks]


def of_kind(callbacks, kind):
    return [callback for callback in callbacks if isinstance(callback, kind)]


@pytest.mark.parametrize(
    ("config", "monitor", "patience"),
    [
        ("genre_cnn.yaml", "val_accuracy", 30),
        ("genre_lstm.yaml", "val_accuracy", 15),
        ("emotion_cnn.yaml", "val_spearman", 20),
    ],
)
def test_they_monitor_what_the_task_is_judged_by(trained, config, monitor, patience):
    callbacks = trained(config=config)
    assert sorted(map(str, kinds(callbacks))) == sorted(map(str, KINDS.values()))
    (stopping,) = of_kind(callbacks, EarlyStopping)
    best, last = of_kind(callbacks, ModelCheckpoint)
    assert (stopping.monitor, stopping.mode, stopping.patience) == (monitor, "max", patience)
    assert (best.monitor, best.mode, best.filename) == (monitor, "max", "best")
    assert (last.monitor, last.filename) == (None, "last")


def test_one_can_be_changed(trained):
    callbacks = trained("--early_stopping.patience=7", "--checkpoint.monitor=val_loss", "--checkpoint.mode=min")
    assert of_kind(callbacks, EarlyStopping)[0].patience == 7
    assert of_kind(callbacks, EarlyStopping)[0].monitor == "val_accuracy"
    best = of_kind(callbacks, ModelCheckpoint)[0]
    assert (best.monitor, best.mode, best.filename) == ("val_loss", "min", "best")


@pytest.mark.parametrize("name", KINDS)
def test_each_can_be_null(trained, name):
    callbacks = trained(f"--{name}=null")
    expected = 1 if "checkpoint" in name else 0
    assert len(of_kind(callbacks, KINDS[name])) == expected
    assert len(callbacks) == 4


def test_averages_are_off_without_a_config_that_says_so(trained):
    assert of_kind(trained("--weight_averaging=null"), WeightAveraging) == []
    (averages,) = of_kind(trained("--weight_averaging=EMAWeights", "--weight_averaging.decay=0.5"), WeightAveraging)
    assert averages.decay == 0.5


def test_one_of_its_kind_replaces_it(trained):
    own = ["--trainer.callbacks+=EarlyStopping", "--trainer.callbacks.monitor=val_loss"]
    (stopping,) = of_kind(trained(*own), EarlyStopping)
    assert stopping.monitor == "val_loss"
    own = ["--trainer.callbacks+=ModelCheckpoint", "--trainer.callbacks.filename=mine"]
    assert [checkpoint.filename for checkpoint in of_kind(trained(*own), ModelCheckpoint)] == ["mine"]


def test_another_metric_needs_its_direction(trained, genre_root, tmp_path, capfd):
    for name in ("checkpoint", "early_stopping"):
        args = fit_args("genre_cnn.yaml", genre_root, tmp_path, f"--{name}.monitor=val_f1_macro")
        assert f"say which way is better: --{name}.mode" in error_of(capfd, args)
    best = of_kind(trained("--checkpoint.monitor=val_f1_macro", "--checkpoint.mode=max"), ModelCheckpoint)[0]
    assert (best.monitor, best.mode) == ("val_f1_macro", "max")


def test_a_training_without_validation_has_nothing_to_stop_it(genre_root, tmp_path, capsys):
    main(fit_args("genre_cnn.yaml", genre_root, tmp_path, "--trainer.limit_val_batches=0"))
    assert "Last checkpoint: " in capsys.readouterr().out
    assert [path.name for path in (run_folder(tmp_path) / "checkpoints").iterdir()] == ["last.ckpt"]


def test_two_runs_that_start_at_once_have_a_folder_each(genre_root, tmp_path, monkeypatch):
    """Between asking for the next number and taking it, another run takes it."""
    from pytorch_lightning.loggers import TensorBoardLogger

    numbers = iter([0, 0, 1])
    monkeypatch.setattr(TensorBoardLogger, "_get_next_version", lambda _: next(numbers))
    for version in (0, 1):
        main(fit_args("genre_cnn.yaml", genre_root, tmp_path))
        assert (run_folder(tmp_path, version) / "test_metrics.json").exists()


def test_what_has_no_use_is_left_out(trained):
    assert of_kind(trained("--trainer.enable_checkpointing=false"), ModelCheckpoint) == []
    assert of_kind(trained("--trainer.logger=false"), LearningRateMonitor) == []


def test_overfit_leaves_all_out(trained):
    assert trained(f"-c={CONFIGS / 'overfit.yaml'}") == []


def test_the_saved_config_trains_again_and_is_read_by_the_other_commands(genre_root, tmp_path):
    main(fit_args("genre_cnn.yaml", genre_root, tmp_path))
    run = run_folder(tmp_path)
    config = yaml.safe_load((run / "config.yaml").read_text())
    assert config["early_stopping"]["init_args"]["monitor"] == "val_accuracy"
    main(["fit", f"-c={run / 'config.yaml'}"])
    assert sorted(path.name for path in (run_folder(tmp_path, 1) / "checkpoints").iterdir()) == [
        "best.ckpt",
        "last.ckpt",
    ]
    checkpoint = f"--ckpt_path={run / 'checkpoints' / 'best.ckpt'}"
    for command in ("validate", "test", "predict"):
        main([command, f"-c={run / 'config.yaml'}", checkpoint])
    main(["test", f"-c={run_folder(tmp_path, 4) / 'config.yaml'}", checkpoint])  # of predict, with its solution


def test_print_config_shows_them(genre_root, tmp_path, capsys):
    with pytest.raises(SystemExit) as exit_info:
        main([*fit_args("genre_cnn.yaml", genre_root, tmp_path), "--print_config"])
    assert exit_info.value.code == 0
    config = yaml.safe_load(capsys.readouterr().out)
    assert config["checkpoint"]["init_args"]["monitor"] == "of the task"
    assert config["early_stopping"]["init_args"]["patience"] == 30
    assert config["weight_averaging"]["class_path"].endswith("EMAWeights")


def test_the_folder_of_a_training_that_fails_before_its_first_step_is_removed(genre_root, tmp_path, capfd):
    fail = ["--trainer.callbacks+=faults.FailAt", "--trainer.callbacks.batch=0"]
    with pytest.raises(ZeroDivisionError):
        main(fit_args("genre_cnn.yaml", genre_root, tmp_path, *fail))
    assert list((tmp_path / "lightning_logs").iterdir()) == []
    (run_folder(tmp_path) / "kept.txt").parent.mkdir(parents=True)
    (run_folder(tmp_path) / "kept.txt").touch()
    into = ["--trainer.logger=TensorBoardLogger", f"--trainer.logger.save_dir={tmp_path}", "--trainer.logger.version=0"]
    with pytest.raises(ZeroDivisionError):
        main(fit_args("genre_cnn.yaml", genre_root, tmp_path, *fail, *into))
    assert (run_folder(tmp_path) / "kept.txt").exists()
    fail[1] = "--trainer.callbacks.batch=1"
    with pytest.raises(ZeroDivisionError):
        main(fit_args("genre_cnn.yaml", genre_root, tmp_path, *fail))
    assert (run_folder(tmp_path, 1) / "config.yaml").exists()


def test_a_wrong_option_is_one_line(genre_root, tmp_path, capfd):
    error = error_of(capfd, fit_args("genre_cnn.yaml", genre_root, tmp_path, "--early_stopping.patient=3"), code=2)
    assert "patient" in error
