"""Scores of whole sets, against scipy and scikit-learn."""

import json
import warnings

import numpy as np
import pytest
import torch
import torch.distributed
from forked import on_two
from scipy.stats import spearmanr
from sklearn.metrics import mean_squared_error

from musiclab.tasks.metrics import WholeSet, regression_scores

AXES = ["valence", "energy", "danceability"]
SETS = {
    "distinct values": (23, lambda values: values),
    "ties": (23, lambda values: values.mul(4).round() / 4),
    "few tracks": (3, lambda values: values),
}


def make_set(kind):
    """Predictions and targets; they agree the more, the later the axis."""
    tracks, change = SETS[kind]
    rng = torch.Generator().manual_seed(0)
    targets = torch.rand(tracks, 3, generator=rng)
    noise = torch.rand(tracks, 3, generator=rng)
    return change(targets + noise * torch.tensor([2.0, 0.5, 0.1])), change(targets)


def scores_of(predictions, targets, size, axes=AXES):
    """Scores of a set that comes in batches."""
    whole_set = WholeSet()
    for start in range(0, len(targets), size):
        whole_set.update(predictions[start : start + size], targets[start : start + size])
    return regression_scores(*whole_set.compute(), axes, "val")


def expected_scores(predictions, targets):
    pairs = zip(predictions.T.numpy(), targets.T.numpy(), strict=True)
    correlations = [spearmanr(*pair).statistic for pair in pairs]
    errors = mean_squared_error(targets.double(), predictions.double(), multioutput="raw_values")
    return {
        "val_spearman": np.mean(correlations),
        "val_mse": np.mean(errors),
        **{f"val_spearman_{axis}": value for axis, value in zip(AXES, correlations, strict=True)},
        **{f"val_mse_{axis}": value for axis, value in zip(AXES, errors, strict=True)},
    }


@pytest.mark.parametrize("kind", SETS)
@pytest.mark.parametrize("size", [1, 7, 23])
def test_scores_are_those_of_the_whole_set_for_any_batch_size(kind, size):
    predictions, targets = make_set(kind)
    with warnings.catch_warnings(action="error"):
        scores = scores_of(predictions, targets, size)
    assert scores == pytest.approx(expected_scores(predictions, targets), abs=1e-12)


@pytest.mark.parametrize("axis", range(3))
@pytest.mark.parametrize("constant", ["predictions", "targets"])
def test_constants_count_as_0_with_a_warning_that_says_so(constant, axis):
    values = dict(zip(("predictions", "targets"), make_set("distinct values"), strict=True))
    plain = scores_of(**values, size=7)
    values[constant][:, axis] = 0.1
    with pytest.warns(
        UserWarning, match=f"val_spearman_{AXES[axis]}: all 23 {constant} are equal.*counts as 0"
    ) as said:
        scores = scores_of(**values, size=7)
    assert len(said) == 1
    expected = {name: plain[f"val_spearman_{name}"] for name in AXES} | {AXES[axis]: 0.0}
    assert {name: scores[f"val_spearman_{name}"] for name in AXES} == pytest.approx(expected)
    assert scores["val_spearman"] == pytest.approx(sum(expected.values()) / 3)
    assert np.isfinite(list(scores.values())).all()


def test_the_smallest_difference_is_none_to_be_ignored():
    targets = torch.tensor([[1.0], [2.0]])
    predictions = torch.tensor([[0.5], [np.nextafter(np.float32(0.5), np.float32(1))]])
    assert scores_of(predictions, targets, 1, ["energy"])["val_spearman_energy"] == pytest.approx(1)


@pytest.mark.parametrize("axes", [1, 3])
def test_a_single_track_counts_as_0(axes):
    predictions, targets = (values[:1, :axes] for values in make_set("distinct values"))
    with pytest.warns(UserWarning, match="all 1 targets are equal"):
        scores = scores_of(predictions, targets, 1, AXES[:axes])
    assert scores["val_spearman"] == 0
    assert scores["val_mse"] == pytest.approx((predictions - targets).square().mean().item())


def test_nan_among_the_predictions_counts_as_0_and_shows_in_the_error():
    predictions, targets = make_set("distinct values")
    predictions[5, 1] = torch.nan
    with pytest.warns(UserWarning, match="val_spearman_energy: there are NaNs among the predictions"):
        scores = scores_of(predictions, targets, 7)
    assert scores["val_spearman_energy"] == 0
    assert np.isnan(scores["val_mse_energy"])
    assert scores["val_mse_valence"] > 0


def test_a_set_that_is_reset_begins_anew_and_keeps_no_graph():
    whole_set = WholeSet()
    first, second = torch.ones(4, 2, requires_grad=True), torch.zeros(3, 2)
    whole_set.update(first, torch.ones(4, 2))
    assert not whole_set.compute().requires_grad
    whole_set.reset()
    whole_set.update(second, torch.full((3, 2), 2.0))
    assert whole_set.compute().tolist() == [[[0.0, 0.0]] * 3, [[2.0, 2.0]] * 3]


def test_half_precision_is_widened():
    whole_set = WholeSet()
    whole_set.update(torch.full((2, 1), 0.5, dtype=torch.bfloat16), torch.tensor([[0.1], [0.2]], dtype=torch.float64))
    predictions, targets = whole_set.compute()
    assert predictions.dtype == targets.dtype == torch.float32


def score_share(rank, folder):
    """Score every set, of which this process has every second track."""
    meeting = f"file://{folder / 'meeting'}"
    torch.distributed.init_process_group("gloo", init_method=meeting, rank=rank, world_size=2)
    scores = {kind: scores_of(*(values[rank::2] for values in make_set(kind)), size=5) for kind in SETS}
    (folder / f"{rank}.json").write_text(json.dumps(scores))
    torch.distributed.destroy_process_group()


def test_two_processes_with_uneven_shares_give_the_scores_of_one(tmp_path):
    on_two(score_share, tmp_path)
    for rank in range(2):
        scores = json.loads((tmp_path / f"{rank}.json").read_text())
        for kind in SETS:
            assert scores[kind] == pytest.approx(expected_scores(*make_set(kind)), abs=1e-12), (rank, kind)
