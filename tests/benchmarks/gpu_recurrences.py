"""The part of ``bench_gpu.py`` on the LSTM's recurrence: packed, layer by layer over padding, and PyTorch's own."""

import statistics
from collections.abc import Callable

import bench_steps
import torch
from gpu_rows import Rows, Setup, clock, peak
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from musiclab.models.recurrence import TrackLSTM


def run_packed(recurrence: TrackLSTM, frames: Tensor, lengths: Tensor) -> Tensor:
    packed = pack_padded_sequence(frames, lengths.cpu(), batch_first=True, enforce_sorted=False)
    return pad_packed_sequence(nn.LSTM.forward(recurrence, packed)[0], batch_first=True)[0]


WAYS: dict[str, Callable[[TrackLSTM, Tensor, Tensor], Tensor]] = {
    "musiclab": lambda recurrence, frames, lengths: recurrence(frames, lengths),
    "packed": run_packed,
    "layer by layer": lambda recurrence, frames, lengths: recurrence._run_padded(frames, lengths),
    "nn.LSTM, padding read as music": lambda recurrence, frames, _: nn.LSTM.forward(recurrence, frames)[0],
}


def time_recurrences(setup: Setup, rows: Rows) -> None:
    """Forward and backward passes of the LSTM's recurrence."""
    bench_steps.DEVICE = torch.device(setup.device)
    batch, longest = setup.case.batch_size, setup.case.frames[1]
    torch.manual_seed(0)
    recurrence = bench_steps.make_network("lstm")[0].recurrence
    shapes = {
        f"{longest} frames": torch.full((batch,), longest),
        f"{longest // 5} frames": torch.full((batch,), longest // 5),
        f"{longest // 50} to {longest // 10} frames": torch.linspace(
            longest // 50 + 1, longest // 10 + 1, batch
        ).long(),
    }

    def row(way: str, lengths: Tensor, precision: torch.dtype) -> str:
        frames = torch.randn(batch, int(lengths.max()), bench_steps.ROWS, device=setup.device)
        there = lengths.to(setup.device)
        taken = []
        for step in range(3 + setup.steps):
            if step == 3 and setup.device == "cuda":
                torch.cuda.reset_peak_memory_stats()
            begun = clock()
            with torch.autocast(setup.device, torch.bfloat16, enabled=precision == torch.bfloat16):
                states = WAYS[way](recurrence, frames, there)
            states.float().square().mean().backward()
            taken.append(1e3 * (clock() - begun))
            recurrence.zero_grad()
        return f"{statistics.median(taken[3:]):>12.2f}{peak():>10}"

    rows.write(f"\nRECURRENCES: forward and backward passes of the LSTM's, {batch} tracks")
    rows.write(f"{'':<60}{'step, ms':>12}{'peak MB':>10}")
    for precision in (torch.float32, torch.bfloat16):
        for shape, lengths in shapes.items():
            for way in WAYS:
                name = f"{way}, {shape}{', bf16' if precision == torch.bfloat16 else ''}".ljust(60)
                rows.attempt(name, 3, lambda w=way, t=lengths, p=precision: row(w, t, p))
