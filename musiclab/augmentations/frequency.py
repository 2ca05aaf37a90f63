"""Changes along the features of a frame."""

import torch

from musiclab.augmentations.augmentation import SpanMask
from musiclab.batch import Batch


class MaskFeatures(SpanMask):
    """Set random bands of neighbouring features to the mean; the widest are ``fraction`` of the features."""

    def __call__(self, batch: Batch) -> Batch:
        """Return the changed batch."""
        features = batch.spectrograms.shape[2]
        kept = self.kept(torch.full_like(batch.lengths, features), features)
        return batch._replace(spectrograms=batch.spectrograms * kept[:, None, :])
