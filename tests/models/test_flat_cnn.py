"""The network that flattens: what plain layers of PyTorch give on tracks that are cut or padded beforehand."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from musiclab.errors import UserError
from musiclab.models import FlatCNN

CHANNELS, POOLS = (3, 4, 5, 6), (2, 2, 4, 4)


def plain(backbone):
    """The published network, with the weights of ours."""
    layers = []
    for block, pool in zip(backbone.blocks, POOLS, strict=True):
        weight = block.convolution.weight.detach()
        convolution = nn.Conv2d(weight.shape[1], weight.shape[0], 3, padding=1, bias=False)
        convolution.weight = nn.Parameter(weight)
        norm = nn.BatchNorm2d(weight.shape[0])
        norm.load_state_dict(block.norm.state_dict())
        layers += [convolution, norm, nn.ReLU(), nn.MaxPool2d(pool)]
    return nn.Sequential(*layers, nn.Flatten())


@pytest.mark.parametrize("training", [False, True])
def test_it_is_the_published_network_on_tracks_of_one_length(training):
    backbone = FlatCNN(128, frames=64, channels=CHANNELS)
    for block in backbone.blocks:
        nn.init.normal_(block.norm.bias)
        nn.init.normal_(block.norm.weight)  # also below zero, where what is pooled first is the minimum
    short, exact, long = (torch.randn(frames, 128) for frames in (10, 64, 90))
    batch = torch.full((3, 100, 128), torch.nan)
    for row, track in zip(batch, (short, exact, long), strict=True):
        row[: len(track)] = track
    expected = torch.stack([F.pad(short, (0, 0, 0, 54)), exact, long[:64]])
    ours = backbone.train(training)(batch, torch.tensor([10, 64, 90]))
    assert ours.shape == (3, 6 * 1 * 2)
    torch.testing.assert_close(ours, plain(backbone).train(training)(expected[:, None]), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("features", "frames", "size"), [(128, 1293, 6 * 21 * 2), (12, 128, 6 * 2 * 1), (140, 1, 6 * 1 * 3)]
)
def test_the_embedding_has_each_map_at_each_time_and_frequency(features, frames, size):
    assert FlatCNN(features, frames=frames, channels=CHANNELS).embedding_size == size


def test_the_size_by_default_is_the_published_one():
    assert FlatCNN(128).embedding_size == 256 * 21 * 2


def test_no_frames():
    with pytest.raises(UserError, match="frames is 0; it must be at least 1"):
        FlatCNN(128, frames=0)
