"""ONNX files give PyTorch's answers, and say what goes in and comes out."""

from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from musiclab.batch import Batch
from musiclab.errors import UserError
from musiclab.inference.export import write_onnx
from musiclab.models import AST, CNN, CRNN, LSTM, Backbone, FlatCNN, ResidualCNN
from musiclab.tasks import ClassificationTask, MultitaskRegressionTask, RegressionTask

onnxruntime = pytest.importorskip("onnxruntime", reason="there is no onnxruntime")
pytest.importorskip("onnxscript", reason="there is no onnxscript")


def make_task(backbone, kind=ClassificationTask, **arguments):
    torch.manual_seed(0)
    task = kind(num_features=12, target_names=["Blues", "Rock"], backbone=backbone, **arguments)
    task.feature_mean.uniform_(-1, 1)
    task.feature_std.uniform_(0.5, 2)
    for module in task.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, std=0.3)
            nn.init.normal_(module.weight)
    if kind is not ClassificationTask:
        task.target_mean.copy_(torch.tensor([300.0, 0.5]))
        task.target_std.copy_(torch.tensor([80.0, 0.1]))
    return task.eval()


lstm, cnn = partial(LSTM, hidden_size=4, num_layers=1), partial(CNN, channels=(3, 4))
residual = partial(ResidualCNN, channels=(3, 4), units=(0, 1), kernels=(3, 3))


@pytest.mark.parametrize(
    ("backbone", "kind", "arguments"),
    [
        (partial(cnn, pools=(2, 3)), ClassificationTask, {}),
        (partial(cnn, pools=(1, 4), kernel_size=5), MultitaskRegressionTask, {"head_size": 5}),
        (partial(residual, pools=(2, 3)), ClassificationTask, {}),
        (partial(FlatCNN, frames=40, channels=(3, 4), pools=(2, 3)), ClassificationTask, {}),
        (partial(lstm, bidirectional=True), RegressionTask, {}),
        (partial(lstm, pooling="attention"), ClassificationTask, {}),
        (partial(CRNN, channels=(3, 4), time_pools=(1, 3), frequency_pools=(3, 2), hidden_size=4), RegressionTask, {}),
        (partial(AST, hidden_size=6, num_layers=2, patch_size=8, time_stride=5, frames=60), ClassificationTask, {}),
    ],
    ids=["cnn", "cnn-multitask", "residual", "flat-cnn", "lstm-both", "lstm-attention", "crnn", "ast"],
)
def test_answers_are_those_of_pytorch_whatever_the_padding(backbone, kind, arguments, tmp_path):
    if backbone.func is AST:
        pytest.importorskip("transformers", reason="there is no transformers")
    task = make_task(backbone, kind, **arguments)
    least = task.backbone.min_frames
    path = tmp_path / "model.onnx"
    generator = torch.Generator().manual_seed(1)
    batches = []
    for lengths, padding in [([1, 50, 13, 6], 0), ([9], 0), ([9], 5), ([4, 4], 0), ([300, 2], 0)]:
        lengths = [max(length, least) for length in lengths]
        frames = torch.randn(len(lengths), max(lengths) + padding, 12, generator=generator)
        batches.append((frames, torch.tensor(lengths)))
    with torch.inference_mode():
        expected = [task.predict_step(Batch(*batch, batch[1], []), 0)["predictions"] for batch in batches]
    assert write_onnx(task, path, "answers", {"about": "ä"}) < 1e-5
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    assert [(one.name, len(one.shape)) for one in session.get_inputs()] == [("spectrograms", 3), ("lengths", 1)]
    assert [one.name for one in session.get_outputs()] == ["answers"]
    assert session.get_modelmeta().custom_metadata_map["about"] == "ä"
    for (frames, lengths), answers in zip(batches, expected, strict=True):
        frames[torch.arange(frames.shape[1]) >= lengths[:, None]] = 1e6  # of no meaning
        (found,) = session.run(None, {"spectrograms": frames.numpy(), "lengths": lengths.numpy()})
        np.testing.assert_allclose(found, answers, atol=1e-4, rtol=1e-5)
    assert [file.name for file in tmp_path.iterdir()] == ["model.onnx"]


class Looking(Backbone):
    """Of another answer where a value says so."""

    embedding_size = 12

    def forward(self, spectrograms, lengths):
        scale = 2.0 if float(spectrograms.mean()) > 1e9 else 1.0
        return scale * spectrograms[:, 0]


class Wrong(Looking):
    """Whose way by masks is another one."""

    def masked(self, spectrograms, lengths):
        return 3 * spectrograms[:, 0]


@pytest.mark.parametrize(
    ("backbone", "message"),
    [
        (Looking, "Looking cannot be exported (.*; see `masked` of musiclab.models.Backbone"),
        (Wrong, "the answers of Wrong would differ from PyTorch's by .*; see `masked`"),
    ],
)
def test_what_cannot_be_exported_is_not_written(backbone, message, tmp_path):
    task = make_task(lambda features: backbone())
    with pytest.raises(UserError, match=message.replace("(", r"\(")) as info:
        write_onnx(task, tmp_path / "model.onnx", "answers", {})
    assert "\n" not in str(info.value)
    assert not list(tmp_path.iterdir())
