"""What TensorBoard shows besides curves, read back from the event files."""

from types import SimpleNamespace

import numpy as np
import pytest
from command_line import CONFIGS, fit_args, run_folder
from matplotlib.figure import Figure
from pytorch_lightning.loggers import TensorBoardLogger
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

from musiclab.cli import main
from musiclab.runs.tensorboard import overlay_curves, show_figure


def read_events(folder):
    return EventAccumulator(str(folder)).Reload()


def hyperparameters(events):
    """The settings and the names of the metrics that the table of runs shows for a run."""
    content = events.summary_metadata["_hparams_/session_start_info"].plugin_data.content
    settings = HParamsPluginData.FromString(content).session_start_info.hparams
    content = events.summary_metadata["_hparams_/experiment"].plugin_data.content
    metrics = HParamsPluginData.FromString(content).experiment.metric_infos
    return {name: getattr(value, value.WhichOneof("kind")) for name, value in settings.items()}, [
        info.name.tag for info in metrics
    ]


def test_curves_are_laid_over_each_other_and_figures_shown(tmp_path):
    logger = TensorBoardLogger(tmp_path)
    trainer = SimpleNamespace(loggers=[logger])
    overlay_curves(trainer, ["loss", "spearman_energy"])
    figure = Figure()
    figure.add_subplot()
    show_figure(trainer, "test_scatter", figure, 7)
    logger.experiment.flush()
    events = read_events(logger.log_dir)
    layout = events.Tensors("custom_scalars__config__")[0].tensor_proto.string_val[0]
    for name in ("^train_loss$", "^val_loss$", "^train_spearman_energy$", "^val_spearman_energy$"):
        assert name.encode() in layout
    assert [image.step for image in events.Images("test_scatter")] == [7]


@pytest.fixture(scope="module")
def genre_events(genre_root, tmp_path_factory):
    folder = tmp_path_factory.mktemp("genre")
    main(
        fit_args("genre_cnn.yaml", genre_root, folder, "--seed_everything=3", "--trainer.log_every_n_steps=1", epochs=3)
    )
    return read_events(run_folder(folder))


def test_a_genre_run_shows_its_best_validation_and_its_test(genre_events):
    accuracy = {scalar.step: scalar.value for scalar in genre_events.Scalars("val_accuracy")}
    (best,) = genre_events.Scalars("best_val_accuracy")
    assert best.value == max(accuracy.values())
    (image,) = genre_events.Images("val_confusion_matrix")
    first = min(step for step, value in accuracy.items() if value == best.value)
    assert image.step == first + 1  # after the step, whose number counts from 0
    assert len(genre_events.Images("test_confusion_matrix")) == 1


def test_learning_rate_and_gradient_norm_are_curves(genre_events):
    steps = len(genre_events.Scalars("lr-AdamW"))
    norms = [scalar.value for scalar in genre_events.Scalars("gradient_norm")]
    assert len(norms) == steps > 3
    assert all(np.isfinite(norms))
    assert min(norms) > 0


def test_runs_are_compared_by_settings_and_final_metrics(genre_events):
    settings, metrics = hyperparameters(genre_events)
    assert metrics == ["best_val_accuracy", "test_accuracy", "test_f1_macro"]
    assert all(genre_events.Scalars(metric) for metric in metrics)
    assert settings["task"] == "ClassificationTask"
    assert settings["backbone"] == "CNN"
    assert settings["backbone.channels"] == "8, 8, 16, 16"
    assert settings["optimizer"] == "AdamW"
    assert settings["optimizer.lr"] == 0.001
    assert settings["lr_scheduler.max_lr"] == 0.005
    assert settings["augmentations"] == "CropTime, RollTime, MaskTime, MaskFeatures, Mixup"
    assert settings["batch_size"] == 8
    assert settings["seed_everything"] == 3
    assert settings["max_epochs"] == 3
    assert not {"root", "target_names", "optimizer.betas", "_class_path"} & settings.keys()


def test_an_emotion_run_shows_scatter_plots_weights_and_each_axis(emotion_root, tmp_path):
    more = ["-c=" + str(CONFIGS / "weighting_learned.yaml")]
    main(fit_args("emotion_multitask.yaml", emotion_root, tmp_path, *more, epochs=2))
    events = read_events(run_folder(tmp_path))
    for tag in ("val_scatter", "test_scatter"):
        assert len(events.Images(tag)) == 1
    for tag in ("weight_valence", "param_energy"):
        assert len(events.Scalars(tag)) == 2
    settings, metrics = hyperparameters(events)
    assert metrics[:3] == ["best_val_spearman", "test_spearman", "test_mse"]
    assert all(events.Scalars(metric) for metric in metrics)
    assert settings["weighting"] == "LearnedWeights"
    assert settings["loss"] == "RegressionLoss"
    assert settings["axes"] == "valence, energy, danceability"
