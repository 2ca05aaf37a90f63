"""Convolutional recurrent backbone."""

from collections.abc import Sequence

from torch import Tensor

from musiclab.errors import UserError
from musiclab.models.cnn import CNN
from musiclab.models.lstm import LSTM, Pooling


class CRNN(CNN):
    """The blocks of a CNN, which see what is near, and a recurrence over their maps, which sees how it goes on.

    Frequency is pooled more than time. What is left of it, for all maps side by side, makes a frame of the recurrence:
    an LSTM pooled over time, by attention unless it is told otherwise. Any length and any number of features will do.

    Args:
        num_features: Values per frame.
        channels: Maps of each block.
        kernel_size: Height and width of the convolutions; odd.
        time_pools: Pooling of each block over time. Incomplete windows at the end count.
        frequency_pools: Pooling of each block over frequency, likewise.
        hidden_size: Units of the recurrence per layer and direction.
        num_layers: Its layers.
        dropout: Probability of dropping a value of the recurrence's input, between its layers, and of the embedding.
        bidirectional: Read each track backwards as well; doubles the embedding.
        pooling: How the states are pooled over time, see :class:`musiclab.models.LSTM`.

    Source:
        Choi et al. 2017, "Convolutional recurrent neural networks for music classification", arXiv 1609.04243, which
        has gated recurrent units, one direction, and keeps the last state.
    """

    def __init__(
        self,
        num_features: int,
        channels: Sequence[int] = (32, 64, 96, 128),
        kernel_size: int = 3,
        time_pools: Sequence[int] = (1, 2, 2, 1),
        frequency_pools: Sequence[int] = (4, 4, 2, 2),
        hidden_size: int = 128,
        num_layers: int = 1,
        dropout: float = 0.3,
        bidirectional: bool = True,
        pooling: Pooling = "attention",
    ) -> None:
        if len(time_pools) != len(frequency_pools):
            raise UserError(
                f"{len(time_pools)} time_pools and {len(frequency_pools)} frequency_pools; give one of each per block"
            )
        pools = list(zip(time_pools, frequency_pools, strict=True))
        super().__init__(num_features, channels, kernel_size, pools, dropout)
        bands = num_features
        for pool in frequency_pools:
            bands = -(-bands // pool)
        self.lstm = LSTM(channels[-1] * bands, hidden_size, num_layers, dropout, bidirectional, pooling)
        self.embedding_size = self.lstm.embedding_size

    def _pooled(self, images: Tensor, lengths: Tensor) -> Tensor:
        frames = images.transpose(1, 2).flatten(2)  # all bands of a map side by side
        embedding: Tensor = self.lstm(self.dropout(frames), lengths)
        return embedding
