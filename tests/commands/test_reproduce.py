"""The lab's whole table: what is run, in which order, and where it goes on."""

import shlex
from pathlib import Path

import pytest
from command_line import REPOSITORY, error_of
from conftest import make_emotion_folder, make_genre_folder
from musiclab.commands.reproduce import BASE, RUNS, folder_of, next_arguments

from musiclab.cli import main
from musiclab.commands import reproduce as module


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A folder laid out as the lab's on Kaggle, and the repository as the current folder."""
    monkeypatch.chdir(REPOSITORY)
    for name in ("fma_genre_spectrograms", "fma_genre_spectrograms_beat"):
        make_genre_folder(tmp_path / "data" / name)
    make_emotion_folder(tmp_path / "data" / "multitask_dataset")
    return tmp_path / "data"


@pytest.fixture
def calls(monkeypatch):
    """Commands in place of which nothing is run; those whose folder is named in ``failing`` fail."""

    class Calls(list):
        failing = ()

        def __call__(self, arguments):
            self.append(arguments)
            return not any(Path(arguments[-1]).name == name for name in self.failing)

    calls = Calls()
    monkeypatch.setattr(module, "_call", calls)
    return calls


def make_run(out, name, *files, version=0):
    for file in files:
        path = out / name / "lightning_logs" / f"version_{version}" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_the_table_is_that_of_the_lab():
    names = [run.name for run in RUNS]
    assert len(set(names)) == len(names) == 15
    assert names[0] == BASE
    assert sum(name.startswith("genre_lstm") for name in names) == 4
    assert sum(name.startswith(("lstm_", "cnn_")) for name in names) == 6
    assert sum(name.startswith("multitask") for name in names) == 3


def test_the_commands_can_be_listed_for_a_job_array(root, tmp_path, capsys):
    main(["reproduce", f"--root={root}", f"--out={tmp_path / 'runs'}", "--show=true"])
    commands = [shlex.split(line) for line in capsys.readouterr().out.splitlines()]
    assert [Path(command[-1]).name for command in commands] == [run.name for run in RUNS]
    for command in commands:
        assert command[:2] == ["musiclab", "fit"]
    assert commands[2] == [
        *shlex.split("musiclab fit -c configs/genre_lstm.yaml --data.root"),
        str(root / "fma_genre_spectrograms_beat"),
        *shlex.split("--data.beat_synced true --trainer.default_root_dir"),
        str(tmp_path / "runs" / "genre_lstm_beat"),
    ]
    transfer = next(command for command in commands if command[-1].endswith("transfer"))
    assert transfer[transfer.index("--model.pretrained") + 1] == str(
        tmp_path / "runs" / "genre_cnn" / "lightning_logs" / "version_0" / "checkpoints" / "best.ckpt"
    )
    assert not (tmp_path / "runs").exists()


def test_every_command_is_understood(root, tmp_path, capsys):
    main(["reproduce", f"--root={root}", f"--out={tmp_path}", "--show=true"])
    for line in capsys.readouterr().out.splitlines():
        with pytest.raises(SystemExit) as exit_info:
            main([*shlex.split(line)[1:], "--print_config"])
        assert exit_info.value.code == 0


def test_all_runs_then_the_report(calls, root, tmp_path):
    main(["reproduce", f"--root={root}", f"--out={tmp_path}", "--options=--trainer.precision bf16-mixed"])
    assert [Path(arguments[-1]).name for arguments in calls] == [*(run.name for run in RUNS), "report"]
    assert all("bf16-mixed" in arguments for arguments in calls[:-1])


def test_it_goes_on_where_it_was_interrupted(root, tmp_path):
    cnn, lstm, beat, chroma, *_ = RUNS
    transfer = next(run for run in RUNS if run.name == "transfer")
    make_run(tmp_path, cnn.name, "config.yaml")  # killed before the first checkpoint
    make_run(tmp_path, cnn.name, "test_metrics.json", "checkpoints/best.ckpt", version=1)
    make_run(tmp_path, lstm.name, "config.yaml", "checkpoints/last.ckpt", version=0)
    make_run(tmp_path, beat.name, "config.yaml")
    assert next_arguments(cnn, str(root), tmp_path, []) is None
    run = folder_of(tmp_path, lstm.name)
    assert next_arguments(lstm, str(root), tmp_path, []) == [
        "fit", "-c", str(run / "config.yaml"), "--ckpt_path", str(run / "checkpoints/last.ckpt")
    ]  # fmt: skip
    for fresh in (beat, chroma):
        assert next_arguments(fresh, str(root), tmp_path, [])[1:3] == ["-c", "configs/genre_lstm.yaml"]
    base = tmp_path / cnn.name / "lightning_logs" / "version_1" / "checkpoints" / "best.ckpt"
    assert str(base) in next_arguments(transfer, str(root), tmp_path, [])


def test_a_run_that_fails_stops_no_others(calls, root, tmp_path, capfd):
    calls.failing = ("genre_lstm_chroma", "cnn_energy")
    error = error_of(capfd, ["reproduce", f"--root={root}", f"--out={tmp_path}"])
    assert error.startswith("musiclab: error: genre_lstm_chroma, cnn_energy: failed")
    assert len(calls) == len(RUNS) + 1


def test_a_folder_that_is_not_laid_out_as_the_labs(root, tmp_path, capfd):
    error = error_of(capfd, ["reproduce", f"--root={tmp_path}"])
    assert "fma_genre_spectrograms: no such folder" in error
