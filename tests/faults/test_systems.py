"""Windows and macOS, as far as they can be had on Linux: names that others lack, a GPU without float64, encodings."""

import ast
import ctypes
import os
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from apple import GPU, AppleDevice, OnDevice
from command_line import REPOSITORY, evaluate_args, fit_args, read_rows, run_folder
from pytorch_lightning.strategies import SingleDeviceStrategy

import musiclab
from musiclab.augmentations import CropTime, MaskFeatures, MaskTime, Mixup, RollTime
from musiclab.augmentations.augmentation import random_integers
from musiclab.batch import Batch
from musiclab.cli import main
from musiclab.data import packing
from musiclab.data.packing import open_store
from musiclab.errors import UserError
from musiclab.files import make_home
from musiclab.losses import PublishedLoss, RegressionLoss
from musiclab.runs.allocator import keep_freed_memory
from musiclab.runs.averaging import EMAWeights
from musiclab.tasks import SpectrogramTask

UNIX = ["O_CLOEXEC", "O_DIRECTORY", "fork", "geteuid", "getpgid", "getuid", "killpg", "mkfifo", "nice", "posix_fadvise"]
UNIX += ["pread", "preadv", "pwrite", "pwritev", "sched_getaffinity", "sendfile", "setsid", "statvfs", "uname"]
"""Names of ``os`` that Windows lacks; those stay that libraries here need on Linux. `make lint` finds all of them."""


@pytest.fixture
def not_unix(monkeypatch):
    for name in UNIX:
        monkeypatch.delattr(os, name, raising=False)


@pytest.mark.parametrize("config", ["genre_cnn.yaml", "emotion_multitask.yaml"])
def test_a_model_is_trained_and_used_without_what_unix_alone_has(
    config, genre_root, emotion_root, tmp_path, monkeypatch, not_unix
):
    """Before: AttributeError: module 'os' has no attribute 'O_CLOEXEC', then preadv."""
    monkeypatch.setenv("MUSICLAB_CACHE", str(tmp_path / "cache"))
    root = genre_root if config.startswith("genre") else emotion_root
    main(fit_args(config, root, tmp_path))
    main(evaluate_args("predict", run_folder(tmp_path) / "checkpoints" / "last.ckpt", tmp_path))
    assert len(read_rows(run_folder(tmp_path, 1) / "predictions.csv")) == 9 if root is genre_root else 8


def test_threads_read_a_store_at_once_where_a_read_has_no_offset(genre_root, tmp_path, not_unix):
    store = open_store(genre_root / "train", cache=tmp_path)
    expected = [np.load(path).T.astype(store.dtype) for path in sorted((genre_root / "train").iterdir())]
    with ThreadPoolExecutor(4) as threads:
        for position, found in enumerate(threads.map(store.__getitem__, list(range(len(store))) * 50)):
            np.testing.assert_array_equal(found, expected[position % len(store)])


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")
def test_a_store_is_closed_before_it_is_packed_anew(genre_root, tmp_path, monkeypatch):
    """Windows removes no file that is open."""
    source, cache = tmp_path / "train", tmp_path / "cache"
    source.mkdir()
    for path in (genre_root / "train").iterdir():
        (source / path.name).write_bytes(path.read_bytes())
    open_store(source, cache=cache)
    path = next(source.iterdir())
    status, array = path.stat(), np.load(path)
    np.save(path, array + 1)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    remove, removed = packing.shutil.rmtree, []

    def remove_closed(folder, **options):
        opened = [path.resolve() for path in Path("/proc/self/fd").iterdir()]
        removed.append([path for path in opened if folder in path.parents])
        remove(folder, **options)

    monkeypatch.setattr(packing.shutil, "rmtree", remove_closed)
    open_store(source, cache=cache)
    assert removed
    assert not any(removed)


def test_a_user_without_home_or_number_has_a_folder(tmp_path, monkeypatch, not_unix, capsys):
    monkeypatch.setenv("HOME", "")
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    make_home()
    assert os.environ["HOME"] == str(tmp_path / "musiclab-home")
    assert "There is no home folder" in capsys.readouterr().err


@pytest.mark.parametrize("platform", ["win32", "darwin"])
def test_only_glibc_is_asked_to_keep_memory(platform, monkeypatch):
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(ctypes, "CDLL", None)
    keep_freed_memory()


def texts_without_encoding(source: str) -> list[int]:
    """Return the lines of a module that open text in the encoding of the system."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call) or any(keyword.arg == "encoding" for keyword in node.keywords):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        method = isinstance(node.func, ast.Attribute)
        mode = node.args[0 if method else 1 :][:1]
        text = not mode or (isinstance(mode[0], ast.Constant) and "b" not in str(mode[0].value))
        if (method and name in ("read_text", "write_text")) or (name == "open" and text):
            found.append(node.lineno)
    return found


def test_texts_are_read_and_written_in_one_encoding_on_all_systems():
    assert texts_without_encoding("p.open('rb')\np.open()\np.read_text()\nopen(p)\nopen(p, 'wb')\ngzip.open(p)") == [
        2,
        3,
        4,
    ]
    found = {path: texts_without_encoding(path.read_text()) for path in (REPOSITORY / "musiclab").rglob("*.py")}
    assert not {str(path): lines for path, lines in found.items() if lines}


class TestAppleDevice:
    """Before: TypeError: Cannot convert a MPS Tensor to float64 dtype."""

    def test_plays_the_device(self):
        with AppleDevice():
            there = torch.ones(2, 3).to(GPU)
            assert isinstance(there, OnDevice)
            assert there.device == GPU
            assert (there + 1).device == torch.arange(3, device=there.device).device == GPU
            assert (there + 1).cpu().device.type == torch.ones(2).device.type == "cpu"
            assert there.cpu().double().numpy().sum() == 6
            for wrong in (there.double, lambda: torch.ones(2, dtype=torch.float64).to(GPU), there.numpy):
                with pytest.raises(RuntimeError, match=r"mps|MPS"):
                    wrong()

    @pytest.fixture
    def batches_there(self, monkeypatch):
        """Have batches moved to the device, as Lightning does; what a step computes from them is there, too."""

        def move(task, batch, loader):
            return batch._replace(**{name: getattr(batch, name).to(GPU) for name in Batch._fields[:3]})

        monkeypatch.setattr(SpectrogramTask, "on_after_batch_transfer", move)

    @pytest.mark.parametrize(
        ("config", "more"),
        [
            ("genre_cnn.yaml", []),
            pytest.param("genre_lstm.yaml", ["--model.backbone.init_args.pooling=attention"], marks=pytest.mark.slow),
            pytest.param("emotion_multitask.yaml", ["--model.loss.init_args.spearman=1"], marks=pytest.mark.slow),
            ("emotion_lstm.yaml", ["--model.loss=PublishedLoss"]),
        ],
    )
    def test_trains_tests_and_predicts(self, config, more, genre_root, emotion_root, tmp_path, batches_there):
        root = genre_root if config.startswith("genre") else emotion_root
        with AppleDevice():
            main(fit_args(config, root, tmp_path, *more))
            for command in ("validate", "predict"):  # fit has tested
                main(evaluate_args(command, run_folder(tmp_path) / "checkpoints" / "last.ckpt", tmp_path))
        assert (run_folder(tmp_path) / "test_metrics.json").exists()

    @pytest.mark.parametrize("change", [CropTime(5), RollTime(), MaskTime(), MaskFeatures(), Mixup()])
    def test_changes_batches(self, change):
        with AppleDevice():
            batch = Batch(torch.rand(4, 9, 6).to(GPU), torch.tensor([9, 7, 5, 2]).to(GPU), torch.rand(4, 2).to(GPU), [])
            changed = change(batch)
        assert all(isinstance(part, OnDevice) for part in changed[:3])

    def test_integers_are_drawn_alike(self):
        with AppleDevice():
            drawn = random_integers(torch.tensor([1, 3, 1000]).repeat(10_000, 1).to(GPU)).cpu()
        assert drawn.amin(dim=0).tolist() == [0, 0, 0]
        assert drawn.amax(dim=0).tolist() == [0, 2, 999]
        assert drawn[:, 1].bincount().tolist() == pytest.approx([3333] * 3, abs=200)

    @pytest.mark.parametrize("loss", [RegressionLoss(spearman=1.0), PublishedLoss()])
    def test_has_losses_with_gradients(self, loss):
        with AppleDevice():
            predictions = torch.rand(8, 3, requires_grad=True)
            loss(predictions.to(GPU), torch.rand(8, 3).to(GPU)).sum().backward()
        assert predictions.grad.isfinite().all()

    def test_averages_weights(self):
        with AppleDevice():
            average = EMAWeights(0.9)._average(torch.zeros(3).to(GPU), torch.ones(3).to(GPU), torch.tensor(1).to(GPU))
        assert average.tolist() == pytest.approx([9 / 11] * 3)

    def test_refuses_float64_in_a_line(self):
        with pytest.raises(UserError, match="64-true needs float64, which Apple's GPUs do not have"):
            musiclab.Trainer(precision="64-true", accelerator="cpu", strategy=SingleDeviceStrategy(GPU), logger=False)
