"""How near descent on the Spearman loss comes to the right order, from random starts, by optimiser.

The predictions themselves are moved (no network between), from standard normal values towards targets uniform in 0..1.
Printed is Spearman's correlation (of hard ranks) at the end: least and mean of all starts, and in how many the order is
right. Run it as ``python tests/benchmarks/bench_spearman_descent.py``; it takes some minutes on one thread.
"""

import torch
from scipy.stats import spearmanr

from musiclab.losses.spearman import SpearmanLoss

CASES = ((8, 20, 2000), (32, 20, 2000), (256, 20, 2000), (4096, 5, 1000))
"""Tracks, starts, steps."""
OPTIMIZERS = ((torch.optim.Adam, 0.02), (torch.optim.SGD, 0.5))


def descend(tracks: int, start: int, steps: int, optimizer: type[torch.optim.Optimizer], rate: float) -> float:
    """Return Spearman's correlation after so many steps from a start."""
    generator = torch.Generator().manual_seed(start)
    targets = torch.rand(tracks, 1, generator=generator)
    predictions = torch.randn(tracks, 1, generator=generator).requires_grad_()
    loss, descent = SpearmanLoss(), optimizer([predictions], lr=rate)  # type: ignore[call-arg]
    for _ in range(steps):
        descent.zero_grad()
        loss(predictions, targets).sum().backward()
        descent.step()
    return float(spearmanr(predictions.detach()[:, 0], targets[:, 0]).statistic)


def main() -> None:
    """Print a line for each number of tracks and optimiser."""
    torch.set_num_threads(1)
    for tracks, starts, steps in CASES:
        for optimizer, rate in OPTIMIZERS:
            ends = [descend(tracks, start, steps, optimizer, rate) for start in range(starts)]
            right = sum(end > 1 - 1e-9 for end in ends)
            print(
                f"{tracks:5} tracks, {optimizer.__name__} {rate}, {steps} steps: least {min(ends):.4f}, "
                f"mean {sum(ends) / starts:.4f}, right in {right} of {starts}",
                flush=True,
            )


if __name__ == "__main__":
    main()
