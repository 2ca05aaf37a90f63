"""What every augmentation is, and what several draw and take alike."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor

from musiclab.batch import Batch
from musiclab.checkpoint import KeepsArguments
from musiclab.errors import UserError


class Augmentation(KeepsArguments, ABC):
    """A random change to a training batch."""

    @abstractmethod
    def __call__(self, batch: Batch) -> Batch:
        """Return the changed batch; the given one is left as it is."""


class SpanMask(Augmentation):
    """Masks spans of an axis; the subclasses say which.

    Args:
        count: Spans per track.
        fraction: Longest span, as a share of the axis.

    Source:
        Park et al. 2019, "SpecAugment", arXiv 1904.08779, section 2.
    """

    def __init__(self, count: int = 2, fraction: float = 0.1) -> None:
        if count < 0:
            raise UserError(f"count is {count}; it must not be negative")
        if not 0 < fraction <= 1:
            raise UserError(f"fraction is {fraction}; it must lie above 0 and be at most 1")
        self.count = count
        self.fraction = fraction

    def kept(self, extents: Tensor, size: int) -> Tensor:
        """Draw spans within each of ``extents`` ``(batch,)``; return ``(batch, size)``, False inside a span."""
        longest = (extents * self.fraction).long()
        positions = torch.arange(size, device=extents.device)
        kept = torch.ones(len(extents), size, dtype=torch.bool, device=extents.device)
        for _ in range(self.count):
            spans = random_integers(longest + 1)
            starts = random_integers(extents - spans + 1)
            kept &= (positions < starts[:, None]) | (positions >= (starts + spans)[:, None])
        return kept


def random_integers(bounds: Tensor) -> Tensor:
    """Draw an integer from 0 to below each of ``bounds``."""
    precision = torch.float64 if bounds.device.type == "cpu" else torch.float32  # Apple's GPUs have no float64
    drawn = (torch.rand(bounds.shape, device=bounds.device, dtype=precision) * bounds).long()
    return drawn.minimum(bounds - 1)


def take_frames(spectrograms: Tensor, frames: Tensor) -> Tensor:
    """Return the frames ``(batch, new time)`` of ``(batch, time, features)``."""
    return spectrograms.gather(1, frames[:, :, None].expand(-1, -1, spectrograms.shape[2]))
