"""What SLURM's variables say."""

import json
import os

import pytest

from musiclab.runs.slurm import Job, current_job, interrupted_run

LINE = ["musiclab", "fit"]


@pytest.fixture(autouse=True)
def variables(monkeypatch):
    for name in ("SLURM_NTASKS", "SLURM_JOB_ID", "SLURM_RESTART_COUNT"):
        monkeypatch.setenv(name, "1")


def test_a_job_and_a_task_of_an_array(monkeypatch):
    assert current_job() == Job("1", 1)
    monkeypatch.setenv("SLURM_ARRAY_JOB_ID", "20")
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "3")
    assert current_job() == Job("20_3", 1)
    monkeypatch.delenv("SLURM_RESTART_COUNT")
    assert current_job() == Job("20_3", 0)


@pytest.mark.parametrize(
    "others", [{"SLURM_JOB_NAME": "interactive"}, {"TORCHELASTIC_RUN_ID": "1", "RANK": "0", "GROUP_RANK": "0"}]
)
def test_none_where_a_user_or_torchrun_starts_the_processes(monkeypatch, others):
    for name, value in others.items():
        monkeypatch.setenv(name, value)
    assert current_job() is None


def test_the_last_of_the_job_s_own_runs_is_gone_on_with(tmp_path, monkeypatch):
    def run(name, line=LINE, job="1", restarts=0, checkpoint=True):
        folder = tmp_path / name
        (folder / "checkpoints").mkdir(parents=True)
        record = {"command_line": line, "job": {"id": job, "restarts": restarts}}
        (folder / "run.json").write_text(json.dumps(record))
        if checkpoint:
            (folder / "checkpoints" / "last.ckpt").touch()
        return folder

    assert interrupted_run(tmp_path / "nowhere", LINE) is None
    run("other_line", line=["musiclab", "fit", "--seed_everything=1"])
    run("other_job", job="2")
    run("of_now", restarts=1)
    run("no_epoch", checkpoint=False)
    (run("damaged") / "run.json").write_text("{")
    (run("from_python", line=None) / "run.json").write_text('{"job": null}')
    assert interrupted_run(tmp_path, LINE) is None
    first, second = run("first"), run("second")
    os.utime(first / "checkpoints" / "last.ckpt", (1, 1))
    assert interrupted_run(tmp_path, LINE) == second / "checkpoints" / "last.ckpt"
    monkeypatch.setenv("SLURM_RESTART_COUNT", "0")
    assert interrupted_run(tmp_path, LINE) is None
