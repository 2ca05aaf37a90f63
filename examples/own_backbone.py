"""A backbone of your own, as docs/extend.md has it; its config is own_backbone.yaml. Run both from their folder.

cd examples
musiclab fit -c own_backbone.yaml
musiclab test --ckpt_path lightning_logs/version_0/checkpoints/best.ckpt
"""

import torch
from torch import Tensor, nn

from musiclab.models import Backbone
from musiclab.models.backbone import frame_mask, masked_max, masked_mean


class MeanMLP(Backbone):
    """A perceptron on mean and maximum of each feature over time.

    Args:
        num_features: Values per frame; given by the task.
        hidden_size: Units of the layer, and so the size of the embedding.
    """

    def __init__(self, num_features: int, hidden_size: int = 128) -> None:
        super().__init__()
        self.embedding_size = hidden_size  # the task's head is made for it
        self.layers = nn.Sequential(nn.Linear(2 * num_features, hidden_size), nn.ReLU())

    def forward(self, spectrograms: Tensor, lengths: Tensor) -> Tensor:
        """Return embeddings ``(batch, hidden_size)`` of normalised spectrograms ``(batch, time, features)``.

        Frames from a track's length on are padding: only what the mask lets through may count.
        """
        mask = frame_mask(lengths, spectrograms.shape[1])
        summary = [masked_mean(spectrograms, mask), masked_max(spectrograms, mask)]
        return self.layers(torch.cat(summary, dim=1))
