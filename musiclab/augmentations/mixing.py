"""Blends of several tracks."""

import torch

from musiclab.augmentations.augmentation import Augmentation, take_frames
from musiclab.batch import Batch
from musiclab.errors import UserError


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
        place = "cpu" if lengths.device.type == "mps" else lengths.device  # PyTorch has no Beta for Apple's GPUs
        alphas = torch.full((size,), self.alpha, device=place)
        weights = torch.distributions.Beta(alphas, alphas).sample().to(lengths.device)
        positions = torch.arange(frames, device=lengths.device) % lengths[partners][:, None]
        others = take_frames(spectrograms[partners], positions)
        return batch._replace(
            spectrograms=torch.lerp(others, spectrograms, weights[:, None, None].to(spectrograms.dtype)),
            targets=torch.lerp(targets[partners], targets, weights[:, None].to(targets.dtype)),
        )
