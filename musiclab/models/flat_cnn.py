"""The convolutional backbone that flattens its last maps, as published on the lab's data."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from musiclab.errors import UserError
from musiclab.models.backbone import frame_mask
from musiclab.models.cnn import CNN
from musiclab.models.pooled_norm import Pool, both


class FlatCNN(CNN):
    """The blocks of :class:`musiclab.models.CNN` on tracks of one length, whose last maps are flattened, not averaged.

    A linear head on it has a weight for each map at each time and frequency, so the number of frames is fixed when the
    network is made: of longer tracks the first ``frames`` are taken, shorter ones are padded with zeros, which is the
    training's mean of each feature, and the padding is seen as any frame. A track is mapped to the same embedding
    whatever it is padded to in its batch.

    Args:
        num_features: Values per frame.
        frames: Frames of a track; 1293 are the lab's 30 s.
        channels: Maps of each block.
        kernel_size: Height and width of the convolutions; odd.
        pools: Pooling of each block, over time and frequency alike, or a pair: over time, and over frequency.
            Incomplete windows at the edges count.
        dropout: Probability of dropping a value of the embedding.

    Source:
        The lab's own reports: step 7, with the sizes by default.
    """

    def __init__(
        self,
        num_features: int,
        frames: int = 1293,
        channels: Sequence[int] = (32, 64, 128, 256),
        kernel_size: int = 3,
        pools: Sequence[Pool] = (2, 2, 4, 4),
        dropout: float = 0.0,
    ) -> None:
        super().__init__(num_features, channels, kernel_size, pools, dropout)
        if frames < 1:
            raise UserError(f"frames is {frames}; it must be at least 1, as 1293 for 30 s of the lab's arrays")
        self.frames = frames
        height, width = frames, num_features
        for time_pool, frequency_pool in map(both, pools):
            height, width = -(-height // time_pool), -(-width // frequency_pool)
        self.embedding_size = channels[-1] * height * width

    def forward(self, spectrograms: Tensor, lengths: Tensor) -> Tensor:
        """Return the embeddings ``(batch, embedding)``."""
        return super().forward(*self._of_one_length(spectrograms, lengths))

    def masked(self, spectrograms: Tensor, lengths: Tensor) -> Tensor:
        """Return the embeddings in evaluation, by operations whose shapes and course depend on no value."""
        return super().masked(*self._of_one_length(spectrograms, lengths))

    def _of_one_length(self, spectrograms: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Return tracks that are cut or padded to ``frames``, and their lengths, which are all that."""
        own = spectrograms.masked_fill(~frame_mask(lengths, spectrograms.shape[1])[:, :, None], 0.0)
        # More than is needed, and cut, as that works for any length of a batch that is exported, too.
        return F.pad(own, (0, 0, 0, self.frames))[:, : self.frames], torch.full_like(lengths, self.frames)

    def _pooled(self, images: Tensor, lengths: Tensor) -> Tensor:
        embedding: Tensor = self.dropout(images.flatten(1))
        return embedding
