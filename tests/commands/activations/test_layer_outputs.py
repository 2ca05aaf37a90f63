"""What is seen of a network is what a forward pass by hand gives."""

import pytest
import torch
from torch import nn

from musiclab.batch import Batch
from musiclab.commands.activations.layer_outputs import FeatureMaps, observe, strongest
from musiclab.errors import UserError
from musiclab.models import CNN, CRNN, LSTM, Backbone, ResidualCNN
from musiclab.tasks import ClassificationTask, RegressionTask


def make_batch(frames=21):
    torch.manual_seed(0)
    return Batch(torch.randn(1, frames, 12), torch.tensor([frames]), torch.tensor([-1]), ["7"])


def make_task(backbone, kind=ClassificationTask):
    torch.manual_seed(1)
    task = kind(num_features=12, target_names=["Blues", "Rock"], backbone=backbone)
    task.feature_mean.fill_(0.5)
    return task


def test_feature_maps_are_those_of_a_forward_pass_by_hand():
    task = make_task(lambda features: CNN(features, channels=(3, 5), pools=(2, 3)))
    batch = make_batch()
    observation = observe(task, batch)
    images = (batch.spectrograms - 0.5)[:, None]
    pools = (2, 3)
    for block, pool, pooled, seen in zip(task.backbone.blocks, pools, (2, 6), observation.blocks, strict=True):
        images = block.convolution(images) / (1 + block.norm.eps) ** 0.5  # running statistics, weight and bias are new
        images = nn.functional.relu(images)
        images = nn.functional.max_pool2d(images, pool, ceil_mode=True)
        assert seen.pooled == (pooled, pooled)
        torch.testing.assert_close(torch.tensor(seen.values), images[0].detach())
    assert [seen.values.shape for seen in observation.blocks] == [(3, 11, 6), (5, 4, 2)]
    assert observation.attention is None


def test_feature_maps_of_a_residual_cnn_are_those_behind_its_units():
    task = make_task(lambda features: ResidualCNN(features, (3, 5), (0, 1), (3, 3), pools=(2, 3)))
    batch = make_batch()
    observation = observe(task, batch)
    assert [seen.values.shape for seen in observation.blocks] == [(3, 11, 6), (5, 4, 2)]
    assert [seen.pooled for seen in observation.blocks] == [(2, 2), (6, 6)]
    images, lengths = task.backbone.images(batch.spectrograms - 0.5), batch.lengths
    with torch.inference_mode():
        for block, seen in zip(task.backbone.blocks, observation.blocks, strict=True):
            images, lengths = block.masked(images, lengths)
            torch.testing.assert_close(torch.tensor(seen.values), images[0])


@pytest.mark.parametrize("bidirectional", [False, True])
def test_attention_is_a_softmax_over_time_and_gives_the_embedding(bidirectional):
    task = make_task(lambda f: LSTM(f, hidden_size=4, bidirectional=bidirectional, pooling="attention"), RegressionTask)
    batch = make_batch()
    attention = torch.tensor(observe(task, batch).attention)
    with torch.inference_mode():
        normalised = task.normalise(batch.spectrograms)
        states = task.backbone.recurrence(normalised, batch.lengths)[0]
        embedding = task.backbone(normalised, batch.lengths)[0]
        torch.testing.assert_close(attention, task.backbone.attention(states)[:, 0].softmax(dim=0))
    assert attention.sum().item() == pytest.approx(1, abs=1e-6)
    torch.testing.assert_close(attention @ states, embedding)


def test_a_crnn_shows_feature_maps_and_attention():
    def backbone(features):
        return CRNN(features, channels=(3, 4), time_pools=(2, 3), frequency_pools=(3, 2), hidden_size=4)

    task = make_task(backbone)
    batch = make_batch(21)
    observation = observe(task, batch)
    assert [seen.values.shape for seen in observation.blocks] == [(3, 11, 4), (4, 4, 2)]
    assert [seen.pooled for seen in observation.blocks] == [(2, 3), (6, 6)]
    with torch.inference_mode():
        images, lengths = task.normalise(batch.spectrograms)[:, None], batch.lengths
        for block in task.backbone.blocks:
            images, lengths, _ = block(images, lengths, None)
        states = task.backbone.lstm.recurrence(images.permute(0, 2, 1, 3).flatten(2), lengths)
        shares = task.backbone.lstm.attention(states)[0, :, 0].softmax(dim=0)
    torch.testing.assert_close(torch.tensor(observation.blocks[1].values), images[0])
    attention = torch.tensor(observation.attention)
    assert attention.shape == (21,)  # windows of 6, 6, 6 and 3 frames
    torch.testing.assert_close(torch.stack([part.sum() for part in attention.split(6)]), shares)
    torch.testing.assert_close(attention[6:12], shares[1].expand(6) / 6)
    torch.testing.assert_close(attention[18:], shares[3].expand(3) / 3)


def test_a_crnn_without_attention_shows_feature_maps():
    observation = observe(make_task(lambda features: CRNN(features, hidden_size=4, pooling="mean")), make_batch())
    assert len(observation.blocks) == 4
    assert observation.attention is None


@pytest.mark.parametrize("kind", [ClassificationTask, RegressionTask])
def test_outputs_are_the_predictions(kind):
    task = make_task(CNN, kind)
    outputs = observe(task, make_batch()).outputs
    expected = task.predict_step(make_batch(), 0)["predictions"][0].detach()
    torch.testing.assert_close(torch.tensor(outputs), expected)


def test_no_hooks_are_left_behind():
    task = make_task(CNN)
    observe(task, make_batch())
    assert not any(module._forward_hooks for module in task.modules())


@pytest.mark.parametrize("pooling", ["last", "mean"])
def test_an_lstm_without_attention_has_nothing_to_show(pooling):
    with pytest.raises(UserError, match=f"pooling: {pooling}.*attention"):
        observe(make_task(lambda features: LSTM(features, pooling=pooling)), make_batch())


def test_nor_has_a_backbone_of_another_kind():
    class Mean(Backbone):
        embedding_size = 12

        def forward(self, spectrograms, lengths):
            return spectrograms.mean(dim=1)

    with pytest.raises(UserError, match="backbone is Mean"):
        observe(make_task(lambda features: Mean()), make_batch())


def test_the_strongest_maps_come_first():
    values = torch.tensor([1.0, 5, 5, 0, 9])[:, None, None].expand(5, 2, 3).numpy()
    assert strongest(FeatureMaps(values, (2, 2)), 3).tolist() == [4, 1, 2]
    assert strongest(FeatureMaps(values, (2, 2)), 99).tolist() == [4, 1, 2, 0, 3]
