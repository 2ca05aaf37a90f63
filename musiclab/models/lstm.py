"""Recurrent backbone."""

from typing import Literal, get_args

import torch
from torch import Tensor, nn

from musiclab.errors import UserError
from musiclab.models.backbone import Backbone, frame_mask, masked_mean
from musiclab.models.recurrence import TrackLSTM

Pooling = Literal["last", "mean", "attention"]


class LSTM(Backbone):
    """Long short-term memory over the frames, pooled over time.

    The recurrence sees a track's own frames only.

    Args:
        num_features: Values per frame.
        hidden_size: Units per layer and direction.
        num_layers: Layers.
        dropout: Probability of dropping a unit between layers and in the embedding.
        bidirectional: Read each track backwards as well; doubles the embedding.
        pooling: ``last``: the state after a track's last frame (and after its first one, reading backwards);
            ``mean``: mean over the frames; ``attention``: mean weighted by learned attention, a softmax over
            time of ``v . tanh(W h_t)``.

    Source:
        Hochreiter and Schmidhuber 1997; attention as in Yang et al. 2016, "Hierarchical Attention Networks for
        Document Classification", section 2.2.
    """

    def __init__(
        self,
        num_features: int,
        hidden_size: int = 128,
        num_layers: int = 2,
        dropout: float = 0.4,
        bidirectional: bool = False,
        pooling: Pooling = "last",
    ) -> None:
        super().__init__()
        if not 0 <= dropout < 1:
            raise UserError(f"dropout is {dropout}; it must be 0 or more and below 1")
        if hidden_size < 1 or num_layers < 1:
            raise UserError(f"hidden_size is {hidden_size} and num_layers {num_layers}; both must be at least 1")
        if pooling not in get_args(Pooling):
            raise UserError(f"pooling is {pooling!r}; it must be one of {', '.join(get_args(Pooling))}")
        self.recurrence = TrackLSTM(
            num_features,
            hidden_size,
            num_layers,
            batch_first=True,
            dropout=dropout if num_layers > 1 else 0.0,
            bidirectional=bidirectional,
        )
        self.embedding_size = hidden_size * (2 if bidirectional else 1)
        self.pooling = pooling
        if pooling == "attention":
            self.attention = nn.Sequential(
                nn.Linear(self.embedding_size, self.embedding_size),
                nn.Tanh(),
                nn.Linear(self.embedding_size, 1, bias=False),
            )
        self.dropout = nn.Dropout(dropout)

    def forward(self, spectrograms: Tensor, lengths: Tensor) -> Tensor:
        """Return the embeddings ``(batch, embedding)``."""
        embedding: Tensor = self.dropout(self._pooled(self.recurrence(spectrograms, lengths), lengths))
        return embedding

    def masked(self, spectrograms: Tensor, lengths: Tensor) -> Tensor:
        """Return the embeddings in evaluation, by operations whose shapes and course depend on no value."""
        return self._pooled(self.recurrence.masked(spectrograms, lengths), lengths)

    def _pooled(self, outputs: Tensor, lengths: Tensor) -> Tensor:
        if self.pooling == "last":
            size = self.recurrence.hidden_size
            last = outputs[torch.arange(outputs.shape[0], device=outputs.device), lengths - 1, :size]
            return torch.cat([last, outputs[:, 0, size:]], dim=1)
        mask = frame_mask(lengths, outputs.shape[1])
        if self.pooling == "mean":
            return masked_mean(outputs, mask)
        weights = self.attention_weights(outputs, mask)
        return torch.bmm(weights[:, None], outputs).squeeze(1)

    def attention_weights(self, outputs: Tensor, mask: Tensor) -> Tensor:
        """Return the share of each frame in the embedding, ``(batch, time)``: sums to 1, zero in padding."""
        scores: Tensor = self.attention(outputs).squeeze(2).float()
        return scores.masked_fill(~mask, -torch.inf).softmax(dim=1).to(outputs.dtype)
