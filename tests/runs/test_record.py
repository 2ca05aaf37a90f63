"""The record of a run: what it says, when it is written, and what a resumed run makes of it."""

import json
import time
from types import SimpleNamespace

import pytest
import torch
from command_line import error_of, fit_args, run_folder
from conftest import make_genre_folder
from pytorch_lightning import Callback
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.loggers import CSVLogger
from pytorch_lightning.trainer.states import TrainerFn
from torch.utils.data import DataLoader

from musiclab import __version__
from musiclab.cli import main
from musiclab.data.datamodules import GenreDataModule
from musiclab.runs.averaging import EMAWeights
from musiclab.runs.facts import describe_data
from musiclab.runs.record import RunRecord
from runs.made_runs import GENRES, make_loader, make_task, make_trainer

pytestmark = pytest.mark.filterwarnings("ignore")

BAD = DataLoader([None], batch_size=None, collate_fn=lambda batch: batch)


class Probe(Callback):
    """Keeps the record after each epoch, and may raise something in one."""

    def __init__(self, folder, error=None, epoch=1):
        self.folder, self.error, self.epoch, self.seen = folder, error, epoch, []

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        if batch_idx:
            return
        self.seen.append(read_record(self.folder))
        if self.error is not None and trainer.current_epoch == self.epoch:
            raise self.error


def read_record(folder):
    return json.loads((folder / "lightning_logs" / "version_0" / "run.json").read_text())


def fit(folder, *callbacks, epochs=3, checkpoint=None, ckpt_path=None, **trainer):
    """Fit with a record and checkpoints of the highest loss, which is no end of the training."""
    best = checkpoint or ModelCheckpoint(folder, "best", monitor="val_loss", mode="max")
    last = ModelCheckpoint(folder, "last")
    callbacks = [*callbacks, best, last]
    trainer = make_trainer(folder, max_epochs=epochs, enable_checkpointing=True, callbacks=callbacks, **trainer)
    trainer.fit(make_task(), make_loader(), make_loader(), ckpt_path=ckpt_path)
    return trainer


def test_a_finished_run(tmp_path, monkeypatch):
    monkeypatch.setenv("PL_GLOBAL_SEED", "7")
    start = time.monotonic()
    probe = Probe(tmp_path)
    trainer = fit(tmp_path, probe)
    elapsed = time.monotonic() - start
    record = read_record(tmp_path)
    task = trainer.lightning_module
    parameters = sum(parameter.numel() for parameter in task.parameters())
    assert 0 < record.pop("seconds") < elapsed
    history = record.pop("history")
    assert [row["epoch"] for row in history] == [1, 2, 3]
    assert {name for row in history for name in row} == {
        "epoch",
        *(f"{part}_{name}" for part in ("train", "val") for name in ("loss", "accuracy")),
        "val_f1_macro",
    }
    assert record["best"]["value"] == history[record["best"]["epoch"] - 1]["val_loss"]
    assert history[-1]["train_loss"] == trainer.logged_metrics["train_loss"].item()
    versions = record.pop("versions")
    assert versions["musiclab"] == __version__
    assert versions["torch"] == torch.__version__
    assert set(versions) == {"musiclab", "python", "torch", "lightning"}
    assert record == {
        "command": "fit",
        "command_line": None,
        "status": "finished",
        "kind": "classes",
        "task": "ClassificationTask",
        "backbone": "CNN",
        "features": "mel",
        "beat_synced": False,
        "target_names": GENRES,
        "parameters": parameters,
        "trainable_parameters": parameters,
        "data_root": None,
        "demo": False,
        "limit": None,
        "tracks": {},
        "checksums": {},
        "problems": [],
        "precision": "32-true",
        "threads": torch.get_num_threads(),
        "seed": 7,
        "device": "cpu",
        "processes": 1,
        "job": None,
        "epochs": 3,
        "best": {"monitor": "val_loss", "mode": "max", "value": trainer.checkpoint_callback.best_model_score.item()}
        | {"epoch": torch.load(tmp_path / "best.ckpt", weights_only=True)["epoch"] + 1},
    }
    assert [seen["status"] for seen in probe.seen] == ["running"] * 3
    assert [seen["epochs"] for seen in probe.seen] == [0, 1, 2]
    assert [seen["best"] and seen["best"]["epoch"] for seen in probe.seen] == [None, 1, 1]
    assert probe.seen[0]["seconds"] <= probe.seen[1]["seconds"] <= probe.seen[2]["seconds"]


@pytest.mark.parametrize("error", [RuntimeError("no memory"), KeyboardInterrupt()])
def test_an_interrupted_run(tmp_path, error):
    with pytest.raises((RuntimeError, SystemExit)):
        fit(tmp_path, Probe(tmp_path, error, epoch=2))
    record = read_record(tmp_path)
    assert (record["status"], record["reason"], record["epochs"]) == ("interrupted", type(error).__name__, 2)
    assert record["best"]["epoch"] == 1


def test_a_resumed_run_adds_up_seconds_and_keeps_the_best(tmp_path):
    with pytest.raises(RuntimeError):
        fit(tmp_path, Probe(tmp_path, RuntimeError(), epoch=2), epochs=4)
    interrupted = read_record(tmp_path)
    last = torch.load(tmp_path / "last.ckpt", weights_only=True)["run_record"]
    probe = Probe(tmp_path)
    trainer = fit(tmp_path, probe, epochs=4, ckpt_path=tmp_path / "last.ckpt", logger=CSVLogger(tmp_path, version=0))
    record = read_record(tmp_path)
    assert (record["status"], record["epochs"], "reason" in record) == ("finished", 4, False)
    assert record["best"] == interrupted["best"] == last["best"]
    assert last["history"] == interrupted["history"] == record["history"][:2]
    assert [row["epoch"] for row in record["history"]] == [1, 2, 3, 4]
    assert trainer.checkpoint_callback.best_model_score.item() == record["best"]["value"]
    assert [seen["epochs"] for seen in probe.seen] == [2, 3]
    assert round(last["seconds"], 3) <= probe.seen[0]["seconds"] < record["seconds"]
    # A finished run that is resumed has nothing to do.
    fit(tmp_path, epochs=4, ckpt_path=tmp_path / "last.ckpt", logger=CSVLogger(tmp_path, version=0))
    again = read_record(tmp_path)
    assert (again["status"], again["epochs"], again["best"]) == ("finished", 4, record["best"])
    assert again["history"] == record["history"]


@pytest.mark.parametrize("moment", [{"save_weights_only": True}, {"save_on_train_epoch_end": False}])
@pytest.mark.parametrize("mode", ["min", "max"])
def test_the_epoch_of_the_best_is_that_of_its_checkpoint(tmp_path, moment, mode):
    checkpoint = ModelCheckpoint(tmp_path, "best", monitor="val_loss", mode=mode, **moment)
    trainer = fit(tmp_path, EMAWeights(0.4), checkpoint=checkpoint, epochs=4)
    best = read_record(tmp_path)["best"]
    assert best["epoch"] == torch.load(tmp_path / "best.ckpt", weights_only=True)["epoch"] + 1
    assert best["value"] == trainer.checkpoint_callback.best_model_score.item()


@pytest.mark.parametrize("data", [[None], BAD])
def test_a_test_that_fails_after_the_training_leaves_the_record_alone(tmp_path, data):
    trainer = fit(tmp_path, epochs=1)
    record = read_record(tmp_path)
    with pytest.raises((TypeError, AttributeError)):
        trainer.test(trainer.lightning_module, data, verbose=False)
    assert read_record(tmp_path) == record


@pytest.mark.parametrize("trainer", [{"logger": False}, {"fast_dev_run": True}])
def test_without_a_run_folder_nothing_is_written(tmp_path, trainer):
    fit(tmp_path, epochs=1, **trainer)
    assert not list(tmp_path.rglob("run.json"))


def test_frozen_parameters_are_not_counted_as_trained(tmp_path):
    class Freeze(Callback):
        def setup(self, trainer, pl_module, stage):
            pl_module.backbone.requires_grad_(False)

    trainer = fit(tmp_path, Freeze(), epochs=1)
    record = read_record(tmp_path)
    assert record["trainable_parameters"] == sum(p.numel() for p in trainer.lightning_module.head.parameters())
    assert record["trainable_parameters"] < record["parameters"]


def test_other_processes_ask_for_the_folder_and_write_nothing(tmp_path):
    class OtherProcess(SimpleNamespace):
        asked = 0

        @property
        def log_dir(self):
            self.asked += 1  # Lightning broadcasts it: all processes wait for each other
            return str(tmp_path)

    progress = SimpleNamespace(current=SimpleNamespace(processed=1))
    trainer = OtherProcess(
        is_global_zero=False,
        state=SimpleNamespace(fn=TrainerFn.FITTING),
        logged_metrics={},
        fast_dev_run=False,
        loggers=[object()],
        checkpoint_callback=None,
        current_epoch=0,
        fit_loop=SimpleNamespace(epoch_progress=progress),
    )
    record = RunRecord()
    record.on_fit_start(trainer, None)
    assert trainer.asked == 1
    record.on_train_epoch_end(trainer, None)
    record.on_train_epoch_start(trainer, None)
    record.on_exception(trainer, None, RuntimeError())  # the others may be gone, and would not answer
    assert trainer.asked == 1
    assert not list(tmp_path.iterdir())


def test_a_checkpoint_that_is_saved_after_the_training_knows_all_of_it(tmp_path):
    trainer = fit(tmp_path, epochs=2)
    trainer.save_checkpoint(tmp_path / "after.ckpt")
    saved, record = torch.load(tmp_path / "after.ckpt", weights_only=True)["run_record"], read_record(tmp_path)
    assert saved == {name: record[name] for name in ("epochs", "seconds", "best", "history", "command_line")}


@pytest.mark.parametrize("moment", [{}, {"save_on_train_epoch_end": False}])
def test_a_resumed_run_has_the_history_of_one_that_was_not_interrupted(tmp_path, moment):
    def checkpoint(folder):
        return ModelCheckpoint(folder, "best", monitor="val_loss", mode="max", **moment)

    fit(tmp_path / "whole", checkpoint=checkpoint(tmp_path / "whole"), epochs=4)
    probe = Probe(tmp_path / "cut", RuntimeError(), epoch=2)
    with pytest.raises(RuntimeError):
        fit(tmp_path / "cut", probe, checkpoint=checkpoint(tmp_path / "cut"), epochs=4)
    again = {"ckpt_path": tmp_path / "cut" / "last.ckpt", "logger": CSVLogger(tmp_path / "cut", version=0)}
    fit(tmp_path / "cut", checkpoint=checkpoint(tmp_path / "cut"), epochs=4, **again)
    whole, resumed = (read_record(tmp_path / name)["history"] for name in ("whole", "cut"))
    assert [row["epoch"] for row in resumed] == [1, 2, 3, 4]
    assert [list(row) for row in resumed] == [list(row) for row in whole]
    assert resumed[:2] == whole[:2]


def test_an_epoch_without_validation_repeats_no_earlier_one(tmp_path):
    fit(tmp_path, epochs=4, check_val_every_n_epoch=2)
    assert ["val_loss" in row for row in read_record(tmp_path)["history"]] == [False, True, False, True]


def test_what_is_no_number_is_valid_json(tmp_path):
    class Odd(Callback):
        def on_train_epoch_end(self, trainer, pl_module):
            self.log_dict({"param_a": float("nan"), "param_b": float("-inf"), "weight_a": 1.5, "other": 1.0})

    fit(tmp_path, Odd(), epochs=1)
    text = (tmp_path / "lightning_logs" / "version_0" / "run.json").read_text()
    (row,) = json.loads(text, parse_constant=pytest.fail)["history"]
    assert (row["param_a"], row["param_b"], row["weight_a"], "other" in row) == ("nan", "-inf", 1.5, False)


def test_a_resumed_run_keeps_the_command_line_it_was_started_with(tmp_path):
    checkpoint = ModelCheckpoint(tmp_path, "only")
    settings = {"enable_checkpointing": True, "logger": CSVLogger(tmp_path, version=0)}
    for epochs, line in ((1, ["musiclab", "fit"]), (2, ["musiclab", "fit", "--ckpt_path", "x"])):
        trainer = make_trainer(tmp_path, max_epochs=epochs, callbacks=[checkpoint], **settings)
        trainer.run_record.command_line = line
        trainer.fit(make_task(), make_loader(), ckpt_path=None if epochs == 1 else tmp_path / "only.ckpt")
    assert read_record(tmp_path)["command_line"] == ["musiclab", "fit"]


@pytest.mark.parametrize("command", ["validate", "test", "predict"])
def test_other_commands_leave_a_record_of_their_own(tmp_path, command):
    fit(tmp_path / "fit", epochs=1)
    path = tmp_path / "fit" / "last.ckpt"
    trainer = make_trainer(tmp_path, limit_test_batches=2)
    trainer.run_record.command_line = ["musiclab", command]
    task = make_task()
    started = []
    task.on_predict_start = task.on_test_start = task.on_validation_start = lambda: started.append(
        read_record(tmp_path)["status"]
    )
    more = {} if command == "predict" else {"verbose": False}
    getattr(trainer, command)(task, make_loader(), ckpt_path=path, **more)
    record = read_record(tmp_path)
    assert started == ["running"]
    assert (record["command"], record["status"]) == (command, "finished")
    assert (record["command_line"], record["kind"]) == (["musiclab", command], "classes")
    given = record[command]
    assert given["checkpoint"] == str(path)
    assert given["tracks"] == (8 if command == "test" else 11)
    assert 0 < given["seconds"] < 60
    assert given["metrics"] == {name: value.item() for name, value in trainer.callback_metrics.items()}
    assert bool(given["metrics"]) == (command != "predict")
    assert "history" not in record


def test_a_test_that_fails_is_interrupted(tmp_path):
    trainer = make_trainer(tmp_path)
    with pytest.raises((TypeError, AttributeError)) as error:
        trainer.test(make_task(), BAD, verbose=False)
    record = read_record(tmp_path)
    assert (record["command"], record["status"], record["reason"]) == ("test", "interrupted", error.type.__name__)


def test_a_test_after_the_training_adds_to_its_record(tmp_path):
    trainer = fit(tmp_path, epochs=1)
    record = read_record(tmp_path)
    best = trainer.checkpoint_callback.best_model_path
    trainer.test(trainer.lightning_module, make_loader(), ckpt_path=best, verbose=False)
    tested = read_record(tmp_path)
    assert (tested["test"]["checkpoint"], tested["test"]["tracks"]) == (best, 11)
    trainer.validate(trainer.lightning_module, make_loader(tracks=5), verbose=False)
    validated = read_record(tmp_path)
    assert (validated["validate"]["checkpoint"], validated["validate"]["tracks"]) == (None, 5)
    assert validated.pop("validate")
    assert validated == tested
    assert {name: value for name, value in tested.items() if name != "test"} == record


def test_data_are_described_by_folder_and_tracks(tmp_path):
    root = make_genre_folder(tmp_path / "genres")
    data = GenreDataModule(root=root, limit=6, val_fraction=0.5, cache=tmp_path / "cache")
    data.setup("fit")
    counts = {"train": 3, "validation": 3, "test": 6}
    expected = {"data_root": str(root), "demo": False, "limit": 6, "tracks": counts, "checksums": data.checksums()}
    assert describe_data(data) == expected
    for limits, limit in [
        ({"limit": 6, "train_limit": 2}, 2),
        ({"limit": 6, "train_limit": 100}, 6),
        ({"train_limit": 2}, 2),
        ({"train_limit": 100}, None),  # nothing is left out
    ]:
        limited = GenreDataModule(root=root, val_fraction=0.5, cache=tmp_path / "cache", **limits)
        limited.setup("fit")
        assert describe_data(limited)["limit"] == limit
    nothing = {"data_root": None, "demo": False, "limit": None, "tracks": {}, "checksums": {}}
    assert describe_data(object()) == nothing
    (tmp_path / "corpus.json").write_text("{}")
    assert describe_data(data) == expected | {"demo": True}


def test_a_resumption_that_is_refused_leaves_the_record_as_it_was(genre_root, tmp_path, capfd):
    main(fit_args("genre_cnn.yaml", genre_root, tmp_path))
    run = run_folder(tmp_path)
    before = (run / "run.json").read_text()
    resume = ["fit", f"-c={run / 'config.yaml'}", f"--ckpt_path={run / 'checkpoints' / 'last.ckpt'}"]
    assert "learning-rate schedule" in error_of(capfd, [*resume, "--trainer.max_epochs=3"])
    assert (run / "run.json").read_text() == before
