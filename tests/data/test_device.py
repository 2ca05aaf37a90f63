"""Batches made on a device: those that are loaded, and when they are made there."""

import logging
from types import SimpleNamespace

import pytest
import torch
from command_line import evaluate_args, fit_args, read_rows, run_folder
from conftest import make_emotion_folder, make_genre_folder

from musiclab.cli import main
from musiclab.data import device as device_module
from musiclab.data.datamodules import EmotionDataModule, GenreDataModule
from musiclab.data.device import DeviceDataset, DeviceFrames, Placement, fit_on
from musiclab.errors import UserError

CPU, GPU = torch.device("cpu"), torch.device("cuda", 0)
LOADERS = {"fit": ("train", "val"), "test": ("test",), "predict": ("predict",)}
needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")


@pytest.fixture
def kept(monkeypatch):
    """Have frames kept on any device; what is kept is returned."""
    made = []

    class Counted(DeviceFrames):
        def __init__(self, datasets, device):
            super().__init__(datasets, device)
            made.append(self)

    monkeypatch.setattr(device_module, "fit_on", lambda device, datasets, on_device: True)
    monkeypatch.setattr(device_module, "DeviceFrames", Counted)
    return made


@pytest.fixture
def free(monkeypatch):
    """Set how much of a GPU's memory is said to be free."""

    def be(size):
        monkeypatch.setattr(device_module, "free_memory", lambda device: size)

    return be


def trainer_on(device, rank=0, world_size=1, fn="fit"):
    return SimpleNamespace(
        strategy=SimpleNamespace(root_device=device),
        state=SimpleNamespace(fn=fn),
        global_rank=rank,
        world_size=world_size,
        num_devices=1,
        fit_loop=SimpleNamespace(epoch_progress=SimpleNamespace(current=SimpleNamespace(processed=0))),
    )


def prepared(kind, root, stage="fit", **options):
    trainer = trainer_on(options.pop("device", CPU), options.pop("rank", 0), options.pop("world_size", 1), stage)
    module = kind(root=root, batch_size=7, **options)
    module.trainer = trainer
    module.setup(stage)
    return module


def batches_of(module, stage="fit"):
    return [list(getattr(module, f"{name}_dataloader")()) for name in LOADERS[stage]]


def assert_equal(batches, expected):
    assert len(batches) == len(expected)
    for batch, other in zip(batches, expected, strict=True):
        assert batch.ids == other.ids
        assert batch.spectrograms.dtype == torch.float32
        assert torch.equal(batch.spectrograms.cpu(), other.spectrograms)
        assert torch.equal(batch.lengths.cpu(), other.lengths)
        torch.testing.assert_close(batch.targets.cpu(), other.targets, rtol=0, atol=0, equal_nan=True)


@pytest.mark.parametrize("by_length", [False, True])
@pytest.mark.parametrize("store_dtype", ["float16", "float32"])
@pytest.mark.parametrize("features", ["mel", "chroma", "fused"])
def test_batches_are_those_that_are_loaded(genre_root, kept, features, store_dtype, by_length):
    options = {"features": features, "store_dtype": store_dtype, "by_length": by_length, "val_fraction": 0.25}
    there = prepared(GenreDataModule, genre_root, **options)
    here = prepared(GenreDataModule, genre_root, on_device=False, **options)
    for batches, expected in zip(batches_of(there), batches_of(here), strict=True):
        assert isinstance(there.train_dataloader().dataset, DeviceDataset)
        assert_equal(batches, expected)


@pytest.mark.parametrize("stage", LOADERS)
@pytest.mark.parametrize("kind", [GenreDataModule, EmotionDataModule])
@pytest.mark.parametrize("more", [{}, {"limit": 12}, {"rank": 1, "world_size": 2}])
def test_so_are_those_of_every_part_of_limited_data_and_of_each_process(
    genre_root, emotion_root, kept, kind, stage, more
):
    root = genre_root if kind is GenreDataModule else emotion_root
    there = prepared(kind, root, stage, val_fraction=0.2, **more)
    here = prepared(kind, root, stage, val_fraction=0.2, on_device=False, **more)
    for batches, expected in zip(batches_of(there, stage), batches_of(here, stage), strict=True):
        assert_equal(batches, expected)
    assert len(kept) == 1


def test_training_and_validation_share_one_copy_of_their_tracks_alone(genre_root, kept):
    module = prepared(GenreDataModule, genre_root, features="chroma", limit=12, val_fraction=0.25)
    for _ in range(2):
        batches_of(module)
    (frames,) = kept
    lengths = torch.cat([batch.lengths for loader in batches_of(module) for batch in loader])
    assert len(lengths) == 12
    assert frames._frames.shape == (lengths.sum() + 1, 12)
    assert frames._frames.dtype == torch.float16


def test_validation_alone_needs_no_copy_of_the_training_part(genre_root, kept):
    module = prepared(GenreDataModule, genre_root, "validate", val_fraction=0.25)
    (batches,) = [list(module.val_dataloader())]
    assert len(kept[0]._frames) == sum(int(batch.lengths.sum()) for batch in batches) + 1


def test_nothing_is_done_by_other_processes(genre_root, kept):
    loader = prepared(GenreDataModule, genre_root).train_dataloader()
    assert (loader.num_workers, loader.pin_memory) == (0, False)


def trained_on(module):
    return [module.loading.datasets[name] for name in ("train", "validation")]


@pytest.mark.parametrize(
    ("size", "on_device", "fit", "said"),
    [
        (1e9, None, True, "Batches are made on cuda:0, which holds the 36 tracks (0.0 GB)"),
        (1e9, True, True, "Batches are made on cuda:0, which holds the 36 tracks (0.0 GB)"),
        (1.9, None, False, "Batches are made on the CPU: the 36 tracks take 0.0 GB, more than half of the 0.0 GB"),
        (2.1, None, True, "Batches are made on cuda:0"),
        (1.1, True, True, "Batches are made on cuda:0"),
    ],
)
def test_the_gpu_is_chosen_where_there_is_room(genre_root, free, caplog, size, on_device, fit, said):
    module = prepared(GenreDataModule, genre_root)
    frames = sum(int(dataset.lengths.sum()) for dataset in trained_on(module))
    free(size if size > 1e6 else int(size * frames * 128 * 2))
    with caplog.at_level(logging.INFO):
        assert fit_on(GPU, trained_on(module), on_device) is fit
    assert said in caplog.text
    assert caplog.text.count("Batches are made") == 1


def test_sizes_are_said_in_gigabytes(genre_root, free, caplog, monkeypatch):
    (dataset, *_) = prepared(GenreDataModule, genre_root).loading.datasets.values()
    monkeypatch.setattr(dataset.store, "lengths", dataset.store.lengths * 0 + 300_000)
    free(4_000_000_000)
    with caplog.at_level(logging.INFO):
        assert not fit_on(GPU, [dataset], None)
    assert "the 32 tracks take 2.5 GB, more than half of the 4.0 GB that are free on cuda:0" in caplog.text
    free(2_000_000_000)
    with pytest.raises(
        UserError, match=r"on_device is true, but the 32 tracks take 2\.5 GB, and 2\.0 GB are free on cu"
    ):
        fit_on(GPU, [dataset], True)


def test_without_a_gpu_nothing_is_said_and_asking_for_one_is_refused(genre_root, caplog):
    datasets = list(prepared(GenreDataModule, genre_root).loading.datasets.values())
    with caplog.at_level(logging.INFO):
        assert not fit_on(CPU, datasets, None)
    assert "Batches" not in caplog.text
    with pytest.raises(UserError, match="on_device is true, but the run is on no CUDA device"):
        fit_on(CPU, datasets, True)


@pytest.mark.parametrize(
    "options", [{"num_workers": 0}, {"num_workers": 2}, {"pin_memory": True}, {"on_device": False}]
)
def test_loading_is_done_as_asked(genre_root, kept, options):
    module = prepared(GenreDataModule, genre_root, **options)
    assert not isinstance(module.train_dataloader().dataset, DeviceDataset)
    assert not kept


@pytest.mark.parametrize("options", [{"num_workers": 2}, {"pin_memory": True}])
def test_loading_and_keeping_exclude_each_other(genre_root, options):
    with pytest.raises(UserError, match=r"on_device is true, .*leave num_workers and pin_memory null"):
        GenreDataModule(root=genre_root, on_device=True, **options)
    assert Placement(True, 0, False).on_device


def test_a_fit_without_a_gpu_refuses_it_and_a_checkpoint_does_not_ask_for_it(tmp_path, genre_root, capfd):
    with pytest.raises(SystemExit):
        main(fit_args("genre_cnn.yaml", genre_root, tmp_path, "--data.on_device=true"))
    assert "musiclab: error: on_device is true, but the run is on no CUDA device" in capfd.readouterr().err
    main(fit_args("genre_cnn.yaml", genre_root, tmp_path / "fit"))
    path = run_folder(tmp_path / "fit") / "checkpoints" / "last.ckpt"
    checkpoint = torch.load(path, weights_only=True)
    checkpoint["datamodule_hyper_parameters"]["on_device"] = True  # as if it had been made on a GPU
    torch.save(checkpoint, path)
    for command in ("test", "predict"):
        main(evaluate_args(command, path, tmp_path / command))
        assert len(read_rows(run_folder(tmp_path / command) / "predictions.csv")) == 9


def test_a_whole_run_ends_with_the_same_weights(tmp_path, genre_root, kept):
    runs = []
    for on_device in ("null", "false"):
        main(fit_args("genre_lstm.yaml", genre_root, tmp_path / on_device, f"--data.on_device={on_device}", epochs=2))
        runs.append(run_folder(tmp_path / on_device))
        main(evaluate_args("predict", runs[-1] / "checkpoints" / "last.ckpt", tmp_path / on_device))
    assert len(kept) == 4  # to train and to test, to predict, and once more with the option left out
    weights = [torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"] for run in runs]
    for name, expected in weights[1].items():
        assert torch.equal(weights[0][name], expected), name
    for version in (0, 1):
        rows = [read_rows(run.with_name(f"version_{version}") / "predictions.csv") for run in runs]
        assert rows[0] == rows[1]


@needs_cuda
@pytest.mark.parametrize("features", ["mel", "fused"])
def test_cuda_makes_the_batches_that_are_loaded_and_waits_for_nothing(genre_root, features):
    there = prepared(GenreDataModule, genre_root, device=GPU, on_device=True, features=features)
    here = prepared(GenreDataModule, genre_root, on_device=False, features=features)
    loader = there.train_dataloader()
    torch.cuda.set_sync_debug_mode("error")
    try:
        batches = list(loader)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert all(batch.spectrograms.is_cuda and batch.targets.is_cuda for batch in batches)
    assert_equal(batches, batches_of(here)[0])


@needs_cuda
@pytest.mark.parametrize(
    ("config", "make"), [("genre_lstm.yaml", make_genre_folder), ("emotion_cnn.yaml", make_emotion_folder)]
)
def test_a_fit_on_cuda_is_the_same_wherever_its_batches_are_made(config, make, tmp_path):
    root = make(tmp_path / "data")
    losses = []
    for on_device in ("true", "false"):
        folder = tmp_path / on_device
        more = ["--trainer.accelerator=cuda", "--trainer.devices=1", f"--data.on_device={on_device}"]
        main(fit_args(config, root, folder, *more, epochs=2))
        checkpoint = torch.load(run_folder(folder) / "checkpoints" / "last.ckpt", weights_only=True, map_location="cpu")
        losses.append(checkpoint["state_dict"])
    assert losses[0].keys() == losses[1].keys()
    for name, weights in losses[0].items():
        torch.testing.assert_close(weights, losses[1][name], atol=1e-4, rtol=1e-3, msg=name)
