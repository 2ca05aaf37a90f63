"""How the losses of several axes become one."""

import math

import pytest
import torch

from musiclab.errors import UserError
from musiclab.losses import FixedWeights, LearnedWeights, PublishedLoss

AXES = ["valence", "energy", "dance"]
LOSSES = [0.5, 2.0, 1.0]


def train(weighting, losses, steps, descent):
    """Learn the params for losses that stay as they are; return the params after each step."""
    course = []
    for _ in range(steps):
        descent.zero_grad()
        weighting(torch.tensor(losses)).backward()
        descent.step()
        course.append(weighting.params.detach().clone())
    return torch.stack(course)


class TestFixedWeights:
    def test_are_1_unless_given(self):
        weighting = FixedWeights(AXES)
        assert weighting.weights().tolist() == [1, 1, 1]
        assert weighting(torch.tensor(LOSSES)) == 3.5

    def test_are_given_by_the_names_of_the_axes_in_any_order(self):
        weighting = FixedWeights(AXES, {"dance": 0, "valence": 2, "energy": 0.5})
        assert weighting.weights().tolist() == [2, 0.5, 0]
        assert weighting(torch.tensor(LOSSES)) == 2

    def test_scale_the_gradients(self):
        losses = torch.tensor(LOSSES, requires_grad=True)
        FixedWeights(AXES, {"valence": 2, "energy": 0.5, "dance": 0})(losses).backward()
        assert losses.grad.tolist() == [2, 0.5, 0]

    def test_move_with_the_model_but_are_not_learned_or_saved(self):
        weighting = FixedWeights(AXES)
        assert not list(weighting.parameters())
        assert not weighting.state_dict()
        assert dict(weighting.named_buffers()).keys() == {"factors"}

    @pytest.mark.parametrize(
        ("weights", "found"),
        [
            ({}, "given as nothing"),
            ({"valence": 1, "energy": 1}, "valence 1, energy 1;"),
            ({"valence": 1, "energy": 1, "dance": 1, "mood": 1}, "mood 1"),
            ({"valence": 1, "energy": 1, "mood": 1}, "mood 1"),
            ({"valence": 1, "energy": 1, "dance": -0.5}, "dance -0.5"),
            ({"valence": 0, "energy": 0, "dance": 0}, "dance 0"),
        ],
    )
    def test_for_other_axes_or_below_0_or_all_0_are_refused(self, weights, found):
        with pytest.raises(UserError, match=found) as refused:
            FixedWeights(AXES, weights)
        assert "the model's axes are valence, energy, dance" in str(refused.value)


class TestLearnedWeights:
    def test_begin_with_the_plain_sum(self):
        weighting = LearnedWeights(AXES)
        assert weighting(torch.tensor(LOSSES)) == 3.5
        assert weighting.weights().tolist() == [1, 1, 1]

    def test_value_and_gradients_are_those_worked_by_hand(self):
        weighting = LearnedWeights(AXES)
        params = torch.tensor([0.0, math.log(2), -math.log(4)])
        weighting.load_state_dict({"params": params})
        losses = torch.tensor(LOSSES, requires_grad=True)
        total = weighting(losses)
        total.backward()
        torch.testing.assert_close(weighting.weights(), torch.tensor([1.0, 0.5, 4.0]))
        torch.testing.assert_close(total, 0.5 + 1 + 4 + params.sum())
        torch.testing.assert_close(losses.grad, torch.tensor([1.0, 0.5, 4.0]))
        torch.testing.assert_close(weighting.params.grad, torch.tensor([1 - 0.5, 1 - 1.0, 1 - 4.0]))

    def test_the_factors_shown_are_detached(self):
        assert not LearnedWeights(AXES).weights().requires_grad

    @pytest.mark.parametrize("optimizer", [torch.optim.SGD, torch.optim.Adam])
    @pytest.mark.parametrize("losses", [LOSSES, [0.01, 0.02, 20.0]])
    def test_of_losses_above_0_stay_bounded_and_find_the_logarithm_of_the_loss(self, optimizer, losses):
        weighting = LearnedWeights(AXES)
        course = train(weighting, losses, 3000, optimizer(weighting.parameters(), lr=0.01))
        best = torch.tensor(losses).log()
        torch.testing.assert_close(course[-1], best, atol=1e-3, rtol=0)
        assert (course >= best.clamp(max=0) - 0.5).all()
        assert (course <= best.clamp(min=0) + 0.5).all()

    def test_of_a_loss_that_is_negative_run_away(self):
        targets = torch.rand(32, 3, generator=torch.Generator().manual_seed(0))
        negative = PublishedLoss()(targets, targets).tolist()
        weighting = LearnedWeights(AXES)
        course = train(weighting, negative, 1000, torch.optim.Adam(weighting.parameters(), lr=0.01))
        assert (course.diff(dim=0) < 0).all()
        assert (weighting.weights() > 1000).all()
        assert weighting(torch.tensor(negative)) < -100
