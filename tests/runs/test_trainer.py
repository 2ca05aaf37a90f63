"""Lightning's Trainer with what every run leaves, as one makes it in Python."""

import errno
import json
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import GENRES
from filelock import FileLock
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.demos.boring_classes import BoringModel
from pytorch_lightning.loggers import TensorBoardLogger
from pytorch_lightning.loggers.logger import DummyLogger
from tasks.genre_task import tiny_cnn

import musiclab
from musiclab.data.datamodules import GenreDataModule
from musiclab.errors import UserError
from musiclab.tasks import ClassificationTask, SpectrogramTask

QUIET = {"accelerator": "cpu", "enable_progress_bar": False, "enable_model_summary": False}


def test_a_training_in_python_leaves_what_one_of_the_command_line_does(genre_root, tmp_path):
    data = GenreDataModule(root=genre_root, batch_size=8)
    task = ClassificationTask(num_features=128, target_names=GENRES, backbone=tiny_cnn)
    best = ModelCheckpoint(filename="best", monitor=task.monitor, mode=task.monitor_mode)
    trainer = musiclab.Trainer(default_root_dir=tmp_path, max_epochs=1, callbacks=[best, None], **QUIET)
    trainer.fit(task, datamodule=data)
    trainer.test(task, datamodule=data, verbose=False)
    folder = tmp_path / "lightning_logs" / "version_0"
    names = {path.name for path in folder.iterdir()}
    assert {"run.json", "test_metrics.json", "predictions.csv", "confusion_matrix.png", "checkpoints"} <= names
    record = json.loads((folder / "run.json").read_text())
    assert (record["status"], record["command"], record["command_line"]) == ("finished", "fit", None)
    assert record["test"]["tracks"] == 9


def test_the_logger_is_tensorboards_below_an_absolute_root(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    trainer = musiclab.Trainer(**QUIET)
    assert isinstance(trainer.logger, TensorBoardLogger)
    assert trainer.logger.save_dir == str(tmp_path)
    assert musiclab.Trainer(logger=False, **QUIET).logger is None


def test_synchronised_batch_norms_are_refused():
    with pytest.raises(UserError, match="count padding as music"):
        musiclab.Trainer(sync_batchnorm=True, **QUIET)


@pytest.mark.parametrize(
    ("in_hardware", "precision", "told"),
    [(False, "bf16-mixed", True), (False, "32-true", False), (True, "bf16-mixed", False)],
)
def test_half_precision_in_software_is_told_of(in_hardware, precision, told, monkeypatch, caplog):
    """Before, a study took two to nine times as long on such a processor, without a word."""
    monkeypatch.setattr("musiclab.runs.trainer.has_half_precision", lambda: in_hardware)
    with caplog.at_level("INFO"):
        musiclab.Trainer(precision=precision, **QUIET)
    assert ("bf16-mixed takes longer than --trainer.precision 32-true" in caplog.text) == told


@pytest.mark.parametrize("output", [None, {"loss": 1.0}, {"ids": ["1"]}])
def test_a_module_of_another_kind_is_trained_without_result_files(output, tmp_path):
    class Other(BoringModel):
        def test_step(self, batch, batch_idx):
            return output

        predict_step = validation_step = test_step

    trainer = musiclab.Trainer(default_root_dir=tmp_path, max_epochs=1, **QUIET)
    trainer.fit(Other())
    trainer.test(Other(), verbose=False)
    trainer.predict(Other())
    assert (tmp_path / "lightning_logs" / "version_0" / "run.json").exists()
    assert not list(tmp_path.rglob("predictions.csv"))


def test_a_task_that_does_not_say_what_its_outputs_are_is_trained_without_result_files(genre_root, tmp_path):
    class Bare(SpectrogramTask):
        def training_step(self, batch, batch_idx):
            return self(batch.spectrograms, batch.lengths).square().mean()

        def test_step(self, batch, batch_idx):
            self.log("test_loss", self.training_step(batch, 0), batch_size=len(batch.ids))

        validation_step = test_step

    data = GenreDataModule(root=genre_root, batch_size=8)
    trainer = musiclab.Trainer(default_root_dir=tmp_path, max_epochs=1, **QUIET)
    task = Bare(num_features=128, target_names=GENRES, backbone=tiny_cnn)
    trainer.fit(task, datamodule=data)
    trainer.test(task, datamodule=data, verbose=False)
    assert "checkpoints" in {path.name for path in (tmp_path / "lightning_logs" / "version_0").iterdir()}


def test_importing_the_package_is_light():
    code = "import sys, musiclab; sys.exit(bool({'torch', 'numpy', 'pytorch_lightning'} & set(sys.modules)))"
    subprocess.run([sys.executable, "-c", code], check=True)
    with pytest.raises(AttributeError, match="no attribute 'trainer_of_mine'"):
        musiclab.trainer_of_mine  # noqa: B018


class Elsewhere(DummyLogger):
    """A logger whose folder is the root that runs share, as that of Weights & Biases."""

    def __init__(self, root):
        super().__init__()
        self.root = root

    @property
    def save_dir(self):
        return str(self.root)


def test_only_folders_of_single_runs_are_kept_from_others(tmp_path):
    with FileLock(tmp_path / ".lock"):
        trainer = musiclab.Trainer(logger=Elsewhere(tmp_path), max_steps=1, enable_checkpointing=False, **QUIET)
        trainer.fit(BoringModel())
    trainer = musiclab.Trainer(default_root_dir=tmp_path, max_steps=1, **QUIET)
    with FileLock(Path(trainer.log_dir).joinpath(".lock")), pytest.raises(UserError, match="another process trains"):
        trainer.fit(BoringModel())


@pytest.mark.parametrize("error", [OSError(errno.ENOLCK, "No locks available"), NotImplementedError()])
def test_where_there_are_no_locks_nobody_is_kept_out(error, tmp_path, monkeypatch):
    def acquire(*_, **__):
        raise error

    monkeypatch.setattr(FileLock, "acquire", acquire)
    trainer = musiclab.Trainer(default_root_dir=tmp_path, max_steps=1, **QUIET)
    trainer.fit(BoringModel())
    assert trainer.global_step == 1
