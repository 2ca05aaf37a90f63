"""The CNN's training steps with the hand-written gradient of its norm, and with the same left to autograd.

Both normalise what is left after pooling, by the same statistics, in the forward pass that ``PooledBatchNorm2d`` has.
The network is that of ``configs/genre_cnn.yaml``, on made-up tracks of full length and of beats, in float32 and under
autocast to bfloat16. The ways take turns in processes of their own; shown are the medians of an epoch's forward and
backward passes, and the growth of peak memory. PyTorch is held to one thread and processor seconds are counted.

Run it as ``python tests/benchmarks/bench_pooled_norm.py [--quick]``.
"""

import argparse
import multiprocessing
import statistics
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import torch
from bench_loading import MemorySampler, use_one_thread
from bench_steps import GENRES, make_network
from bench_training import BEATS, FULL, Case, draw_lengths
from torch import Tensor, nn
from tqdm import tqdm

from musiclab.models import pooled_norm
from musiclab.models.pooled_norm import PooledBatchNorm2d
from musiclab.runs.allocator import keep_freed_memory

MELS = 128
WAYS = ("hand-written", "autograd")

Result = dict[str, float]


class AutogradPooledBatchNorm2d(PooledBatchNorm2d):
    """The same values without a backward pass of its own.

    The statistics are those of ``PooledBatchNorm2d``, which keep float32's precision, but cannot be differentiated.
    Their gradients come from a sum and a sum of squares that are added and taken away again. Both are made for little:
    the square's one factor is detached, so that the backward pass makes one tensor of the maps' size for it.
    """

    @torch.compiler.disable
    def forward(self, flipped: Tensor, padding: Tensor | None, pooled_padding: Tensor | None) -> Tensor:
        if not self.training:
            return super().forward(flipped, padding, pooled_padding)
        flips = self.flips()
        with torch.no_grad():
            mean, variance = pooled_norm._own_moments(flipped.detach(), padding)
            self._update(mean * flips, variance, pooled_norm._count(flipped, padding))
        if padding is not None:
            # As large as infinity would be for the maximum, but finite in the sums.
            pooled_norm._fill(flipped, padding, flipped.detach().amin(dim=(0, 2, 3)))
        pooled = pooled_norm._pool(flipped, self.pool_size)
        count = pooled_norm._count(flipped, padding)
        values = flipped.permute(0, 2, 3, 1).flatten(0, 2)
        through_sum = _without_value(values.sum(dim=0, dtype=mean.dtype)) / count
        through_square = _without_value((values * values.detach()).sum(dim=0, dtype=mean.dtype)) * (2 / count)
        variance = variance + through_square - 2 * mean * through_sum
        mean = mean + through_sum
        scale = self.weight * flips * (variance + self.eps).rsqrt()
        shift = self.bias - mean * scale
        normalised = torch.addcmul(shift[:, None, None], pooled.to(scale.dtype), scale[:, None, None])
        return pooled_norm._fill(normalised.to(flipped.dtype), pooled_padding, 0.0)


def _without_value(values: Tensor) -> Tensor:
    """Return zeros with the gradient of the values."""
    return values - values.detach()


def leave_to_autograd(backbone: nn.Module) -> nn.Module:
    """Make the norms of a CNN those of autograd; return it."""
    for block in backbone.blocks:
        block.norm.__class__ = AutogradPooledBatchNorm2d
    return backbone


def make_batches(case: Case) -> Iterator[tuple[Tensor, Tensor]]:
    """Return an epoch: tracks of similar length together where they differ, each batch as long as its longest."""
    lengths = draw_lengths(case, np.random.default_rng(0))[: case.train]
    generator = torch.Generator().manual_seed(0)
    for chosen in torch.from_numpy(np.sort(lengths)).split(case.batch_size):
        yield torch.randn(len(chosen), int(chosen.max()), MELS, generator=generator), chosen


def train(way: str, case: Case, precision: torch.dtype) -> Result:
    """Return the processor seconds of an epoch's forward and backward passes, and the growth of memory."""
    keep_freed_memory()
    torch.manual_seed(0)
    backbone, head = make_network("cnn")
    if way == "autograd":
        leave_to_autograd(backbone)
    sampler, taken = MemorySampler(), 0.0
    tracks = case._replace(train=2, frames=(16, 16), batch_size=2)
    for part in (tracks, case):  # the first is to load what is loaded once
        if part is case:
            sampler.start()
            taken = 0.0
        for spectrograms, lengths in make_batches(part):
            targets = torch.arange(len(lengths)) % GENRES
            begun = time.process_time()
            with torch.autocast("cpu", torch.bfloat16, enabled=precision == torch.bfloat16):
                loss = nn.functional.cross_entropy(head(backbone(spectrograms, lengths)), targets)
            loss.backward()
            taken += time.process_time() - begun
            for parameter in backbone.parameters():
                parameter.grad = None
    return {"epoch": taken, **sampler.stop()}


def main() -> None:
    """Let the ways take turns and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a few short tracks, one round")
    parser.add_argument("--rounds", type=int, default=3, help="how often each way takes its turn")
    arguments = parser.parse_args()
    cases, rounds = [FULL, BEATS], arguments.rounds
    if arguments.quick:
        cases, rounds = [FULL._replace(train=4, batch_size=2), BEATS._replace(train=64)], 1
    spawn = multiprocessing.get_context("spawn")
    print(f"{'CNN, forward and backward passes':<58}" + "".join(f"{way:>14}" for way in WAYS) + f"{'gain':>8}")
    progress = tqdm(total=4 * rounds * len(WAYS), desc="Training", unit="run")
    for case in cases:
        for precision in (torch.float32, torch.bfloat16):
            results: dict[str, list[Result]] = {way: [] for way in WAYS}
            for _ in range(rounds):
                for way, found in results.items():
                    with ProcessPoolExecutor(1, mp_context=spawn, initializer=use_one_thread) as process:
                        found.append(process.submit(train, way, case, precision).result())
                    progress.update()
            title = f"{case.train} tracks, {case.name}, by {case.batch_size}, {str(precision).removeprefix('torch.')}"
            for name, measure in (("epoch, s", "epoch"), ("peak RSS, MB", "peak RSS")):
                own, other = (statistics.median(result[measure] for result in found) for found in results.values())
                print(f"{title + ', ' + name:<58}{own:>14,.4g}{other:>14,.4g}{1 - own / other:>8.1%}", flush=True)
    progress.close()


if __name__ == "__main__":
    main()
