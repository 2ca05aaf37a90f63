"""What lets a resumed run go on as if it had never stopped, or refuses to."""

import os
from typing import NamedTuple

import numpy as np
import pytorch_lightning as pl
import torch

from musiclab.errors import UserError


class Share(NamedTuple):
    """Tracks of each process in a step, None if it is not known, and the number of processes."""

    tracks: int | None = None
    processes: int = 1


def seed_step(rank: int, step: int) -> None:
    """Seed PyTorch from the run's seed, if there is one, the process and the step.

    A checkpoint holds no state of random generators: what is drawn in a step depends on nothing before it.

    Args:
        rank: Of the process.
        step: Number of the batch in the whole run.
    """
    seed = os.environ.get("PL_GLOBAL_SEED")
    if seed is not None:
        state = np.random.SeedSequence([int(seed), rank, step]).generate_state(2)
        torch.manual_seed(int(state[0]) << 32 | int(state[1]))


def check_schedules(trainer: pl.Trainer, before: Share) -> None:
    """Refuse a learning-rate schedule that was made for a run of another length.

    Args:
        trainer: The trainer, with what it has restored.
        before: How the run was started.

    Raises:
        UserError: Saying how many steps the schedule has and how many the run.
    """
    steps = trainer.estimated_stepping_batches
    for config in trainer.lr_scheduler_configs:
        planned = getattr(config.scheduler, "total_steps", steps)
        if planned != steps:
            raise UserError(
                f"the checkpoint's learning-rate schedule has {planned} steps, but this run {steps}; resume with "
                f"the data, batch_size and max_epochs that it was started with{_advice(before, trainer.world_size)}"
            )


def _advice(before: Share, now: int) -> str:
    """Return how a run that is resumed on another number of processes was started, and how to go on with it."""
    if before.tracks is None or before.processes == now:
        return ""
    tracks = before.tracks * before.processes
    use = f"use --data.batch_size {tracks // now}" if tracks % now == 0 else f"{now} cannot share them out evenly"
    return f"; it had {tracks} tracks a step, {before.tracks} for each process ({before.processes}): {use}"
