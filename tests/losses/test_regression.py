"""Losses of predicted values: what they are made of, and the published one against numpy."""

import numpy as np
import pytest
import torch

from musiclab.errors import UserError
from musiclab.losses import PublishedLoss, RegressionLoss, SpearmanLoss


@pytest.fixture
def batch():
    """Predictions and targets of 32 tracks and 3 axes, between 0 and 1."""
    predictions, targets = torch.rand(2, 32, 3, generator=torch.Generator().manual_seed(0))
    return predictions, targets


def mean_squared_errors(predictions, targets):
    return torch.from_numpy(np.mean((predictions.numpy() - targets.numpy()) ** 2, axis=0))


def correlations(predictions, targets):
    pairs = zip(predictions.double().numpy().T, targets.double().numpy().T, strict=True)
    return torch.tensor([np.corrcoef(ours, theirs)[0, 1] for ours, theirs in pairs])


def gradient(loss, predictions, targets):
    leaf = predictions.clone().requires_grad_()
    loss(leaf, targets).sum().backward()
    return leaf.grad


def test_by_default_it_is_the_mean_squared_error(batch):
    torch.testing.assert_close(RegressionLoss()(*batch), mean_squared_errors(*batch))


def test_a_case_worked_by_hand():
    predictions, targets = torch.tensor([[1.0, 0.0], [3.0, 0.0]]), torch.tensor([[0.0, 0.0], [1.0, 4.0]])
    assert RegressionLoss(mse=2)(predictions, targets).tolist() == [5, 16]


@pytest.mark.parametrize("strength", [0.1, 0.5, 2.0])
@pytest.mark.parametrize(("mse", "spearman"), [(1, 0), (0, 1), (1, 1), (0.5, 0.1), (0, 3)])
def test_it_is_the_weighted_sum_and_so_is_its_gradient(batch, mse, spearman, strength):
    loss, rank_loss = RegressionLoss(mse, spearman, strength), SpearmanLoss(strength)
    expected = mse * mean_squared_errors(*batch) + spearman * rank_loss(*batch)
    torch.testing.assert_close(loss(*batch), expected)
    slopes = mse * gradient(RegressionLoss(), *batch) + spearman * gradient(rank_loss, *batch)
    torch.testing.assert_close(gradient(loss, *batch), slopes)


@pytest.mark.parametrize("weights", [(-1, 1), (1, -0.1), (0, 0)])
def test_weights_that_are_negative_or_all_zero_are_refused(weights):
    with pytest.raises(UserError, match="one of them above 0"):
        RegressionLoss(*weights)


def test_a_strength_that_is_not_above_zero_is_refused():
    with pytest.raises(UserError, match="above 0"):
        RegressionLoss(spearman=1, strength=0)


@pytest.mark.parametrize("loss", [RegressionLoss(), RegressionLoss(1, 1), PublishedLoss()])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precisions_are_raised(batch, loss, dtype):
    predictions, targets = batch[0].to(dtype), batch[1]
    losses = loss(predictions, targets)
    assert losses.dtype == torch.float32
    torch.testing.assert_close(losses, loss(predictions.float(), targets), rtol=0, atol=0)


@pytest.mark.parametrize("weight", [0.1, 1.0])
@pytest.mark.parametrize("tracks", [2, 8, 32])
def test_the_published_loss_is_with_outputs_between_0_and_1_that_of_pearson(batch, tracks, weight):
    predictions, targets = (values[:tracks] for values in batch)
    expected = mean_squared_errors(predictions, targets) - weight * correlations(predictions, targets)
    losses = PublishedLoss(weight)(predictions, targets).double()
    torch.testing.assert_close(losses, expected.double(), atol=1e-6, rtol=0)


def test_with_outputs_of_wider_range_the_published_loss_is_not(batch):
    predictions, targets = 50 * batch[0], batch[1]
    rho = mean_squared_errors(predictions, targets) - PublishedLoss(1.0)(predictions, targets)
    assert (rho - correlations(predictions, targets)).abs().max() > 1e-3


def test_the_loss_of_ranks_differs_from_that_of_pearson(batch):
    assert (SpearmanLoss()(*batch) - (1 - correlations(*batch))).abs().min() > 1e-3


def test_the_published_loss_may_be_negative(batch):
    assert (PublishedLoss()(batch[1], batch[1]) < 0).all()
    assert (RegressionLoss(1, 1)(batch[1], batch[1]) >= 0).all()


@pytest.mark.parametrize("loss", [RegressionLoss(1, 1), PublishedLoss()])
@pytest.mark.parametrize("tracks", [2, 32])
def test_equal_predictions_have_finite_gradients(batch, loss, tracks):
    assert gradient(loss, torch.full((tracks, 3), 0.5), batch[1][:tracks]).isfinite().all()


@pytest.mark.parametrize("loss", [RegressionLoss(1, 1), PublishedLoss()])
@pytest.mark.filterwarnings("ignore:Spearman's correlation is undefined")
def test_a_single_track_has_the_gradient_of_the_squared_error(batch, loss):
    predictions, targets = batch[0][:1], batch[1][:1]
    torch.testing.assert_close(gradient(loss, predictions, targets), 2 * (predictions - targets))
