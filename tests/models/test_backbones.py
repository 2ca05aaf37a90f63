"""A track's embedding is its own, whatever it is padded to or batched with."""

from functools import partial
from importlib.util import find_spec

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from musiclab.errors import UserError
from musiclab.models import AST, CNN, CRNN, LSTM, FlatCNN, MeanOverTime, MusiCNN, ResidualCNN
from musiclab.models.backbone import frame_mask, masked_max, masked_mean
from musiclab.models.cnn import Block, find_padding

GARBAGE = float("nan")
CPU = torch.device("cpu")

lstm = partial(LSTM, hidden_size=5)
cnn = partial(CNN, channels=(3, 4, 5, 6))
residual = partial(ResidualCNN, channels=(6, 7, 8), units=(0, 1, 2), kernels=(3, 3, 1), pools=(2, 2, 2), squeeze=2)
crnn = partial(CRNN, channels=(3, 4, 5), time_pools=(1, 2, 3), frequency_pools=(2, 3, 4), hidden_size=5)

ast = partial(AST, hidden_size=6, num_layers=2, patch_size=3, time_stride=2, frequency_stride=3, frames=20)

BACKBONES = {
    **{
        f"lstm-{pooling}-{'both' if both else 'one'}": partial(lstm, pooling=pooling, bidirectional=both)
        for pooling in ("last", "mean", "attention")
        for both in (False, True)
    },
    "lstm-1-layer": partial(lstm, num_layers=1),
    "cnn": cnn,
    "cnn-2244": partial(cnn, pools=(2, 2, 4, 4)),
    "cnn-3-blocks": partial(cnn, channels=(3, 4, 5), pools=(3, 1, 5)),
    "cnn-pairs": partial(cnn, pools=((1, 3), 2, (3, 2), (2, 1))),
    "cnn-kernel-1": partial(cnn, kernel_size=1),
    "cnn-kernel-7": partial(cnn, kernel_size=7, pools=(2, 2, 4, 4)),
    "residual-cnn": residual,
    "residual-cnn-plain": partial(residual, squeeze=0, coordinate=False, pools=(1, 2, 3)),
    "flat-cnn": partial(FlatCNN, frames=70, channels=(3, 4, 5, 6)),
    "crnn": crnn,
    "crnn-2-layers-last": partial(crnn, num_layers=2, pooling="last"),
    "crnn-one-way": partial(crnn, bidirectional=False, pooling="mean", kernel_size=5),
    "musicnn": partial(MusiCNN, timbral=3, temporal=2, layer=4, embedding_size=5),
    "musicnn-patches": partial(MusiCNN, timbral=3, temporal=2, layer=4, embedding_size=5, patch=11),
    "mean": MeanOverTime,
}

if find_spec("transformers"):
    BACKBONES["ast"] = ast
    BACKBONES["ast-overlapping"] = partial(ast, patch_size=7, frequency_stride=5, num_layers=1)

every_backbone = pytest.mark.parametrize("name", BACKBONES)


def build(name, num_features, seed=0):
    """A backbone in evaluation whose batch norms do something."""
    torch.manual_seed(seed)
    backbone = BACKBONES[name](num_features)
    for module in backbone.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, std=0.3)
            nn.init.uniform_(module.running_var, 0.5, 2)
            nn.init.uniform_(module.weight, 0.5, 2)
            nn.init.normal_(module.bias, std=0.3)
    return backbone.eval()


def pad(tracks, frames, content=GARBAGE):
    lengths = torch.tensor([len(track) for track in tracks])
    padded = torch.full((len(tracks), frames, tracks[0].shape[1]), float(content))
    for row, track in zip(padded, tracks, strict=True):
        row[: len(track)] = track
    return padded, lengths


@every_backbone
@settings(max_examples=12, deadline=None)
@given(
    lengths=st.lists(st.sampled_from([1, 17]) | st.integers(1, 150), min_size=1, max_size=3),
    features=st.sampled_from([12, 128, 140]),
    extra=st.integers(0, 40),
    content=st.sampled_from([GARBAGE, -GARBAGE, 0.0]),
)
@torch.inference_mode()
def test_a_track_alone_is_mapped_as_in_any_batch(name, lengths, features, extra, content):
    backbone = build(name, features)
    lengths = [max(length, backbone.min_frames) for length in lengths]
    tracks = [torch.randn(length, features) for length in lengths]
    batched = backbone(*pad(tracks, max(lengths) + extra, content))
    alone = torch.cat([backbone(*pad([track], len(track))) for track in tracks])
    torch.testing.assert_close(batched, alone, atol=1e-5, rtol=1e-5)


@every_backbone
def test_padding_has_no_gradient(name):
    backbone = build(name, 12)
    spectrograms, lengths = pad([torch.randn(length, 12) for length in (backbone.min_frames, 17, 30)], 40)
    spectrograms.requires_grad_()
    backbone(spectrograms, lengths).square().sum().backward()
    own = frame_mask(lengths, 40)
    assert torch.all(spectrograms.grad[~own] == 0)
    assert torch.all(spectrograms.grad.abs().sum(dim=2)[own] > 0) or not name.startswith("lstm")
    assert torch.all(spectrograms.grad.abs().sum(dim=(1, 2)) > 0)


@every_backbone
def test_training_ignores_what_the_padding_holds(name):
    tracks = [torch.randn(length, 12) for length in (7, 17, 30)]
    outputs = []
    for content in (0.0, GARBAGE):
        torch.manual_seed(1)
        outputs.append(build(name, 12).train()(*pad(tracks, 40, content)))
    torch.testing.assert_close(*outputs)


@every_backbone
@pytest.mark.parametrize("frames", [2, 16])
@pytest.mark.parametrize("padding", [0, 1])
def test_a_batch_of_one_short_track_is_trained_on(name, frames, padding):
    """As the last of an epoch may be. Before, "Expected more than 1 value per channel" where maps are pooled to one."""
    backbone = build(name, 12).train()
    frames = max(frames, backbone.min_frames)
    assert torch.isfinite(backbone(*pad([torch.randn(frames, 12)], frames + padding))).all()


@pytest.mark.parametrize("backbone", [CNN, ResidualCNN])
def test_a_single_value_is_trained_on(backbone):
    network = backbone(1).train()
    network(torch.randn(1, 1, 1), torch.tensor([1])).sum().backward()
    assert all(torch.isfinite(parameter.grad).all() for parameter in network.parameters())


@every_backbone
@pytest.mark.parametrize("features", [1, 12, 128])
@pytest.mark.parametrize("frames", [1, 2, 17])
def test_any_size_gives_an_embedding_of_the_stated_size(name, features, frames):
    backbone = build(name, features)
    least = backbone.min_frames
    frames = max(frames, least)
    embedding = backbone(torch.randn(2, frames, features), torch.tensor([frames, least]))
    assert embedding.shape == (2, backbone.embedding_size)
    assert torch.isfinite(embedding).all()


@pytest.mark.parametrize(
    ("backbone", "size"),
    [
        (LSTM(12, hidden_size=7), 7),
        (LSTM(12, hidden_size=7, bidirectional=True), 14),
        (CNN(12), 512),
        (MusiCNN(12), 200),
        (MeanOverTime(12), 12),
        (CRNN(12, hidden_size=7), 14),
        (CRNN(12, hidden_size=7, bidirectional=False), 7),
        (CNN(12, channels=(4, 6), pools=(2, 2)), 12),
        (residual(12), 16),
    ],
)
def test_embedding_size(backbone, size):
    assert backbone.embedding_size == size


@pytest.mark.parametrize(
    "wrong",
    [
        partial(LSTM, 12, pooling="max"),
        partial(LSTM, 12, hidden_size=0),
        partial(LSTM, 12, num_layers=0),
        partial(LSTM, 12, dropout=1.5),
        partial(CNN, 12, channels=(4, 4), pools=(2, 2, 2)),
        partial(CNN, 12, channels=(), pools=()),
        partial(CNN, 12, channels=(4,), pools=(0,)),
        partial(CNN, 12, channels=(4,), pools=((2, 2, 2),)),
        partial(CNN, 12, channels=(0,), pools=(2,)),
        partial(CNN, 12, kernel_size=4),
        partial(CNN, 12, kernel_size=-1),
        partial(CNN, 12, dropout=-0.1),
        partial(residual, 12, channels=(3, 4)),
        partial(residual, 12, units=(0, 1)),
        partial(residual, 12, units=(0, 1, -1)),
        partial(residual, 12, kernels=(3, 3)),
        partial(residual, 12, kernels=(3, 3, 2)),
        partial(residual, 12, squeeze=-1),
        partial(residual, 12, dropout=1),
        partial(CRNN, 12, channels=(4, 4)),
        partial(CRNN, 12, channels=(4,), time_pools=(2,)),
        partial(CRNN, 12, time_pools=(1, 2, 2, 0)),
        partial(CRNN, 12, kernel_size=4),
        partial(CRNN, 12, hidden_size=0),
        partial(CRNN, 12, dropout=1),
        partial(CRNN, 12, pooling="max"),
        partial(MusiCNN, 12, timbral=0),
        partial(MusiCNN, 12, embedding_size=0),
        partial(MusiCNN, 12, patch=0),
        partial(MusiCNN, 12, dropout=1),
        partial(MeanOverTime, 12, dropout=1),
    ],
)
def test_wrong_arguments(wrong):
    with pytest.raises((UserError, ValueError), match=r"."):
        wrong()


@pytest.mark.parametrize("bidirectional", [False, True])
def test_last_pooling_is_the_state_after_the_last_own_frame(bidirectional):
    backbone = LSTM(6, hidden_size=4, bidirectional=bidirectional).eval()
    track = torch.randn(9, 6)
    outputs = backbone.recurrence(track[None], torch.tensor([9]))
    expected = [outputs[0, -1, :4], outputs[0, 0, 4:]]
    embedding = backbone(*pad([track, torch.randn(12, 6)], 14))[0]
    torch.testing.assert_close(embedding, torch.cat(expected))


@pytest.mark.parametrize("name", ["cnn", "crnn"])
def test_many_frames_are_evaluated_in_parts(name, monkeypatch):
    backbone = build(name, 12)
    tracks, lengths = pad([torch.randn(length, 12) for length in (40, 3, 27, 40, 11)], 40)
    expected = backbone(tracks, lengths)
    seen = []
    backbone.blocks[0].register_forward_hook(lambda module, arguments, output: seen.append(len(arguments[0])))
    monkeypatch.setattr("musiclab.models.cnn.FRAMES_AT_A_TIME", 99)
    with torch.no_grad():
        torch.testing.assert_close(backbone(tracks, lengths), expected)
        backbone.train()(tracks, lengths)  # by the statistics of the whole batch
    assert seen == [2, 2, 1, 5]


def test_mean_pooling_is_the_mean_of_the_outputs():
    backbone = LSTM(6, hidden_size=4, pooling="mean").eval()
    track = torch.randn(9, 6)
    expected = backbone.recurrence(track[None], torch.tensor([9]))[0].mean(dim=0)
    torch.testing.assert_close(backbone(*pad([track], 14))[0], expected)


def test_attention_weights_sum_to_one_and_vanish_in_padding():
    backbone = LSTM(6, hidden_size=4, pooling="attention")
    lengths = torch.tensor([1, 5, 20])
    mask = frame_mask(lengths, 20)
    weights = backbone.attention_weights(torch.randn(3, 20, 4) * 10, mask)
    torch.testing.assert_close(weights.sum(dim=1), torch.ones(3))
    assert torch.all(weights[~mask] == 0)
    assert torch.all(weights[mask] > 0)


def test_attention_pooling_is_the_weighted_mean():
    backbone = LSTM(6, hidden_size=4, pooling="attention").eval()
    outputs = backbone.recurrence(track := torch.randn(1, 9, 6), torch.tensor([9]))[0]
    scores = torch.tanh(outputs @ backbone.attention[0].weight.T + backbone.attention[0].bias)
    scores = (scores @ backbone.attention[2].weight.T)[:, 0]
    expected = (scores.exp() / scores.exp().sum()) @ outputs
    torch.testing.assert_close(backbone(track, torch.tensor([9]))[0], expected)


def test_blocks_have_the_given_channels_kernels_and_pools():
    blocks = CNN(128, channels=(4, 8, 16), kernel_size=5, pools=(2, 3, 1)).blocks
    assert [tuple(block.convolution.weight.shape) for block in blocks] == [
        (4, 1, 5, 5),
        (8, 4, 5, 5),
        (16, 8, 5, 5),
    ]
    assert [block.pool_size for block in blocks] == [2, 3, 1]


@pytest.mark.parametrize("pool", [1, 2, 3, 4, (3, 5), (4, 1)])
@pytest.mark.parametrize("frames", [1, 2, 16, 17])
def test_pooling_keeps_incomplete_windows(pool, frames):
    lengths = torch.tensor([frames, 1])
    block = Block(1, 2, kernel_size=3, pool=pool).eval()
    maps, lengths, padding = block(torch.randn(2, 1, frames, 12), lengths, find_padding(lengths, frames, CPU))
    over_time, over_frequency = np.broadcast_to(pool, 2)
    assert maps.shape == (2, 2, np.ceil(frames / over_time), np.ceil(12 / over_frequency))
    assert lengths.tolist() == [np.ceil(frames / over_time), 1]
    assert (padding is None) == (len(set(lengths.tolist())) == 1)
    if padding is not None:
        assert padding[0].bincount(minlength=2).tolist() == (lengths.max() - lengths).tolist()


def test_masked_reductions():
    values = torch.randn(3, 6, 2)
    lengths = torch.tensor([1, 4, 6])
    mask = frame_mask(lengths, 6)
    for row, length in enumerate(lengths):
        own = values[row, :length].numpy()
        np.testing.assert_allclose(masked_mean(values, mask)[row], own.mean(axis=0), rtol=1e-5)
        np.testing.assert_array_equal(masked_max(values, mask)[row], own.max(axis=0))


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("content", ["random", "ties"])
@pytest.mark.parametrize("pool", [4, (4, 2)])
@pytest.mark.parametrize("lengths", [[17, 17], [5, 17]], ids=["whole", "padded"])
def test_pooling_before_relu_changes_nothing(lengths, pool, content, training):
    lengths = torch.tensor(lengths)
    block = Block(2, 3, kernel_size=3, pool=pool).double().train(training)
    nn.init.normal_(block.norm.bias)
    block.norm.weight.data[1] = -0.5
    plain = nn.BatchNorm2d(3).double().train(training)
    plain.load_state_dict(block.norm.state_dict())
    images = torch.randn(2, 2, 17, 9) if content == "random" else torch.ones(2, 2, 17, 9)
    images = images.double() * frame_mask(lengths, 17)[:, None, :, None]

    def literally(images):
        maps = block.convolution(images)
        tracks = torch.cat([track[:, :length] for track, length in zip(maps, lengths, strict=True)], dim=1)
        normalised = F.relu(plain(tracks[None]))[0].split(lengths.tolist(), dim=1)
        pooled = [F.max_pool2d(track, pool, ceil_mode=True) for track in normalised]
        return torch.stack([F.pad(track, (0, 0, 0, 5 - track.shape[1])) for track in pooled])

    def values_and_gradients(function, norm):
        block.zero_grad()
        leaf = images.clone().requires_grad_()
        maps = function(leaf)
        (maps * torch.arange(maps.numel()).reshape(maps.shape)).sum().backward()
        parameters = [block.convolution.weight, norm.weight, norm.bias]
        return [maps, leaf.grad, *(parameter.grad for parameter in parameters)]

    ours = values_and_gradients(lambda images: block(images, lengths, find_padding(lengths, 17, CPU))[0], block.norm)
    torch.testing.assert_close(ours, values_and_gradients(literally, plain))


@every_backbone
def test_the_way_by_masks_alone_gives_the_same(name):
    backbone = build(name, 12)
    least = backbone.min_frames
    for lengths in ([9, 3 + least, 40, least, 17], [40, 40], [least], [23]):
        tracks = torch.randn(len(lengths), 40 if len(lengths) > 1 else lengths[0], 12)
        tracks[~frame_mask(torch.tensor(lengths), tracks.shape[1])] = GARBAGE
        with torch.inference_mode():
            usual, masked = (way(tracks.clone(), torch.tensor(lengths)) for way in (backbone, backbone.masked))
        torch.testing.assert_close(masked, usual, atol=1e-5, rtol=1e-5)


def test_a_crnn_is_the_blocks_of_a_cnn_and_an_lstm_over_what_they_leave():
    backbone = build("crnn", 128)
    assert backbone.lstm.recurrence.input_size == 5 * 6  # 128 features are pooled to 64, 22 and 6
    track = torch.randn(1, 20, 128)
    images = track[:, None]
    for block, pool in zip(backbone.blocks, [(1, 2), (2, 3), (3, 4)], strict=True):
        maps = F.relu(nn.BatchNorm2d.forward(block.norm, block.convolution(images)))
        images = F.max_pool2d(maps, pool, ceil_mode=True)
    frames = torch.stack([images[0, :, time].flatten() for time in range(4)])
    expected = backbone.lstm(frames[None], torch.tensor([4]))
    torch.testing.assert_close(backbone(track, torch.tensor([20])), expected, atol=1e-5, rtol=1e-5)


def test_dropout_of_a_crnn_is_before_between_and_behind_the_layers_of_its_recurrence():
    backbone = CRNN(12, channels=(4,), time_pools=(1,), frequency_pools=(1,), num_layers=2, dropout=0.4)
    assert [backbone.dropout.p, backbone.lstm.recurrence.dropout, backbone.lstm.dropout.p] == [0.4, 0.4, 0.4]
