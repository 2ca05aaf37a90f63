"""What users add: a file as docs/extend.md has them write it. It is copied to where a test works."""

import torch
from torch import nn

from musiclab.augmentations import Augmentation
from musiclab.data.datamodules import EmotionDataModule
from musiclab.losses import AxisLoss, LossWeighting
from musiclab.models import Backbone
from musiclab.models.backbone import frame_mask, masked_mean


class MeanMLP(Backbone):
    """The mean over time, and a layer."""

    def __init__(self, num_features: int, size: int = 5) -> None:
        super().__init__()
        self.embedding_size = size
        self.layer = nn.Linear(num_features, size)

    def forward(self, spectrograms, lengths):
        return self.layer(masked_mean(spectrograms, frame_mask(lengths, spectrograms.shape[1]))).tanh()


class Absolute(AxisLoss):
    """The mean distance, times a factor."""

    def __init__(self, factor: float = 1.0) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, predictions, targets):
        return self.factor * (predictions - targets).abs().mean(dim=0)


class Louder(Augmentation):
    """Adds up to so many dB."""

    def __init__(self, most: float = 0.1) -> None:
        self.most = most

    def __call__(self, batch):
        return batch._replace(spectrograms=batch.spectrograms + self.most * torch.rand(()))


class Halves(LossWeighting):
    """Half of the sum."""

    def forward(self, losses):
        return losses.sum() / 2

    def weights(self):
        return torch.full((len(self.axes),), 0.5)


class Emotions(EmotionDataModule):
    """Tracks with two axes."""

    def __init__(self, *, axes: list[str] | None = None, **kwargs) -> None:
        super().__init__(axes=axes or ["valence", "energy"], **kwargs)
        self.save_hyperparameters(logger=False)
