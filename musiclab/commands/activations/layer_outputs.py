"""What goes on in a network while it hears one track."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from musiclab.batch import Batch
from musiclab.errors import UserError
from musiclab.models import CNN, LSTM
from musiclab.models.backbone import frame_mask
from musiclab.tasks import SpectrogramTask

Array = npt.NDArray[np.float32]


class FeatureMaps(NamedTuple):
    """What a block gives: ``(maps, time, frequency)``, each value from ``pooled`` by ``pooled`` of the input."""

    values: Array
    pooled: int


class Observation(NamedTuple):
    """What was seen of one track.

    Attributes:
        outputs: Probability of each genre or value on each axis, ``(targets,)``.
        blocks: Feature maps of each block of a CNN.
        attention: Share of each frame in the embedding of an LSTM, ``(time,)``; None for a CNN.
    """

    outputs: Array
    blocks: list[FeatureMaps]
    attention: Array | None


def observe(task: SpectrogramTask, batch: Batch) -> Observation:
    """Let a task hear one track, in evaluation mode, and return what goes on in its backbone.

    Args:
        task: A task whose backbone is a CNN, or an LSTM with attention.
        batch: One track, with the features that the task was trained on.

    Raises:
        UserError: If the backbone has neither feature maps nor attention.
    """
    backbone = task.backbone
    if isinstance(backbone, LSTM) and backbone.pooling != "attention":
        raise UserError(
            f"the model is an LSTM with pooling: {backbone.pooling}, which has no attention to show; train one with "
            "--model.backbone.init_args.pooling attention, as genre_lstm.yaml does"
        )
    if not isinstance(backbone, CNN | LSTM):
        raise UserError(
            f"the model's backbone is {type(backbone).__name__}; what can be shown are the feature maps of a CNN and "
            "the attention of an LSTM"
        )
    task.eval()
    watched: list[nn.Module] = list(backbone.blocks) if isinstance(backbone, CNN) else [backbone.recurrence]
    with torch.inference_mode(), _outputs_of(watched) as seen:
        outputs = task.predict_step(batch, 0)["predictions"][0].numpy()
        if isinstance(backbone, CNN):
            return Observation(outputs, _feature_maps(watched, seen), None)
        states = seen[0]
        weights = backbone.attention_weights(states, frame_mask(batch.lengths, states.shape[1]))
        return Observation(outputs, [], weights[0].numpy())


def strongest(maps: FeatureMaps, count: int) -> npt.NDArray[np.int64]:
    """Return the numbers of the maps with the highest mean activation, highest first."""
    order = np.argsort(-maps.values.mean(axis=(1, 2)), kind="stable")
    return order[:count]


def _feature_maps(blocks: list[nn.Module], seen: list[Any]) -> list[FeatureMaps]:
    pools = np.cumprod([block.pool_size for block in blocks])
    return [FeatureMaps(images[0].numpy(), int(pool)) for (images, _, _), pool in zip(seen, pools, strict=True)]


@contextmanager
def _outputs_of(modules: list[nn.Module]) -> Iterator[list[Any]]:
    """Collect what modules give while they run, in the order in which they run."""
    seen: list[Any] = []

    def collect(module: nn.Module, inputs: tuple[Tensor, ...], outputs: Any) -> None:
        seen.append(outputs)

    handles = [module.register_forward_hook(collect) for module in modules]
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()
