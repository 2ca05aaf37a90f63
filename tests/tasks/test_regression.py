"""Whole-set scores and losses of regression tasks, their heads and their weightings."""

import csv
import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from pytorch_lightning import LightningDataModule
from pytorch_lightning.loggers import CSVLogger
from scipy.stats import spearmanr
from sklearn.metrics import mean_squared_error
from torch.utils.data import DataLoader

from musiclab import Trainer
from musiclab.augmentations import MaskFeatures
from musiclab.batch import Batch, TrainingData
from musiclab.errors import UserError
from musiclab.losses import FixedWeights, LearnedWeights, PublishedLoss, RegressionLoss
from musiclab.models import LSTM
from musiclab.tasks import MultitaskRegressionTask, RegressionTask

pytestmark = pytest.mark.filterwarnings("ignore")

AXES = ["valence", "energy", "danceability"]
tiny_lstm = partial(LSTM, hidden_size=4, num_layers=1, dropout=0.0)
TASKS = {
    "regression": RegressionTask,
    "multitask": partial(MultitaskRegressionTask, weighting=LearnedWeights, head_size=3),
}


def make_task(kind="regression", axes=AXES, **arguments):
    torch.manual_seed(3)
    return TASKS[kind](num_features=6, target_names=axes, backbone=tiny_lstm, **arguments)


def make_batches(tracks=23, size=5, axes=3, low=0.0, high=1.0):
    """The same tracks of random values and lengths for each size; the last batch is smaller."""
    rng = torch.Generator().manual_seed(0)
    lengths = torch.randint(2, 9, (tracks,), generator=rng)
    spectrograms = torch.randn(tracks, 9, 6, generator=rng)
    targets = low + (high - low) * torch.rand(tracks, axes, generator=rng)
    ids = [str(number) for number in range(tracks)]
    return [
        Batch(spectrograms[part], lengths[part], targets[part], ids[part])
        for part in (slice(start, start + size) for start in range(0, tracks, size))
    ]


class Data(LightningDataModule, TrainingData):
    """Batches as they are, with their targets known as those of a datamodule are."""

    def __init__(self, batches):
        super().__init__()
        self.batches = batches

    def feature_statistics(self):
        return torch.zeros(6), torch.ones(6)

    def track_frames(self):
        return 9

    def train_targets(self):
        return torch.cat([batch.targets for batch in self.batches])

    def train_dataloader(self):
        return DataLoader(self.batches, batch_size=None, collate_fn=lambda batch: batch)

    val_dataloader = test_dataloader = predict_dataloader = train_dataloader


def make_trainer(folder, **arguments):
    settings = {"logger": CSVLogger(folder), "accelerator": "cpu", "enable_checkpointing": False}
    settings |= {"enable_progress_bar": False, "enable_model_summary": False, "default_root_dir": folder}
    return Trainer(**settings | arguments)


@torch.no_grad()
def one_by_one(task, batches):
    """Predictions and targets ``(tracks, axes)``, each track computed alone."""
    task.eval()
    tracks = [
        (spectrogram[None, :length], length[None])
        for batch in batches
        for spectrogram, length in zip(batch.spectrograms, batch.lengths, strict=True)
    ]
    return torch.cat([task(*track) for track in tracks]), torch.cat([batch.targets for batch in batches])


@pytest.mark.parametrize("kind", TASKS)
@pytest.mark.parametrize("stage", ["test", "validate"])
def test_scores_are_scipys_of_the_whole_set_for_any_batch_size(kind, stage, tmp_path):
    task = make_task(kind, loss=RegressionLoss(mse=1.0, spearman=0.5))
    predictions, targets = one_by_one(task, make_batches())
    prefix = {"test": "test", "validate": "val"}[stage]
    losses = task.loss.eval()(predictions, targets)
    expected = {f"{prefix}_loss": float(task.total(losses))}
    for index, axis in enumerate(AXES):
        pair = predictions[:, index].numpy(), targets[:, index].numpy()
        expected[f"{prefix}_spearman_{axis}"] = spearmanr(*pair).statistic
        expected[f"{prefix}_mse_{axis}"] = mean_squared_error(*pair)
        expected[f"{prefix}_loss_{axis}"] = float(losses[index])
    for score in ("spearman", "mse"):
        expected[f"{prefix}_{score}"] = np.mean([expected[f"{prefix}_{score}_{axis}"] for axis in AXES])
    for size in (1, 7, 23):
        logged = getattr(make_trainer(tmp_path), stage)(task, datamodule=Data(make_batches(size=size)), verbose=False)
        assert logged[0] == pytest.approx(expected, abs=1e-5)


def test_a_test_leaves_its_files(tmp_path):
    task = make_task()
    trainer = make_trainer(tmp_path)
    trainer.test(task, datamodule=Data(make_batches()), verbose=False)
    folder = Path(trainer.log_dir)
    predictions, targets = one_by_one(task, make_batches())
    with (folder / "predictions.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [row["id"] for row in rows] == [str(number) for number in range(23)]
    for index, axis in enumerate(AXES):
        for kind, values in (("prediction", predictions), ("truth", targets)):
            written = [float(row[f"{kind}_{axis}"]) for row in rows]
            assert written == pytest.approx(values[:, index].tolist(), abs=1e-6)
    metrics = json.loads((folder / "test_metrics.json").read_text())
    assert metrics["test_spearman"] == pytest.approx(np.mean([metrics[f"test_spearman_{axis}"] for axis in AXES]))
    assert (folder / "scatter.png").stat().st_size > 10_000


@pytest.mark.parametrize("kind", TASKS)
@pytest.mark.parametrize(("low", "high"), [(0, 1), (1, 9), (-500, 500)])
def test_outputs_start_near_the_targets_whatever_their_range(kind, low, high, tmp_path):
    data = Data(make_batches(low=low, high=high))
    task = make_task(kind)
    make_trainer(tmp_path, max_steps=0, limit_val_batches=0).fit(task, datamodule=data)
    targets = data.train_targets()
    predictions, _ = one_by_one(task, data.batches)
    assert torch.allclose(task.target_mean, targets.mean(dim=0))
    assert ((predictions - targets.mean(dim=0)).abs() < 2 * targets.std(dim=0)).all()


def test_validation_is_in_evaluation_mode_and_without_augmentation(tmp_path):
    noisy = partial(LSTM, hidden_size=4, num_layers=1, dropout=0.9)
    task = RegressionTask(num_features=6, target_names=AXES, backbone=noisy, augmentations=[MaskFeatures(2, 1.0)])
    logged = make_trainer(tmp_path).validate(task.train(), datamodule=Data(make_batches()), verbose=False)[0]
    predictions, targets = one_by_one(task, make_batches())
    assert logged["val_mse"] == pytest.approx(float((predictions - targets).square().mean()), rel=1e-5)


def test_each_axis_logs_loss_weight_and_param(tmp_path):
    trainer = make_trainer(tmp_path, max_epochs=2)
    task = make_task("multitask")
    trainer.fit(task, datamodule=Data(make_batches()))
    logged = {name: float(value) for name, value in trainer.callback_metrics.items()}
    for index, axis in enumerate(AXES):
        param = float(task.weighting.params[index])
        assert logged[f"param_{axis}"] == pytest.approx(param)
        assert logged[f"weight_{axis}"] == pytest.approx(np.exp(-param))
        assert 0 < logged[f"train_loss_{axis}"] < 1
        assert 0 < logged[f"val_loss_{axis}"] < 1
        assert -1 <= logged[f"train_spearman_{axis}"] <= 1


def test_the_logged_training_loss_is_the_mean_over_tracks(tmp_path):
    task = make_task(optimizer=partial(torch.optim.SGD, lr=0.0))
    trainer = make_trainer(tmp_path, max_epochs=1, limit_val_batches=0)
    trainer.fit(task, datamodule=Data(make_batches()))
    predictions, targets = one_by_one(task, make_batches())
    squared = (predictions - targets).square().mean(dim=0)
    assert float(trainer.callback_metrics["train_loss"]) == pytest.approx(float(squared.sum()), rel=1e-4)
    assert float(trainer.callback_metrics["train_loss_energy"]) == pytest.approx(float(squared[1]), rel=1e-4)


def test_learned_weights_are_trained_but_not_decayed():
    task = make_task("multitask")
    first, second = task.parameter_groups()
    assert second["weight_decay"] == 0
    assert second["params"][0] is task.weighting.params
    assert len(first["params"]) == len(list(task.parameters())) - 1


def test_fixed_weights_weigh_the_losses_by_name():
    weights = {"energy": 2.0, "valence": 0.5, "danceability": 0.0}
    task = MultitaskRegressionTask(
        num_features=6, target_names=AXES, backbone=tiny_lstm, weighting=partial(FixedWeights, weights=weights)
    )
    assert float(task.total(torch.tensor([1.0, 10.0, 100.0]))) == pytest.approx(20.5)


def test_heads_are_independent_of_each_other():
    task = make_task("multitask")
    batch = make_batches()[0]
    task(batch.spectrograms, batch.lengths)[:, 1].sum().backward()
    used = [any(p.grad is not None and p.grad.any() for p in head.parameters()) for head in task.head.heads]
    assert used == [False, True, False]


@pytest.mark.parametrize(
    "loss", [RegressionLoss(), RegressionLoss(0.0, 1.0), RegressionLoss(1.0, 0.1), PublishedLoss()]
)
@pytest.mark.parametrize("kind", TASKS)
def test_every_loss_trains(kind, loss, tmp_path):
    task = make_task(kind, loss=loss, optimizer=partial(torch.optim.Adam, lr=0.03))
    trainer = make_trainer(tmp_path, max_epochs=30)
    trainer.fit(task, datamodule=Data(make_batches(tracks=16, size=8)))
    assert float(trainer.callback_metrics["val_spearman"]) > 0.6


def test_a_batch_of_one_track_and_constant_targets_do_not_break_a_run(tmp_path):
    batches = make_batches(tracks=11, size=5)
    batches[0] = batches[0]._replace(targets=torch.full((5, 3), 0.5))
    task = make_task(loss=RegressionLoss(mse=1.0, spearman=1.0))
    trainer = make_trainer(tmp_path, max_epochs=2)
    trainer.fit(task, datamodule=Data(batches))
    assert all(torch.isfinite(parameter).all() for parameter in task.parameters())
    assert np.isfinite(float(trainer.callback_metrics["train_loss"]))


def test_head_size_must_be_positive():
    with pytest.raises(UserError, match="head_size is 0"):
        MultitaskRegressionTask(num_features=6, target_names=AXES, backbone=tiny_lstm, head_size=0)
