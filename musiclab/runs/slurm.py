"""Jobs of the SLURM scheduler: what they are told by, how they are requeued, and with which run they go on then."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import NamedTuple

from lightning_fabric.plugins.environments.slurm import SLURMEnvironment
from lightning_fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from pytorch_lightning import Trainer
from pytorch_lightning.strategies import ParallelStrategy

from musiclab.errors import UserError

OF_A_TASK = ("SLURM_PROCID", "SLURM_LOCALID", "SLURM_NODEID")
STEPS = ("SLURM_STEP_ID", "SLURM_STEPID")
"""Set by srun alone, under one name or both."""


class Job(NamedTuple):
    """A job, or a task of a job array."""

    id: str
    restarts: int


def in_slurm() -> bool:
    """Return whether SLURM has started this process, by its variables; not if torchrun has, in a job of it."""
    return not TorchElasticEnvironment.detect() and SLURMEnvironment.detect()


def current_job() -> Job | None:
    """Return the job that this process is of, None outside of SLURM."""
    job = os.environ.get("SLURM_JOB_ID")
    if job is None or not in_slurm():
        return None
    if "SLURM_ARRAY_JOB_ID" in os.environ:
        job = f"{os.environ['SLURM_ARRAY_JOB_ID']}_{os.environ['SLURM_ARRAY_TASK_ID']}"
    restarts = os.environ.get("SLURM_RESTART_COUNT", "0")
    return Job(job, int(restarts) if restarts.isdecimal() else 0)


def check_variables() -> None:
    """Refuse variables of SLURM that no srun has set, as those of a job around a notebook: nothing would come of them.

    Raises:
        UserError: If some are missing, are no numbers, or if this is the only one of several tasks.
    """
    if not in_slurm():
        return
    way_out = "start it with srun; outside of a job, or to run alone in one, set SLURM_JOB_NAME=interactive"
    tasks = os.environ["SLURM_NTASKS"]
    missing = [name for name in OF_A_TASK if not os.environ.get(name, "").isdecimal()]
    if missing or not tasks.isdecimal():
        raise UserError(f"SLURM_NTASKS is {tasks}, but {missing[0] if missing else 'it'} is no number: {way_out}")
    if int(tasks) > 1 and not any(name in os.environ for name in STEPS):
        raise UserError(f"SLURM_NTASKS is {tasks}, but no srun has started these {tasks} tasks: {way_out}")
    try:
        SLURMEnvironment()
    except RuntimeError as error:
        raise UserError(str(error)) from None


def check_tasks(environment: SLURMEnvironment, trainer: Trainer) -> None:
    """Refuse a trainer of other numbers than srun has started: each process would take itself for the only one.

    Raises:
        UserError: If nodes, tasks a node or tasks differ.
    """
    if not in_slurm():
        return
    if isinstance(trainer.strategy, ParallelStrategy):
        try:
            environment.validate_settings(trainer.num_devices, trainer.num_nodes)
        except ValueError as error:
            raise UserError(str(error)) from None
    if trainer.world_size != environment.world_size():
        raise UserError(
            f"srun has started {environment.world_size()} tasks, but the trainer has processes={trainer.world_size}: "
            "srun --ntasks=1, or --trainer.strategy ddp and as many --trainer.num_nodes times --trainer.devices"
        )


def requeue_by_signal(environment: SLURMEnvironment) -> None:
    """Have the job requeued at the signal that ``sbatch --signal`` sends before its time is over.

    Lightning would keep a checkpoint in the root then, amid an epoch, from which any later run there starts. A run of
    ours goes on from its own last epoch, see :func:`interrupted_run`.
    """
    if not environment.auto_requeue:
        return
    environment.auto_requeue = False
    number, job, own = environment.requeue_signal, current_job(), os.getpid()
    if number is None or job is None or threading.current_thread() is not threading.main_thread():
        return

    def requeue(received: int, frame: FrameType | None) -> None:
        if os.getpid() != own or environment.global_rank() != 0:  # workers that load data have this handler, too
            return
        try:
            code = subprocess.run(["scontrol", "requeue", job.id], check=False).returncode
            said = "is requeued" if code == 0 else f"is not requeued: scontrol ended with {code}"
        except OSError as error:
            said = f"is not requeued: scontrol: {error.strerror}"
        print(f"SLURM job {job.id} {said}", file=sys.stderr)

    if signal.getsignal(number) is signal.SIG_DFL:
        signal.signal(number, requeue)


def interrupted_run(logs: Path, command_line: Sequence[str]) -> Path | None:
    """Return the checkpoint that a requeued job goes on from: the last of its own run with this command line.

    A run that had ended is one, too: it is but tested again, and the next command of the job is at its turn.

    Args:
        logs: Folder of run folders.
        command_line: What is run now.
    """
    job = current_job()
    if job is None or not job.restarts or not logs.is_dir():
        return None
    found = []
    for path in logs.glob("*/run.json"):
        last = path.parent / "checkpoints" / "last.ckpt"
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
            run = Job(**record["job"])
            own = record["command_line"] == list(command_line) and run.id == job.id and run.restarts < job.restarts
            if own:
                found.append((last.stat().st_mtime, last))
        except (OSError, ValueError, TypeError, KeyError):  # the record of another version, or no checkpoint yet
            continue
    return max(found)[1] if found else None
