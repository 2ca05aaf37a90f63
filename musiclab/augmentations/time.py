"""Changes along the time of a track."""

import torch
from torch import Tensor

from musiclab.augmentations.augmentation import Augmentation, SpanMask, random_integers, take_frames
from musiclab.batch import Batch
from musiclab.errors import UserError
from musiclab.models.backbone import frame_mask


class RollTime(Augmentation):
    """Rotate each track in time by a random shift: what runs out at its end comes in at its start."""

    def __call__(self, batch: Batch) -> Batch:
        """Return the changed batch."""
        shifts = random_integers(batch.lengths)
        return batch._replace(spectrograms=take_frames(batch.spectrograms, _rolled(batch, shifts)))


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
        starts = random_integers(batch.lengths - lengths + 1)
        frames = starts[:, None] + torch.arange(int(lengths.max()), device=lengths.device)
        frames = frames.clamp(max=batch.spectrograms.shape[1] - 1)
        return batch._replace(spectrograms=take_frames(batch.spectrograms, frames), lengths=lengths)


class MaskTime(SpanMask):
    """Set random spans of time to the mean; the longest are ``fraction`` of the track's length."""

    def __call__(self, batch: Batch) -> Batch:
        """Return the changed batch."""
        kept = self.kept(batch.lengths, batch.spectrograms.shape[1])
        return batch._replace(spectrograms=batch.spectrograms * kept[:, :, None])


def _rolled(batch: Batch, shifts: Tensor) -> Tensor:
    """Return for each frame the one to put there: rotated within a track's length, as it is in the padding."""
    frames = torch.arange(batch.spectrograms.shape[1], device=shifts.device)
    own = frame_mask(batch.lengths, len(frames))
    return torch.where(own, (frames + shifts[:, None]) % batch.lengths[:, None], frames)
