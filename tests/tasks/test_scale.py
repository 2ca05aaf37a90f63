"""How far data may lie from what a model was trained on."""

import pytest
import torch

from musiclab.errors import UserError
from musiclab.spectrogram import MUSICNN
from musiclab.tasks import ClassificationTask, TaggingTask
from musiclab.tasks.scale import require_scale, scale_distance

MEAN, STD = torch.linspace(-30, -70, 128), torch.full((128,), 15.0)


@pytest.fixture
def task():
    task = ClassificationTask(num_features=128, target_names=["a", "b"], features="mel")
    task.feature_mean.copy_(MEAN)
    task.feature_std.copy_(STD)
    return task


def test_the_distance_is_a_mean_over_features_in_standard_deviations():
    assert scale_distance(MEAN, STD, MEAN + 30, "mel") == pytest.approx(2)


def test_mel_and_chroma_are_judged_on_their_own():
    mean, std = torch.cat([MEAN, torch.full((12,), 0.4)]), torch.cat([STD, torch.full((12,), 0.3)])
    found = torch.cat([MEAN, torch.full((12,), 1.3)])
    assert scale_distance(mean, std, found, "fused") == pytest.approx(3)


def test_a_feature_that_hardly_varied_does_not_decide():
    std = STD.clone()
    std[0] = 1e-3
    assert scale_distance(MEAN, std, MEAN + 15, "mel") == pytest.approx((127 + 10) / 128)


@pytest.mark.parametrize("change", [lambda mean: mean + 80, lambda mean: (mean + 80) / 80, torch.zeros_like])
@pytest.mark.parametrize("tracks", [1, 100])
def test_other_scales_are_refused(change, tracks, task):
    with pytest.raises(UserError, match=r"data: values of .* where model was trained on -50"):
        require_scale(task, change(MEAN), tracks, "data", "model")


def test_single_tracks_may_be_all_but_silent(task):
    silent = torch.linspace(-79, -80, 128).sub(40)
    require_scale(task, silent, 1, "data", "model")
    with pytest.raises(UserError):
        require_scale(task, silent, 10, "data", "model")


def test_a_task_that_does_not_normalise_takes_any():
    task = ClassificationTask(num_features=128, target_names=["a", "b"], features="mel")
    require_scale(task, MEAN + 80, 100, "data", "model")


@pytest.mark.parametrize(("found", "fine"), [(2.0, True), (0.0, True), (-50.0, False), (30.0, False)])
def test_what_reads_compressed_power_takes_no_decibels(found, fine):
    """MusiCNN does not normalise, but its recipe says what values can be."""
    task = TaggingTask(num_features=96, target_names=["a"], features="all", recipe=MUSICNN.plain())
    means = torch.full((96,), found)
    if fine:
        require_scale(task, means, 20, "data", "model")
        return
    with pytest.raises(UserError, match=r"data: mel bands with means of .*, which are not log10\(10000 x \+ 1\)"):
        require_scale(task, means, 20, "data", "model")


def test_means_that_are_not_finite_are_refused(task):
    with pytest.raises(UserError):
        require_scale(task, MEAN * torch.nan, 100, "data", "model")
