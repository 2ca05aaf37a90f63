"""Checkpoints in which something is missing, of another type or of another size: one line that names the file."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from command_line import SMALL_CNN, error_of, evaluate_args, fit_args, run_folder
from data.audio.sounds import write

from musiclab.cli import main

GONE = object()

READ = {
    "state_dict": [GONE, None, 5, {"head.bias": 5}, {"head.bias": "x"}, {5: torch.ones(3)}, {}],
    "state_dict.feature_mean": [GONE, torch.ones(3), torch.ones(128, dtype=torch.int64)],
    "state_dict.feature_std": [GONE, torch.zeros(128)],
    "state_dict.head.bias": [torch.ones(3).to_sparse(), torch.full((3,), torch.nan)],
    "hyper_parameters": [GONE, None, 5, ["target_names"]],
    "hyper_parameters.target_names": [GONE, 5, "Blues", [], [5], ["Blues", "Blues", "Rock"]],
    "hyper_parameters.num_features": [GONE, "x", -128, 12],
    "hyper_parameters.features": [GONE, 5],
    "hyper_parameters.beat_synced": [GONE, "no"],
    "hyper_parameters.seconds": [GONE, None, -1.0],
    "hyper_parameters._class_path": [5],
    "datamodule_hyper_parameters": [5, ["root"]],
    "datamodule_hyper_parameters._class_path": [5],
    "output_kind": ["colours"],
    "track_frames": ["x", -1],
    "world_size": ["x"],
    "precision": [5, "exact"],
    "parts": [5, {}, {"folder": "/", "checksums": {}, "train": torch.ones(3)}, {"folder": "/", "checksums": 5}],
}
"""What all commands look at."""

MADE = {
    "state_dict.head.bias": [GONE, torch.ones(5)],
    "state_dict.unknown": [torch.ones(5)],
    "hyper_parameters.target_names": [["Blues"]],
    "hyper_parameters._class_path": ["musiclab.tasks.Unknown", "unknown.Task", "os.system", "torch.nn.Linear"],
    "hyper_parameters.unknown": [5],
    "hyper_parameters.backbone": [5, "os.abort", {}, {"class_path": "musiclab.models.Unknown"}],
    "hyper_parameters.backbone.class_path": [5, "subprocess.Popen", "torch.nn.Linear", "musiclab.models.Backbone"],
    "hyper_parameters.backbone.init_args": [5, {"unknown": 5}],
    "hyper_parameters.backbone.init_args.channels": ["x", [8, 8, 16, 32], [], [-1]],
    "hyper_parameters.augmentations": [5, [{"class_path": "subprocess.Popen", "init_args": {"args": "ls"}}]],
    "hyper_parameters.optimizer": [5, {"class_path": "os.system"}],
    "hyper_parameters.label_smoothing": ["x", 5.0],
}
"""What is made again: the task with its weights."""

DATA = {
    "datamodule_hyper_parameters._class_path": ["unknown.Data", "os.system", "musiclab.tasks.ClassificationTask"],
    "datamodule_hyper_parameters.root": [5, {"class_path": "os.system"}],
    "datamodule_hyper_parameters.batch_size": ["x"],
    "datamodule_hyper_parameters.unknown": [5],
    "datamodule_hyper_parameters.store_dtype": ["colours"],
}
"""Settings of the data."""

TRAINING = {
    "loops": [GONE, None, 5, {}],
    "loops.fit_loop": [GONE, "x"],
    "loops.fit_loop.epoch_progress": [GONE, 5],
    "loops.fit_loop.epoch_progress.current.processed": ["x"],
    "epoch": [GONE],
    "global_step": [GONE],
    "optimizer_states": [GONE, None, [], 5, [{}, {}]],
    "optimizer_states.0.param_groups": [GONE, [], 5],
    "optimizer_states.0.param_groups.0.lr": ["x"],
    "optimizer_states.0.state": [5],
    "optimizer_states.0.state.0": [5],
    "optimizer_states.0.state.0.exp_avg": [GONE, 5, torch.ones(5)],
    "lr_schedulers": [GONE, [], 5],
    "lr_schedulers.0.total_steps": [GONE, "x"],
    "lr_schedulers.0.base_lrs": [[], "x"],
    "callbacks": [5],
    "GenreDataModule": [5],
    "GenreDataModule.epoch": [GONE, "x"],
    "current_model_state": [5],
    "run_record": [5],
    "run_record.history": [5],
    "run_record.seconds": ["x"],
    "hyper_parameters.optimizer.init_args.lr": [-1.0],
    "hyper_parameters.lr_scheduler.init_args.last_epoch": [5],
}
"""What only a training goes on from."""


def cases(*tables: dict[str, list[Any]], commands: list[str], each: int = 1) -> list[Any]:
    """Return what is altered, and the command that is to refuse it.

    Of every ``each``-th place the first value is tried with one of the commands, in turn; all else is slow.
    """
    names = [(name, values) for table in tables for name, values in table.items()]
    return [
        pytest.param(
            command,
            name,
            value,
            id=f"{command}-{name}={'gone' if value is GONE else str(value)[:30]}",
            marks=[] if position == 0 and number % (each * len(commands)) == turn * each else pytest.mark.slow,
        )
        for number, (name, values) in enumerate(names)
        for position, value in enumerate(values)
        for turn, command in enumerate(commands)
    ]


@pytest.fixture(scope="module")
def whole(genre_root, tmp_path_factory) -> Path:
    """A checkpoint of the first of two epochs."""
    folder = tmp_path_factory.mktemp("whole")
    fail = ["--trainer.callbacks+=faults.FailAt", "--trainer.callbacks.batch=4"]
    with pytest.raises(ZeroDivisionError):
        main(fit_args("genre_cnn.yaml", genre_root, folder, *fail, epochs=2))
    return run_folder(folder) / "checkpoints" / "last.ckpt"


@pytest.fixture
def altered(whole, tmp_path) -> Callable[[str, Any], Path]:
    """Give the path of a copy in which something has another value, or is gone."""

    def alter(name: str, value: Any) -> Path:
        content = torch.load(whole, weights_only=True)
        place, parts = content, name.split(".")
        if parts[0] == "state_dict":
            parts = [parts[0], ".".join(parts[1:])] if parts[1:] else parts
        parts = [int(part) if part.isdigit() else part for part in parts]
        for part in parts[:-1]:
            place = place[part]
        if value is GONE:
            del place[parts[-1]]
        else:
            place[parts[-1]] = value
        torch.save(content, tmp_path / "altered.ckpt")
        return tmp_path / "altered.ckpt"

    return alter


def arguments(command: str, path: Path, genre_root: Path, emotion_root: Path, folder: Path) -> list[str]:
    if command == "fit":
        return fit_args("genre_cnn.yaml", genre_root, folder, f"--ckpt_path={path}", epochs=2)
    if command == "pretrained":
        return fit_args("emotion_transfer.yaml", emotion_root, folder, f"--model.pretrained={path}", *SMALL_CNN)
    if command == "song":
        song = write(folder / "song.wav")
        return evaluate_args("predict", path, folder, "--data=AudioDataModule", f"--data.paths={song}")
    if command in ("latents", "activations"):
        return [command, f"--ckpt_path={path}", f"--out={folder / command}"]
    return evaluate_args(command, path, folder)


COMMANDS = ["fit", "validate", "test", "predict", "song", "latents", "activations"]


def refuse(capfd, command, path, *folders):
    error = error_of(capfd, arguments(command, path, *folders))
    assert error.startswith(f"musiclab: error: {path}: "), error
    assert not error.endswith(":"), error  # the reason is not cut off


@pytest.mark.parametrize("command", [*COMMANDS, "pretrained"])
def test_a_whole_one_is_taken(command, altered, genre_root, emotion_root, tmp_path, capfd):
    path = altered("epoch", 0)
    main(
        [
            *arguments(command, path, genre_root, emotion_root, tmp_path),
            *["--data.any_scale=true"] * (command == "song"),
        ]
    )
    assert "musiclab: error" not in capfd.readouterr().err


@pytest.mark.parametrize(("command", "name", "value"), cases(READ, commands=["test", "latents", "pretrained"]))
def test_what_all_commands_read(command, name, value, altered, genre_root, emotion_root, tmp_path, capfd):
    """Before: a traceback, `'target_names'` or an option that nobody gave, with exit code 2."""
    refuse(capfd, command, altered(name, value), genre_root, emotion_root, tmp_path)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("hyper_parameters.target_names", 5),
        *(
            pytest.param(*altered, marks=pytest.mark.slow)
            for altered in [("state_dict", GONE), ("parts", 5), ("precision", 5)]
        ),
    ],
)
def test_all_commands_read_it_alike(command, name, value, altered, genre_root, emotion_root, tmp_path, capfd):
    refuse(capfd, command, altered(name, value), genre_root, emotion_root, tmp_path)


@pytest.mark.parametrize(("command", "name", "value"), cases(MADE, DATA, commands=["predict", "latents"]))
def test_what_cannot_be_made_again(command, name, value, altered, genre_root, emotion_root, tmp_path, capfd):
    """Before: `Parser key "model"`, exit code 2, as if it had been an option; in `latents` without the reason."""
    refuse(capfd, command, altered(name, value), genre_root, emotion_root, tmp_path)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("hyper_parameters.backbone.class_path", "os.system"),
        pytest.param("hyper_parameters.backbone.init_args.channels", [5], marks=pytest.mark.slow),
    ],
)
def test_no_command_makes_it(command, name, value, altered, genre_root, emotion_root, tmp_path, capfd):
    refuse(capfd, command, altered(name, value), genre_root, emotion_root, tmp_path)


@pytest.mark.parametrize(
    ("name", "value"),
    [("state_dict.backbone.blocks.0.norm.weight", GONE), ("state_dict.backbone.blocks.0.norm.weight", torch.ones(5))],
)
def test_a_backbone_that_does_not_fit_is_not_started_from(
    name, value, altered, genre_root, emotion_root, tmp_path, capfd
):
    refuse(capfd, "pretrained", altered(name, value), genre_root, emotion_root, tmp_path)


@pytest.mark.parametrize(("command", "name", "value"), cases(TRAINING, commands=["fit"], each=2))
def test_a_training_that_cannot_go_on(command, name, value, altered, genre_root, emotion_root, tmp_path, capfd):
    """Before: tracebacks, or a training that began to count anew with trained weights, without a word."""
    refuse(capfd, command, altered(name, value), genre_root, emotion_root, tmp_path)
    assert not run_folder(tmp_path).exists()


@pytest.mark.parametrize("name", ["loops", "optimizer_states", "lr_schedulers", "callbacks", "epoch", "run_record"])
def test_a_test_needs_nothing_of_a_training(name, altered, tmp_path):
    main(evaluate_args("test", altered(name, GONE), tmp_path))


def test_a_function_that_a_checkpoint_names_is_not_called(altered, emotion_root, tmp_path, capfd):
    main(fit_args("emotion_multitask.yaml", emotion_root, tmp_path))
    content = torch.load(run_folder(tmp_path) / "checkpoints" / "last.ckpt", weights_only=True)
    content["hyper_parameters"]["weighting"] = "subprocess.call"
    content["hyper_parameters"]["target_names"] = ["touch", str(tmp_path / "called"), str(tmp_path / "too")]
    path = tmp_path / "altered.ckpt"
    torch.save(content, path)
    for command in ("test", "latents"):
        refuse(capfd, command, path, emotion_root, emotion_root, tmp_path)
    assert not (tmp_path / "called").exists()
