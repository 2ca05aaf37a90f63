"""The part of ``bench_gpu.py`` on the CNN's batch norm, beside the same left to autograd and PyTorch's layers."""

import copy
import functools
import statistics
from collections.abc import Callable
from typing import Any

import bench_steps
import torch
import torch.nn.functional as F
from bench_pooled_norm import leave_to_autograd
from gpu_rows import Rows, Setup, clock, peak
from torch import Tensor, nn

from musiclab.models import CNN
from musiclab.models.cnn import Block, find_padding


class PlainBlock(nn.Module):
    """PyTorch's layers one after the other, as a block of the CNN.

    Padding counts in the statistics, but is zero before pooling and convolution: no maximum and no neighbour sees it.
    """

    def __init__(self, block: Block) -> None:
        super().__init__()
        self.convolution, self.pool_size = block.convolution, block.pool_size
        self.norm = nn.BatchNorm2d(block.convolution.out_channels).to(block.convolution.weight.device)

    def forward(self, images: Tensor, lengths: Tensor, padding: Tensor | None) -> tuple[Tensor, Tensor, Tensor | None]:
        maps = self.norm(self.convolution(images))
        if padding is not None:
            maps.permute(0, 2, 3, 1)[tuple(padding)] = 0.0
        pooled = F.max_pool2d(F.relu_(maps), self.pool_size, ceil_mode=True)
        lengths = -(-lengths // self.pool_size)
        return pooled, lengths, None if padding is None else find_padding(lengths, pooled.shape[2], maps.device)


def use_plain_layers(backbone: CNN) -> CNN:
    backbone.blocks = nn.ModuleList(PlainBlock(block) for block in backbone.blocks)
    return backbone


def pool_first(backbone: CNN) -> CNN:
    """Let the blocks pool before they normalise, on a GPU too."""
    for block in backbone.blocks:
        block.normalise_first = functools.partial(block.pool_first, padding=None, pooled_padding=None)
    return backbone


NORMS: dict[str, Callable[[Any], nn.Module]] = {
    "musiclab": lambda backbone: backbone,
    "PooledBatchNorm2d": pool_first,
    "pool, then normalise; autograd": lambda backbone: pool_first(leave_to_autograd(backbone)),
    "BatchNorm2d, ReLU, MaxPool2d": use_plain_layers,
}


def time_norms(setup: Setup, rows: Rows) -> None:
    """The CNN's forward and backward passes with three kinds of batch norm."""
    bench_steps.DEVICE = torch.device(setup.device)
    batch, frames = setup.case.batch_size, setup.case.frames[1]
    torch.manual_seed(0)
    backbone, head = bench_steps.make_network("cnn")
    spectrograms = torch.randn(batch, frames, bench_steps.ROWS, device=setup.device)
    targets = torch.arange(batch, device=setup.device) % bench_steps.GENRES

    def row(way: str, lengths: Tensor, precision: torch.dtype) -> str:
        network = NORMS[way](copy.deepcopy(backbone))
        taken, losses = [], []
        for step in range(3 + setup.steps):
            if step == 3 and setup.device == "cuda":
                torch.cuda.reset_peak_memory_stats()
            torch.manual_seed(step)
            begun = clock()
            with torch.autocast(setup.device, torch.bfloat16, enabled=precision == torch.bfloat16):
                loss = F.cross_entropy(head(network(spectrograms, lengths)), targets)
            loss.backward()
            taken.append(1e3 * (clock() - begun))
            losses.append(loss.item())
            network.zero_grad()
        return f"{statistics.median(taken[3:]):>12.2f}{peak():>10}{losses[0]:>10.4f}"

    ragged = torch.linspace(frames // 2, frames, batch).long()
    shapes = f"{batch} x {frames} frames; ragged: from {frames // 2}"
    rows.write(f"\nBATCH NORMS: forward and backward passes of the CNN, {shapes}")
    rows.write("(BatchNorm2d counts padding in its statistics; the others do not)")
    rows.write(f"{'':<44}{'step, ms':>12}{'peak MB':>10}{'loss':>10}")
    for precision in (torch.float32, torch.bfloat16):
        for shape, lengths in (("full", torch.full_like(ragged, frames)), ("ragged", ragged)):
            for way in NORMS:
                name = f"{way}, {shape}{', bf16' if precision == torch.bfloat16 else ''}"
                there = lengths.to(setup.device)
                rows.attempt(name, 3, lambda w=way, t=there, p=precision: row(w, t, p))
