"""A backbone of your own: its config is own_backbone.yaml; run both from their folder.

cd examples
musiclab fit -c own_backbone.yaml
musiclab test --ckpt_path lightning_logs/version_0/checkpoints/best.ckpt
"""

import torch
from torch import Tensor, nn

from musiclab.models import Backbone
from musiclab.models.backbone import frame_mask, masked_max, masked_mean


class MeanMLP(Backbone):
    """Mean and maximum of each feature over time, then a network of two layers.

    Args:
        num_features: Values per frame; given by the task.
        size: Units of each layer, and so the size of the embedding.
        dropout: Share of the units that are left out in training.
    """

    def __init__(self, num_features: int, size: int = 64, dropout: float = 0.2) -> None:
        super().__init__()
        self.embedding_size = size  # the task's head is made for it
        self.layers = nn.Sequential(
            nn.Linear(2 * num_features, size), nn.ReLU(), nn.Dropout(dropout), nn.Linear(size, size), nn.ReLU()
        )

    def forward(self, spectrograms: Tensor, lengths: Tensor) -> Tensor:
        """Return embeddings ``(batch, size)`` of normalised spectrograms ``(batch, time, features)``.

        Frames from a track's length on are padding: only what the mask lets through may count.
        """
        mask = frame_mask(lengths, spectrograms.shape[1])
        pooled = torch.cat([masked_mean(spectrograms, mask), masked_max(spectrograms, mask)], dim=1)
        return self.layers(pooled)
