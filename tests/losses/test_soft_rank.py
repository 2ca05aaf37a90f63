"""Soft ranks and their gradients against plain and exact computations, found in both ways that there are."""

import importlib
from fractions import Fraction
from itertools import permutations

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.optimize import lsq_linear
from scipy.stats import rankdata
from torch.autograd import gradcheck

from musiclab.errors import UserError
from musiclab.losses.soft_rank import _pool_numbers, _pool_starts, average_ranks, soft_rank

MODULE = importlib.import_module("musiclab.losses.soft_rank")  # as attributes go, the function hides its module

STRENGTHS = [1e-12, 0.01, 0.3, 1.0, 3.0, 1e12]

in_any_way = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(params=["host", "device"], autouse=True)
def way(request, monkeypatch):
    """What is done on a CPU, and, on a CPU too, what is done on a GPU."""
    if request.param == "device":
        monkeypatch.setattr(MODULE, "_is_for_host", lambda values: False)
    return request.param


def double(values):
    return torch.tensor(values, dtype=torch.float64)


def draw(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def exact_ranks(row, strength):
    """Soft ranks of one row by pools of adjacent violators, in fractions."""
    order = sorted(range(len(row)), key=lambda index: row[index])
    pools = []  # lists of (index, value, position)
    for position, index in enumerate(order, start=1):
        pools.append([(index, Fraction(row[index]) / Fraction(strength), position)])
        while len(pools) > 1 and gap(pools[-2]) > gap(pools[-1]):
            last = pools.pop()
            pools[-1] += last
    ranks = {index: value - gap(pool) for pool in pools for index, value, _ in pool}
    return double([float(ranks[index]) for index in range(len(row))])


def gap(pool):
    return sum(value - position for _, value, position in pool) / len(pool)


def nearest_in_permutahedron(row, strength):
    """The point of the permutahedron nearest to a row, as a mean of its corners with weights found by a solver."""
    corners = np.array(list(permutations(range(1, len(row) + 1)))).T
    heavy = 1e4  # makes the weights sum to 1
    system = np.vstack([corners, np.full(corners.shape[1], heavy)])
    weights = lsq_linear(system, np.append(np.array(row) / strength, heavy), (0, np.inf), method="bvls").x
    return double(corners @ (weights / weights.sum()))


def multiples(row, strength):
    return [value * strength for value in row]


@in_any_way
@given(
    row=st.lists(st.integers(-3, 3).map(float) | st.floats(-5, 5), min_size=1, max_size=40),
    strength=st.sampled_from(STRENGTHS) | st.floats(1e-3, 1e3),
)
def test_soft_ranks_are_those_of_exact_arithmetic(row, strength):
    ranks = soft_rank(double(row), strength)
    torch.testing.assert_close(ranks, exact_ranks(row, strength), atol=1e-9, rtol=1e-9)


@in_any_way
@given(
    row=st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=10),
    strength=st.integers(-300, 300).map(lambda power: 10.0**power),
)
def test_soft_ranks_are_exact_for_the_largest_and_the_smallest_numbers(row, strength):
    ranks = soft_rank(double(row), strength)
    torch.testing.assert_close(ranks, exact_ranks(row, strength), atol=1e-9, rtol=1e-9)


@pytest.mark.parametrize("strength", [0.1, 0.5, 1.0, 5.0])
@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_soft_ranks_are_the_nearest_point_of_the_permutahedron(count, strength):
    for seed in range(10):
        row = draw(count, seed=seed)
        expected = nearest_in_permutahedron(row.numpy(), strength)
        torch.testing.assert_close(soft_rank(row, strength), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("row", "strength", "ranks"),
    [
        ([7], 2, [1]),
        ([0, 0], 1, [1.5, 1.5]),
        ([0, 1], 0.5, [1, 2]),
        ([0, 1], 1, [1, 2]),
        ([0, 1], 2, [1.25, 1.75]),
        ([1, 0], 2, [1.75, 1.25]),
        ([0.1, 0.2, 5], 0.05, [1, 2, 3]),
        ([0.1, 0.2, 5], 1, [1.45, 1.55, 3]),
        ([5, 0.2, 0.1], 1, [3, 1.55, 1.45]),
        ([0.1, 0.2, 5], 10, [2 - 1.6667 / 10, 2 - 1.5667 / 10, 2 + 3.2333 / 10]),
    ],
)
def test_cases_worked_by_hand(row, strength, ranks):
    torch.testing.assert_close(soft_rank(double(row), strength), double(ranks), atol=1e-5, rtol=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("strength", STRENGTHS)
@pytest.mark.parametrize("shape", [(1,), (5,), (2, 3, 50), (4, 300)])
def test_each_row_sums_to_that_of_1_to_n(shape, strength, dtype):
    count = shape[-1]
    sums = soft_rank(draw(*shape).to(dtype), strength).double().sum(dim=-1)
    torch.testing.assert_close(sums, torch.full(shape[:-1], count * (count + 1) / 2).double(), rtol=1e-6, atol=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("strength", [1e-3, 1e-9, 1e-20, 1e-300])
@pytest.mark.parametrize("offset", [0.0, -1e4])
def test_with_a_small_strength_they_are_the_hard_ranks(offset, strength, dtype):
    values = (torch.randint(0, 20, (3, 50), generator=torch.Generator().manual_seed(0)) + offset).to(dtype)
    ranks = soft_rank(values, strength)
    torch.testing.assert_close(ranks, torch.from_numpy(rankdata(values, axis=-1)).to(dtype), atol=1e-4, rtol=0)


@pytest.mark.parametrize("strength", [2.0, 10.0, 1e6])
def test_with_a_large_strength_they_are_an_affine_map_of_the_values(strength):
    values = torch.rand(3, 20, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    expected = (values - values.mean(dim=-1, keepdim=True)) / strength + 21 / 2
    torch.testing.assert_close(soft_rank(values, strength), expected, atol=1e-12, rtol=1e-12)


@pytest.mark.parametrize("strength", STRENGTHS)
def test_float32_is_as_accurate_as_float32_can_be(strength):
    values = draw(3, 100).float()
    torch.testing.assert_close(
        soft_rank(values, strength), soft_rank(values.double(), strength).float(), rtol=0, atol=0
    )


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.int64])
def test_all_else_is_raised_to_float32(dtype):
    values = (draw(3, 40) * 5).to(dtype)
    ranks = soft_rank(values, 0.7)
    assert ranks.dtype == torch.float32
    torch.testing.assert_close(ranks, soft_rank(values.float(), 0.7), rtol=0, atol=0)


@pytest.mark.parametrize("shape", [(7,), (1, 7), (2, 3, 7), (2, 1, 1), (0, 7), (2, 0), (0,)])
def test_rows_of_any_batch_are_ranked_each_alone(shape):
    values = draw(*shape)
    ranks = soft_rank(values, 0.3)
    assert ranks.shape == values.shape
    for row, own in zip(values.reshape(-1, shape[-1] or 1), ranks.reshape(-1, shape[-1] or 1), strict=True):
        torch.testing.assert_close(own, soft_rank(row, 0.3), rtol=1e-12, atol=0)


def test_rows_of_very_different_scales_are_ranked_each_alone():
    values = draw(40, 30) * 10.0 ** torch.arange(-20, 20)[:, None]
    together = soft_rank(values, 0.1)
    torch.testing.assert_close(together, torch.stack([soft_rank(row, 0.1) for row in values]), rtol=1e-12, atol=0)


def test_memory_need_not_be_contiguous():
    values, directions = draw(6, 4), draw(6, 4, seed=1)
    results = []
    for columns in (values.T, values.T.contiguous()):
        leaf = columns.detach().requires_grad_()
        ranks = soft_rank(leaf, 0.3)
        ranks.backward(directions.T)
        results.append((ranks, leaf.grad))
    torch.testing.assert_close(*results, rtol=0, atol=0)


@pytest.mark.parametrize("bad", [[np.nan, 1, 2], [1, np.nan, np.nan], [np.inf, np.inf, np.nan]])
def test_a_row_with_nan_is_nan_and_leaves_the_others_alone(bad):
    values = double([[1, 3, 2], bad, [0, 0, 0.1]])
    ranks = soft_rank(values, 0.5)
    assert ranks[1].isnan().all()
    torch.testing.assert_close(ranks[[0, 2]], soft_rank(values[[0, 2]], 0.5), rtol=0, atol=0)


def test_one_infinite_value_has_the_rank_of_a_very_large_one():
    assert soft_rank(double([0, -np.inf, 1, np.inf]), 0.5).tolist() == [2, 1, 3, 4]


@pytest.mark.parametrize("strength", [0, -1.0, float("nan")])
def test_a_strength_that_is_not_above_zero_is_refused(strength):
    with pytest.raises(UserError, match="must be above 0"):
        soft_rank(torch.rand(3), strength)


def test_the_input_is_left_as_it_was():
    values = draw(3, 5)
    before = values.clone()
    soft_rank(values, 0.3)
    assert torch.equal(values, before)


class TestGradients:
    @pytest.mark.parametrize("strength", [0.01, 0.3, 1.0, 30.0])
    @pytest.mark.parametrize(
        "values",
        [
            draw(1),
            draw(6),
            draw(2, 3, 5),
            draw(3, 7).T,
            double([[2, 2, 2, 2], [0, 1, 1, 0]]),
            double([[1e6, 1e6 + 0.7, -1e6], [0, 0.1, 0.2]]),
        ],
        ids=["one", "row", "batch", "columns", "ties", "huge"],
    )
    def test_are_those_of_finite_differences(self, values, strength):
        assert gradcheck(lambda leaf: soft_rank(leaf, strength), values.detach().requires_grad_(), eps=1e-5, atol=1e-5)

    @pytest.mark.parametrize(
        ("row", "strength", "expected"),
        [
            ([0.1, 0.2, 5], 1, [-0.5, 0.5, 0]),  # the first two share a pool
            ([0.2, 0.1, 5], 2, [-0.25, 0.25, 0]),
            ([0.1, 0.2, 5], 0.01, [0, 0, 0]),
            ([0.1, 0.2, 5], 10, [-5 / 30, -2 / 30, 7 / 30]),
        ],
    )
    def test_are_those_worked_by_hand(self, row, strength, expected):
        leaf = double(row).requires_grad_()
        soft_rank(leaf, strength).backward(double([1, 2, 5]))
        torch.testing.assert_close(leaf.grad, double(expected))

    @pytest.mark.parametrize("strength", [1e-6, 0.1, 1.0, 1e3])
    def test_of_float32_are_those_of_float64(self, strength):
        values, directions = draw(3, 60).float(), draw(3, 60, seed=1).float()
        gradients = []
        for dtype in (torch.float32, torch.float64):
            leaf = values.to(dtype, copy=True).requires_grad_()
            soft_rank(leaf, strength).backward(directions.to(dtype))
            gradients.append(leaf.grad)
        assert gradients[0].dtype == torch.float32
        torch.testing.assert_close(gradients[0], gradients[1].float(), rtol=0, atol=0)

    @pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
    def test_reach_half_precisions(self, dtype):
        leaf = draw(2, 9).to(dtype).requires_grad_()
        soft_rank(leaf, 1.0).square().sum().backward()
        assert leaf.grad.dtype == dtype
        assert leaf.grad.isfinite().all()
        assert leaf.grad.any()

    @pytest.mark.parametrize("strength", STRENGTHS)
    def test_of_equal_values_subtract_the_mean(self, strength):
        leaf, direction = torch.full((2, 5), 3.0).double().requires_grad_(), draw(2, 5)
        soft_rank(leaf, strength).backward(direction)
        expected = (direction - direction.mean(dim=-1, keepdim=True)) / strength
        torch.testing.assert_close(leaf.grad, expected)

    def test_of_gradients_are_refused(self):
        leaf = draw(5).requires_grad_()
        (gradient,) = torch.autograd.grad(soft_rank(leaf, 1.0).square().sum(), leaf, create_graph=True)
        with pytest.raises(RuntimeError, match="once_differentiable"):
            gradient.sum().backward()


@pytest.mark.parametrize("count", [1, 2, 3, 17, 100])
@pytest.mark.parametrize("kind", ["random", "integers", "gaps", "scales"])
def test_both_ways_find_the_same_pools(kind, count):
    rng = np.random.default_rng(count)
    rows = {
        "random": lambda: rng.normal(size=(200, count)),
        "integers": lambda: rng.integers(0, 4, (200, count)),
        "gaps": lambda: np.sort(rng.normal(size=(200, count)), axis=1) * 10 ** rng.uniform(-3, 3) - np.arange(count),
        "scales": lambda: rng.normal(size=(200, count)) * 10.0 ** rng.uniform(-4, 4, (200, 1)),
    }[kind]()
    rows = rows.astype(np.float64)
    numbers = _pool_numbers(torch.from_numpy(rows)).numpy()
    starts = np.flatnonzero(np.diff(numbers, axis=1, prepend=-1))
    assert starts.tolist() == _pool_starts(rows).tolist()


@pytest.mark.parametrize(
    ("row", "pools", "starts"),
    [
        ([5], [0], [0]),
        ([1, 2, 3], [0, 1, 2], [0, 1, 2]),
        ([3, 2, 1], [0, 0, 0], [0]),
        ([1, 3, 2, 2.6, 0, 9], [0, 1, 1, 1, 1, 2], [0, 1, 5]),
    ],
)
def test_pools_worked_by_hand(row, pools, starts):
    assert _pool_numbers(double([row, row])).tolist() == [pools, pools]
    assert _pool_starts(np.array([row, row], dtype=float)).tolist() == [*starts, *(len(row) + s for s in starts)]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
@pytest.mark.parametrize("fits", [True, False])
def test_cuda_gives_what_the_cpu_gives_and_copies_nothing_to_the_host_that_fits(fits, monkeypatch):
    def ranks_and_gradients(values, direction, strength):
        leaf = values.clone().requires_grad_()
        ranks = soft_rank(leaf, strength)
        ranks.backward(direction)
        return ranks.detach(), leaf.grad

    monkeypatch.setattr(MODULE, "MAX_PAIRS", MODULE.MAX_PAIRS if fits else 0)
    for shape in [(5,), (3, 32), (2, 3, 128), (1, 4096)]:
        for strength in (0.01, 0.3, 10.0):
            values, direction = draw(*shape).float(), draw(*shape, seed=1).float()
            there = values.cuda(), direction.cuda()
            torch.cuda.set_sync_debug_mode("error" if fits else "default")
            try:
                results = ranks_and_gradients(*there, strength)
            finally:
                torch.cuda.set_sync_debug_mode("default")
            assert all(result.is_cuda for result in results)
            expected = ranks_and_gradients(values, direction, strength)
            torch.testing.assert_close([result.cpu() for result in results], list(expected))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("shape", [(1,), (9,), (3, 40), (2, 3, 100)])
def test_average_ranks_are_those_of_scipy(shape, dtype):
    for values in (draw(*shape), (draw(*shape) * 2).round(), torch.zeros(shape)):
        values = values.to(dtype)
        expected = torch.from_numpy(rankdata(values, axis=-1)).to(dtype)
        assert torch.equal(average_ranks(values), expected)
        columns = values.mT if values.ndim > 1 else values
        assert torch.equal(average_ranks(columns), torch.from_numpy(rankdata(columns, axis=-1)).to(dtype))
