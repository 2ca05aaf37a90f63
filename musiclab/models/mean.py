"""The backbone that learns nothing: a mean over time."""

from torch import Tensor, nn

from musiclab.errors import UserError
from musiclab.models.backbone import Backbone, frame_mask, masked_mean


class MeanOverTime(Backbone):
    """Mean over a track's own frames, and nothing else; with a task's linear head, a linear model.

    For features that another network has made, whose mean tells what is asked for: a linear probe.

    Args:
        num_features: Values per frame.
        dropout: Probability of dropping a value of the embedding.

    Source:
        Alain and Bengio 2016, "Understanding intermediate layers using linear classifier probes", arXiv 1610.01644.
    """

    def __init__(self, num_features: int, dropout: float = 0.0) -> None:
        super().__init__()
        if not 0 <= dropout < 1:
            raise UserError(f"dropout is {dropout}; it must be 0 or more and below 1")
        self.dropout = nn.Dropout(dropout)
        self.embedding_size = num_features

    def forward(self, spectrograms: Tensor, lengths: Tensor) -> Tensor:
        """Return the embeddings ``(batch, embedding)``."""
        mask = frame_mask(lengths, spectrograms.shape[1])
        embedding: Tensor = self.dropout(masked_mean(spectrograms.masked_fill(~mask[:, :, None], 0.0), mask))
        return embedding
