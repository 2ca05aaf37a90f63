"""The weights of MusiCNN by the names that TensorFlow and that PyTorch give them."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from musiclab.commands.import_weights.tensors import Tensors
from musiclab.errors import UserError

CONVOLUTIONS = ("timbral.0", "timbral.1", "temporal.0", "temporal.1", "temporal.2", "layers.0", "layers.1", "layers.2")
"""In the order in which TensorFlow numbers them; a batch norm follows each."""

SIZES = {
    "timbral": "conv2d/bias",
    "temporal": "conv2d_2/bias",
    "layer": "conv2d_5/bias",
    "embedding_size": "dense/bias",
}
"""Arguments of the backbone, and the tensors that are of that size."""

NORMS = {"gamma": "weight", "beta": "bias", "moving_mean": "running_mean", "moving_variance": "running_var"}


def sizes(tensors: Tensors, source: str) -> dict[str, int]:
    """Return the sizes of the backbone that some tensors are the weights of.

    Args:
        tensors: By TensorFlow's names.
        source: What they are called, for the error.

    Raises:
        UserError: If they are not the weights of MusiCNN.
    """
    return {name: _get(tensors, tensor, source).size for name, tensor in SIZES.items()}


def state_dict(tensors: Tensors, wanted: dict[str, Tensor], source: str) -> dict[str, Tensor]:
    """Return the weights of a task of MusiCNN, by PyTorch's names.

    What TensorFlow kept besides, as the state of its optimizer, is left aside.

    Args:
        tensors: By TensorFlow's names.
        wanted: Those of the task as it is made; the buffers of its own, and counters, are taken from it.
        source: What the tensors are called, for the error.

    Raises:
        UserError: If a weight is missing, of another shape, or not finite; it is named.
    """
    found = dict(wanted)
    for name, tensor in _names():
        weight = _get(tensors, tensor, source)
        if weight.ndim > wanted[name].ndim and weight.shape[2] == 1:  # convolutions over time, of images of one map
            weight = weight[:, :, 0]
        if weight.ndim > 1:  # TensorFlow has the maps that come out last, PyTorch first
            weight = weight.transpose(-1, -2, *range(weight.ndim - 2))
        if weight.shape != tuple(wanted[name].shape):
            raise UserError(
                f"{source}: {tensor} does not fit MusiCNN: {_shape(tensors[tensor].shape)}, which would be "
                f"{_shape(weight.shape)} where {_shape(wanted[name].shape)} is needed"
            )
        if not np.isfinite(weight).all():
            raise UserError(f"{source}: {tensor} has values that are not finite")
        found[name] = torch.from_numpy(np.ascontiguousarray(weight))
    return found


def _names() -> Iterator[tuple[str, str]]:
    """Yield PyTorch's and TensorFlow's name of each weight."""
    for number, name in enumerate(CONVOLUTIONS):
        yield from _weights(f"backbone.{name}.convolution", f"conv2d{_suffix(number)}")
    yield from _weights("backbone.dense", "dense")
    yield from _weights("head", "dense_1")
    norms = ["input_norm", *(f"{name}.norm" for name in CONVOLUTIONS), "pooled_norm", "dense_norm"]
    for number, name in enumerate(norms):
        for theirs, own in NORMS.items():
            yield f"backbone.{name}.{own}", f"batch_normalization{_suffix(number)}/{theirs}"


def _weights(own: str, theirs: str) -> list[tuple[str, str]]:
    return [(f"{own}.weight", f"{theirs}/kernel"), (f"{own}.bias", f"{theirs}/bias")]


def _suffix(number: int) -> str:
    return f"_{number}" if number else ""


def _get(tensors: Tensors, name: str, source: str) -> np.ndarray:
    if name not in tensors:
        raise UserError(f"{source}: no MusiCNN: it has no weights {name}; musiclab takes MSD_musicnn and MTT_musicnn")
    return tensors[name]


def _shape(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape)) or "a single value"
