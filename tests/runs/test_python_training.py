"""A training in Python: a few lines, the files of the command line, and a checkpoint that serves there too."""

import functools
import json

import numpy as np
import pytest
import torch
from command_line import error_of, evaluate_args, fit_args, read_rows, run_folder
from pytorch_lightning import seed_everything
from pytorch_lightning.callbacks import ModelCheckpoint
from tasks.genre_task import tiny_cnn

import musiclab
from musiclab.augmentations import CropTime, MaskTime
from musiclab.cli import main
from musiclab.models import CNN

QUIET = {"accelerator": "cpu", "enable_progress_bar": False, "enable_model_summary": False}
TINY = {"channels": [3, 4], "pools": [2, 2]}
STEADY = ["--model.lr_scheduler=null", "--weight_averaging=null", "--model.augmentations=null"]


def train(root, folder, backbone, epochs=1, data=musiclab.GenreDataModule, **arguments):
    """Train and test; return the run's folder and the task."""
    data = data(root=root, batch_size=8)
    task = musiclab.ClassificationTask.for_data(data, backbone=backbone, **arguments)
    trainer = musiclab.Trainer(max_epochs=epochs, default_root_dir=folder, **QUIET)
    trainer.fit(task, data)
    trainer.test(task, data, ckpt_path="best", verbose=False)
    return run_folder(folder), task


@pytest.fixture(scope="module")
def run(genre_root, tmp_path_factory):
    seed_everything(0)
    backbone = functools.partial(CNN, channels=[8, 8, 16, 16], pools=[2, 2, 2, 2], dropout=0.2)
    optimizer = functools.partial(torch.optim.AdamW, lr=0.001, weight_decay=0.01, fused=True)
    arguments = {"label_smoothing": 0.1, "optimizer": optimizer}
    return train(genre_root, tmp_path_factory.mktemp("python"), backbone, **arguments)[0]


@pytest.fixture(scope="module")
def unkept(genre_root, tmp_path_factory):
    """The run of a model that cannot be made again."""
    return train(genre_root, tmp_path_factory.mktemp("lambda"), lambda features: tiny_cnn(features))[0]


def test_its_files_are_those_of_the_command_line(run, genre_root, tmp_path):
    main(fit_args("genre_cnn.yaml", genre_root, tmp_path, *STEADY))
    other = run_folder(tmp_path)
    names = [{path.name for path in folder.rglob("*") if "tfevents" not in path.name} for folder in (run, other)]
    assert names[1] - names[0] == {"config.yaml"}
    for name in ("predictions.csv", "test_metrics.json", "classification_report.txt", "confusion_matrix.csv"):
        assert (run / name).read_text() == (other / name).read_text()
    records = [json.loads((folder / "run.json").read_text()) for folder in (run, other)]
    for name in ("kind", "task", "backbone", "target_names", "parameters", "seed", "tracks", "checksums", "status"):
        assert records[0][name] == records[1][name]
    assert records[0]["best"] == records[1]["best"]
    assert records[0]["test"]["checkpoint"] == str(run / "checkpoints" / "best.ckpt")


def test_its_checkpoint_is_tested_and_predicts_on_the_command_line(run, tmp_path, capfd):
    path = run / "checkpoints" / "best.ckpt"
    assert torch.load(path, weights_only=True)["unkept"] == {}
    main(evaluate_args("test", path, tmp_path))
    assert (run_folder(tmp_path) / "test_metrics.json").read_text() == (run / "test_metrics.json").read_text()
    main(evaluate_args("predict", path, tmp_path))
    rows = read_rows(run_folder(tmp_path, 1) / "predictions.csv")
    assert [row["prediction"] for row in rows] == [row["prediction"] for row in read_rows(run / "predictions.csv")]
    main(["latents", f"--ckpt_path={path}", f"--out={tmp_path / 'latents'}"])
    main(["report", str(run), f"--out={tmp_path / 'report'}"])
    assert "musiclab: error" not in capfd.readouterr().err


def test_its_training_goes_on_on_the_command_line(genre_root, tmp_path):
    run, _ = train(genre_root, tmp_path, tiny_cnn)
    last = run / "checkpoints" / "last.ckpt"
    main(["fit", f"--ckpt_path={last}", "--trainer.max_epochs=2", *(f"--trainer.{n}={v}" for n, v in QUIET.items())])
    record = json.loads((run / "run.json").read_text())
    assert [row["epoch"] for row in record["history"]] == [1, 2]
    assert sorted(path.name for path in last.parent.iterdir()) == ["best.ckpt", "last.ckpt"]
    assert torch.load(last, weights_only=True)["epoch"] == 1


def test_parts_are_kept_as_they_were_given(genre_root, tmp_path):
    augmentations = [MaskTime(1, fraction=0.2), CropTime(np.int64(16))]
    schedule = functools.partial(torch.optim.lr_scheduler.OneCycleLR, max_lr=0.01)
    run, _ = train(genre_root, tmp_path, tiny_cnn, augmentations=augmentations, lr_scheduler=schedule)
    path = run / "checkpoints" / "best.ckpt"
    arguments = torch.load(path, weights_only=True)["hyper_parameters"]
    assert arguments["augmentations"] == [
        {"class_path": "musiclab.augmentations.time.MaskTime", "init_args": {"count": 1, "fraction": 0.2}},
        {"class_path": "musiclab.augmentations.time.CropTime", "init_args": {"frames": 16}},
    ]
    model = musiclab.load(path)
    mask, crop = model.task.augmentations
    assert (mask.count, mask.fraction, crop.frames) == (1, 0.2, 16)
    assert model.task.hparams["lr_scheduler"]["init_args"] == {"max_lr": 0.01}
    # A model that was loaded is trained on as one that was made.
    data = musiclab.GenreDataModule(root=genre_root, batch_size=8)
    trainer = musiclab.Trainer(max_epochs=1, default_root_dir=tmp_path / "again", **QUIET)
    trainer.fit(model.task, data)
    again = musiclab.load(run_folder(tmp_path / "again") / "checkpoints" / "best.ckpt")
    assert (again.task.augmentations[0].fraction, type(again.task.backbone)) == (0.2, CNN)


def test_load_from_checkpoint_gives_training_mode_and_load_evaluation_mode(run):
    path = run / "checkpoints" / "best.ckpt"
    assert musiclab.ClassificationTask.load_from_checkpoint(path).training
    assert not musiclab.load(path).task.training


@pytest.mark.parametrize("command", ["fit", "test", "predict", "latents", "activations"])
def test_what_cannot_be_made_again_is_named(command, unkept, tmp_path, capfd):
    path = unkept / "checkpoints" / "best.ckpt"
    args = [command, f"--ckpt_path={path}"]
    args += [f"--out={tmp_path}"] if command in ("latents", "activations") else []
    assert error_of(capfd, args) == (
        f"musiclab: error: {path}: model.backbone was a function (unkept.<locals>.<lambda>), which cannot be made "
        f'again; in Python, use musiclab.load("{path}", task=task) with a task made as then'
    )


def test_its_weights_are_loaded_into_a_task_made_like_it(unkept, genre_root):
    path = unkept / "checkpoints" / "best.ckpt"
    data = musiclab.GenreDataModule(root=genre_root)
    task = musiclab.ClassificationTask.for_data(data, backbone=tiny_cnn)
    with pytest.raises(musiclab.UserError, match=r"model\.backbone was a function"):
        musiclab.load(path)
    model = musiclab.load(path, task=task)
    assert model.task is task
    answers = model.predict(sorted((genre_root / "test").iterdir()))
    for answer, row in zip(answers, read_rows(unkept / "predictions.csv"), strict=True):
        assert answer == pytest.approx({name: float(row[name]) for name in answer}, abs=1e-6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"backbone": functools.partial(CNN, channels=[3, 5], pools=[2, 2])}, "do not fit the task that is given"),
        ({"target_names": ["Rock", "Jazz", "Blues"], "backbone": tiny_cnn}, "was trained with target_names .* but the"),
        ({"seconds": 0.25, "backbone": tiny_cnn}, "was trained with seconds 0.023.*, but the task has 0.25; make it"),
    ],
)
def test_a_task_made_otherwise_is_refused(change, message, unkept, genre_root):
    task = musiclab.ClassificationTask.for_data(musiclab.GenreDataModule(root=genre_root), **change)
    with pytest.raises(musiclab.UserError, match=message) as info:
        musiclab.load(unkept / "checkpoints" / "best.ckpt", task=task)
    assert "\n" not in str(info.value)


class Script(CNN):
    """Stands for a class of the script itself."""

    def __init__(self, num_features):
        super().__init__(num_features, **TINY)


class ScriptData(musiclab.GenreDataModule):
    """Likewise."""


def test_classes_of_the_script_itself_serve_in_python_alone(genre_root, tmp_path, monkeypatch, capfd):
    for kind in (Script, ScriptData):
        monkeypatch.setattr(kind, "__module__", "__main__")
    run, task = train(genre_root, tmp_path, Script, data=ScriptData)
    path = run / "checkpoints" / "best.ckpt"
    error = error_of(capfd, evaluate_args("test", path, tmp_path))
    assert "model.backbone was class Script of the script or notebook itself, which cannot be made again" in error
    content = torch.load(path, weights_only=True)
    content["unkept"].pop("model.backbone")
    content["hyper_parameters"]["backbone"] = {"class_path": "musiclab.models.CNN", "init_args": TINY}
    torch.save(content, path)
    assert musiclab.load(path, task=task).predict(next((genre_root / "test").iterdir()))
    for args in (evaluate_args("test", path, tmp_path), ["latents", f"--ckpt_path={path}", f"--out={tmp_path}"]):
        assert "data was class ScriptData of the script or notebook itself" in error_of(capfd, args)


def test_own_checkpoints_are_left_alone(genre_root, tmp_path):
    data = musiclab.GenreDataModule(root=genre_root, batch_size=8)
    own = ModelCheckpoint(filename="mine")
    for number, (arguments, expected) in enumerate(
        [
            ({"callbacks": own}, ["mine.ckpt"]),
            ({"enable_checkpointing": False}, []),
            ({"limit_val_batches": 0}, ["last.ckpt"]),
        ]
    ):
        task = musiclab.ClassificationTask.for_data(data, backbone=tiny_cnn)
        folder = tmp_path / str(number)
        musiclab.Trainer(max_epochs=1, default_root_dir=folder, **QUIET, **arguments).fit(task, datamodule=data)
        assert sorted(path.name for path in folder.rglob("*.ckpt")) == expected


def test_the_command_line_keeps_what_it_is_told_to(genre_root, tmp_path):
    main(fit_args("genre_lstm.yaml", genre_root, tmp_path, "--checkpoint=null", "--last_checkpoint=null"))
    assert [path.name for path in tmp_path.rglob("*.ckpt")] == ["epoch=0-step=4.ckpt"]


@pytest.mark.parametrize("stage", ["fit", "test", "predict"])
def test_data_of_other_genres_than_the_task_are_refused(stage, run, genre_root, tmp_path):
    """Before, labels were exchanged in silence: the command line alone compared them."""
    data = musiclab.GenreDataModule(root=genre_root, target_names=["Rock", "Jazz", "Blues"])
    trainer = musiclab.Trainer(max_epochs=1, default_root_dir=tmp_path, **QUIET)
    task = musiclab.load(run / "checkpoints" / "best.ckpt").task
    with pytest.raises(
        musiclab.UserError, match=r"made with target_names .*, but the data gives .*Rock.*for_data\(data\)"
    ):
        getattr(trainer, stage)(task, data)


@pytest.mark.parametrize("wrong", [{"features": "Mel"}, {"store_dtype": "int8"}])
def test_words_that_mean_nothing_are_named(wrong, genre_root):
    with pytest.raises(musiclab.UserError, match=f"{next(iter(wrong))} is '{next(iter(wrong.values()))}'; it must be "):
        musiclab.GenreDataModule(root=genre_root, **wrong)
