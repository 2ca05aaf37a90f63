"""What the writers of results share: rows of all batches, one writer, the best validation."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from pytorch_lightning.trainer.states import TrainerFn

from musiclab.runs.results import ResultWriter, TaskResults, gather_rows, is_best
from runs.made_runs import run_stage

ROWS = (["10", "a", "9"], torch.tensor([[0.0], [1.0], [2.0]]), torch.tensor([[0.5], [0.25], [0.125]]))
STAGES = pytest.mark.parametrize("stage", ["test", "predict"])


class Recorder(ResultWriter):
    """Keeps what it is given to write."""

    def __init__(self):
        super().__init__()
        self.written = []

    def write_test(self, folder, rows, metrics, trainer):
        self.written.append((folder, rows, metrics))

    def write_predictions(self, folder, rows, trainer):
        self.written.append((folder, rows, None))


@STAGES
def test_rows_of_all_batches_are_written_once_in_the_order_of_ids(stage, tmp_path):
    recorder = Recorder()
    metrics = {"test_loss": torch.tensor(0.5), "val_loss": torch.tensor(9.0)}
    for _ in range(2):  # a second run starts afresh
        run_stage(recorder, stage, tmp_path, ROWS, callback_metrics=metrics)
    assert len(recorder.written) == 2
    for folder, rows, written in recorder.written:
        assert folder == Path(tmp_path)
        assert rows.ids == ["9", "10", "a"]
        np.testing.assert_array_equal(rows.targets, [[2.0], [0.0], [1.0]])
        np.testing.assert_array_equal(rows.predictions, [[0.125], [0.5], [0.25]])
        assert written == ({"test_loss": 0.5} if stage == "test" else None)


@STAGES
def test_several_rows_of_a_track_become_their_mean(stage, tmp_path):
    recorder = Recorder()
    predictions = torch.tensor([[0.5, 1.0], [0.25, 0.0], [0.75, 2.0], [1.0, 6.0]])
    run_stage(recorder, stage, tmp_path, (["b", "2", "b", "b"], torch.full((4,), -1), predictions))
    ((_, rows, _),) = recorder.written
    assert rows.ids == ["2", "b"]
    np.testing.assert_array_equal(rows.targets, [-1, -1])
    np.testing.assert_array_equal(rows.predictions, [[0.25, 0.0], [0.75, 3.0]])


@STAGES
@pytest.mark.parametrize("trainer", [{"is_global_zero": False}, {"log_dir": None}])
def test_other_processes_and_runs_without_a_folder_write_nothing(stage, trainer, tmp_path):
    recorder = Recorder()
    run_stage(recorder, stage, tmp_path, ROWS, **trainer)
    assert recorder.written == []


@STAGES
def test_every_process_asks_for_the_folder(stage):
    class OtherProcess(SimpleNamespace):
        asked = False

        @property
        def log_dir(self):
            self.asked = True  # Lightning broadcasts it: all processes wait for each other

    trainer = OtherProcess(is_global_zero=False, callback_metrics={}, loggers=[])
    recorder = Recorder()
    recorder._outputs = [dict(zip(("ids", "targets", "predictions"), ROWS, strict=True))]
    getattr(recorder, f"on_{stage}_end")(trainer, None)
    assert trainer.asked


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_predictions_are_gathered_in_double_precision_and_targets_as_they_are(dtype):
    predictions = torch.tensor([[0.5], [0.25]], dtype=dtype)
    rows = gather_rows([{"ids": ["2", "1"], "targets": torch.tensor([5, 6]), "predictions": predictions}])
    assert (rows.targets.dtype, rows.predictions.dtype) == (np.int64, np.float64)
    assert rows.targets.tolist() == [6, 5]
    assert rows.predictions.tolist() == [[0.25], [0.5]]


def training(metrics, step, mode="max"):
    """A trainer that has validated; its first ModelCheckpoint watches ``val_score``."""
    checkpoints = SimpleNamespace(monitor="val_score", mode=mode, best_model_score=torch.tensor(0.5))
    return {
        "state": SimpleNamespace(fn=TrainerFn.FITTING),
        "sanity_checking": False,
        "callback_metrics": metrics,
        "checkpoint_callback": checkpoints,
        "global_step": step,
    }


def test_the_validation_of_the_best_epoch_is_kept(tmp_path):
    recorder = TaskResults()
    for step, score in enumerate([0.4, 0.6, 0.5, float("nan")]):
        rows = (ROWS[0], ROWS[1], ROWS[2] + step)
        run_stage(recorder, "validation", tmp_path, rows, **training({"val_score": torch.tensor(score)}, step))
    kept, step = recorder._best
    assert step == 1
    np.testing.assert_array_equal(kept.predictions, [[1.125], [1.5], [1.25]])


@pytest.mark.parametrize(
    ("score", "mode", "better"), [(0.6, "max", True), (0.5, "max", False), (0.4, "min", True), (0.6, "min", False)]
)
def test_better_is_higher_or_lower_as_the_checkpoint_has_it(score, mode, better):
    assert is_best(SimpleNamespace(**training({"val_score": torch.tensor(score)}, 0, mode))) is better


def test_without_a_monitor_the_last_epoch_counts():
    trainer = training({}, 0)
    trainer["checkpoint_callback"] = None
    assert is_best(SimpleNamespace(**trainer))


@pytest.mark.parametrize("change", [{"sanity_checking": True}, {"state": SimpleNamespace(fn=TrainerFn.VALIDATING)}])
def test_validations_outside_of_training_are_not_kept(change, tmp_path):
    recorder = TaskResults()
    run_stage(recorder, "validation", tmp_path, ROWS, **training({}, 0) | change)
    assert recorder._best is None
