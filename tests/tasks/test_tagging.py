"""Several tags a track: scores of whole sets against scikit-learn's, weights, and a training by the command line."""

import json
from functools import partial

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from command_line import TRAINER, error_of, evaluate_args, read_rows, run_folder
from conftest import make_emotion_folder, make_genre_folder
from sklearn.metrics import average_precision_score, roc_auc_score

import musiclab
from musiclab.batch import Batch
from musiclab.cli import main
from musiclab.errors import UserError
from musiclab.models import LSTM
from musiclab.tasks import TaggingTask
from musiclab.tasks.tagging import tag_scores

TAGS = ["guitar", "female vocalists", "80s"]


def make_task(**arguments):
    return TaggingTask(
        num_features=6, target_names=TAGS, backbone=partial(LSTM, hidden_size=4, num_layers=1), **arguments
    )


class Tracks:
    """What a training asks its data for."""

    def __init__(self, targets):
        self.targets = torch.tensor(targets)

    def feature_statistics(self):
        return torch.zeros(6), torch.ones(6)

    def track_frames(self):
        return 9

    def train_targets(self):
        return self.targets


def test_scores_are_scikit_learns():
    rng = np.random.default_rng(0)
    truth = (rng.random((60, 3)) < [0.5, 0.1, 0.9]).astype(np.float32)
    logits = (rng.normal(size=(60, 3)) + truth).round(1).astype(np.float32)  # with ties
    scores = tag_scores(torch.from_numpy(logits), torch.from_numpy(truth), TAGS, "test")
    for name, metric in (("roc_auc", roc_auc_score), ("average_precision", average_precision_score)):
        for index, tag in enumerate(TAGS):
            assert scores[f"test_{name}_{tag}"] == pytest.approx(metric(truth[:, index], logits[:, index]), abs=1e-6)
        assert scores[f"test_{name}"] == pytest.approx(metric(truth, logits, average="macro"), abs=1e-6)


def test_a_tag_that_all_tracks_have_or_none_is_left_out_and_said():
    truth = torch.tensor([[1.0, 1.0, 0.0], [0.0, 1.0, 0.0], [1.0, 1.0, 0.0]])
    logits = torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, 0.0], [2.0, 0.0, 0.0]])
    with pytest.warns(UserWarning, match="val_roc_auc: 2 of 3 tags .female vocalists, 80s. have all 3 tracks or none"):
        scores = tag_scores(logits, truth, TAGS, "val")
    assert scores == {
        "val_roc_auc": 1.0, "val_average_precision": 1.0, "val_roc_auc_guitar": 1.0, "val_average_precision_guitar": 1.0
    }  # fmt: skip
    with pytest.warns(UserWarning, match="3 of 3 tags"):
        assert tag_scores(logits, torch.zeros(3, 3), TAGS, "val") == {"val_roc_auc": 0, "val_average_precision": 0}


def test_predictions_that_have_diverged_tell_nothing_apart():
    truth, logits = torch.tensor([[1.0], [0.0]]), torch.full((2, 1), torch.nan)
    assert tag_scores(logits, truth, ["guitar"], "val")["val_roc_auc"] == 0.5


def test_weights_are_those_of_the_tracks_that_have_a_tag():
    task, logits, truth = make_task(tag_weights=[1.0, 3.0, 0.5]), torch.randn(4, 3), torch.tensor([[1.0, 0, 1]] * 4)
    losses = F.binary_cross_entropy_with_logits(logits, truth, reduction="none")
    weights = torch.where(truth == 1, torch.tensor([1.0, 3.0, 0.5]), 1.0)
    torch.testing.assert_close(task.loss(logits, truth), (weights * losses).mean())


def test_balanced_weights_follow_the_training_tracks():
    task = make_task(tag_weights="balanced")
    task.fit_to(Tracks([[1.0, 0, 0], [0, 0, 0], [1, 0, 1], [1, 0, 0]]))
    torch.testing.assert_close(task.tag_weights, torch.tensor([1 / 3, 4.0, 3.0]))


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        ([[1.0, 2.0, 0.0]], "there is 2 among the labels"),
        ([[1.0, 0.5, 0.0]], "there is 0.5 among the labels"),
        ([0, 1, 2], "use a ClassificationTask"),
    ],
)
def test_other_labels_than_tags_are_refused(targets, message):
    with pytest.raises(UserError, match=message):
        make_task().fit_to(Tracks(targets))


@pytest.mark.parametrize("weights", [[1.0, 2.0], [1.0, 0.0, 1.0], [1.0, float("nan"), 1.0]])
def test_wrong_weights(weights):
    with pytest.raises(UserError, match="give one above 0 for each"):
        make_task(tag_weights=weights)


def test_values_that_are_no_tags_are_not_validated_on():
    task = make_task()
    batch = Batch(torch.zeros(2, 5, 6), torch.tensor([5, 5]), torch.tensor([[1.0, 0, 0], [0, 0.5, 1]]), ["1", "2"])
    with pytest.raises(UserError, match=r"there is 0\.5 among the labels; --data TagDataModule says where"):
        task.validation_step(batch, 0)


def fit_args(root, folder, *more, data="TagDataModule"):
    return [
        "fit", "--model=TaggingTask", "--model.backbone=CNN", "--model.backbone.init_args.channels=[4,4]",
        "--model.backbone.init_args.pools=[4,4]", f"--data={data}", f"--data.root={root}", "--trainer.max_epochs=2",
        f"--trainer.default_root_dir={folder}", *TRAINER, *more,
    ]  # fmt: skip


def test_a_tagger_is_trained_tested_and_asked(tag_root, tmp_path, capsys):
    main(
        fit_args(
            tag_root,
            tmp_path / "fit",
            "--model.tag_weights=balanced",
            "--data.test_fraction=0.3",
            "--data.val_fraction=0.3",
        )
    )
    printed = capsys.readouterr().out
    folder = run_folder(tmp_path / "fit")
    metrics = json.loads((folder / "test_metrics.json").read_text())
    rows = read_rows(folder / "predictions.csv")
    names = ["rock", "female vocalists", "80s"]
    for name, metric in (("roc_auc", roc_auc_score), ("average_precision", average_precision_score)):
        own = [
            metric([float(row[f"truth_{tag}"]) for row in rows], [float(row[f"probability_{tag}"]) for row in rows])
            for tag in names
        ]
        assert [metrics[f"test_{name}_{tag}"] for tag in names] == pytest.approx(own, abs=1e-5)
        assert metrics[f"test_{name}"] == pytest.approx(np.mean(own), abs=1e-5)
    assert f"{'all':16}  {metrics['test_roc_auc']:.4f} ({metrics['test_roc_auc_low']:.3f} to " in printed
    assert (folder / "roc_auc.png").read_bytes().startswith(b"\x89PNG")
    best = folder / "checkpoints" / "best.ckpt"
    main(evaluate_args("predict", best, tmp_path / "predict"))
    asked = read_rows(run_folder(tmp_path / "predict") / "predictions.csv")
    assert len(asked) == 8
    array = tag_root / "test" / f"{asked[0]['id']}.fused.full.npy"
    answer = musiclab.load(best).predict(array)
    assert answer == pytest.approx({tag: float(asked[0][f"probability_{tag}"]) for tag in names}, abs=1e-4)


def test_genres_are_no_tags(tmp_path, capfd):
    root = make_genre_folder(tmp_path / "genres", train=30, test=3)
    error = error_of(capfd, fit_args(root, tmp_path, data="GenreDataModule"))
    assert "use a ClassificationTask" in error


def test_values_on_axes_are_no_tags(tmp_path, capfd):
    root = make_emotion_folder(tmp_path / "emotions", train=20, test=3)
    assert "tags are 0 or 1, but there is 0." in error_of(capfd, fit_args(root, tmp_path, data="EmotionDataModule"))


def test_the_config_asks_for_a_data_set(tmp_path, capfd):
    error = error_of(capfd, ["fit", "-c", "tags_cnn.yaml", f"--trainer.default_root_dir={tmp_path}"])
    assert "the demo corpus has nothing for TagDataModule; give a data set folder: --data.root ROOT" in error
    assert not list(tmp_path.iterdir())


def test_tags_are_no_genres(tag_root, tmp_path, capfd):
    args = ["fit", "-c", "genre_cnn.yaml", "--data=TagDataModule", f"--data.root={tag_root}", *TRAINER]
    error = error_of(capfd, [*args, f"--trainer.default_root_dir={tmp_path}"])
    assert "a ClassificationTask learns a genre for each track, but the data gives values" in error
