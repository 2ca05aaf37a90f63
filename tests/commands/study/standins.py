"""What stands in for the processes of a study."""

import json
import shutil
from itertools import pairwise
from pathlib import Path

import yaml

from commands.report.making import make_config, make_run


class Ended:
    """A process that has ended at once; or one that is interrupted while it is waited for."""

    def __init__(self, code=0):
        self.code = code
        self.terminated = False

    def poll(self):
        if isinstance(self.code, BaseException):
            raise self.code
        return self.code

    def terminate(self):
        self.terminated = True

    def wait(self):
        return 0 if isinstance(self.code, BaseException) else self.code


class Standins:
    """Notes down commands, and leaves the folder of a run for each fit.

    Attributes:
        lines: The commands, in their order.
        gpus: What each was to see.
        code: Of a command's arguments, the exit code, or an exception to interrupt the study with.
        score: Of a fit's options, its ``val_accuracy``.
        record: Changes to each run.json.
    """

    def __init__(self):
        self.lines = []
        self.gpus = []
        self.code = lambda arguments: 0
        self.score = lambda options: 0.5
        self.record = {}

    @property
    def folders(self):
        """The folders of the fits, in their order."""
        return [folder_of(line) for line in self.lines if line[0] == "fit"]

    def start(self, arguments, log=None, gpu=None):
        self.lines.append(list(arguments))
        self.gpus.append(gpu)
        code = self.code(arguments)
        if arguments[0] == "fit":
            leave(arguments, self.score, finished=code == 0, record=self.record)
        return Ended(code)


def folder_of(arguments):
    options = dict(pairwise(arguments))
    if "--ckpt_path" in options:
        return Path(options["--ckpt_path"]).parents[3]
    return Path(options["--trainer.default_root_dir"])


def merge(config, part):
    for key, value in part.items():
        if isinstance(value, dict):
            merge(config.setdefault(key, {}), value)
        else:
            config[key] = value


def leave(arguments, score, finished=True, record=None):
    """Leave the folder of a run, at its end or after its first epoch."""
    options = dict(pairwise(arguments))
    folder = folder_of(arguments) / "lightning_logs" / "version_0"
    line = ["musiclab", *arguments]
    if "--ckpt_path" in options:
        line = json.loads((folder / "run.json").read_text())["command_line"]
        options = dict(pairwise(line))
        shutil.rmtree(folder)
    tested = finished and "--trainer.limit_test_batches" not in options
    value = score(options)
    config = make_config()
    config["model"]["init_args"]["lr_scheduler"] = {"class_path": "OneCycleLR", "init_args": {}}
    for name, path in pairwise(line):
        if name == "-c" and path.endswith("best.yaml"):
            merge(config, yaml.safe_load(Path(path).read_text()))
    if not tested:
        config["trainer"]["limit_test_batches"] = 0
    for option, text in options.items():
        if option.startswith("--model.lr_scheduler."):
            config["model"]["init_args"]["lr_scheduler"]["init_args"]["max_lr"] = float(text)
    made = {
        "command_line": line,
        "status": "finished" if finished else "interrupted",
        "reason": "KeyboardInterrupt",
        "tracks": {"train": 90, "validation": 10, "test": 25},
        "best": {"monitor": "val_accuracy", "mode": "max", "value": value, "epoch": 2},
        "history": [{"epoch": number, "val_accuracy": value, "val_loss": 1 - value} for number in (1, 2)],
    }
    make_run(folder, tested=tested, config=config, record={**made, **(record or {})})
    (folder / "checkpoints").mkdir()
    for name in ("best", "last"):
        (folder / "checkpoints" / f"{name}.ckpt").touch()
