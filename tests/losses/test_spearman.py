"""The Spearman loss against scipy's correlation, by itself, in a descent, and on two processes."""

import warnings
from datetime import timedelta

import numpy as np
import pytest
import torch
from forked import on_two
from scipy.stats import spearmanr
from torch import nn
from torch.autograd import gradcheck
from torch.nn.parallel import DistributedDataParallel

from musiclab.errors import UserError
from musiclab.losses import PublishedLoss, RegressionLoss, SpearmanLoss
from musiclab.losses.spearman import gathered, is_constant, soft_spearman


def draw(*shape, seed=0, dtype=torch.float32):
    return torch.randn(*shape, dtype=dtype, generator=torch.Generator().manual_seed(seed))


def related(tracks, axes=1, ties=False):
    """Predictions and targets that have to do with each other."""
    targets = draw(tracks, axes)
    predictions = targets + draw(tracks, axes, seed=1)
    return (predictions.round(), (2 * targets).round()) if ties else (predictions, targets)


def column(*values):
    return torch.tensor(values, dtype=torch.float32)[:, None]


def loss_and_gradient(loss, predictions, targets):
    leaf = predictions.clone().requires_grad_()
    losses = loss(leaf, targets)
    losses.sum().backward()
    return losses.detach(), leaf.grad


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("tracks", [8, 32, 512, 4096])
def test_rho_approaches_that_of_scipy_as_the_strength_falls(tracks, ties):
    predictions, targets = related(tracks, ties=ties)
    rho = spearmanr(predictions, targets).statistic
    errors = [abs(1 - SpearmanLoss(strength)(predictions, targets).item() - rho) for strength in (3, 0.1, 1e-6)]
    assert errors[0] > 1e-4
    assert errors[1] < 1e-2
    assert errors[2] < 1e-6


def test_each_axis_has_its_own_loss():
    predictions, targets = related(32, axes=3)
    predictions = predictions * torch.tensor([1.0, 100.0, 0.1])
    losses = SpearmanLoss()(predictions, targets)
    assert losses.shape == (3,)
    for axis in range(3):
        alone = SpearmanLoss()(predictions[:, axis : axis + 1], targets[:, axis : axis + 1])
        torch.testing.assert_close(losses[axis : axis + 1], alone)


@pytest.mark.parametrize(("factor", "shift"), [(0.1, 0.0), (1000.0, 0.0), (1.0, 7.0), (0.25, -3.0), (1e6, 1e6)])
def test_shifting_and_scaling_the_predictions_changes_nothing(factor, shift):
    predictions, targets = related(32, axes=3)
    loss = SpearmanLoss()
    losses = loss(predictions * factor + shift, targets)
    torch.testing.assert_close(losses, loss(predictions, targets), atol=1e-4, rtol=0)


@pytest.mark.parametrize("increase", [torch.exp, torch.atan, lambda x: x**3, lambda x: 10 * x - 5])
def test_only_the_order_of_the_targets_counts(increase):
    predictions, targets = related(32, axes=3)
    torch.testing.assert_close(SpearmanLoss()(predictions, increase(targets)), SpearmanLoss()(predictions, targets))


@pytest.mark.parametrize("strength", [1e-6, 0.5, 1.0, 10.0])
def test_the_loss_lies_between_0_and_2(strength):
    loss = SpearmanLoss(strength)
    for tracks in range(1, 100):
        _, targets = related(tracks, axes=5)
        for predictions in (targets, -targets, 100 * targets, targets.exp(), draw(tracks, 5, seed=2)):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # undefined for a single track
                losses = loss(predictions, targets)
            assert losses.min() >= 0
            assert losses.max() <= 2 + 1e-6


def test_order_counts_for_spearman_where_a_straight_line_counts_for_pearson():
    targets = torch.linspace(0, 1, 30)[:, None]
    ordered = targets**3
    straight = targets.view(5, 6, 1).flip(1).reshape(30, 1)  # each six of them the wrong way round
    spearman = SpearmanLoss()
    assert spearman(ordered, targets) < spearman(straight, targets)

    def pearson(predictions):
        return PublishedLoss(weight=1)(predictions, targets) - (predictions - targets).square().mean() + 1

    assert pearson(ordered) > pearson(straight)


@pytest.mark.parametrize("tracks", [32, 128, 512])
def test_the_default_is_nearer_to_spearman_than_to_pearson(tracks):
    distances = []
    for seed in range(20):
        normal = draw(tracks, 1, seed=seed)
        predictions, targets = (normal / 2).exp(), normal + draw(tracks, 1, seed=100 + seed) / 2
        rho = 1 - SpearmanLoss()(predictions, targets).item()
        spearman = spearmanr(predictions, targets).statistic
        pearson = np.corrcoef(predictions.T, targets.T)[0, 1]
        distances.append((abs(rho - spearman), abs(pearson - spearman)))
    to_spearman, between = np.mean(distances, axis=0)
    assert to_spearman < 0.5 * between


class TestWhereThereIsNoOrder:
    def test_constant_predictions_have_finite_gradients_that_lead_towards_the_order(self):
        targets = draw(16, 3)
        losses, gradient = loss_and_gradient(SpearmanLoss(), torch.full((16, 3), 2.5), targets)
        torch.testing.assert_close(losses, torch.ones(3))
        assert gradient.isfinite().all()
        for axis in range(3):
            assert spearmanr(gradient[:, axis], targets[:, axis]).statistic < -0.99

    @pytest.mark.parametrize("scale", [1e-30, 1e-8, 1e-3, 1e15])
    def test_predictions_of_any_scale_have_finite_gradients(self, scale):
        losses, gradient = loss_and_gradient(SpearmanLoss(), draw(16, 3) * scale, draw(16, 3, seed=1))
        assert ((losses >= 0) & (losses <= 2)).all()
        assert gradient.isfinite().all()

    @pytest.mark.parametrize("targets", [torch.full((16, 2), 5.0), torch.zeros(16, 2), torch.full((1, 2), 5.0)])
    def test_equal_targets_have_loss_1_no_gradient_and_one_warning(self, targets):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            losses, gradient = loss_and_gradient(SpearmanLoss(), draw(len(targets), 2), targets)
        assert losses.tolist() == [1, 1]
        assert not gradient.any()
        (warning,) = caught
        assert "undefined" in str(warning.message)
        assert "batch_size" in str(warning.message)

    def test_one_axis_of_equal_targets_leaves_the_others_alone(self):
        predictions, targets = related(16, axes=3)
        expected, expected_gradient = loss_and_gradient(SpearmanLoss(), predictions, targets)
        targets[:, 1] = 4
        with pytest.warns(UserWarning, match="undefined"):
            losses, gradient = loss_and_gradient(SpearmanLoss(), predictions, targets)
        torch.testing.assert_close(losses[[0, 2]], expected[[0, 2]])
        torch.testing.assert_close(gradient[:, [0, 2]], expected_gradient[:, [0, 2]])

    def test_no_warning_while_the_targets_differ(self):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            SpearmanLoss()(torch.zeros(4, 1), column(1, 1, 1, 1.001))

    def test_constant_means_that_all_are_equal(self):
        assert is_constant(torch.tensor([[1.0, 1.0], [1.0, 1.1]])).tolist() == [True, False]


@pytest.mark.parametrize("strength", [0.1, 0.5, 1.0, 5.0])
@pytest.mark.parametrize("case", ["random", "tied targets", "tied predictions", "constant predictions", "one track"])
def test_gradients_are_those_of_finite_differences(case, strength):
    predictions, targets = draw(2, 7, dtype=torch.float64), draw(2, 7, seed=1, dtype=torch.float64)
    if case == "tied targets":
        targets = torch.tensor([[1, 1, 2, 3, 3, 3, 0], [4, 4, 4, 4, 4, 4, 4]]).double()
    elif case == "tied predictions":
        predictions[:, 2:5] = predictions[:, :1]
    elif case == "constant predictions":
        predictions = torch.zeros_like(predictions)
    elif case == "one track":
        predictions, targets = predictions[:, :1], targets[:, :1]
    leaf = predictions.clone().requires_grad_()
    assert gradcheck(lambda leaf: soft_spearman(leaf, targets, strength), leaf)


@pytest.mark.parametrize(
    ("tracks", "strength", "reached"),
    [(8, 1, 0.99), (32, 1, 0.99), (512, 1, 0.99), (4096, 1, 0.99), (512, 0.5, 0.95), (4096, 0.5, 0.98)],
)
def test_descent_puts_free_predictions_in_order(tracks, strength, reached):
    targets = torch.rand(tracks, 1, generator=torch.Generator().manual_seed(1))
    predictions = draw(tracks, 1).requires_grad_()
    loss = SpearmanLoss(strength)
    descent = torch.optim.SGD([predictions], lr=2 * tracks)
    for _ in range(150):
        descent.zero_grad()
        loss(predictions, targets).sum().backward()
        descent.step()
    assert spearmanr(predictions.detach(), targets).statistic > reached


def test_the_smaller_the_strength_the_more_tracks_have_no_gradient_of_their_own():
    predictions, targets = column(0, 1, 2, 3, 4, 5, 6, 7), column(1, 0, 3, 2, 5, 4, 7, 6)

    def slope(strength):
        return loss_and_gradient(SpearmanLoss(strength), predictions, targets)[1].abs().max().item()

    assert slope(0.5) == 0  # although the order is wrong: all tracks are too far apart
    assert slope(1.5) > 0.01


@pytest.mark.parametrize("strength", [0, -0.5, float("nan")])
def test_a_strength_that_is_not_above_zero_is_refused(strength):
    with pytest.raises(UserError, match="above 0"):
        SpearmanLoss(strength)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_half_and_double_precisions_are_taken(dtype):
    predictions, targets = related(32, axes=2)
    predictions = predictions.to(dtype)
    losses, gradient = loss_and_gradient(SpearmanLoss(), predictions, targets)
    torch.testing.assert_close(losses, SpearmanLoss()(predictions.float(), targets))
    assert gradient.dtype == dtype


def test_one_process_gathers_nothing():
    tensor = torch.rand(3)
    assert gathered(tensor) is tensor


LOSSES = {
    "spearman": SpearmanLoss(),
    "sum": RegressionLoss(mse=1, spearman=1),
    "published": PublishedLoss(weight=1),
}
INPUTS, TARGETS = draw(12, 5), draw(12, 3, seed=1)


def linear():
    torch.manual_seed(0)
    return nn.Linear(5, 3)


def losses_and_gradients(loss, model, inputs, targets):
    losses = loss(model(inputs), targets)
    losses.sum().backward()
    return {"losses": losses.detach(), "gradients": [parameter.grad for parameter in model.parameters()]}


def work(process, folder):
    """One of two processes, with one half of the tracks."""
    torch.set_num_threads(1)
    torch.distributed.init_process_group(
        "gloo", f"file://{folder}/rendezvous", timedelta(seconds=60), world_size=2, rank=process
    )
    own = slice(6 * process, 6 * process + 6)
    results = {
        name: losses_and_gradients(loss, DistributedDataParallel(linear()), INPUTS[own], TARGETS[own])
        for name, loss in LOSSES.items()
    }
    if process == 1:  # would wait for the other process if it gathered
        evaluated = {name: loss.eval()(linear()(INPUTS[own]), TARGETS[own]).detach() for name, loss in LOSSES.items()}
        results["evaluated"] = evaluated
    torch.save(results, f"{folder}/{process}.pt")
    torch.distributed.barrier()
    torch.distributed.destroy_process_group()


class TestTwoProcesses:
    @pytest.fixture(scope="class")
    def results(self, tmp_path_factory):
        folder = tmp_path_factory.mktemp("processes")
        on_two(work, str(folder))
        return [torch.load(folder / f"{process}.pt") for process in range(2)]

    def test_have_both_the_spearman_loss_of_one_process_with_all_tracks(self, results):
        expected = SpearmanLoss()(linear()(INPUTS), TARGETS)
        for result in results:
            torch.testing.assert_close(result["spearman"]["losses"], expected, atol=1e-6, rtol=0)

    @pytest.mark.parametrize("name", LOSSES)
    def test_have_on_average_its_loss_and_each_its_gradients(self, results, name):
        expected = losses_and_gradients(LOSSES[name], linear(), INPUTS, TARGETS)
        mean = torch.stack([result[name]["losses"] for result in results]).mean(dim=0)
        torch.testing.assert_close(mean, expected["losses"], atol=1e-6, rtol=0)
        for result in results:
            torch.testing.assert_close(result[name]["gradients"], expected["gradients"], atol=1e-6, rtol=0)

    @pytest.mark.parametrize("name", LOSSES)
    def test_evaluate_each_its_own_tracks(self, results, name):
        expected = LOSSES[name](linear()(INPUTS[6:]), TARGETS[6:])
        torch.testing.assert_close(results[1]["evaluated"][name], expected)
