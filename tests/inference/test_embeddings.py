"""Embeddings are what the backbone gives for a track, whatever it is batched with."""

import pytest
import torch

from musiclab.batch import Batch
from musiclab.errors import UserError
from musiclab.inference.embeddings import embed_tracks
from musiclab.models import CNN, CRNN, LSTM
from musiclab.tasks import ClassificationTask, MultitaskRegressionTask

LENGTHS = [9, 3, 14, 6, 11]
IDS = ["20", "100", "3", "b", "a"]


def make_task(backbone=CNN, kind=ClassificationTask, **arguments):
    torch.manual_seed(0)
    task = kind(num_features=12, target_names=["Blues", "Rock"], backbone=backbone, **arguments)
    task.feature_mean.fill_(0.3)
    task.feature_std.fill_(1.7)
    return task.eval()


def make_batches(size, padding=0):
    torch.manual_seed(1)
    tracks = [torch.randn(length, 12) for length in LENGTHS]
    batches = []
    for start in range(0, len(tracks), size):
        part = slice(start, start + size)
        frames = max(LENGTHS[part]) + padding
        spectrograms = torch.stack(
            [torch.cat([track, torch.full((frames - len(track), 12), 99.0)]) for track in tracks[part]]
        )
        targets = torch.arange(len(tracks))[part] % 2
        batches.append(Batch(spectrograms, torch.tensor(LENGTHS[part]), targets, IDS[part]))
    return batches


@pytest.mark.parametrize("backbone", [CNN, CRNN, LSTM])
def test_batching_and_padding_do_not_change_embeddings(backbone):
    task = make_task(backbone)
    alone = embed_tracks(task, make_batches(1), "model")
    together = embed_tracks(task, make_batches(5, padding=4), "model")
    assert alone.ids == together.ids == ["3", "20", "100", "a", "b"]
    assert alone.targets.tolist() == together.targets.tolist() == [0, 0, 1, 0, 1]
    torch.testing.assert_close(torch.tensor(alone.values), torch.tensor(together.values), atol=1e-5, rtol=1e-5)


def test_embeddings_are_what_the_backbone_gives_without_dropout():
    task = make_task()
    (batch,) = make_batches(5)
    with torch.inference_mode():
        expected = task.backbone(task.normalise(batch.spectrograms), batch.lengths)
    task.train()  # embedding a task ends its training mode
    embedded = embed_tracks(task, [batch], "model")
    for identifier, values in zip(embedded.ids, embedded.values, strict=True):
        torch.testing.assert_close(torch.tensor(values), expected[IDS.index(identifier)])


def test_the_hidden_layers_of_heads_are_no_part_of_it():
    task = make_task(kind=MultitaskRegressionTask, head_size=7)
    assert embed_tracks(task, make_batches(2), "model").values.shape == (5, task.backbone.embedding_size)


def test_no_tracks():
    with pytest.raises(UserError, match="CNN x: there are no test tracks"):
        embed_tracks(make_task(), [], "CNN x")


def test_embeddings_of_a_run_that_has_diverged_are_refused():
    task = make_task()
    task.backbone.blocks[0].norm.bias.data.fill_(torch.nan)
    with pytest.raises(UserError, match="CNN x: the embedding of track 20 is not finite"):
        embed_tracks(task, make_batches(2), "CNN x")
