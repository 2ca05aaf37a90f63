"""Jobs of SLURM: a run starts from its own checkpoint or none, a requeued one goes on in its own folder."""

import json
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from command_line import TIMEOUT, environment, errors_in, fit_args, run_folder
from forked import Forked, forked
from pytorch_lightning.demos.boring_classes import BoringModel

from musiclab import Trainer
from musiclab.cli import main

TASK = {
    "SLURM_JOB_ID": "4711",
    "SLURM_JOB_NAME": "genres",
    "SLURM_NTASKS": "1",
    "SLURM_PROCID": "0",
    "SLURM_LOCALID": "0",
    "SLURM_NODEID": "0",
    "SLURM_STEP_ID": "0",
}
AT = ["--trainer.callbacks+=faults.SignalAt", "--trainer.callbacks.batch=5"]
"""In the second of epochs of 4 steps."""


@pytest.fixture
def scheduler(tmp_path, monkeypatch):
    """A ``scontrol`` that writes down what it is asked for; return the path of that."""
    asked, program = tmp_path / "asked.txt", tmp_path / "bin" / "scontrol"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\necho "$@" >> {asked}\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
    return asked


def weights(run: Path) -> dict[str, torch.Tensor]:
    return torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]


def record(run: Path) -> dict:
    return json.loads((run / "run.json").read_text())


def test_a_requeued_run_goes_on_in_its_own_folder_and_ends_as_one_never_stopped(
    genre_root, tmp_path, scheduler, monkeypatch, capfd
):
    args = fit_args("genre_cnn.yaml", genre_root, tmp_path / "root", *AT, epochs=3)
    stopped = forked(args, **TASK)
    assert stopped.returncode == 143, stopped.stderr
    assert scheduler.read_text() == "requeue 4711\n"
    assert "SLURM job 4711 is requeued" in stopped.stderr
    assert not list((tmp_path / "root").glob("*.ckpt"))
    for name, value in {**TASK, "SLURM_RESTART_COUNT": "1"}.items():
        monkeypatch.setenv(name, value)
    main(args)
    run = run_folder(tmp_path / "root")
    assert f"goes on from {run / 'checkpoints' / 'last.ckpt'}" in capfd.readouterr().err
    assert [path.name for path in run.parent.iterdir()] == [run.name]
    assert record(run)["status"] == "finished"
    assert record(run)["job"] == {"id": "4711", "restarts": 1}
    main([*args, f"--trainer.default_root_dir={tmp_path / 'whole'}"])
    whole = run_folder(tmp_path / "whole")
    for name, values in weights(whole).items():
        assert torch.equal(weights(run)[name], values), name
    assert record(run)["best"] == record(whole)["best"]


def test_a_new_run_takes_nothing_from_the_root(genre_root, tmp_path, scheduler, monkeypatch):
    for name, value in TASK.items():
        monkeypatch.setenv(name, value)
    args = fit_args("genre_cnn.yaml", genre_root, tmp_path / "root", "--seed_everything=5")
    main(fit_args("genre_cnn.yaml", genre_root, tmp_path / "root"))
    shutil.copy(run_folder(tmp_path / "root") / "checkpoints" / "last.ckpt", tmp_path / "root" / "hpc_ckpt_1.ckpt")
    main(args)
    main(fit_args("genre_cnn.yaml", genre_root, tmp_path / "other", "--seed_everything=5"))
    started, alone = run_folder(tmp_path / "root", 1), run_folder(tmp_path / "other")
    assert record(started)["epochs"] == 1
    for name, values in weights(alone).items():
        assert torch.equal(weights(started)[name], values), name
    main(fit_args("genre_lstm.yaml", genre_root, tmp_path / "root"))  # was refused for the other task's checkpoint
    assert record(run_folder(tmp_path / "root", 2))["backbone"] == "LSTM"


def test_a_requeued_job_leaves_the_runs_of_other_command_lines_and_jobs(genre_root, tmp_path, monkeypatch):
    for name, value in TASK.items():
        monkeypatch.setenv(name, value)
    main(fit_args("genre_cnn.yaml", genre_root, tmp_path, "--seed_everything=5"))
    monkeypatch.setenv("SLURM_RESTART_COUNT", "1")
    main(fit_args("genre_cnn.yaml", genre_root, tmp_path))
    monkeypatch.setenv("SLURM_JOB_ID", "4712")
    monkeypatch.setenv("SLURM_RESTART_COUNT", "2")
    main(fit_args("genre_cnn.yaml", genre_root, tmp_path))
    assert [record(run_folder(tmp_path, version))["job"]["id"] for version in range(3)] == ["4711", "4711", "4712"]


def test_a_job_that_cannot_be_requeued_says_so_and_trains_on(genre_root, tmp_path):
    signal_alone = ["--trainer.callbacks+=faults.SignalAt", "--trainer.callbacks.batch=3"]  # the last step
    args = fit_args("genre_cnn.yaml", genre_root, tmp_path, *signal_alone)
    result = forked(args, **TASK, PATH="")
    assert result.returncode == 0, result.stderr
    assert "SLURM job 4711 is not requeued: scontrol: No such file" in result.stderr


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"SLURM_NTASKS": "4"}, "SLURM_NTASKS is 4, but SLURM_PROCID is no number: start it with srun"),
        ({**TASK, "SLURM_NTASKS": "many"}, "SLURM_NTASKS is many, but it is no number"),
        ({**TASK, "SLURM_NTASKS": "2", "SLURM_STEP_ID": None}, "no srun has started these 2 tasks"),
        ({**TASK, "SLURM_NTASKS": "2"}, "Use `--ntasks-per-node=2` instead"),
        (
            {**TASK, "SLURM_NTASKS": "2", "SLURM_NTASKS_PER_NODE": "2"},
            "srun has started 2 tasks",
        ),
        ({**TASK, "SLURM_NTASKS": "2", "SLURM_NTASKS_PER_NODE": "2", "STRATEGY": "ddp"}, "Set `devices=2`"),
        ({**TASK, "SLURM_NTASKS_PER_NODE": "1", "SLURM_NNODES": "2", "STRATEGY": "ddp"}, "Set `num_nodes=2`"),
    ],
)
def test_variables_without_their_scheduler_are_an_error_of_one_line(
    variables, message, genre_root, tmp_path, monkeypatch, capfd
):
    strategy = f"--trainer.strategy={variables.get('STRATEGY', 'auto')}"
    for name, value in variables.items():
        if value is not None:
            monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as exit_info:
        main(fit_args("genre_cnn.yaml", genre_root, tmp_path, "--trainer.devices=1", strategy))
    captured = capfd.readouterr().err
    assert exit_info.value.code == 1
    assert "Traceback" not in captured
    assert message in errors_in(captured)[0]
    assert not list(tmp_path.glob("lightning_logs/*"))


def train_by_python(folder: Path) -> None:
    trainer = Trainer(default_root_dir=folder, logger=False, enable_checkpointing=False, max_steps=1)
    (folder / "hpc_ckpt_1.ckpt").write_text("no checkpoint")
    for step in (trainer.fit, trainer.validate, trainer.test, trainer.predict):
        step(BoringModel())


def test_a_python_trainer_takes_nothing_from_the_root_either(tmp_path):
    result = Forked(train_by_python, tmp_path, **TASK).ended()
    assert result.returncode == 0, result.stderr


@pytest.mark.slow
def test_a_run_of_two_tasks_is_requeued_once_and_goes_on(genre_root, tmp_path, scheduler):
    two = ["--trainer.strategy=ddp", "--trainer.devices=2"]
    at = [AT[0], "--trainer.callbacks.batch=3"]
    args = fit_args("genre_cnn.yaml", genre_root, tmp_path / "root", *at, *two, epochs=3)

    def tasks(port: int, **more: str) -> list[tuple[str, int]]:
        """Start two tasks, as srun does."""
        command = [sys.executable, "-m", "musiclab", *args]
        common = {**TASK, "SLURM_NTASKS": "2", "SLURM_NTASKS_PER_NODE": "2", "MASTER_PORT": str(port), **more}
        started = [
            subprocess.Popen(
                command,
                env=environment(**{**common, "SLURM_PROCID": rank, "SLURM_LOCALID": rank}),
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            for rank in "01"
        ]
        return [(process.communicate(timeout=TIMEOUT)[0], process.returncode) for process in started]

    stopped = tasks(free_port())
    assert [code for _, code in stopped] == [143, 143], stopped
    assert scheduler.read_text() == "requeue 4711\n"
    requeued = tasks(free_port(), SLURM_RESTART_COUNT="1")
    assert [code for _, code in requeued] == [0, 0], requeued
    run = run_folder(tmp_path / "root")
    assert [path.name for path in run.parent.iterdir()] == [run.name]
    assert (record(run)["status"], record(run)["epochs"], record(run)["processes"]) == ("finished", 3, 2)


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]
