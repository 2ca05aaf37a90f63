"""Folders of runs made by hand, as ``fit`` leaves them."""

import csv
import json
import time
from pathlib import Path

import numpy as np
import yaml
from torch.utils.tensorboard import SummaryWriter

GENRES = ["Blues", "Jazz", "Rock"]
AXES = ["valence", "energy", "danceability"]
STEPS = 5  # of an epoch


def make_config(kind="genre", seed=0, **changes):
    """Return the settings of a run; ``changes`` names some as on the command line, with _ for the dots."""
    genre = kind == "genre"
    config = {
        "seed_everything": seed,
        "trainer": {
            "max_epochs": 3,
            "default_root_dir": f"somewhere/{seed}",
            "callbacks": [checkpoint("val_accuracy" if genre else "val_spearman"), checkpoint(None, filename="last")],
        },
        "model": {
            "class_path": "musiclab.tasks." + ("ClassificationTask" if genre else "MultitaskRegressionTask"),
            "init_args": {
                "backbone": {"class_path": "musiclab.models.CNN", "init_args": {"dropout": 0.2}},
                "loss": None if genre else {"class_path": "musiclab.losses.RegressionLoss", "init_args": {"mse": 1.0}},
                "augmentations": [{"class_path": "musiclab.augmentations.RollTime"}],
                "pretrained": None,
            },
        },
        "data": {
            "class_path": "musiclab.data.datamodules." + ("GenreDataModule" if genre else "EmotionDataModule"),
            "init_args": {"root": f"/data/small/{kind}s", "features": "mel", "beat_synced": False, "limit": None},
        },
        "ckpt_path": None,
    }
    for name, value in changes.items():
        part, key = name.split("_", 1)
        branch = config[part] if part == "trainer" else config[part]["init_args"]
        branch[key] = value
    return config


def checkpoint(monitor, filename="best"):
    arguments = {"monitor": monitor, "filename": filename, "mode": "max"}
    return {"class_path": "pytorch_lightning.callbacks.ModelCheckpoint", "init_args": arguments}


def make_run(folder, kind="genre", seed=0, names=None, record=None, epochs=3, tested=True, config=None, **changes):
    """Make the folder of a finished run; its numbers follow from kind and seed.

    Args:
        folder: To be made.
        kind: genre or emotion.
        seed: Of the run.
        names: Genres or axes.
        record: Changes to run.json; False for a run without one.
        epochs: Number of epochs.
        tested: Whether the run ended with a test.
        config: Settings; by default those of ``make_config`` with ``changes``.
        changes: See there.
    """
    folder = Path(folder)
    folder.mkdir(parents=True)
    names = names or (GENRES if kind == "genre" else AXES)
    rng = np.random.default_rng([seed, kind == "genre"])
    config = make_config(kind, seed, **changes) if config is None else config
    (folder / "config.yaml").write_text("# pytorch_lightning==2.6.6\n" + yaml.safe_dump(config))
    (folder / "hparams.yaml").write_text(yaml.safe_dump({"target_names": names, "features": "mel"}))
    best = write_curves(folder, kind, names, rng, epochs)
    if record is not False:
        (folder / "run.json").write_text(json.dumps(make_record(kind, names, epochs, best, config) | (record or {})))
    if tested:
        write_test(folder, kind, names, rng)
    return folder


def make_record(kind, names, epochs, best, config):
    return {
        "musiclab": "0.1.0",
        "status": "finished",
        "task": config["model"]["class_path"].rsplit(".", 1)[-1],
        "backbone": "CNN",
        "features": "mel",
        "beat_synced": False,
        "target_names": names,
        "parameters": 12345,
        "trainable_parameters": 12345,
        "data_root": config["data"]["init_args"]["root"],
        "tracks": {"train": 90, "validation": 10} | ({} if kind == "genre" else {"test": 25}),
        "processes": 1,
        "epochs": epochs,
        "seconds": 61.5 + len(names),
        "best": {"monitor": "val_accuracy" if kind == "genre" else "val_spearman", "mode": "max"} | best,
    }


def write_curves(folder, kind, names, rng, epochs, first=0, start=None):
    """Log some epochs as Lightning does, each 10 s long; return the best value of the validation and its epoch."""
    main = "accuracy" if kind == "genre" else "spearman"
    quantities = ["loss", main]
    if kind == "emotion":
        quantities += [f"{main}_{name}" for name in names]
    best = {"value": -1.0, "epoch": 0}
    start = time.time() if start is None else start
    with SummaryWriter(str(folder)) as writer:
        for epoch in range(first, first + epochs):
            step, now = STEPS * (epoch + 1) - 1, start + 10 * (epoch - first + 1)
            for part in ("train", "val"):
                for quantity in quantities:
                    value = float(np.float32(rng.uniform()))
                    writer.add_scalar(f"{part}_{quantity}", value, step, walltime=now)
                    if f"{part}_{quantity}" == f"val_{main}" and value > best["value"]:
                        best = {"value": value, "epoch": epoch + 1}
                writer.add_scalar("epoch", epoch, step, walltime=now)
            if kind == "emotion":
                for index, name in enumerate(names):
                    writer.add_scalar(f"weight_{name}", 1 + epoch * (index + 1) / 10, step, walltime=now)
            writer.add_scalar("lr-AdamW", 0.1, step, walltime=now)
    return best


def write_test(folder, kind, names, rng, tracks=25):
    if kind == "genre":
        metrics = {"test_accuracy": rng.uniform(), "test_f1_macro": rng.uniform(), "test_loss": rng.uniform()}
        metrics |= {f"test_f1_{name}": rng.uniform() for name in names}
        matrix = rng.integers(0, 9, (len(names), len(names)))
        rows = [["truth \\ prediction", *names], *([name, *row] for name, row in zip(names, matrix, strict=True))]
        write_rows(folder / "confusion_matrix.csv", rows)
        write_rows(
            folder / "predictions.csv", [["id", "truth", "prediction", *names], ["1", "Jazz", "Rock", 0, 0.1, 0.9]]
        )
    else:
        metrics = {f"test_spearman_{name}": rng.uniform(-1, 1) for name in names}
        metrics["test_spearman"] = float(np.mean(list(metrics.values())))
        header = ["id", *(f"{part}_{name}" for name in names for part in ("truth", "prediction"))]
        values = rng.uniform(size=(tracks, 2 * len(names))).round(6)
        write_rows(folder / "predictions.csv", [header, *([str(id_), *row] for id_, row in enumerate(values))])
    (folder / "test_metrics.json").write_text(json.dumps(metrics))


def write_rows(path, rows):
    with path.open("w", newline="") as stream:
        csv.writer(stream).writerows(rows)
