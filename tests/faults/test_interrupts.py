"""Ctrl+C: one word, the exit code that shells know, nothing half-written."""

import json
import os
import shlex
import signal
import subprocess
import sys
import time

import pytest
import torch
from command_line import TIMEOUT, TRAINER, environment, fit_args, run_folder

from faults.conftest import WRITING
from musiclab import files
from musiclab.cli import main

INTERRUPTED = (128 + signal.SIGINT, -signal.SIGINT)
"""As we end, and as Python ends if it was compiling something at that moment; a shell shows both as the former."""


@pytest.fixture
def own_handler():
    """Lightning ignores further interrupts once it has had one."""
    handler = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, handler)


def test_a_training_ends_with_130_and_goes_on_from_its_last_epoch(genre_root, tmp_path, capfd, own_handler):
    """Before, with 1 and no word."""
    args = fit_args("genre_lstm.yaml", genre_root, tmp_path, epochs=3)
    with pytest.raises(SystemExit) as ended:
        main([*args, "--trainer.callbacks+=faults.InterruptAt", "--trainer.callbacks.batch=6"])
    assert ended.value.code == 130
    error = capfd.readouterr().err
    assert error.endswith("musiclab: interrupted\n")
    assert "Traceback" not in error
    run = run_folder(tmp_path)
    record = json.loads((run / "run.json").read_text())
    assert (record["status"], record["reason"], record["epochs"]) == ("interrupted", "KeyboardInterrupt", 1)
    last = run / "checkpoints" / "last.ckpt"
    assert torch.load(last, weights_only=True)["epoch"] == 0
    main([*args, f"--ckpt_path={last}"])
    assert json.loads((run / "run.json").read_text())["status"] == "finished"


def test_an_interrupt_while_librosa_is_imported_is_kept_for_its_end(monkeypatch, own_handler):
    """Before, the compiler that is at work then could swallow it."""
    imported = []

    def slow_import(name):
        os.kill(os.getpid(), signal.SIGINT)
        imported.append(name)

    monkeypatch.setattr(files.importlib, "import_module", slow_import)
    with pytest.raises(KeyboardInterrupt):
        files.import_librosa.__wrapped__()
    assert imported == ["librosa.beat"]


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [1.5, 4, 5.5, 7])
@pytest.mark.parametrize("name", WRITING)
def test_every_command_ends_with_a_word_and_leaves_nothing_half_written(name, seconds, world, tmp_path):
    command = [sys.executable, "-m", "musiclab", *world.command(name, tmp_path, tmp_path)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment())
    try:
        assert process.communicate(timeout=seconds)[1] is not None
        pytest.skip("it had ended before")
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGINT)
    error = process.communicate(timeout=TIMEOUT)[1]
    assert process.returncode in (0, *INTERRUPTED), error
    assert "Traceback" not in error
    assert not list(tmp_path.rglob("*.partial*"))


@pytest.mark.parametrize("sent", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
def test_a_study_ends_the_trainings_that_it_has_started(sent, genre_root, tmp_path):
    """Before, they were killed, or went on without it."""
    options = shlex.join([*TRAINER, "--trainer.max_epochs=1000", "--data.batch_size=8", "--data.num_workers=0"])
    file, out = tmp_path / "mine.yaml", tmp_path / "out"
    file.write_text(f"runs: {{cnn: {{configs: [genre_cnn.yaml], options: {{data.root: {genre_root}}}, seeds: 2}}}}")
    args = ["study", str(file), f"--out={out}", f"--options={options}", "--at_once=2"]
    command = [sys.executable, "-m", "musiclab", *args]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment(), cwd=tmp_path)
    runs = [run_folder(out / "cnn" / f"seed_{seed}") for seed in (0, 1)]
    started = time.monotonic()
    while not all((run / "checkpoints" / "last.ckpt").exists() for run in runs):
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < started + TIMEOUT
        time.sleep(0.1)
    process.send_signal(sent)
    error = process.communicate(timeout=TIMEOUT)[1]  # once all that have its stderr have ended
    assert process.returncode == 128 + sent, error
    assert "Traceback" not in error
    for run in runs:
        assert json.loads((run / "run.json").read_text())["status"] == "interrupted"
        assert "Traceback" not in (run.parents[1] / "output.log").read_text()
