"""What every backbone is, and the masked reductions over time that backbones share."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn


class Backbone(nn.Module, ABC):
    """Maps spectrograms ``(batch, time, features)`` and their lengths ``(batch,)`` to ``(batch, embedding)``.

    In evaluation a track's embedding does not depend on the other tracks of its batch nor on its padding.

    Attributes:
        embedding_size: Size of the embedding.
        min_frames: Fewest frames of a track that it takes.
    """

    embedding_size: int
    min_frames: int = 1

    @abstractmethod
    def forward(self, spectrograms: Tensor, lengths: Tensor) -> Tensor:
        """Return the embeddings ``(batch, embedding)``."""

    def masked(self, spectrograms: Tensor, lengths: Tensor) -> Tensor:
        """Return the embeddings in evaluation, by operations whose shapes and course depend on no value.

        It is what is exported to other runtimes. A backbone whose ``forward`` looks at lengths, or picks frames by
        them, has a way of its own here.
        """
        embedding: Tensor = self(spectrograms, lengths)
        return embedding

    def load_weights(self) -> None:
        """Load the weights that a training starts from, if it was made with such.

        It is called when a training begins, unless that starts from a checkpoint: what is read here is in all
        checkpoints afterwards.
        """


def frame_mask(lengths: Tensor, frames: int) -> Tensor:
    """Return ``(batch, frames)`` booleans: True for a track's own frames, False for padding."""
    return torch.arange(frames, device=lengths.device) < lengths[:, None]


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Average ``(batch, time, features)`` over the frames that ``mask`` ``(batch, time)`` lets through."""
    weights = mask[:, :, None].float()  # sums of many frames need float32 even under autocast
    return (values * weights).sum(dim=1) / weights.sum(dim=1)


def masked_max(values: Tensor, mask: Tensor) -> Tensor:
    """Take the maximum of ``(batch, time, features)`` over the frames that ``mask`` ``(batch, time)`` lets through."""
    return values.masked_fill(~mask[:, :, None], -torch.inf).amax(dim=1)
