"""LightningCLI with musiclab's datamodules and tasks: links between them, run folders, checkpoints."""

import argparse
import sys
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.cli import ArgsType, LightningArgumentParser, LightningCLI, SaveConfigCallback
from pytorch_lightning.loggers import TensorBoardLogger

import musiclab.augmentations
import musiclab.losses
import musiclab.models  # noqa: F401  (makes the short class names known to the parser, as do the lines around)
from musiclab import __version__
from musiclab.checkpoint import data_settings, read_checkpoint
from musiclab.cli.parsing import OneLineErrors
from musiclab.data.datamodules import SpectrogramDataModule
from musiclab.errors import UserError
from musiclab.inference.restoring import fill_root
from musiclab.runs.allocator import keep_freed_memory
from musiclab.runs.averaging import EMAWeights  # noqa: F401  (makes its short name known to the parser)
from musiclab.runs.gathering import gather
from musiclab.runs.record import RunRecord
from musiclab.runs.solution_writer import SolutionWriter
from musiclab.tasks import SpectrogramTask

LINKED = ("num_features", "target_names", "features", "beat_synced", "seconds")
"""What a task takes from the datamodule."""


class TrainingParser(OneLineErrors, LightningArgumentParser):
    """Lightning's parser with errors of one line."""


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


class TrainingCLI(LightningCLI):
    """The commands ``fit``, ``validate``, ``test`` and ``predict``.

    Args:
        args: The command line.
        tools: Name and help of the other commands, to be listed beside these.
    """

    def __init__(self, args: list[str], tools: dict[str, str]) -> None:
        keep_freed_memory()
        self._tools = tools
        self._checkpoint: Path | None = None
        super().__init__(
            SpectrogramTask,
            SpectrogramDataModule,
            subclass_mode_model=True,
            subclass_mode_data=True,
            seed_everything_default=0,
            auto_configure_optimizers=False,
            # Samplers of ours share the tracks out to processes. The callback is there whatever a config's are.
            trainer_defaults={"use_distributed_sampler": False, "callbacks": [RunRecord()]},
            save_config_callback=RunConfig,
            parser_class=TrainingParser,
            parser_kwargs={
                "prog": "musiclab",
                "description": "Train, test and use models that recognise genre and emotion of music.",
                "version": __version__,
            },
            args=args,
        )

    @staticmethod
    def subcommands() -> dict[str, set[str]]:
        """Return Lightning's commands and the arguments that they leave out."""
        skipped = {name: set(arguments) for name, arguments in LightningCLI.subcommands().items()}
        # The results are printed by us; and a config saved by one command is read by the others.
        for name in ("validate", "test"):
            skipped[name].add("verbose")
        skipped["predict"].add("return_predictions")
        return skipped

    def add_core_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Add trainer, model and data; a checkpoint stands in for the latter two, so neither is required."""
        parser.add_lightning_class_args(self.trainer_class, "trainer")
        defaults = {name: value for name, value in self.trainer_defaults.items() if name != "callbacks"}
        parser.set_defaults({f"trainer.{name}": value for name, value in defaults.items()})
        parser.add_lightning_class_args(SpectrogramTask, "model", subclass_mode=True, required=False)
        parser.add_lightning_class_args(SpectrogramDataModule, "data", subclass_mode=True, required=False)

    def _prepare_subcommand_parser(self, klass: type, subcommand: str, **kwargs: Any) -> LightningArgumentParser:
        parser = super()._prepare_subcommand_parser(klass, subcommand, **kwargs)
        if subcommand == "predict":
            parser.add_lightning_class_args(SolutionWriter, "solution")
            parser.link_arguments("ckpt_path", "data.init_args.ckpt_path")  # for AudioDataModule; others have none
        return parser

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Let the task take from the datamodule what it has to agree with."""
        for name in LINKED:
            parser.link_arguments(f"data.{name}", f"model.init_args.{name}", apply_on="instantiate")

    def _add_subcommands(self, parser: LightningArgumentParser, **kwargs: Any) -> None:
        super()._add_subcommands(parser, **kwargs)
        assert parser._subcommands_action is not None
        for name, text in self._tools.items():
            tool = TrainingParser(description=text)
            parser._subcommands_action.add_subcommand(name, tool, help=text)

    def parse_arguments(self, parser: LightningArgumentParser, args: ArgsType) -> None:
        """Parse the command line; a checkpoint's own data settings are its defaults.

        Raises:
            UserError: If the checkpoint is missing or none.
        """
        assert isinstance(args, list)
        command = next((argument for argument in args if argument in self.subcommands()), None)
        if command:
            self._use_checkpoint(command, args)
        super().parse_arguments(parser, args)

    def before_instantiate_classes(self) -> None:
        """Refuse a command line without model or data."""
        config = self.config[self.subcommand]
        missing = [name for name in ("model", "data") if not config.get(name)]
        if missing:
            raise UserError(
                f"{self.subcommand} needs {' and '.join(missing)}; give a config, as in -c configs/genre_cnn.yaml"
            )

    def instantiate_classes(self) -> None:
        """Make data, model and trainer, on the demo corpus if root is null: as null it is written and kept."""
        data = self.config[self.subcommand].data
        null = fill_root(data.class_path, data.init_args)
        super().instantiate_classes()
        if null:
            data.init_args["root"] = self.datamodule.hparams["root"] = None

    def _parse_ckpt_path(self) -> None:
        """Take the model from the checkpoint; refuse none where it is needed, and one of another task.

        Raises:
            UserError: If a command would run on random weights, or on weights of another task.
        """
        command = self.config.subcommand
        config = self.config[command]
        if self._checkpoint is None:
            if command != "fit":
                raise UserError(
                    f"{command} needs a trained model: give --ckpt_path RUN/checkpoints/NAME.ckpt "
                    "(without, it would run on random weights)"
                )
            if config.get("ckpt_path"):
                raise UserError(f"{config.ckpt_path}: a checkpoint to go on from is given as --ckpt_path, in no config")
        elif config.get("model"):
            wanted, trained = (name.rsplit(".", 1)[-1] for name in (config.model.class_path, self._trained_class))
            if trained and wanted != trained:
                raise UserError(f"{self._checkpoint}: a checkpoint of {trained}, but the config asks for {wanted}")
        super()._parse_ckpt_path()

    def _use_checkpoint(self, command: str, args: list[str]) -> None:
        # Only the command line counts: what a config names may be the checkpoint of another run.
        peek = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
        peek.add_argument("--ckpt_path")
        peek.add_argument("--data")
        given = peek.parse_known_args(args)[0]
        path = given.ckpt_path
        if path is None:
            return
        checkpoint = read_checkpoint(path)
        self._checkpoint = Path(path).absolute()
        self._trained_class = checkpoint["hyper_parameters"].get("_class_path", "")
        settings = data_settings(checkpoint)
        # Of other data that are asked for, the checkpoint says nothing.
        if settings is None or (given.data and given.data.rsplit(".", 1)[-1] != settings[0].rsplit(".", 1)[-1]):
            return
        class_path, data = settings
        if command in ("test", "predict"):
            data.pop("limit", None)
        if command != "fit" and "target_names" in data:
            data["target_names"] = checkpoint["hyper_parameters"]["target_names"]
        self._subcommand_parsers[command].set_defaults({"data": {"class_path": class_path, "init_args": data}})

    def instantiate_trainer(self, **kwargs: Any) -> pl.Trainer:
        """Make the trainer, with a run folder ``lightning_logs/version_N`` under an absolute root."""
        config = self._get(self.config_init, "trainer")
        if config["sync_batchnorm"]:
            raise UserError(
                "sync_batchnorm would count padding as music; leave it false: on several processes, the batch norms of "
                "each have the statistics of its own tracks"
            )
        if config["logger"] is None or config["logger"] is True:
            root = Path(config["default_root_dir"] or ".").absolute()
            version = None
            if self.subcommand == "fit" and self._checkpoint:
                # A resumed run goes on in its own folder: elsewhere it would forget its best checkpoint.
                run = self._checkpoint.parent.parent
                if self._checkpoint.parent.name == "checkpoints" and run.parent.name == "lightning_logs":
                    root, version = run.parent.parent, run.name
            kwargs["default_root_dir"] = str(root)
            kwargs["logger"] = TensorBoardLogger(str(root), version=version, default_hp_metric=False)
        return super().instantiate_trainer(**kwargs)

    def after_fit(self) -> None:
        """Test the best checkpoint, unless the run was a mere check or there is nothing to test on."""
        checkpoints = self.trainer.checkpoint_callback
        best = getattr(checkpoints, "best_model_path", "")
        mere_check = self.trainer.fast_dev_run or self.trainer.overfit_batches  # type: ignore[attr-defined]
        if best and not mere_check:
            if self.datamodule.has_test:
                self.trainer.test(self.model, datamodule=self.datamodule, ckpt_path=best, verbose=False)
            if self.trainer.is_global_zero:
                print(f"Best checkpoint: {best}")

    def test(self, **kwargs: Any) -> None:
        """Test without Lightning's table: the report is printed instead."""
        self.trainer.test(**kwargs, verbose=False)

    def predict(self, **kwargs: Any) -> None:
        """Predict without keeping what is written to files anyway; what could not be used is an error in the end."""
        self.trainer.predict(**kwargs, return_predictions=False)
        # What is wrong with a file is known to all processes, or to the one that had it.
        failures = dict.fromkeys(failure for own in gather(list(self.datamodule.failures)) for failure in own)
        if failures and self.trainer.is_global_zero:
            for failure in failures:
                print(f"musiclab: error: {failure}", file=sys.stderr)
            raise SystemExit(1)
