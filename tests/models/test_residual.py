"""The residual CNN's parts, each against PyTorch's layers or a formula on each track's own frames."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from musiclab.errors import UserError
from musiclab.models import CNN, ResidualCNN
from musiclab.models.backbone import frame_mask
from musiclab.models.cnn import find_padding
from musiclab.models.residual import Excitation, Unit

LENGTHS = torch.tensor([17, 5, 1])
FRAMES, FEATURES, MAPS = 17, 6, 8


def make_maps(lengths):
    own = frame_mask(lengths, FRAMES)[:, None, :, None]
    return torch.randn(len(lengths), MAPS, FRAMES, FEATURES, dtype=torch.float64) * own


def own_parts(maps, lengths):
    return [track[:, :length] for track, length in zip(maps, lengths, strict=True)]


def normalised(norm, maps, lengths):
    """Batch norm of all own frames as one long image, by PyTorch's layer."""
    plain = nn.BatchNorm2d(MAPS).double()
    plain.load_state_dict(norm.state_dict())
    one = plain(torch.cat(own_parts(maps, lengths), dim=1)[None])[0]
    padded = [F.pad(track, (0, 0, 0, FRAMES - track.shape[1])) for track in one.split(lengths.tolist(), dim=1)]
    return torch.stack(padded)


def make_unit(squeeze):
    torch.manual_seed(0)
    unit = Unit(MAPS, 3, squeeze).double()
    for block in (unit.first, unit.second):
        nn.init.normal_(block.norm.weight)  # some negative
        nn.init.normal_(block.norm.bias)
    return unit


@pytest.mark.parametrize("lengths", [LENGTHS, torch.full((3,), FRAMES)], ids=["padded", "whole"])
def test_a_unit_adds_two_weighted_convolutions(lengths):
    unit, images = make_unit(squeeze=2), make_maps(lengths)
    hidden = F.relu(normalised(unit.first.norm, unit.first.convolution(images), lengths))
    found = normalised(unit.second.norm, unit.second.convolution(hidden), lengths)
    means = torch.stack([track.mean(dim=(1, 2)) for track in own_parts(found, lengths)])
    hidden = F.relu(means @ unit.excitation.squeeze.weight.T + unit.excitation.squeeze.bias)
    weights = 1 / (1 + torch.exp(-(hidden @ unit.excitation.excite.weight.T + unit.excitation.excite.bias)))
    expected = F.relu(images + found * weights[:, :, None, None])
    result = unit(images, lengths, find_padding(lengths, FRAMES, images.device))
    torch.testing.assert_close(result, expected, atol=1e-5, rtol=1e-5)  # the squeeze is float32's
    assert torch.all(result.transpose(1, 2)[~frame_mask(lengths, FRAMES)] == 0)


def test_a_unit_without_squeeze():
    unit, images = make_unit(squeeze=0), make_maps(LENGTHS)
    hidden = F.relu(normalised(unit.first.norm, unit.first.convolution(images), LENGTHS))
    expected = F.relu(images + normalised(unit.second.norm, unit.second.convolution(hidden), LENGTHS))
    torch.testing.assert_close(unit(images, LENGTHS, find_padding(LENGTHS, FRAMES, images.device)), expected)


def test_weights_of_maps_lie_between_0_and_1_and_differ_between_tracks():
    weights = Excitation(MAPS, 2).double()(make_maps(LENGTHS), LENGTHS)
    assert weights.shape == (3, MAPS)
    assert torch.all((weights > 0) & (weights < 1))
    assert not torch.allclose(weights[0], weights[1])


def test_squeezed_values():
    assert Unit(64, 3, squeeze=8).excitation.squeeze.out_features == 8
    assert Unit(4, 3, squeeze=8).excitation.squeeze.out_features == 1


@pytest.mark.parametrize("features", [1, 2, 5])
def test_frequency_is_an_input(features):
    spectrograms = torch.randn(2, 3, features)
    images = ResidualCNN(features, (4,), (0,), (3,), pools=(2,)).images(spectrograms)
    torch.testing.assert_close(images[:, 0], spectrograms)
    rising = torch.tensor([-1.0]) if features == 1 else torch.linspace(-1, 1, features)
    torch.testing.assert_close(images[:, 1], rising.expand(2, 3, features))
    assert images.is_contiguous(memory_format=torch.channels_last)


def test_with_frequency_a_shape_means_something_else_elsewhere():
    """Without it, only the edges tell, and they are far away here."""
    for coordinate in (False, True):
        torch.manual_seed(0)
        backbone = ResidualCNN(64, (4, 4), (1, 0), (3, 3), pools=(2, 2), coordinate=coordinate).eval()
        low, high = torch.zeros(2, 1, 16, 64)
        low[:, 6:10, 20:24] = high[:, 6:10, 40:44] = 3.0
        with torch.inference_mode():
            same = torch.allclose(*(backbone(track, torch.tensor([16])) for track in (low, high)), atol=1e-5)
        assert same != coordinate


def test_sizes():
    backbone = ResidualCNN(128, channels=(4, 8, 16), units=(0, 1, 2), kernels=(3, 5, 1), pools=(2, 2, 4), kernel_size=5)
    assert [len(stage.units) for stage in backbone.blocks] == [0, 1, 2]
    assert [tuple(stage.block.convolution.weight.shape) for stage in backbone.blocks] == [
        (4, 2, 5, 5),
        (8, 4, 5, 5),
        (16, 8, 5, 5),
    ]
    assert backbone.blocks[1].units[0].first.convolution.weight.shape == (8, 8, 5, 5)
    assert backbone.blocks[2].units[1].second.convolution.weight.shape == (16, 16, 1, 1)
    assert [stage.pool_size for stage in backbone.blocks] == [2, 2, 4]


def test_without_units_it_is_the_cnn():
    plain = CNN(12, channels=(3, 4), pools=(2, 2)).eval()
    backbone = ResidualCNN(12, (3, 4), (0, 0), (3, 3), pools=(2, 2), coordinate=False).eval()
    backbone.load_state_dict(
        {
            key.replace("blocks.0.", "blocks.0.block.").replace("blocks.1.", "blocks.1.block."): value
            for key, value in plain.state_dict().items()
        }
    )
    tracks = torch.randn(2, 9, 12)
    torch.testing.assert_close(backbone(tracks, torch.tensor([9, 4])), plain(tracks, torch.tensor([9, 4])))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"units": (0, 1, 1)}, "4 channels and 3 units"),
        ({"units": (0, 1, 1, -1)}, "units are"),
        ({"kernels": (3, 3)}, "4 channels and 2 kernels"),
        ({"kernels": (3, 3, 3, 2)}, "must be odd"),
        ({"squeeze": -2}, "squeeze is -2"),
    ],
)
def test_errors_name_the_argument(wrong, message):
    with pytest.raises(UserError, match=message):
        ResidualCNN(12, **wrong)
