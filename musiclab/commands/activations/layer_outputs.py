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
from musiclab.models import CNN, CRNN, LSTM
from musiclab.tasks import SpectrogramTask

Array = npt.NDArray[np.float32]


class FeatureMaps(NamedTuple):
    """What a block gives: ``(maps, time, frequency)``, each value from ``pooled`` of the input's time and frequency."""

    values: Array
    pooled: tuple[int, int]


class Observation(NamedTuple):
    """What was seen of one track.

    Attributes:
        outputs: Probability of each genre or value on each axis, ``(targets,)``.
        blocks: Feature maps of each block of a CNN or CRNN.
        attention: Share of each frame in the embedding of an LSTM or CRNN, ``(time,)``; None where there is none.
    """

    outputs: Array
    blocks: list[FeatureMaps]
    attention: Array | None


def observe(task: SpectrogramTask, batch: Batch) -> Observation:
    """Let a task hear one track, in evaluation mode, and return what goes on in its backbone.

    Args:
        task: A task whose backbone is a CNN, a CRNN, or an LSTM with attention.
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
            f"the model's backbone is {type(backbone).__name__}; what can be shown are the feature maps of a CNN "
            "or CRNN and the attention of an LSTM"
        )
    task.eval()
    blocks: list[nn.Module] = [] if isinstance(backbone, LSTM) else list(backbone.blocks)
    lstm = backbone.lstm if isinstance(backbone, CRNN) else backbone if isinstance(backbone, LSTM) else None
    attentive = lstm is not None and lstm.pooling == "attention"
    watched = [*blocks, lstm.recurrence] if lstm is not None and attentive else blocks
    with torch.inference_mode(), _outputs_of(watched) as seen:
        outputs = task.predict_step(batch, 0)["predictions"][0].numpy()
        maps = _feature_maps(blocks, seen[: len(blocks)])
        if lstm is None or not attentive:
            return Observation(outputs, maps, None)
        states: Tensor = seen[-1]
        own = states.new_ones(states.shape[:2], dtype=torch.bool)
        weights = lstm.attention_weights(states, own)[0].numpy()
    return Observation(outputs, maps, _spread(weights, maps[-1].pooled[0] if maps else 1, int(batch.lengths)))


def strongest(maps: FeatureMaps, count: int) -> npt.NDArray[np.int64]:
    """Return the numbers of the maps with the highest mean activation, highest first."""
    order = np.argsort(-maps.values.mean(axis=(1, 2)), kind="stable")
    return order[:count]


def _feature_maps(blocks: list[nn.Module], seen: list[Any]) -> list[FeatureMaps]:
    sizes: list[Any] = [block.pool_size for block in blocks]
    pools = np.cumprod([np.broadcast_to(size, 2) for size in sizes], axis=0).tolist()
    return [
        FeatureMaps(images[0].numpy(), (time, bands)) for (images, _, _), (time, bands) in zip(seen, pools, strict=True)
    ]


def _spread(shares: Array, pooled: int, frames: int) -> Array:
    """Return the share of each frame, given that of windows of ``pooled`` frames, of which the last may be shorter."""
    sizes = np.diff(np.append(np.arange(0, frames, pooled), frames))
    return np.repeat(shares / sizes, sizes).astype(np.float32)


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
