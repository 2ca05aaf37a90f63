"""The benchmark for GPUs, at its smallest on the CPU."""

import os
import subprocess
import sys
import time
from pathlib import Path

import bench_gpu
import gpu_fits
import gpu_norms
import gpu_parts
import pytest
import torch
from bench_pooled_norm import leave_to_autograd

from musiclab.models import CNN

NO_GPU = pytest.mark.skipif(torch.cuda.is_available(), reason="the smallest sizes are for a CPU")


def run(tmp_path, *words):
    """Run the script; return its table."""
    out = tmp_path / "table.txt"
    words = [sys.executable, bench_gpu.__file__, "--dry-run", "--out", str(out), *words]
    result = subprocess.run(words, check=True, capture_output=True, text=True, timeout=600, cwd=tmp_path)
    assert result.stdout == out.read_text()
    assert "failed" not in result.stdout
    return result.stdout


@NO_GPU
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_all_parts_but_compiled_in_one_process(tmp_path, monkeypatch):
    monkeypatch.setattr(gpu_fits, "NETWORKS", ("lstm",))
    monkeypatch.setattr(gpu_fits, "WAYS", {"bf16-mixed": gpu_fits.WAYS["bf16-mixed"]})
    monkeypatch.chdir(tmp_path)
    out = tmp_path / "table.txt"
    with (tmp_path / "console").open("w") as console:
        rows = gpu_parts.Rows(out, console.fileno(), time.time() + 600)
        for name, part in gpu_parts.PARTS.items():
            if name != "tests":
                part(gpu_parts.Setup.dry(tmp_path), rows)
        rows.close()
    table = out.read_text()
    assert table == (tmp_path / "console").read_text()
    assert "failed" not in table
    assert table.count("\nLSTM") == 1 + 1 + 4 + 1  # epochs of both lengths; shares of steps; the notebook's


@NO_GPU
def test_parts_have_processes_of_their_own(tmp_path):
    table = run(tmp_path, "--parts", "ranks", "--minutes", "2")
    assert "3 x 128" in table
    assert "[ranks: " in table


@NO_GPU
def test_what_there_is_no_time_for_is_said(tmp_path):
    table = run(tmp_path, "--parts", "ranks", "norms", "recurrences", "--minutes", "0.2")
    assert "ranks: left out for want of time\n\nnorms: left out for want of time" in table


@NO_GPU
@pytest.mark.slow
def test_the_whole_script(tmp_path):
    table = run(tmp_path, "--minutes", "9")
    for name in bench_gpu.BOUNDS:
        assert f"[{name}: " in table
    assert "left out" not in table
    assert "skipped" in table


def test_rows_go_on_after_a_failure_and_end_in_time(tmp_path):
    with Path(os.devnull).open("w") as console:
        rows = gpu_parts.Rows(tmp_path / "table.txt", console.fileno(), time.time() + 10)
        rows.attempt("bad", 1, lambda: 1 / 0)
        rows.attempt("late", 60, lambda: "1")
        rows.attempt("good", 1, lambda: "2")
        rows.close()
    lines = (tmp_path / "table.txt").read_text().splitlines()
    assert [line.split() for line in lines[:2]] == [
        ["bad", "failed:", "ZeroDivisionError:", "division", "by", "zero"],
        ["good", "2"],
    ]
    assert lines[2] == "left out for want of time: late"


def test_a_gpu_is_busy_while_any_of_its_streams_is():
    spans = [("kernel", 0, 10), ("kernel", 5, 10), ("gpu_memcpy", 30, 5), ("cuda_runtime", 40, 100), ("kernel", 31, 1)]
    events = [{"cat": kind, "ts": start, "dur": length} for kind, start, length in spans]
    assert gpu_fits.busy_seconds([*events, {"name": "no span"}]) == (4, pytest.approx(20e-6))


@pytest.mark.parametrize("lengths", [[9, 9, 9], [9, 5, 1]])
def test_the_gradient_left_to_autograd_is_the_hand_written_one(lengths):
    torch.manual_seed(0)
    spectrograms, gradients = torch.randn(3, 9, 12), []
    network = CNN(12, channels=(4, 6), pools=(2, 3), dropout=0).double()
    torch.nn.init.normal_(network.blocks[0].norm.weight)
    for change in (lambda same: same, leave_to_autograd):
        network.zero_grad()
        change(network)(spectrograms.double(), torch.tensor(lengths)).square().sum().backward()
        gradients.append([parameter.grad.clone() for parameter in network.parameters()])
    torch.testing.assert_close(gradients[0], gradients[1])


def test_the_plain_layers_do_not_see_padding_but_in_the_statistics():
    torch.manual_seed(0)
    network = gpu_norms.use_plain_layers(CNN(12, channels=(4, 6), pools=(2, 3), dropout=0)).eval()
    track = torch.randn(1, 5, 12)
    padded = torch.nn.functional.pad(track, (0, 0, 0, 4), value=7.0)
    with torch.no_grad():
        torch.testing.assert_close(network(padded, torch.tensor([5])), network(track, torch.tensor([5])))


def test_every_part_has_its_time():
    assert bench_gpu.BOUNDS.keys() == gpu_parts.PARTS.keys()
    assert sum(least for least, _ in bench_gpu.BOUNDS.values()) < 8 * 60
