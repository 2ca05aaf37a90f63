"""The recurrence of LSTM backbones over tracks of different lengths."""

import torch
from torch import Tensor, nn

from musiclab.models.backbone import frame_mask
from musiclab.models.processor import has_half_precision


class TrackLSTM(nn.LSTM):
    """``nn.LSTM``, batch first, over the own frames of tracks; what follows them has no influence.

    The layers run over padded tracks one after the other. Padding comes after a track's last frame and cannot change
    the frames before it; for the way back, each track's own frames are reversed in place. Packed sequences would be
    slow: on a CPU, the backward pass of each time step fills a gradient as large as all steps, so that its time grows
    with the square of the length; on a GPU, short tracks took five times as long. Whole tracks on a GPU run all layers
    at once.
    """

    def forward(self, frames: Tensor, lengths: Tensor) -> Tensor:  # type: ignore[override]
        """Return the states of the last layer.

        Args:
            frames: ``(batch, time, features)``.
            lengths: Frames of each track, ``(batch,)``.

        Returns:
            ``(batch, time, directions * hidden)``: forward and backward states side by side; those of padding have
            no meaning.
        """
        if frames.device.type == "cuda" and int(lengths.min()) == frames.shape[1]:
            states: Tensor = super().forward(frames)[0]
            return states
        return self.masked(frames, lengths)

    def masked(self, frames: Tensor, lengths: Tensor) -> Tensor:
        """Return the same, by operations whose shapes and course depend on no value."""
        batch, time, _ = frames.shape
        own = frame_mask(lengths, time)
        frames = frames.masked_fill(~own[:, :, None], 0)  # weights of zero do not undo NaNs
        positions = torch.arange(time, device=frames.device)
        positions = torch.where(own, lengths[:, None] - 1 - positions, positions)
        order = (positions + time * torch.arange(batch, device=frames.device)[:, None]).flatten()
        for layer in range(self.num_layers):
            if layer:
                frames = nn.functional.dropout(frames, self.dropout, self.training)
            directions = [self._run_layer(frames, f"l{layer}")]
            if self.bidirectional:
                backward = self._run_layer(_take(frames, order), f"l{layer}_reverse")
                directions.append(_take(backward, order))
            frames = torch.cat(directions, dim=2)
        return frames

    def _run_layer(self, frames: Tensor, name: str) -> Tensor:
        """Run one layer in one direction, whose parameters end with ``name``.

        On a processor without half precision, for which PyTorch may have no such LSTM, it stays in float32.
        """
        if frames.device.type == "cpu" and torch.is_autocast_enabled("cpu") and not has_half_precision():
            with torch.autocast("cpu", enabled=False):
                return self._run_layer(frames.float(), name)
        kinds = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        weights = [getattr(self, f"{kind}_{name}") for kind in kinds]
        start = frames.new_zeros(1, frames.shape[0], self.hidden_size)
        states: Tensor = torch.lstm(frames, (start, start), weights, True, 1, 0.0, self.training, False, True)[0]
        return states


def _take(frames: Tensor, order: Tensor) -> Tensor:
    """Return the frames of all tracks ``(batch, time, features)``, counted through, in another order."""
    return frames.flatten(0, 1).index_select(0, order).view(frames.shape)
