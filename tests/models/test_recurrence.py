"""The LSTM over padded tracks: what packed sequences give, to float precision, forward and backward."""

import pytest
import torch
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from musiclab.models.backbone import frame_mask
from musiclab.models.processor import has_half_precision
from musiclab.models.recurrence import TrackLSTM


def packed(lstm, frames, lengths):
    sequence = pack_padded_sequence(frames, lengths, batch_first=True, enforce_sorted=False)
    outputs, _ = super(TrackLSTM, lstm).forward(sequence)
    return pad_packed_sequence(outputs, batch_first=True)[0]


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("lengths", [[7, 7, 7], [7, 1, 4]], ids=["whole", "padded"])
def test_states_and_gradients_are_those_of_packed_sequences(lengths, layers, bidirectional):
    torch.manual_seed(0)
    lstm = TrackLSTM(5, 4, layers, batch_first=True, bidirectional=bidirectional)
    lengths = torch.tensor(lengths)
    own = frame_mask(lengths, 7)[:, :, None]
    frames = torch.randn(3, 7, 5)
    direction = torch.randn(3, 7, 8 if bidirectional else 4)

    def states_and_gradients(run, padding):
        lstm.zero_grad()
        leaf = frames.masked_fill(~own, padding).requires_grad_()
        states = run(leaf) * own
        states.backward(direction)
        return [states.detach(), leaf.grad, *(parameter.grad for parameter in lstm.parameters())]

    expected = states_and_gradients(lambda leaf: packed(lstm, leaf, lengths), 0)
    torch.testing.assert_close(states_and_gradients(lambda leaf: lstm(leaf, lengths), torch.nan), expected)


def test_dropout_lies_between_layers_and_ends_with_training():
    lstm = TrackLSTM(5, 4, 2, batch_first=True, dropout=1.0)
    lengths = torch.tensor([6, 3])
    torch.testing.assert_close(lstm(torch.randn(2, 6, 5), lengths), lstm(torch.randn(2, 6, 5), lengths))
    lstm.eval()
    assert not torch.equal(lstm(torch.randn(2, 6, 5), lengths), lstm(torch.randn(2, 6, 5), lengths))


@pytest.mark.parametrize("in_hardware", [False, True])
def test_without_half_precision_in_hardware_it_stays_in_float32(in_hardware, monkeypatch):
    """Before, "could not create a primitive descriptor for the LSTM" on processors without AVX-512."""
    if in_hardware and not has_half_precision():
        pytest.skip("this processor has no half precision")
    monkeypatch.setattr("musiclab.models.recurrence.has_half_precision", lambda: in_hardware)
    torch.manual_seed(0)
    lstm = TrackLSTM(5, 4, 2, batch_first=True, bidirectional=True)
    frames, lengths = torch.randn(3, 7, 5), torch.tensor([7, 1, 4])
    with torch.autocast("cpu", torch.bfloat16):
        states = lstm(frames.bfloat16(), lengths)
    assert states.dtype == (torch.bfloat16 if in_hardware else torch.float32)
    if not in_hardware:
        torch.testing.assert_close(states, lstm(frames.bfloat16().float(), lengths), rtol=0, atol=0)
    states.float().sum().backward()
    assert all(parameter.grad is not None for parameter in lstm.parameters())


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
@pytest.mark.parametrize("lengths", [[7, 7, 7], [7, 1, 4]], ids=["whole", "padded"])
def test_cuda_gives_what_the_cpu_gives(lengths, monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    torch.manual_seed(0)
    lstm = TrackLSTM(5, 4, 2, batch_first=True, bidirectional=True)
    lengths = torch.tensor(lengths)
    own = frame_mask(lengths, 7)[:, :, None]
    frames = torch.randn(3, 7, 5)
    expected = lstm(frames, lengths) * own
    there = lstm.cuda()(frames.cuda(), lengths.cuda()).cpu() * own
    torch.testing.assert_close(there, expected, atol=1e-5, rtol=1e-5)
