"""Random changes to training batches, chosen by config: ``model.augmentations``.

Each takes a batch of normalised spectrograms, so that zero is the mean of the training set, with targets as floats
(one-hot for genres), and returns a new batch. All randomness is torch's, which tasks seed anew for each batch.
"""

from abc import ABC, abstractmethod

import torch
from torch import Tensor

from musiclab.batch import Batch
from musiclab.errors import UserError
from musiclab.models.backbone import frame_mask


class Augmentation(ABC):
    """A random change to a training batch."""

    @abstractmethod
    def __call__(self, batch: Batch) -> Batch:
        """Return the changed batch; the given one is left as it is."""


class RollTime(Augmentation):
    """Rotate each track in time by a random shift: what runs out at its end comes in at its start."""

    def __call__(self, batch: Batch) -> Batch:
        """Return the changed batch."""
        shifts = _random_integers(batch.lengths)
        return batch._replace(spectrograms=_take_frames(batch.spectrograms, _rolled(batch, shifts)))


class CropTime(Augmentation):
    """Cut a random excerpt of at most ``frames`` frames out of each track.

    Args:
        frames: Length of the excerpts; shorter tracks stay whole.
    """

    def __init__(self, frames: int) -> None:
        if frames < 1:
            raise UserError(f"frames is {frames}; an excerpt has at least one frame")
        self.frames = frames

    def __call__(self, batch: Batch) -> Batch:
        """Return the changed batch; it is no longer than ``frames``."""
        lengths = batch.lengths.clamp(max=self.frames)
        starts = _random_integers(batch.lengths - lengths + 1)
        frames = starts[:, None] + torch.arange(int(lengths.max()), device=lengths.device)
        frames = frames.clamp(max=batch.spectrograms.shape[1] - 1)
        return batch._replace(spectrograms=_take_frames(batch.spectrograms, frames), lengths=lengths)


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
            spans = _random_integers(longest + 1)
            starts = _random_integers(extents - spans + 1)
            kept &= (positions < starts[:, None]) | (positions >= (starts + spans)[:, None])
        return kept


class MaskTime(SpanMask):
    """Set random spans of time to the mean; the longest are ``fraction`` of the track's length."""

    def __call__(self, batch: Batch) -> Batch:
        """Return the changed batch."""
        kept = self.kept(batch.lengths, batch.spectrograms.shape[1])
        return batch._replace(spectrograms=batch.spectrograms * kept[:, :, None])


class MaskFeatures(SpanMask):
    """Set random bands of neighbouring features to the mean; the widest are ``fraction`` of the features."""

    def __call__(self, batch: Batch) -> Batch:
        """Return the changed batch."""
        features = batch.spectrograms.shape[2]
        kept = self.kept(torch.full_like(batch.lengths, features), features)
        return batch._replace(spectrograms=batch.spectrograms * kept[:, None, :])


class Mixup(Augmentation):
    """Blend each track and its target with another track of the batch.

    The other track is repeated or cut to the length of the first, so that padding is never blended in.

    Args:
        alpha: Weights are drawn from Beta(alpha, alpha), one per track: near 0 or 1 for a small alpha.

    Source:
        Zhang et al. 2018, "mixup: Beyond Empirical Risk Minimization", arXiv 1710.09412.
    """

    def __init__(self, alpha: float = 0.3) -> None:
        if alpha <= 0:
            raise UserError(f"alpha is {alpha}; it must be above 0")
        self.alpha = alpha

    def __call__(self, batch: Batch) -> Batch:
        """Return the changed batch."""
        spectrograms, lengths, targets, _ = batch
        size, frames, _ = spectrograms.shape
        partners = torch.randperm(size, device=lengths.device)
        alphas = torch.full((size,), self.alpha, device=lengths.device)
        weights = torch.distributions.Beta(alphas, alphas).sample()
        positions = torch.arange(frames, device=lengths.device) % lengths[partners][:, None]
        others = _take_frames(spectrograms[partners], positions)
        return batch._replace(
            spectrograms=torch.lerp(others, spectrograms, weights[:, None, None]),
            targets=torch.lerp(targets[partners], targets, weights[:, None]),
        )


def _random_integers(bounds: Tensor) -> Tensor:
    """Draw an integer from 0 to below each of ``bounds``."""
    drawn = (torch.rand(bounds.shape, device=bounds.device, dtype=torch.float64) * bounds).long()
    return drawn.minimum(bounds - 1)


def _take_frames(spectrograms: Tensor, frames: Tensor) -> Tensor:
    """Return the frames ``(batch, new time)`` of ``(batch, time, features)``."""
    return spectrograms.gather(1, frames[:, :, None].expand(-1, -1, spectrograms.shape[2]))


def _rolled(batch: Batch, shifts: Tensor) -> Tensor:
    """Return for each frame the one to put there: rotated within a track's length, as it is in the padding."""
    frames = torch.arange(batch.spectrograms.shape[1], device=shifts.device)
    own = frame_mask(batch.lengths, len(frames))
    return torch.where(own, (frames + shifts[:, None]) % batch.lengths[:, None], frames)
