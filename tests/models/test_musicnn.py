"""MusiCNN: its parts against PyTorch's own, one track after the other."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.signal import correlate
from torch import nn

from musiclab.models import MusiCNN
from musiclab.models.backbone import frame_mask
from musiclab.models.musicnn import Filters, FrameNorm, TrackNorm


def small(features=12, **arguments):
    torch.manual_seed(0)
    return MusiCNN(features, timbral=3, temporal=2, layer=4, embedding_size=5, **arguments)


@pytest.mark.parametrize("length", [7, 32, 128])
def test_filters_see_as_much_before_a_frame_as_after_it(length):
    """Of an even length, a frame more after it, as TensorFlow pads."""
    filters = Filters(1, length, 1).eval()
    nn.init.zeros_(filters.convolution.bias)
    nn.init.uniform_(filters.convolution.weight, 0, 1)
    track = np.random.default_rng(0).random(150).astype(np.float32)
    found = filters(torch.from_numpy(track)[None, None, :, None], None)[0, 0].detach().numpy()
    kernel = filters.convolution.weight.detach().numpy().ravel()
    before, after = (length - 1) // 2, length // 2
    expected = correlate(np.pad(track, (before, after)), kernel, mode="valid") / np.sqrt(1 + 1e-3)
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_the_maximum_is_taken_after_the_norm():
    """Where a norm's weight is negative, that is of the least value."""
    filters = Filters(2, 7, 4).eval()
    with torch.no_grad():
        filters.norm.weight[:] = torch.tensor([2.0, -2.0])
    images = torch.randn(1, 1, 20, 12)
    maps = F.relu(F.conv2d(F.pad(images, (0, 0, 3, 3)), filters.convolution.weight, filters.convolution.bias))
    scale = 2 / np.sqrt(1 + 1e-3)
    expected = torch.stack([maps[:, 0].amax(dim=2), -maps[:, 1].amin(dim=2)], dim=1) * scale
    torch.testing.assert_close(filters(images, None), expected)


@pytest.mark.parametrize("training", [False, True])
def test_norms_count_own_frames_alone(training):
    lengths = torch.tensor([5, 17, 1])
    mask = frame_mask(lengths, 17)
    norm, plain = FrameNorm(3).train(training), nn.BatchNorm2d(3, eps=1e-3, momentum=0.01).train(training)
    for one in (norm, plain):
        nn.init.constant_(one.running_mean, 0.25)
        nn.init.constant_(one.weight, 1.5)
    maps = torch.randn(3, 3, 17, 4) + 2
    padded = maps.masked_fill(~mask[:, None, :, None], torch.nan)
    own = torch.cat([track[:, :length] for track, length in zip(maps, lengths, strict=True)], dim=1)
    expected = plain(own[None])[0].split(lengths.tolist(), dim=1)
    found = norm(padded, mask)
    for row, length, track in zip(found, lengths, expected, strict=True):
        torch.testing.assert_close(row[:, :length], track)
        assert (row[:, length:] == 0).all()
    torch.testing.assert_close(norm.state_dict(), plain.state_dict())


def test_a_single_track_is_normalised_as_in_evaluation():
    norm = TrackNorm(4)
    nn.init.uniform_(norm.running_mean)
    values = torch.randn(1, 4)
    torch.testing.assert_close(norm(values), norm.eval()(values))
    assert int(norm.num_batches_tracked) == 0
    backbone = small().train()
    assert torch.isfinite(backbone(torch.randn(1, 20, 12), torch.tensor([20]))).all()


def test_it_learns_what_is_in_a_few_tracks():
    torch.manual_seed(0)
    backbone = small(dropout=0.0).train()
    head = nn.Linear(5, 1)
    tracks, lengths = torch.randn(8, 30, 12), torch.tensor([30, 30, 25, 20, 30, 12, 30, 29])
    truth = torch.tensor([0.0, 1.0] * 4)
    tracks[truth == 1, :, :4] += 1
    optimizer = torch.optim.Adam([*backbone.parameters(), *head.parameters()], lr=0.02)
    for _ in range(30):
        loss = F.binary_cross_entropy_with_logits(head(backbone(tracks, lengths))[:, 0], truth)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss < 0.1


def test_half_precision_gives_nearly_the_same():
    backbone = small().eval()
    tracks, lengths = torch.randn(3, 40, 12), torch.tensor([40, 31, 7])
    expected = backbone(tracks, lengths)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        torch.testing.assert_close(backbone(tracks, lengths).float(), expected, atol=0.05, rtol=0.05)
        assert torch.isfinite(backbone.train()(tracks, lengths)).all()


def test_many_frames_are_evaluated_in_parts(monkeypatch):
    backbone = small().eval()
    tracks, lengths = torch.randn(5, 40, 12), torch.tensor([40, 3, 27, 40, 11])
    expected = backbone(tracks, lengths)
    seen = []
    backbone.input_norm.register_forward_hook(lambda module, arguments, output: seen.append(len(output)))
    monkeypatch.setattr("musiclab.models.musicnn.FRAMES_AT_A_TIME", 99)
    with torch.no_grad():
        torch.testing.assert_close(backbone(tracks, lengths), expected)
    assert seen == [2, 2, 1]


def test_the_mean_over_patches_weighs_each_by_its_frames():
    backbone = small(patch=10).eval()
    whole = small().eval()
    whole.load_state_dict(backbone.state_dict())
    track = torch.randn(1, 25, 12)
    parts = [whole(part, torch.tensor([part.shape[1]])) for part in track.split(10, dim=1)]
    expected = (10 * parts[0] + 10 * parts[1] + 5 * parts[2]) / 25
    torch.testing.assert_close(backbone(track, torch.tensor([25])), expected)
