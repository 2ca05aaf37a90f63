"""Whole-set metrics and losses against scikit-learn and hand computation; what travels in a checkpoint."""

import csv
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from pytorch_lightning.cli import ReduceLROnPlateau
from sklearn.metrics import accuracy_score, f1_score, precision_score, recall_score
from sklearn.utils.class_weight import compute_class_weight
from torch import nn

from musiclab.augmentations import MaskTime, Mixup
from musiclab.data.datamodules import GenreDataModule
from musiclab.errors import UserError
from musiclab.tasks import ClassificationTask
from tasks.genre_task import GENRES, loader, make_batches, make_task, make_trainer, tiny_cnn, tiny_lstm

pytestmark = pytest.mark.filterwarnings("ignore")

SCORES = {"precision": precision_score, "recall": recall_score, "f1": f1_score}


@torch.no_grad()
def one_by_one(task, batches):
    """Log-probabilities ``(tracks, genres)`` and classes, each track computed alone."""
    training = task.training
    task.eval()
    tracks = [
        (spectrogram[None, :length], length[None])
        for batch in batches
        for spectrogram, length in zip(batch.spectrograms, batch.lengths, strict=True)
    ]
    logits = torch.cat([task(*track) for track in tracks]).double()
    task.train(training)
    return logits.log_softmax(dim=1).numpy(), torch.cat([batch.targets for batch in batches]).numpy()


@pytest.fixture(scope="module", params=["all-genres", "one-genre-absent"])
def tested(request, tmp_path_factory):
    """Logged metrics, rows of predictions.csv and the mean loss over tracks."""
    absent = request.param == "one-genre-absent"
    task = make_task()
    if absent:
        task.head.bias.data[3] = -1000
    batches = make_batches(classes=3 if absent else 4)
    trainer = make_trainer(tmp_path_factory.mktemp("test"))
    metrics = trainer.test(task, loader(batches), verbose=False)[0]
    log_probabilities, targets = one_by_one(task, batches)
    loss = -log_probabilities[np.arange(len(targets)), targets].mean()
    with (Path(trainer.log_dir) / "predictions.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    truth, prediction = ([row[name] for row in rows] for name in ("truth", "prediction"))
    assert ("Rock" not in truth + prediction) == absent
    assert len(set(prediction)) >= 3
    return metrics, truth, prediction, loss


class TestWholeSetMetrics:
    def test_names(self, tested):
        kinds = ["macro", "micro", *GENRES]
        expected = {f"test_{score}_{kind}" for score in SCORES for kind in kinds}
        assert set(tested[0]) == expected | {"test_loss", "test_accuracy"}

    def test_accuracy(self, tested):
        metrics, truth, prediction, _ = tested
        assert metrics["test_accuracy"] == pytest.approx(accuracy_score(truth, prediction))

    def test_loss_is_the_mean_over_tracks(self, tested):
        assert tested[0]["test_loss"] == pytest.approx(tested[3], rel=1e-5)

    @pytest.mark.parametrize("score", SCORES)
    @pytest.mark.parametrize("average", ["macro", "micro"])
    def test_averages(self, tested, score, average):
        metrics, truth, prediction, _ = tested
        expected = SCORES[score](truth, prediction, average=average, zero_division=0)
        assert metrics[f"test_{score}_{average}"] == pytest.approx(expected)

    @pytest.mark.parametrize("score", SCORES)
    def test_each_genre(self, tested, score):
        metrics, truth, prediction, _ = tested
        expected = SCORES[score](truth, prediction, labels=GENRES, average=None, zero_division=0)
        assert [metrics[f"test_{score}_{genre}"] for genre in GENRES] == pytest.approx(expected)

    @pytest.mark.parametrize("weights", [None, [0.1, 1.0, 2.0, 5.0]])
    @pytest.mark.parametrize("stage", ["test", "validate"])
    def test_batches_do_not_matter(self, tmp_path, stage, weights):
        task = make_task(class_weights=weights)
        results = [
            getattr(make_trainer(tmp_path), stage)(task, loader(make_batches(size=size)), verbose=False)[0]
            for size in (1, 5, 23)
        ]
        assert results[0] == pytest.approx(results[1], rel=1e-5)
        assert results[0] == pytest.approx(results[2], rel=1e-5)

    def test_validation(self, tmp_path):
        task, batches = make_task(), make_batches(4)
        log_probabilities, targets = one_by_one(task, batches)
        predicted = log_probabilities.argmax(axis=1)
        trainer = make_trainer(tmp_path)
        for _ in range(2):  # nothing is left over from the first time
            metrics = trainer.validate(task, loader(batches), verbose=False)[0]
            assert metrics["val_loss"] == pytest.approx(-log_probabilities[range(23), targets].mean(), rel=1e-5)
            assert metrics["val_accuracy"] == pytest.approx(accuracy_score(targets, predicted))
            assert metrics["val_f1_macro"] == pytest.approx(f1_score(targets, predicted, average="macro"))


class TestLoss:
    logits = torch.tensor([[2.0, 0.5, -1.0], [0.1, 0.2, 0.3]])
    targets = torch.tensor([0, 2])

    def expected(self, smoothing=0.0, weights=(1.0, 1.0, 1.0)):
        """Mean over tracks of the cross-entropy of shares, each genre's term weighted."""
        shares = np.eye(3)[self.targets] * (1 - smoothing) + smoothing / 3
        exponentials = np.exp(self.logits.double().numpy())
        log_probabilities = np.log(exponentials / exponentials.sum(axis=1, keepdims=True))
        return -(np.array(weights) * shares * log_probabilities).sum(axis=1).mean()

    @pytest.mark.parametrize("smoothing", [0.0, 0.1])
    @pytest.mark.parametrize("weights", [None, [0.5, 1.0, 3.0]])
    @pytest.mark.parametrize("shares", [False, True])
    def test_smoothing_and_weights(self, smoothing, weights, shares):
        task = make_task(names=["a", "b", "c"], label_smoothing=smoothing, class_weights=weights)
        targets = torch.eye(3)[self.targets] if shares else self.targets
        loss = task.loss(self.logits, targets).item()
        assert loss == pytest.approx(self.expected(smoothing, weights or (1.0, 1.0, 1.0)))

    def test_number_of_weights(self):
        with pytest.raises(UserError, match="2 values for 4 genres"):
            make_task(class_weights=[1.0, 2.0])


class TestEvaluation:
    @pytest.mark.parametrize("stage", ["test", "validate"])
    def test_neither_dropout_nor_changes_of_the_state(self, tmp_path, stage):
        task, batches = make_task(backbone=tiny_cnn), make_batches()
        before = {name: value.clone() for name, value in task.state_dict().items()}
        log_probabilities, targets = one_by_one(task, batches)
        metrics = getattr(make_trainer(tmp_path), stage)(task, loader(batches), verbose=False)[0]
        loss = metrics["test_loss" if stage == "test" else "val_loss"]
        assert loss == pytest.approx(-log_probabilities[range(23), targets].mean(), rel=1e-5)
        torch.testing.assert_close(task.state_dict(), before, atol=0, rtol=0)

    def test_validation_while_fitting(self, tmp_path):
        task, batches = make_task(backbone=tiny_cnn), make_batches()
        trainer = make_trainer(tmp_path, max_epochs=2)
        trainer.fit(task, loader(batches), loader(batches))
        log_probabilities, targets = one_by_one(task, batches)
        loss = trainer.callback_metrics["val_loss"]
        assert loss == pytest.approx(-log_probabilities[range(23), targets].mean(), rel=1e-5)
        f1 = f1_score(targets, log_probabilities.argmax(axis=1), average="macro")
        assert trainer.callback_metrics["val_f1_macro"] == pytest.approx(f1)
        assert task.training

    def test_training_loss_is_the_mean_over_tracks(self, tmp_path):
        still = partial(torch.optim.SGD, lr=0.0)
        task = make_task(backbone=partial(tiny_lstm, dropout=0.0), optimizer=still, label_smoothing=0.1)
        trainer = make_trainer(tmp_path, max_epochs=1)
        trainer.fit(task, loader(make_batches(size=5)), loader(make_batches(size=23)))
        assert trainer.callback_metrics["train_loss"] == pytest.approx(
            trainer.callback_metrics["val_loss"].item(), rel=1e-5
        )
        assert trainer.callback_metrics["train_accuracy"] == trainer.callback_metrics["val_accuracy"]


def fit_genres(root, folder, data=None, **arguments):
    """Fit for one epoch on the genre fixture."""
    datamodule = GenreDataModule(root=root, val_fraction=0.25, batch_size=8, **data or {})
    task = make_task(datamodule.num_features, datamodule.target_names, sharpness=1, **arguments)
    task.hparams["features"] = datamodule.features
    make_trainer(folder, max_epochs=1, use_distributed_sampler=False).fit(task, datamodule=datamodule)
    return task, datamodule


def stub_trainer(datamodule):
    return SimpleNamespace(datamodule=datamodule)


class TestFittedOnTheTrainingPart:
    def test_normalised_frames_have_mean_0_and_deviation_1(self, genre_root, tmp_path):
        task, datamodule = fit_genres(genre_root, tmp_path, {"features": "fused"})
        frames = [
            task.normalise(spectrogram[:length]).numpy()
            for batch in datamodule.train_dataloader()
            for spectrogram, length in zip(batch.spectrograms, batch.lengths, strict=True)
        ]
        frames = np.concatenate(frames)
        np.testing.assert_allclose(frames.mean(axis=0), 0, atol=1e-4)
        np.testing.assert_allclose(frames.std(axis=0), 1, atol=1e-4)

    def test_a_constant_feature_becomes_zero(self):
        statistics = torch.tensor([-80.0, 1.0]), torch.tensor([1e-6, 2.0])
        task = make_task(features=2)
        data = {"feature_statistics": statistics, "track_frames": 1, "train_targets": torch.tensor([0, 1])}
        task.fit_to(SimpleNamespace(**{name: lambda value=value: value for name, value in data.items()}))
        normalised = task.normalise(torch.tensor([[-80.0, 5.0], [-79.9375, -3.0]]))
        np.testing.assert_allclose(normalised, [[0, 2], [0.0625, -2]], atol=1e-6)

    def test_balanced_weights(self, genre_root, tmp_path):
        data = {"class_map": {"Blues": "Jazz"}}
        task, datamodule = fit_genres(genre_root, tmp_path, data, class_weights="balanced")
        targets = datamodule.train_targets().numpy()
        assert np.bincount(targets).tolist() == [18, 9]
        assert task.class_weights.tolist() == [27 / (2 * 18), 27 / (2 * 9)]
        expected = compute_class_weight("balanced", classes=np.unique(targets), y=targets)
        np.testing.assert_allclose(task.class_weights, expected)

    @pytest.mark.parametrize("stage", ["validate", "test", "predict"])
    def test_other_stages_leave_the_normalisation(self, stage):
        task = make_task(class_weights="balanced")
        task.feature_mean.fill_(3)
        task._trainer = stub_trainer(None)
        task.setup(stage)
        assert torch.all(task.feature_mean == 3)


class TestCheckpoints:
    settings = {"num_features": 6, "target_names": ["Jazz", "Rock"], "features": "mel"}  # noqa: RUF012
    settings |= {"beat_synced": False, "seconds": 0.02}

    def test_the_same_settings_are_accepted(self):
        ClassificationTask(**self.settings).on_load_checkpoint({"hyper_parameters": self.settings})

    @pytest.mark.parametrize(
        ("name", "other"),
        [
            ("target_names", ["Rock", "Jazz"]),
            ("target_names", ["Jazz", "Rock", "Pop"]),
            ("num_features", 12),
            ("features", "chroma"),
            ("beat_synced", True),
            ("seconds", 0.04),
        ],
    )
    def test_other_settings_are_refused(self, name, other):
        theirs = {**self.settings, name: other}
        with pytest.raises(UserError, match=f"trained with {name} .*{str(other)[1:-1]}"):
            ClassificationTask(**self.settings).on_load_checkpoint({"hyper_parameters": theirs})

    def test_trainer_refuses_genres_in_another_order(self, tmp_path):
        trainer = make_trainer(tmp_path)
        trainer.test(make_task(), loader(make_batches()), verbose=False)
        trainer.save_checkpoint(tmp_path / "some.ckpt")
        with pytest.raises(UserError, match="target_names"):
            make_trainer(tmp_path).test(
                make_task(names=GENRES[::-1]), loader(make_batches()), ckpt_path=tmp_path / "some.ckpt"
            )

    @pytest.mark.parametrize(
        "arguments",
        [
            {},
            {"backbone": tiny_lstm},
            {"augmentations": [MaskTime(), Mixup()]},
            {"optimizer": partial(torch.optim.SGD, lr=0.1), "lr_scheduler": lambda optimizer: None},
            {"class_weights": [1.0, 2.0, 3.0, 4.0], "label_smoothing": 0.1},
        ],
        ids=lambda arguments: "-".join(arguments) or "defaults",
    )
    def test_a_task_made_from_python_is_saved_as_plain_values(self, tmp_path, arguments):
        task = ClassificationTask(num_features=6, target_names=GENRES, **arguments)
        trainer = make_trainer(tmp_path)
        trainer.strategy.connect(task)
        trainer.save_checkpoint(tmp_path / "some.ckpt", weights_only=True)
        checkpoint = torch.load(tmp_path / "some.ckpt", weights_only=True)
        assert checkpoint["hyper_parameters"]["target_names"] == GENRES
        assert checkpoint["hyper_parameters"]["features"] == "mel"
        assert "feature_mean" in checkpoint["state_dict"]

    def test_classes_of_the_command_line_are_kept(self):
        configured = [{"class_path": "musiclab.augmentations.RollTime"}]
        task = ClassificationTask(num_features=6, target_names=GENRES, augmentations=configured)
        assert task.hparams["augmentations"] == configured

    def test_a_fitted_task_comes_back(self, tmp_path):
        batches = make_batches()
        task = ClassificationTask(num_features=6, target_names=GENRES)
        trainer = make_trainer(tmp_path, max_epochs=1)
        trainer.fit(task, loader(batches), loader(batches))
        trainer.save_checkpoint(tmp_path / "some.ckpt")
        torch.load(tmp_path / "some.ckpt", weights_only=True)
        loaded = ClassificationTask.load_from_checkpoint(tmp_path / "some.ckpt", weights_only=True)
        np.testing.assert_array_equal(one_by_one(loaded, batches)[0], one_by_one(task, batches)[0])


class TestSchedulers:
    def fit(self, folder, scheduler, **arguments):
        task = make_task(lr_scheduler=scheduler, optimizer=partial(torch.optim.SGD, lr=0.1))
        trainer = make_trainer(folder, **{"max_epochs": 3} | arguments)
        trainer.fit(task, loader(make_batches()), loader(make_batches()))
        return trainer.lr_scheduler_configs[0]

    def test_one_cycle_is_stepped_each_step_of_the_run(self, tmp_path):
        config = self.fit(tmp_path, partial(torch.optim.lr_scheduler.OneCycleLR, max_lr=0.1))
        assert config.interval == "step"
        assert config.scheduler.total_steps == 3 * 5
        assert config.scheduler.last_epoch == 3 * 5

    def test_step_lr_is_stepped_each_epoch(self, tmp_path):
        config = self.fit(tmp_path, partial(torch.optim.lr_scheduler.StepLR, step_size=1, gamma=0.5))
        assert config.interval == "epoch"
        assert config.scheduler.get_last_lr() == [0.1 * 0.5**3]

    def test_plateau_is_monitored(self, tmp_path):
        plateau = partial(ReduceLROnPlateau, monitor="val_loss", factor=0.5, patience=0, threshold=1e9, mode="max")
        config = self.fit(tmp_path, plateau)
        assert (config.interval, config.monitor) == ("epoch", "val_loss")
        assert config.scheduler.num_bad_epochs == 0
        assert config.scheduler.get_last_lr()[0] < 0.1

    def test_a_run_without_a_last_epoch(self, tmp_path):
        scheduler = partial(torch.optim.lr_scheduler.StepLR, step_size=1)
        config = self.fit(tmp_path, scheduler, max_epochs=-1, max_time={"seconds": 0})
        assert config.interval == "epoch"


class Recorder(nn.Module):
    """Stands in for a backbone; keeps a random number of each training step."""

    embedding_size = 1

    def __init__(self, num_features):
        super().__init__()
        self.seen = []

    def forward(self, spectrograms, lengths):
        if self.training:
            self.seen.append(torch.rand(1).item())
        return spectrograms.mean(dim=(1, 2))[:, None]


def test_random_numbers_of_a_step_come_from_the_seed(tmp_path, monkeypatch):
    seen = []
    for seed in ("7", "7", "8"):
        monkeypatch.setenv("PL_GLOBAL_SEED", seed)
        task = make_task(backbone=Recorder)
        make_trainer(tmp_path, max_epochs=2).fit(task, loader(make_batches()))
        seen.append(task.backbone.seen)
        torch.rand(5)
    assert seen[0] == seen[1]
    assert not set(seen[0]) & set(seen[2])
    assert len(set(seen[0])) == 2 * 5
