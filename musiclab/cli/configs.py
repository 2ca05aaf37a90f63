"""Configs: read, those of earlier versions too, and saved in the folder of a run."""

import re
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import yaml
from jsonargparse import get_loader, set_loader
from pytorch_lightning.cli import LightningArgumentParser, SaveConfigCallback

from musiclab.cli.explanations import explain
from musiclab.cli.parsing import OneLineErrors
from musiclab.runs.averaging import EMAWeights

load_yaml = get_loader("yaml")

MOVED = re.compile(r"\bmusiclab\.callbacks\.(averaging\.)?EMAWeights\b")
"""A class path of configs that earlier versions saved."""


class TrainingParser(OneLineErrors, LightningArgumentParser):
    """Lightning's parser with errors of one line, which reads configs of earlier versions."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        set_loader(self.parser_mode, load_config, (yaml.YAMLError,))

    def dump(self, *args: Any, **kwargs: Any) -> str:
        """Return a config as text; what was parsed is not checked once more, which would take as long again."""
        text: str = super().dump(*args, **{**kwargs, "skip_validation": True})
        return text

    def explain(self, message: str) -> str:
        """Say which option is meant, what is wrong with it, and what may have been meant instead."""
        return explain(message)


class RunConfig(SaveConfigCallback):
    """Saves the configuration in the run's folder: that of its start, which a resumed run leaves as it is."""

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Save the configuration, but for the checkpoint, if the folder has none yet."""
        folder = trainer.log_dir  # all processes have to ask for it
        if folder is None:  # without a logger there is no run folder
            return
        self.config = self.config.clone()
        self.config.ckpt_path = None
        found = Path(folder, self.config_filename).exists()
        self.already_saved = self.already_saved or trainer.strategy.broadcast(found)
        super().setup(trainer, pl_module, stage)


def load_config(text: str) -> Any:
    """Return what a text in YAML says, with the class paths of today."""
    return load_yaml(MOVED.sub(f"{EMAWeights.__module__}.EMAWeights", text))
