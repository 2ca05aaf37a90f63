"""Emotion from the command line: genre -> transfer -> multitask -> solution.txt, and what can go wrong."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from command_line import CONFIGS, error_of, evaluate_args, fit_args, read_rows, run_folder
from conftest import SHARED, make_emotion_folder
from forked import forked

from musiclab.cli import main
from musiclab.cli.dispatch import run_training

AXES = ["valence", "energy", "danceability"]
EMOTION_CONFIGS = ["emotion_cnn.yaml", "emotion_lstm.yaml", "emotion_multitask.yaml"]
OVERLAYS = ["loss_spearman.yaml", "loss_published.yaml", "weighting_fixed.yaml", "weighting_learned.yaml"]
HEADER = "Id.fused.full.npy.gz,valence,energy,danceability"


@pytest.fixture(scope="module")
def genre_checkpoint(genre_root, tmp_path_factory):
    folder = tmp_path_factory.mktemp("genre")
    main(fit_args("genre_cnn.yaml", genre_root, folder))
    return run_folder(folder) / "checkpoints" / "best.ckpt"


@pytest.fixture(scope="module")
def trained(emotion_root, tmp_path_factory):
    """The run folder of a small multitask CNN trained on easy tracks."""
    folder = tmp_path_factory.mktemp("trained")
    easy = ["--model.augmentations=[]", "--model.lr_scheduler.init_args.max_lr=0.02"]
    main(fit_args("emotion_multitask.yaml", emotion_root, folder, *easy, epochs=20))
    return run_folder(folder)


def metrics_of(run: Path) -> dict[str, float]:
    return json.loads((run / "test_metrics.json").read_text())


@pytest.mark.parametrize("config", [*EMOTION_CONFIGS, "published/emotion_multitask.yaml"])
def test_fit_trains_tests_and_leaves_its_results(config, emotion_root, tmp_path):
    main(fit_args(config, emotion_root, tmp_path))
    run = run_folder(tmp_path)
    assert {path.name for path in run.iterdir()} >= {
        "checkpoints",
        "config.yaml",
        "predictions.csv",
        "scatter.png",
        "test_metrics.json",
    }
    expected = {f"test_{score}" for score in ("loss", "mse", "spearman")}
    expected |= {f"{name}_{axis}" for name in expected for axis in AXES}
    expected |= {f"{name}_{end}" for name in expected if "spearman" in name for end in ("low", "high")}
    assert set(metrics_of(run)) == expected


@pytest.mark.parametrize("axis", ["energy"])  # the others are joined below
def test_one_axis_by_its_name(axis, emotion_root, tmp_path):
    main(fit_args("emotion_lstm.yaml", emotion_root, tmp_path, f"--data.axes={axis}"))
    rows = read_rows(run_folder(tmp_path) / "predictions.csv")
    assert list(rows[0]) == ["id", f"truth_{axis}", f"prediction_{axis}"]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_overlays_change_loss_and_weighting(overlay, emotion_root, tmp_path):
    args = fit_args("emotion_multitask.yaml", emotion_root, tmp_path, "--data.test_fraction=0")
    cli = run_training([*args[:2], f"-c={CONFIGS / overlay}", *args[2:]])
    part, wanted = next(iter(yaml.safe_load((CONFIGS / overlay).read_text())["model"]["init_args"].items()))
    assert type(getattr(cli.model, part)).__name__ == wanted["class_path"]
    logged = cli.trainer.callback_metrics
    assert {f"weight_{axis}" for axis in AXES} <= set(logged)
    assert ("param_valence" in logged) == (overlay == "weighting_learned.yaml")


def test_overfit_drives_the_training_loss_to_nearly_zero(emotion_root, tmp_path):
    args = fit_args("emotion_multitask.yaml", emotion_root, tmp_path, epochs=40)
    cli = run_training([*args[:2], f"-c={CONFIGS / 'overfit.yaml'}", *args[2:]])
    assert cli.trainer.callback_metrics["train_loss"] < 0.02


def test_the_easy_tracks_are_learnt(trained):
    assert metrics_of(trained)["test_spearman"] > 0.6


def test_a_checkpoint_alone_tests_and_predicts(trained, tmp_path):
    checkpoint = trained / "checkpoints" / "best.ckpt"
    torch.load(checkpoint, weights_only=True)
    main(evaluate_args("test", checkpoint, tmp_path))
    assert metrics_of(run_folder(tmp_path)) == pytest.approx(metrics_of(trained), abs=1e-6)
    assert (run_folder(tmp_path) / "predictions.csv").read_text() == (trained / "predictions.csv").read_text()


def test_predict_writes_a_complete_solution(trained, emotion_root, tmp_path):
    main(evaluate_args("predict", trained / "checkpoints" / "best.ckpt", tmp_path))
    lines = (run_folder(tmp_path) / "solution.txt").read_text().splitlines()
    files = sorted((emotion_root / "test").iterdir(), key=lambda path: int(path.name.split(".")[0]))
    assert lines[0] == HEADER
    assert [line.split(",")[0] for line in lines[1:]] == [f"{path.name}.gz" for path in files]
    rows = read_rows(run_folder(tmp_path) / "predictions.csv")
    for line, row in zip(lines[1:], rows, strict=True):
        assert line.split(",")[1:] == [row[f"prediction_{axis}"] for axis in AXES]
        assert all(row[f"truth_{axis}"] == "" for axis in AXES)


def test_the_header_of_a_solution_is_an_option(trained, tmp_path):
    options = ["--solution.header=Id,energy,valence", "--solution.suffix="]
    main(evaluate_args("predict", trained / "checkpoints" / "best.ckpt", tmp_path, *options))
    header, first, *_ = (run_folder(tmp_path) / "solution.txt").read_text().splitlines()
    row = read_rows(run_folder(tmp_path) / "predictions.csv")[0]
    assert header == "Id,energy,valence"
    assert first == ",".join([row["id"], row["prediction_energy"], row["prediction_valence"]])


@pytest.mark.parametrize("option", ["--data.limit=3", "--trainer.limit_predict_batches=0.3"])
def test_an_incomplete_solution_is_not_written(option, trained, tmp_path, capfd):
    options = [option, "--data.batch_size=2"]
    main(evaluate_args("predict", trained / "checkpoints" / "best.ckpt", tmp_path, *options))
    assert "No solution.txt" in capfd.readouterr().out
    assert (run_folder(tmp_path) / "predictions.csv").exists()
    assert not (run_folder(tmp_path) / "solution.txt").exists()


def test_single_axis_predictions_are_joined_by_combine(emotion_root, tmp_path, capfd):
    files = []
    for axis in AXES:
        folder = tmp_path / axis
        main(fit_args("emotion_cnn.yaml", emotion_root, folder, f"--data.axes={axis}"))
        main(evaluate_args("predict", run_folder(folder) / "checkpoints" / "best.ckpt", folder))
        assert not (run_folder(folder, 1) / "solution.txt").exists()
        files.append(run_folder(folder, 1) / "predictions.csv")
    assert "musiclab combine" in capfd.readouterr().out
    solution = tmp_path / "solution.txt"
    main(["combine", *map(str, files), f"--solution={solution}"])
    columns = np.array([line.split(",") for line in solution.read_text().splitlines()[1:]]).T
    for axis, file, column in zip(AXES, files, columns[1:], strict=True):
        assert [row[f"prediction_{axis}"] for row in read_rows(file)] == column.tolist()


@pytest.mark.parametrize("frozen", ["0", pytest.param("1", marks=pytest.mark.slow), "all"])
def test_transfer_from_a_genre_checkpoint(frozen, genre_checkpoint, emotion_root, tmp_path):
    moved = tmp_path / "genre.ckpt"
    moved.write_bytes(genre_checkpoint.read_bytes())
    options = [f"--model.pretrained={moved}", f"--model.frozen_epochs={frozen}"]
    main(fit_args("emotion_transfer.yaml", emotion_root, tmp_path, *options, epochs=2))
    moved.unlink()
    checkpoint = run_folder(tmp_path) / "checkpoints" / "last.ckpt"
    main(evaluate_args("predict", checkpoint, tmp_path))
    weights = [torch.load(path, weights_only=True)["state_dict"] for path in (genre_checkpoint, checkpoint)]
    names = [name for name in weights[0] if name.startswith("backbone.")]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in names) == (frozen == "all")
    assert torch.equal(weights[0]["feature_mean"], weights[1]["feature_mean"])


def test_the_residual_network_goes_on_from_genre_to_emotion_on_excerpts_of_coarse_frames(
    genre_root, emotion_root, tmp_path
):
    def args(config: str, root: Path, *options: str) -> list[str]:
        fit = fit_args(config, root, tmp_path / config, *options)
        return [*fit[:2], f"-c={CONFIGS / 'coarse_frames.yaml'}", *fit[2:]]

    main(args("genre_resnet.yaml", genre_root))
    checkpoint = run_folder(tmp_path / "genre_resnet.yaml") / "checkpoints" / "last.ckpt"
    options = [f"--model.pretrained={checkpoint}", "--model.frozen_epochs=all"]
    task = run_training(args("emotion_resnet.yaml", emotion_root, *options)).model
    weights = torch.load(checkpoint, weights_only=True)["state_dict"]
    named = [name for name, _ in task.named_parameters() if name.startswith("backbone.")]
    assert named
    assert all(torch.equal(weights[name], task.state_dict()[name]) for name in named)
    assert type(task.augmentations[0]).__name__ == "CropTime"
    assert task.augmentations[0].frames == 32


def test_without_test_tracks_fit_ends_without_a_test(emotion_root, tmp_path, capfd):
    main(fit_args("emotion_cnn.yaml", emotion_root, tmp_path, "--data.test_fraction=0"))
    assert not (run_folder(tmp_path) / "test_metrics.json").exists()
    checkpoint = run_folder(tmp_path) / "checkpoints" / "best.ckpt"
    assert "Best checkpoint" in capfd.readouterr().out
    assert "test_fraction" in error_of(capfd, evaluate_args("test", checkpoint, tmp_path))
    main(evaluate_args("predict", checkpoint, tmp_path))


def test_a_resumed_run_ends_with_the_same_weights(emotion_root, genre_checkpoint, tmp_path):
    """16 training tracks make 2 batches an epoch; the kill comes within the third epoch, after the unfreezing."""
    overlays = [f"-c={CONFIGS / name}" for name in ("loss_spearman.yaml", "weighting_learned.yaml")]
    options = [f"--model.pretrained={genre_checkpoint}", "--model.frozen_epochs=1", "--data.limit=20"]

    def args(folder: Path) -> list[str]:
        fit = fit_args("emotion_transfer.yaml", emotion_root, folder, *options, epochs=4)
        return [*fit[:2], *overlays, *fit[2:]]

    main(args(tmp_path / "through"))
    kill = ["--trainer.callbacks+=faults.KillAt", "--trainer.callbacks.batch=5"]
    assert forked([*args(tmp_path / "killed"), *kill]).returncode == -9
    checkpoint = run_folder(tmp_path / "killed") / "checkpoints" / "last.ckpt"
    main([*args(tmp_path / "killed"), f"--ckpt_path={checkpoint}"])
    first, second = (
        torch.load(run_folder(tmp_path / name) / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
        for name in ("through", "killed")
    )
    assert all(torch.equal(tensor, second[name]) for name, tensor in first.items())


def with_value(value: str):
    def damage(root: Path) -> None:
        path = root / "train_labels.txt"
        lines = path.read_text().splitlines()
        lines[1] = ",".join([lines[1].split(",")[0], value, "0.5", "0.5"])
        path.write_text("\n".join(lines) + "\n")

    return damage


def constant(root: Path) -> None:
    path = root / "train_labels.txt"
    header, *lines = path.read_text().splitlines()
    rows = [line.split(",") for line in lines]
    path.write_text("\n".join([header, *(",".join([row[0], row[1], "0.5", row[3]]) for row in rows)]) + "\n")


def too_few(root: Path) -> None:
    path = root / "train_labels.txt"
    path.write_text("\n".join(path.read_text().splitlines()[:4]) + "\n")


@pytest.mark.parametrize(
    ("damage", "option", "said"),
    [
        (with_value("nan"), "", "valence is 'nan', not a finite number"),
        (with_value("loud"), "", "valence is 'loud', not a finite number"),
        (with_value("7.5"), "", "valence is 7.5, outside the range 0 to 1"),
        (constant, "", "energy is 0.5 for all"),
        (too_few, "", "more tracks"),
        (None, "--data.axes=arousal", "no column arousal; it has valence, energy, danceability"),
        (None, "--data.axes=[energy,energy]", "name each axis once"),
        (None, "--data.folds=1", "folds must be 2 or more"),
        (None, "--data.test_fraction=1.5", "test_fraction is 1.5"),
        (None, "--model.loss.init_args.spearman=-1", "spearman -1"),
        (None, '--model.weighting.init_args.weights={"arousal":1.0}', "arousal 1.0; the model's axes are valence"),
        (None, "--model.pretrained=nowhere.ckpt", "nowhere.ckpt: no such checkpoint"),
        (None, "--model.frozen_epochs=all", "give a checkpoint to start from"),
    ],
)
def test_bad_input_is_one_line(damage, option, said, emotion_root, tmp_path, capfd):
    root = emotion_root
    if damage is not None:
        root = make_emotion_folder(tmp_path / "data")
        damage(root)
    error = error_of(capfd, fit_args("emotion_multitask.yaml", root, tmp_path, *filter(None, [option])))
    assert said in error
    if damage is not None:
        assert str(root / "train_labels.txt") in error or "tracks" in error


def test_transfer_has_to_be_told_from_what(emotion_root, tmp_path, capfd):
    assert "--model.pretrained is not given" in error_of(
        capfd, fit_args("emotion_transfer.yaml", emotion_root, tmp_path)
    )


def test_a_genre_checkpoint_of_other_features_is_refused(genre_checkpoint, emotion_root, tmp_path, capfd):
    options = [f"--model.pretrained={genre_checkpoint}", "--data.features=chroma"]
    error = error_of(capfd, fit_args("emotion_transfer.yaml", emotion_root, tmp_path, *options))
    assert str(genre_checkpoint) in error
    assert "mel" in error
    assert "chroma" in error


def test_a_genre_backbone_of_other_sizes_is_refused(genre_checkpoint, emotion_root, tmp_path, capfd):
    args = fit_args("emotion_transfer.yaml", emotion_root, tmp_path, f"--model.pretrained={genre_checkpoint}")
    error = error_of(capfd, [*args, "--model.backbone.init_args.channels=[8,9,16,16]"])
    assert "backbone.blocks.1.convolution.weight is (8, 8, 3, 3) there and (9, 8, 3, 3) here" in error


def test_real_tracks_from_genre_to_solution(tmp_path):
    root = SHARED / "fma_small_mel"
    if not root.is_dir():
        pytest.skip("the real data set ../shared/data/fma_small_mel is not there")
    genres = [root / "fma_genre_spectrograms", tmp_path / "genre", "--data.class_map=null", "--data.limit=40"]
    main(fit_args("genre_cnn.yaml", *genres, "--data.val_fraction=0.3"))
    pretrained = f"--model.pretrained={run_folder(tmp_path / 'genre') / 'checkpoints' / 'best.ckpt'}"
    emotions = [root / "multitask_dataset", tmp_path / "emotion", pretrained, "--data.limit=40"]
    main(fit_args("emotion_transfer.yaml", *emotions))
    main(evaluate_args("predict", run_folder(tmp_path / "emotion") / "checkpoints" / "best.ckpt", tmp_path / "emotion"))
    assert len((run_folder(tmp_path / "emotion", 1) / "solution.txt").read_text().splitlines()) == 301
