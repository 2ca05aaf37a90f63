"""Result files of genres, averaged weights, and files written whole or not at all."""

import csv
import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from pytorch_lightning import Callback, Trainer
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.loggers import CSVLogger, TensorBoardLogger
from sklearn.metrics import classification_report, confusion_matrix
from torch.utils.data import DataLoader

from musiclab.batch import Batch
from musiclab.callbacks import EMAWeights, GenreResults, gather_rows
from musiclab.files import replacing, write_csv
from musiclab.ids import id_order
from musiclab.models import CNN
from musiclab.report.figures import confusion_figure
from musiclab.tasks import ClassificationTask

pytestmark = pytest.mark.filterwarnings("ignore")

GENRES = ["Blues", "Jazz", "Rock"]


def make_loader(tracks=11, size=4, known=True):
    rng = torch.Generator().manual_seed(0)
    spectrograms = torch.randn(tracks, 6, 5, generator=rng)
    lengths = torch.randint(2, 7, (tracks,), generator=rng)
    targets = torch.randint(3, (tracks,), generator=rng) if known else torch.full((tracks,), -1)
    ids = [str(20 - number) for number in range(tracks)]
    parts = [slice(start, start + size) for start in range(0, tracks, size)]
    batches = [Batch(spectrograms[part], lengths[part], targets[part], ids[part]) for part in parts]
    return DataLoader(batches, batch_size=None, collate_fn=lambda batch: batch)


def make_task():
    torch.manual_seed(1)
    return ClassificationTask(
        num_features=5,
        target_names=GENRES,
        backbone=lambda features: CNN(features, channels=(3,), pools=(2,), dropout=0.2),
        optimizer=lambda parameters: torch.optim.SGD(parameters, lr=0.2),
    )


def make_trainer(folder, **arguments):
    settings = {"logger": CSVLogger(folder), "accelerator": "cpu", "default_root_dir": folder}
    settings |= {"enable_checkpointing": False, "enable_progress_bar": False, "enable_model_summary": False}
    return Trainer(**settings | arguments)


def read_table(path):
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.reader(stream))


class TestGenreResults:
    """The files of a test of rows that are given by hand: Rock is never told, Blues and Jazz are mixed up."""

    ids = ["30", "9", "b7", "100", "a1", "10"]  # noqa: RUF012
    targets = torch.tensor([0, 0, 1, 1, 1, 0])
    predictions = torch.tensor([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.0, 1.0, 0.0]]).repeat(2, 1)

    def outputs(self, targets):
        parts = (slice(0, 4), slice(4, 6))
        return [
            {"ids": self.ids[part], "targets": targets[part], "predictions": self.predictions[part]} for part in parts
        ]

    def run(self, stage, folder, targets=None, **trainer):
        metrics = {
            "test_loss": torch.tensor(0.5),
            "test_f1_Rock": torch.tensor(0.0),
            "val_loss": torch.tensor(9),
        }
        defaults = {
            "is_global_zero": True,
            "log_dir": str(folder),
            "loggers": [],
            "callback_metrics": metrics,
        }
        trainer = SimpleNamespace(**defaults | trainer)
        results = GenreResults(GENRES)
        for _ in range(2):  # a second run starts afresh
            getattr(results, f"on_{stage}_start")(trainer, None)
            for output in self.outputs(self.targets if targets is None else targets):
                getattr(results, f"on_{stage}_batch_end")(trainer, None, output, None, 0)
            getattr(results, f"on_{stage}_end")(trainer, None)
        return folder

    @pytest.fixture
    def folder(self, tmp_path):
        return self.run("test", tmp_path / "run")

    def test_files(self, folder):
        assert {path.name for path in folder.iterdir()} == {
            "test_metrics.json",
            "classification_report.txt",
            "confusion_matrix.csv",
            "confusion_matrix.png",
            "predictions.csv",
        }

    def test_metrics(self, folder):
        assert json.loads((folder / "test_metrics.json").read_text()) == {
            "test_f1_Rock": 0.0,
            "test_loss": 0.5,
        }

    def test_report_covers_the_genres_that_occur(self, folder):
        names = [GENRES[target] for target in self.targets]
        predicted = [GENRES[row.argmax()] for row in self.predictions]
        expected = classification_report(names, predicted, digits=4, zero_division=0)
        assert (folder / "classification_report.txt").read_text() == expected
        assert "Rock" not in expected

    def test_confusion_matrix(self, folder):
        header, *rows = read_table(folder / "confusion_matrix.csv")
        assert header == ["truth \\ prediction", *GENRES]
        assert [row[0] for row in rows] == GENRES
        expected = confusion_matrix(self.targets, self.predictions.argmax(dim=1), labels=range(3))
        np.testing.assert_array_equal(np.array([row[1:] for row in rows], int), expected)

    def test_figure(self, folder):
        assert (folder / "confusion_matrix.png").read_bytes().startswith(b"\x89PNG")

    def test_predictions_in_the_order_of_ids(self, folder):
        assert read_table(folder / "predictions.csv") == [
            ["id", "truth", "prediction", *GENRES],
            ["9", "Blues", "Jazz", "0.100000", "0.800000", "0.100000"],
            ["10", "Blues", "Jazz", "0.000000", "1.000000", "0.000000"],
            ["30", "Blues", "Blues", "0.700000", "0.200000", "0.100000"],
            ["100", "Jazz", "Blues", "0.700000", "0.200000", "0.100000"],
            ["a1", "Jazz", "Jazz", "0.100000", "0.800000", "0.100000"],
            ["b7", "Jazz", "Jazz", "0.000000", "1.000000", "0.000000"],
        ]

    def test_truth_is_empty_where_it_is_not_known(self, tmp_path):
        folder = self.run("predict", tmp_path, torch.tensor([-1, 0, -1, -1, 2, -1]))
        truth = {row[0]: row[1] for row in read_table(folder / "predictions.csv")[1:]}
        assert truth == {"9": "Blues", "10": "", "30": "", "100": "", "a1": "Rock", "b7": ""}

    def test_predict_writes_nothing_else(self, tmp_path):
        folder = self.run("predict", tmp_path)
        assert [path.name for path in folder.iterdir()] == ["predictions.csv"]

    @pytest.mark.parametrize("trainer", [{"is_global_zero": False}, {"log_dir": None}])
    @pytest.mark.parametrize("stage", ["test", "predict"])
    def test_other_processes_and_runs_without_a_folder_write_nothing(self, tmp_path, stage, trainer):
        self.run(stage, tmp_path, **trainer)
        assert not list(tmp_path.iterdir())

    @pytest.mark.parametrize("stage", ["test", "predict"])
    def test_every_process_asks_for_the_folder(self, stage, tmp_path):
        class OtherProcess(SimpleNamespace):
            asked = False

            @property
            def log_dir(self):
                self.asked = True  # Lightning broadcasts it: all processes wait for each other

        trainer = OtherProcess(is_global_zero=False, callback_metrics={}, loggers=[])
        results = GenreResults(GENRES)
        results._outputs = self.outputs(self.targets)
        getattr(results, f"on_{stage}_end")(trainer, None)
        assert trainer.asked

    def test_a_tested_task(self, tmp_path):
        trainer = make_trainer(tmp_path, logger=TensorBoardLogger(tmp_path))
        logged = trainer.test(make_task(), make_loader(), verbose=False)[0]
        folder = tmp_path / "lightning_logs" / "version_0"
        assert json.loads((folder / "test_metrics.json").read_text()) == pytest.approx(logged)
        assert {"test_accuracy", "test_f1_macro", "test_f1_Blues", "test_recall_Rock"} < set(logged)
        assert [row[0] for row in read_table(folder / "predictions.csv")] == ["id", *map(str, range(10, 21))]

    def test_a_task_that_predicts(self, tmp_path):
        make_trainer(tmp_path).predict(make_task(), make_loader(known=False), return_predictions=False)
        rows = read_table(tmp_path / "lightning_logs" / "version_0" / "predictions.csv")[1:]
        assert [row[1] for row in rows] == [""] * 11
        np.testing.assert_allclose(np.array([row[3:] for row in rows], float).sum(axis=1), 1, atol=2e-6)


def test_order_of_ids():
    ids = ["b", "10", "9", "a10", "007", "7", "100"]
    assert sorted(ids, key=id_order) == ["007", "7", "9", "10", "100", "a10", "b"]


def test_rows_keep_together():
    output = {
        "ids": ["2", "1"],
        "targets": torch.tensor([5, 6]),
        "predictions": torch.tensor([[0.5], [0.25]]),
    }
    rows = gather_rows([output])
    assert rows.ids == ["1", "2"]
    assert rows.targets.tolist() == [6, 5]
    assert rows.predictions.tolist() == [[0.25], [0.5]]


def test_figure_of_a_genre_without_tracks():
    figure = confusion_figure(np.array([[3, 1], [0, 0]]), ["Jazz", "Rock"])
    axes = figure.axes[0]
    assert [text.get_text() for text in axes.texts] == ["3", "1", "0", "0"]
    np.testing.assert_allclose(axes.images[0].get_array(), [[0.75, 0.25], [0, 0]])
    assert axes.get_title() == "4 tracks, accuracy 0.750"


class WeightsOfSteps(Callback):
    """Keeps the weights in training after each step."""

    def __init__(self):
        self.states = []

    def on_train_batch_end(self, trainer, pl_module, *_):
        self.states.append({name: value.clone() for name, value in pl_module.state_dict().items()})


class TestEMAWeights:
    decay = 0.4  # reached at the fifth of nine steps

    @pytest.fixture
    def fitted(self, tmp_path):
        """A fitted trainer whose best checkpoint is not the last, its task, and the weights of each step."""
        steps = WeightsOfSteps()
        checkpoints = ModelCheckpoint(tmp_path, "{epoch}", monitor="val_loss", mode="max", save_top_k=-1)
        callbacks = [steps, EMAWeights(self.decay), checkpoints]
        trainer = make_trainer(tmp_path, max_epochs=3, enable_checkpointing=True, callbacks=callbacks)
        task = make_task()
        trainer.fit(task, make_loader(), make_loader())
        assert not checkpoints.best_model_path.endswith("epoch=2.ckpt")
        return trainer, task, steps.states

    def averaged(self, states):
        average = {name: value for name, value in states[0].items() if value.is_floating_point()}
        for step, state in enumerate(states[1:], start=1):
            stays = min(self.decay, (1 + step) / (10 + step))
            average = {name: stays * value + (1 - stays) * state[name] for name, value in average.items()}
        return average

    @pytest.mark.parametrize("epoch", [0, 1, 2])
    def test_checkpoints_hold_the_average(self, fitted, tmp_path, epoch):
        states = fitted[2][: 3 * (epoch + 1)]
        checkpoint = torch.load(tmp_path / f"epoch={epoch}.ckpt", weights_only=True)
        expected = self.averaged(states)
        torch.testing.assert_close({name: checkpoint["state_dict"][name] for name in expected}, expected)
        torch.testing.assert_close(checkpoint["current_model_state"], states[-1])

    def test_the_task_ends_with_the_average(self, fitted):
        _, task, states = fitted
        expected = self.averaged(states)
        torch.testing.assert_close({name: task.state_dict()[name] for name in expected}, expected)

    @pytest.mark.parametrize("stage", ["test", "validate"])
    def test_the_averages_of_the_best_checkpoint_are_judged_after_fit(self, fitted, tmp_path, stage):
        trainer, task, _ = fitted
        best = trainer.checkpoint_callback.best_model_path
        judged = getattr(trainer, stage)(task, make_loader(), ckpt_path="best", verbose=False)[0]
        torch.testing.assert_close(task.state_dict(), torch.load(best, weights_only=True)["state_dict"])
        afresh = getattr(make_trainer(tmp_path), stage)(make_task(), make_loader(), ckpt_path=best, verbose=False)[0]
        assert judged == pytest.approx(afresh)

    def test_validation_while_fitting_judges_the_average(self, fitted, tmp_path):
        last = make_trainer(tmp_path).validate(
            make_task(), make_loader(), ckpt_path=tmp_path / "epoch=2.ckpt", verbose=False
        )[0]
        assert fitted[0].checkpoint_callback.current_score.item() == pytest.approx(last["val_loss"])

    def test_a_resumed_run_goes_on_with_weights_and_averages(self, fitted, tmp_path):
        steps = WeightsOfSteps()
        trainer = make_trainer(tmp_path, max_epochs=3, callbacks=[steps, EMAWeights(self.decay)])
        task = make_task()
        torch.manual_seed(0)
        trainer.fit(task, make_loader(), make_loader(), ckpt_path=tmp_path / "epoch=1.ckpt")
        before = fitted[2][:6]
        expected = self.averaged([*before, *steps.states])
        torch.testing.assert_close({name: task.state_dict()[name] for name in expected}, expected)


class TestReplacing:
    def test_the_file_is_written(self, tmp_path):
        path = tmp_path / "new" / "a.txt"
        with replacing(path) as partial:
            partial.write_text("new")
            assert not path.exists()
        assert path.read_text() == "new"
        assert list(path.parent.iterdir()) == [path]

    def test_the_suffix_is_kept(self, tmp_path):
        with replacing(tmp_path / "a.png") as partial:
            assert partial.suffix == ".png"
            assert partial.parent == tmp_path
            partial.touch()

    @pytest.mark.parametrize("old", [None, "old"])
    def test_a_failure_leaves_the_old_file_and_nothing_else(self, tmp_path, old):
        path = tmp_path / "a.txt"
        if old:
            path.write_text(old)

        def write():
            with replacing(path) as partial:
                partial.write_text("half")
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            write()
        assert [p.read_text() for p in tmp_path.iterdir()] == ([old] if old else [])

    def test_rows_that_fail(self, tmp_path):
        path = tmp_path / "a.csv"
        path.write_text("old")
        with pytest.raises(ZeroDivisionError):
            write_csv(path, ["n"], ([1 / n] for n in (1, 0)))
        assert path.read_text() == "old"
        assert list(tmp_path.iterdir()) == [path]
