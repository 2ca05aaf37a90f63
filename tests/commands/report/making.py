"""Folders of runs made by hand, as ``fit`` leaves them."""

import csv
import json
from pathlib import Path

import numpy as np
import yaml

from musiclab.runs.predictions import Rows, write_tag_predictions
from musiclab.runs.tag_results import TagResults

GENRES = ["Blues", "Jazz", "Rock"]
AXES = ["valence", "energy", "danceability"]
TAGS = ["rock", "piano", "80s"]

MAIN = {"genre": "accuracy", "emotion": "spearman", "tags": "roc_auc"}
KINDS = {"genre": "classes", "emotion": "values", "tags": "tags"}
TASKS = {"genre": "ClassificationTask", "emotion": "MultitaskRegressionTask", "tags": "TaggingTask"}
ROOTS = {"genre": "genres", "emotion": "emotions", "tags": "tags"}
DATA = {"genre": "GenreDataModule", "emotion": "EmotionDataModule", "tags": "TagDataModule"}


def make_config(kind="genre", seed=0, **changes):
    """Return the settings of a run; ``changes`` names some as on the command line, with _ for the dots."""
    config = {
        "seed_everything": seed,
        "trainer": {
            "max_epochs": 3,
            "default_root_dir": f"somewhere/{seed}",
            "callbacks": [checkpoint(f"val_{MAIN[kind]}"), checkpoint(None, filename="last")],
        },
        "model": {
            "class_path": f"musiclab.tasks.{TASKS[kind]}",
            "init_args": {
                "backbone": {"class_path": "musiclab.models.CNN", "init_args": {"dropout": 0.2}},
                "loss": {"class_path": "musiclab.losses.RegressionLoss", "init_args": {"mse": 1.0}}
                if kind == "emotion"
                else None,
                "augmentations": [{"class_path": "musiclab.augmentations.RollTime"}],
                "pretrained": None,
            },
        },
        "data": {
            "class_path": f"musiclab.data.datamodules.{DATA[kind]}",
            "init_args": {"root": f"/data/small/{ROOTS[kind]}", "features": "mel", "beat_synced": False, "limit": None},
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
        kind: genre, emotion or tags.
        seed: Of the run.
        names: Genres, axes or tags.
        record: Changes to run.json; None takes a field out.
        epochs: Number of epochs.
        tested: Whether the run ended with a test.
        config: Settings; by default those of ``make_config`` with ``changes``.
        changes: See there.
    """
    folder = Path(folder)
    folder.mkdir(parents=True)
    names = names or {"genre": GENRES, "emotion": AXES, "tags": TAGS}[kind]
    rng = np.random.default_rng([seed, kind == "genre"])
    config = make_config(kind, seed, **changes) if config is None else config
    (folder / "config.yaml").write_text("# pytorch_lightning==2.6.6\n" + yaml.safe_dump(config))
    made = make_record(kind, names, make_history(kind, names, rng, epochs), config)
    if tested:
        made["test"] = {"checkpoint": str(folder / "checkpoints/best.ckpt"), "tracks": 25, "seconds": 0.5}
        made["test"]["metrics"] = write_test(folder, kind, names, rng)
    (folder / "run.json").write_text(json.dumps(made | (record or {})))
    return folder


def make_evaluation(folder, command, kind="genre", **facts):
    """Make the folder of a test, validation or prediction by itself."""
    folder = make_run(folder, kind)
    record = json.loads((folder / "run.json").read_text())
    given = record.pop("test") | {"checkpoint": "/runs/a/best.ckpt"} | facts
    for name in ("epochs", "seconds", "best", "history"):
        del record[name]
    (folder / "run.json").write_text(json.dumps(record | {"command": command, command: given}))
    return folder


def make_record(kind, names, history, config):
    monitor = f"val_{MAIN[kind]}"
    value, epoch = max((row[monitor], row["epoch"]) for row in history)
    data = config["data"]["init_args"]
    return {
        "command": "fit",
        "command_line": ["musiclab", "fit"],
        "status": "finished",
        "kind": KINDS[kind],
        "task": config["model"]["class_path"].rsplit(".", 1)[-1],
        "backbone": "CNN",
        "features": "mel",
        "beat_synced": False,
        "target_names": names,
        "parameters": 12345,
        "trainable_parameters": 12345,
        "data_root": data["root"],
        "demo": False,
        "limit": data["limit"],
        "tracks": {"train": 90, "validation": 10} | ({} if kind == "genre" else {"test": 25}),
        "seed": config["seed_everything"],
        "device": "cpu",
        "processes": 1,
        "versions": {"musiclab": "0.1.0", "python": "3.11.7", "torch": "2.4.0", "lightning": "2.6.6"},
        "epochs": len(history),
        "seconds": 61.5 + len(names),
        "best": {"monitor": monitor, "mode": "max", "value": value, "epoch": epoch},
        "history": history,
    }


def make_history(kind, names, rng, epochs):
    """Return what some epochs logged."""
    main = MAIN[kind]
    quantities = ["loss", main]
    if kind == "emotion":
        quantities += [f"{main}_{name}" for name in names]
    rows = []
    for epoch in range(1, epochs + 1):
        row = {f"{part}_{quantity}": rng.uniform() for part in ("train", "val") for quantity in quantities}
        if kind == "emotion":
            row |= {f"weight_{name}": 1 + epoch * (index + 1) / 10 for index, name in enumerate(names)}
        rows.append({"epoch": epoch, **row})
    return rows


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
    elif kind == "tags":
        truth = np.random.default_rng(0).integers(0, 2, (tracks, len(names))).astype(float)  # of the same tracks
        rows = Rows([str(number) for number in range(tracks)], truth, truth / 4 + rng.uniform(size=truth.shape) / 2)
        write_tag_predictions(folder / "predictions.csv", names, rows)
        metrics = TagResults(names).scores(rows)
    else:
        metrics = {f"test_spearman_{name}": rng.uniform(-1, 1) for name in names}
        metrics["test_spearman"] = float(np.mean(list(metrics.values())))
        header = ["id", *(f"{part}_{name}" for name in names for part in ("truth", "prediction"))]
        values = rng.uniform(size=(tracks, 2 * len(names))).round(6)
        write_rows(folder / "predictions.csv", [header, *([str(id_), *row] for id_, row in enumerate(values))])
    (folder / "test_metrics.json").write_text(json.dumps(metrics))
    return metrics


def answer(folder, truth, answers, ids=None, names=None, artists=None):
    """Give a run of genres other predictions: the numbers of true genres and answers, with the metrics of these."""
    names = names or GENRES
    ids = ids or [str(number) for number in range(len(truth))]
    header = ["id", *(["artist"] if artists else []), "truth", "prediction", *names]
    rows = [
        [id_, *([artists[row]] if artists else []), names[true], names[told], *np.eye(len(names))[told]]
        for row, (id_, true, told) in enumerate(zip(ids, truth, answers, strict=True))
    ]
    write_rows(folder / "predictions.csv", [header, *rows])
    metrics = {"test_accuracy": float(np.mean(np.equal(truth, answers))), "test_f1_macro": 0.5}
    (folder / "test_metrics.json").write_text(json.dumps(metrics))
    return folder


def write_rows(path, rows):
    with path.open("w", newline="") as stream:
        csv.writer(stream).writerows(rows)
