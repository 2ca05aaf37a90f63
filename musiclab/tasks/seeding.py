"""Chance within a step of a training, which depends on nothing that came before."""

import os

import numpy as np
import torch


def seed_step(rank: int, step: int) -> None:
    """Seed PyTorch from the run's seed, if there is one, the process and the step.

    A checkpoint holds no state of random generators: this is what lets a resumed run go on as if it had never stopped.

    Args:
        rank: Of the process.
        step: Number of the batch in the whole run.
    """
    seed = os.environ.get("PL_GLOBAL_SEED")
    if seed is not None:
        state = np.random.SeedSequence([int(seed), rank, step]).generate_state(2)
        torch.manual_seed(int(state[0]) << 32 | int(state[1]))
