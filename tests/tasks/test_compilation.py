"""Compiled backbones: the same losses, no trace in checkpoints, and one line where nothing can be compiled."""

import os
import shutil

import pytest
import torch
from command_line import errors_in, evaluate_args, fit_args, musiclab, run_folder
from pytorch_lightning import Callback
from pytorch_lightning.callbacks import ModelCheckpoint
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch._dynamo.utils import counters

from musiclab.cli import main
from musiclab.errors import UserError
from musiclab.models import CNN
from musiclab.runs.averaging import EMAWeights
from musiclab.tasks.compilation import compile_backbone
from tasks.genre_task import Mean, loader, make_batches, make_task, make_trainer

pytestmark = pytest.mark.filterwarnings("ignore")

COMPILER = pytest.mark.skipif(
    shutil.which(os.environ.get("CXX", "g++")) is None, reason="torch.compile needs a C++ compiler on a CPU"
)
GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
DEVICES = [pytest.param("cpu", marks=COMPILER), pytest.param("cuda", marks=GPU)]


def ragged_batches():
    """Batches that are as long as their longest track; no two in a row are of one length."""
    lengths = [5, 8, 3, 9, 4]
    return [
        batch._replace(spectrograms=batch.spectrograms[:, :length], lengths=batch.lengths.clamp(max=length))
        for batch, length in zip(make_batches(), lengths, strict=True)
    ]


class Steps(Callback):
    """Keeps the loss of each step and validation, and how many graphs have been compiled by then."""

    def __init__(self):
        self.losses, self.validated, self.graphs = [], [], []

    def on_train_batch_end(self, trainer, pl_module, outputs, *_):
        self.losses.append(outputs["loss"].item())
        self.graphs.append(counters["stats"]["unique_graphs"])

    def on_validation_end(self, trainer, pl_module):
        self.validated.append(trainer.callback_metrics["val_loss"].item())


def fit(folder, compiled, device="cpu", epochs=3, **arguments):
    """Train a small task with averaged weights, from ``epoch=N.ckpt`` to another; return it and what was seen."""
    task, steps, batches = make_task(backbone=Mean, compile=compiled, sharpness=1), Steps(), loader(ragged_batches())
    callbacks = [steps, EMAWeights(), ModelCheckpoint(folder, filename="{epoch}", save_top_k=-1)]
    saving = {"callbacks": callbacks, "enable_checkpointing": True}
    torch.compiler.reset()
    counters.clear()
    make_trainer(folder, accelerator=device, max_epochs=epochs, **saving).fit(task, batches, batches, **arguments)
    return task, steps


@pytest.mark.parametrize("device", DEVICES)
def test_losses_are_the_same_and_lengths_are_not_compiled_one_by_one(device, tmp_path):
    _, plain = fit(tmp_path, False, device)
    task, compiled = fit(tmp_path, True, device)
    assert compiled.losses == pytest.approx(plain.losses, abs=1e-4)
    assert compiled.validated == pytest.approx(plain.validated, abs=1e-4)
    assert plain.graphs[-1] == 0
    assert compiled.graphs[0] > 0
    assert compiled.graphs[1] == compiled.graphs[3]  # one for the first length, one more for any other
    assert compiled.graphs[4] == compiled.graphs[-1]  # the fifth batch has fewer tracks
    assert task._compiled is None


@pytest.mark.parametrize("device", DEVICES)
def test_a_run_goes_on_compiled_or_not(device, tmp_path):
    _, through = fit(tmp_path / "through", True, device, epochs=2)
    first = tmp_path / "through" / "epoch=0.ckpt"
    checkpoint = torch.load(first, weights_only=True)
    assert "compile" not in checkpoint["hyper_parameters"]
    assert checkpoint["state_dict"].keys() == make_task(backbone=Mean).state_dict().keys()
    for compiled in (True, False):
        _, resumed = fit(tmp_path / str(compiled), compiled, device, epochs=2, ckpt_path=first)
        assert resumed.losses == pytest.approx(through.losses[5:], abs=1e-4)
        assert bool(resumed.graphs[-1]) == compiled


def test_what_cannot_be_compiled_is_one_line(monkeypatch):
    def fail(function):
        raise RuntimeError("no compiler\nand a long story")

    monkeypatch.setattr(torch, "compile", fail)
    with pytest.raises(UserError, match=r"\(no compiler\); install .*--model.compile false$"):
        compile_backbone(Mean(6), torch.device("cpu"))


def test_a_missing_compiler_is_one_line(genre_root, tmp_path):
    args = fit_args("genre_lstm.yaml", genre_root, tmp_path, "--model.compile=true")
    result = musiclab(args, CXX=str(tmp_path / "none"), TORCHINDUCTOR_CACHE_DIR=str(tmp_path / "cache"))
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    (error,) = errors_in(result.stderr)
    assert "install a C++ compiler" in error


@pytest.mark.slow
@COMPILER
def test_a_cnn_is_soon_compiled_for_any_length():
    torch.manual_seed(0)
    backbone = CNN(12, channels=(4, 8), pools=(2, 2))
    embed = compile_backbone(backbone, torch.device("cpu"))
    ragged = [55, 50, 40, 40, 40, 40, 40]
    first = [[60] * 8, [60, *ragged], [70, *ragged], [80, *ragged], [90] * 8, [64, 55, 50]]
    torch.compiler.reset()
    counters.clear()
    graphs = []
    for lengths in (*first, [33] * 8, [47, 46, 45, 44, 43, 42, 41, 40]):
        tracks = torch.randn(len(lengths), max(lengths), 12)
        embed(tracks, torch.tensor(lengths)).sum().backward()
        graphs.append(counters["stats"]["unique_graphs"])
    assert 0 < graphs[0] < graphs[5] == graphs[-1]


@pytest.mark.slow
@COMPILER
@pytest.mark.parametrize("config", ["genre_cnn.yaml", "genre_lstm.yaml"])
def test_compiled_runs_of_the_configs(config, genre_root, tmp_path):
    losses = []
    for compiled in ("false", "true"):
        folder = tmp_path / compiled
        still = ["--model.backbone.init_args.dropout=0", f"--model.compile={compiled}"]
        main(fit_args(config, genre_root, folder, *still, epochs=2))
        events = EventAccumulator(str(run_folder(folder))).Reload()
        losses.append([event.value for name in ("train_loss", "val_loss") for event in events.Scalars(name)])
    assert losses[1] == pytest.approx(losses[0], abs=1e-4)
    run = run_folder(tmp_path / "true")
    main(["fit", f"-c={run / 'config.yaml'}", f"--ckpt_path={run / 'checkpoints' / 'last.ckpt'}"])
    main(evaluate_args("predict", run / "checkpoints" / "best.ckpt", tmp_path))
    assert (run_folder(tmp_path) / "predictions.csv").read_text() == (run / "predictions.csv").read_text()
