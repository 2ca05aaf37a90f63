"""Pooled batch norm against PyTorch's layers one after the other, on each track's own frames."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from musiclab.models import CNN
from musiclab.models.pooled_norm import PooledBatchNorm2d

LENGTHS = torch.tensor([1, 7, 17, 4])
FRAMES = 17
GARBAGE = 1e3


def padding_of(lengths, frames):
    return (torch.arange(frames) >= lengths[:, None]).nonzero().T


def make_norm(pool, signs="mixed"):
    torch.manual_seed(pool)
    norm = PooledBatchNorm2d(3, pool).double()
    nn.init.uniform_(norm.weight, 0.5, 2)
    nn.init.normal_(norm.bias)
    if signs == "mixed":
        norm.weight.data[1] *= -1
    return norm


def ours(norm, maps, lengths=LENGTHS):
    """Run the module as blocks do: on maps of its own that are flipped, with the places of padding."""
    pooled_padding = padding_of(-(-lengths // norm.pool_size), -(-maps.shape[2] // norm.pool_size))
    flipped = maps * norm.flips()[:, None, None].to(maps.dtype)
    return norm(flipped, padding_of(lengths, maps.shape[2]), pooled_padding)


def literally(plain, maps, pool, lengths=LENGTHS):
    """Normalise all own frames as one long image, pool each track alone, pad with zeros."""
    tracks = [track[:, :length] for track, length in zip(maps, lengths, strict=True)]
    normalised = plain(torch.cat(tracks, dim=1)[None])[0].split(lengths.tolist(), dim=1)
    pooled = [F.max_pool2d(track, pool, ceil_mode=True) for track in normalised]
    longest = -(-maps.shape[2] // pool)
    return torch.stack([F.pad(track, (0, 0, 0, longest - track.shape[1])) for track in pooled])


def plain_copy(norm):
    plain = nn.BatchNorm2d(3).double()
    plain.load_state_dict(norm.state_dict())
    return plain


def make_maps(lengths=LENGTHS, features=5):
    maps = torch.randn(len(lengths), 3, FRAMES, features, dtype=torch.float64) * 3 + 2
    padding = torch.arange(FRAMES) >= lengths[:, None]
    return maps.masked_fill(padding[:, None, :, None], GARBAGE).contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("pool", [1, 2, 3, 4])
@pytest.mark.parametrize("signs", ["positive", "mixed"])
def test_values_statistics_and_gradients(pool, signs):
    norm = make_norm(pool, signs)
    plain = plain_copy(norm)
    for _ in range(2):
        maps = make_maps()
        leaves = maps.clone().requires_grad_(), maps.clone().requires_grad_()
        results = ours(norm, leaves[0]), literally(plain, leaves[1], pool)
        torch.testing.assert_close(*results)
        direction = torch.randn_like(results[0])  # not zero in padding, from where no gradient may come
        for result in results:
            result.backward(direction)
        torch.testing.assert_close(leaves[0].grad, leaves[1].grad)
    torch.testing.assert_close(norm.state_dict(), plain.state_dict())
    for parameter, expected in zip(norm.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(parameter.grad, expected.grad)


@pytest.mark.parametrize("pool", [1, 3])
def test_evaluation_uses_the_running_statistics(pool):
    norm = make_norm(pool)
    with torch.no_grad():
        ours(norm, make_maps())
    plain = plain_copy(norm.eval()).eval()
    maps = make_maps()
    leaves = maps.clone().requires_grad_(), maps.clone().requires_grad_()
    results = ours(norm, leaves[0]), literally(plain, leaves[1], pool)
    torch.testing.assert_close(*results)
    for result in results:
        result.sum().backward()
    torch.testing.assert_close(leaves[0].grad, leaves[1].grad)
    torch.testing.assert_close(norm.weight.grad, plain.weight.grad)
    assert norm.num_batches_tracked == 1


@pytest.mark.parametrize("training", [False, True])
def test_nothing_is_padded(training):
    norm = make_norm(2).train(training)
    plain = plain_copy(norm).train(training)
    maps = torch.randn(2, 3, 6, 5, dtype=torch.float64)
    result = norm(maps * norm.flips()[:, None, None], None, None)
    torch.testing.assert_close(result, F.max_pool2d(plain(maps), 2, ceil_mode=True))
    torch.testing.assert_close(norm.state_dict(), plain.state_dict())


@pytest.mark.parametrize("shape", [(1, 3, 1, 5), (4, 3, 1, 1), (1, 3, 4, 1)])
def test_few_values(shape):
    norm = make_norm(1)
    plain = plain_copy(norm)
    maps = torch.randn(shape, dtype=torch.float64)
    torch.testing.assert_close(norm(maps * norm.flips()[:, None, None], None, None), plain(maps))
    torch.testing.assert_close(norm.state_dict(), plain.state_dict())


@pytest.mark.parametrize("pool", [1, 2, 3])
def test_gradients_are_those_of_finite_differences(pool):
    norm = make_norm(pool)
    maps = torch.randn(2, 3, 5, 4, dtype=torch.float64, requires_grad=True)
    lengths = torch.tensor([5, 3])

    def function(maps, weight, bias):
        return torch.func.functional_call(norm, {"weight": weight, "bias": bias}, (maps.clone(), *where))

    where = padding_of(lengths, 5), padding_of(-(-lengths // pool), -(-5 // pool))
    weight = torch.tensor([0.5, 1.0, 2.0], dtype=torch.float64, requires_grad=True)
    bias = torch.randn(3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(function, (maps, weight, bias))


def test_moments_of_millions_of_values_keep_float32s_precision():
    """PyTorch's own are 1e-3 off here."""
    norm = PooledBatchNorm2d(2, 2)
    norm.momentum = 1.0
    maps = (torch.randn(16, 2, 1293, 64) * 2 + 1).contiguous(memory_format=torch.channels_last)
    exact = maps.double()
    norm(maps, None, None)
    torch.testing.assert_close(norm.running_mean.double(), exact.mean(dim=(0, 2, 3)), rtol=1e-5, atol=0)
    torch.testing.assert_close(norm.running_var.double(), exact.var(dim=(0, 2, 3)), rtol=1e-5, atol=0)


@pytest.mark.parametrize("padded", [False, True])
def test_the_variance_of_nearly_constant_maps_keeps_its_precision(padded):
    norm = PooledBatchNorm2d(2, 2)
    norm.momentum = 1.0
    maps = torch.randn(4, 2, FRAMES, 8) + 100
    lengths = LENGTHS if padded else torch.full((4,), FRAMES)
    own = torch.cat([track[:, :length] for track, length in zip(maps, lengths, strict=True)], dim=1).double()
    ours(norm, maps.clone(), lengths)
    torch.testing.assert_close(norm.running_var.double(), own.var(dim=(1, 2)), rtol=1e-4, atol=0)


def test_cumulative_statistics():
    norm = make_norm(2)
    norm.momentum = None
    plain = plain_copy(norm)
    plain.momentum = None
    for _ in range(3):
        maps = make_maps()
        torch.testing.assert_close(ours(norm, maps.clone()), literally(plain, maps, 2))
    torch.testing.assert_close(norm.state_dict(), plain.state_dict())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_gradients_in_half_precision(dtype):
    norm = make_norm(2).float()
    maps = make_maps().float()
    direction = torch.randn(4, 3, 9, 3)
    gradients = []
    for leaf in (maps.clone(), maps.to(dtype)):
        leaf.requires_grad_()
        norm.zero_grad()
        ours(norm, leaf).backward(direction.to(leaf.dtype))
        gradients.append([leaf.grad.float(), norm.weight.grad, norm.bias.grad])
    for half, single in zip(*gradients, strict=True):
        assert (half - single).norm() < 0.02 * single.norm()


@pytest.mark.parametrize("training", [False, True])
def test_half_precision_keeps_its_type_and_float32_statistics(training):
    norm = make_norm(2).float().train(training)
    maps = make_maps().float()
    expected = ours(norm, maps)
    result = ours(norm, maps.bfloat16().requires_grad_())
    assert result.dtype == torch.bfloat16
    torch.testing.assert_close(result.float(), expected, atol=0.1, rtol=0.05)
    result.sum().backward()
    assert norm.running_mean.dtype == norm.weight.grad.dtype == torch.float32


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
@pytest.mark.parametrize("lengths", [[9, 9, 9], [9, 2, 5]], ids=["whole", "padded"])
def test_a_cnn_on_cuda_gives_and_learns_what_one_on_the_cpu_does(lengths, monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    torch.manual_seed(0)
    backbone = CNN(12, channels=(3, 4), pools=(2, 2), dropout=0.0)
    with torch.no_grad():
        for block in backbone.blocks:
            block.norm.weight.uniform_(-1, 1)
    frames, lengths = torch.randn(3, 9, 12), torch.tensor(lengths)
    results = []
    for device in ("cpu", "cuda"):
        own = copy.deepcopy(backbone).to(device)
        embeddings = own(frames.to(device), lengths.to(device))
        embeddings.square().sum().backward()
        learnt = [parameter.grad for parameter in own.parameters()]
        own.eval()
        evaluated = own(frames.to(device), lengths.to(device)).detach()
        results.append([value.cpu() for value in (embeddings.detach(), evaluated, *learnt, *own.buffers())])
    torch.testing.assert_close(results[1], results[0], atol=1e-4, rtol=1e-4)
