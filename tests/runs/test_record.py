"""The record of a run: what it says, when it is written, and what a resumed run makes of it."""

import json
import time
from types import SimpleNamespace

import pytest
import torch
from pytorch_lightning import Callback
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.loggers import CSVLogger

from musiclab import __version__
from musiclab.runs.averaging import EMAWeights
from musiclab.runs.record import RunRecord, describe_data
from runs.made_runs import GENRES, make_loader, make_task, make_trainer

pytestmark = pytest.mark.filterwarnings("ignore")


class Probe(Callback):
    """Keeps the record after each epoch, and may raise something in one."""

    def __init__(self, folder, error=None, epoch=1):
        self.folder, self.error, self.epoch, self.seen = folder, error, epoch, []

    def on_train_epoch_start(self, trainer, pl_module):
        self.seen.append(read_record(self.folder))
        if self.error is not None and trainer.current_epoch == self.epoch:
            raise self.error


def read_record(folder):
    return json.loads((folder / "lightning_logs" / "version_0" / "run.json").read_text())


def fit(folder, *callbacks, epochs=3, checkpoint=None, ckpt_path=None, **trainer):
    """Fit with a record and checkpoints of the highest loss, which is no end of the training."""
    best = checkpoint or ModelCheckpoint(folder, "best", monitor="val_loss", mode="max")
    last = ModelCheckpoint(folder, "last")
    callbacks = [RunRecord(), *callbacks, best, last]
    trainer = make_trainer(folder, max_epochs=epochs, enable_checkpointing=True, callbacks=callbacks, **trainer)
    trainer.fit(make_task(), make_loader(), make_loader(), ckpt_path=ckpt_path)
    return trainer


def test_a_finished_run(tmp_path):
    start = time.monotonic()
    probe = Probe(tmp_path)
    trainer = fit(tmp_path, probe)
    elapsed = time.monotonic() - start
    record = read_record(tmp_path)
    task = trainer.lightning_module
    parameters = sum(parameter.numel() for parameter in task.parameters())
    assert 0 < record.pop("seconds") < elapsed
    assert record == {
        "musiclab": __version__,
        "status": "finished",
        "task": "ClassificationTask",
        "backbone": "CNN",
        "features": "mel",
        "beat_synced": False,
        "target_names": GENRES,
        "parameters": parameters,
        "trainable_parameters": parameters,
        "data_root": None,
        "tracks": {},
        "processes": 1,
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
    assert trainer.checkpoint_callback.best_model_score.item() == record["best"]["value"]
    assert [seen["epochs"] for seen in probe.seen] == [2, 3]
    assert round(last["seconds"], 3) <= probe.seen[0]["seconds"] < record["seconds"]
    # A finished run that is resumed has nothing to do.
    fit(tmp_path, epochs=4, ckpt_path=tmp_path / "last.ckpt", logger=CSVLogger(tmp_path, version=0))
    again = read_record(tmp_path)
    assert (again["status"], again["epochs"], again["best"]) == ("finished", 4, record["best"])


@pytest.mark.parametrize("moment", [{"save_weights_only": True}, {"save_on_train_epoch_end": False}])
@pytest.mark.parametrize("mode", ["min", "max"])
def test_the_epoch_of_the_best_is_that_of_its_checkpoint(tmp_path, moment, mode):
    checkpoint = ModelCheckpoint(tmp_path, "best", monitor="val_loss", mode=mode, **moment)
    trainer = fit(tmp_path, EMAWeights(0.4), checkpoint=checkpoint, epochs=4)
    best = read_record(tmp_path)["best"]
    assert best["epoch"] == torch.load(tmp_path / "best.ckpt", weights_only=True)["epoch"] + 1
    assert best["value"] == trainer.checkpoint_callback.best_model_score.item()


def test_a_test_that_fails_after_the_training_leaves_the_record_alone(tmp_path):
    trainer = fit(tmp_path, epochs=1)
    record = read_record(tmp_path)
    with pytest.raises(TypeError):
        trainer.test(trainer.lightning_module, [None], verbose=False)
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
    record.on_exception(trainer, None, RuntimeError())  # the others may be gone, and would not answer
    assert trainer.asked == 1
    assert not list(tmp_path.iterdir())


def test_data_are_described_by_folder_and_tracks(tmp_path):
    data = SimpleNamespace(root=tmp_path, track_counts=lambda: {"train": 3, "validation": 1})
    expected = {"data_root": str(tmp_path), "tracks": {"train": 3, "validation": 1}}
    assert describe_data(data) == expected
    assert describe_data(object()) == {"data_root": None, "tracks": {}}
