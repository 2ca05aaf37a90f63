"""What the writers of results share: rows of all batches, one writer, what TensorBoard shows."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from pytorch_lightning.loggers import TensorBoardLogger
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from callbacks.runs import run_stage
from musiclab.callbacks import ResultWriter, gather_rows
from musiclab.callbacks.results import overlay_curves, show_figure

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


def test_tensorboard_lays_curves_over_each_other_and_shows_figures(tmp_path):
    logger = TensorBoardLogger(tmp_path)
    trainer = SimpleNamespace(loggers=[logger], global_step=7)
    overlay_curves(trainer, ["loss", "spearman_energy"])
    figure = Figure()
    figure.add_subplot()
    show_figure(trainer, "test_scatter", figure)
    logger.experiment.flush()
    events = EventAccumulator(logger.log_dir).Reload()
    layout = events.Tensors("custom_scalars__config__")[0].tensor_proto.string_val[0]
    for name in ("^train_loss$", "^val_loss$", "^train_spearman_energy$", "^val_spearman_energy$"):
        assert name.encode() in layout
    assert [image.step for image in events.Images("test_scatter")] == [7]
