"""LightningCLI with musiclab's datamodules and tasks: links between them, run folders, checkpoints."""

import shutil
import sys
from pathlib import Path
from pydoc import locate
from typing import Any, cast

import pytorch_lightning as pl
from jsonargparse import Namespace
from lightning_utilities.core.rank_zero import rank_zero_only
from pytorch_lightning.cli import ArgsType, LightningArgumentParser, LightningCLI

import musiclab.augmentations
import musiclab.losses
import musiclab.models  # noqa: F401  (makes the short class names known to the parser, as do the lines around)
from musiclab import __version__
from musiclab.checkpoint import data_settings
from musiclab.cli.arguments import complete, require_pretrained
from musiclab.cli.configs import RunConfig, TrainingParser
from musiclab.cli.default_callbacks import CALLBACKS, add_default_callbacks, follow_task, ignore_options, left_out
from musiclab.cli.hints import quieten
from musiclab.cli.peeking import config_text, import_named, pass_over_damage, peek
from musiclab.cli.run_folder import LOGS, run_logger
from musiclab.data.datamodules import AudioDataModule, SpectrogramDataModule
from musiclab.errors import UserError, one_line
from musiclab.files import is_special, shown
from musiclab.inference.own_parts import import_parts
from musiclab.inference.trained import TrainedModel, fill_root
from musiclab.runs.gathering import gather
from musiclab.runs.slurm import interrupted_run
from musiclab.runs.solution_writer import SolutionWriter
from musiclab.runs.trainer import Trainer
from musiclab.tasks import SpectrogramTask

LINKED = ("num_features", "target_names", "features", "beat_synced", "seconds", "recipe")
"""What a task takes from the datamodule."""

COMMANDS = ("fit", "validate", "test", "predict")


class TrainingCLI(LightningCLI):
    """The commands ``fit``, ``validate``, ``test`` and ``predict``.

    Args:
        args: The command line.
    """

    def __init__(self, args: list[str]) -> None:
        self._parsers: dict[str, LightningArgumentParser] = {}
        self._command_line = ["musiclab", *args]
        args = import_named(args)
        self._checkpoint: Path | None = None
        self._resumed_step = 0
        self._claimed: Path | None = None
        # To prepare the parsers of all four takes a third of a second.
        self._commands = tuple(args[:1]) if args and args[0] in COMMANDS else COMMANDS
        super().__init__(
            SpectrogramTask,
            SpectrogramDataModule,
            trainer_class=Trainer,
            subclass_mode_model=True,
            subclass_mode_data=True,
            seed_everything_default=0,
            auto_configure_optimizers=False,
            save_config_callback=RunConfig,
            parser_class=TrainingParser,
            # By the name of its program, a command's parser is known where its arguments are added.
            parser_kwargs={
                "prog": "musiclab",
                "version": __version__,
                **{name: {"prog": name} for name in self._commands},
            },
            args=args,
        )

    def subcommands(self) -> dict[str, set[str]]:  # type: ignore[override]
        """Return the command that is asked for, or all, and the arguments that they leave out."""
        # The results are printed by us; and a config saved by one command is read by the others.
        ours = {"validate": {"verbose"}, "test": {"verbose"}, "predict": {"return_predictions"}}
        lightnings = LightningCLI.subcommands()
        return {name: lightnings[name] | ours.get(name, set()) for name in self._commands}

    def add_core_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Add trainer, model and data; a checkpoint stands in for the latter two, so neither is required."""
        self._parsers[parser.prog] = parser
        parser.add_lightning_class_args(self.trainer_class, "trainer")
        parser.add_lightning_class_args(SpectrogramTask, "model", subclass_mode=True, required=False)
        parser.add_lightning_class_args(SpectrogramDataModule, "data", subclass_mode=True, required=False)

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Add what single commands have; let the task take from the datamodule what it has to agree with."""
        if parser.prog == "fit":
            add_default_callbacks(parser)
        else:
            ignore_options(parser, *CALLBACKS)
        if parser.prog == "predict":
            parser.add_lightning_class_args(SolutionWriter, "solution")
        else:
            ignore_options(parser, "solution")
        for name in LINKED:
            parser.link_arguments(f"data.{name}", f"model.init_args.{name}", apply_on="instantiate")

    def parse_arguments(self, parser: LightningArgumentParser, args: ArgsType) -> None:
        """Parse the command line; a checkpoint's own data settings are its defaults.

        Raises:
            UserError: If the checkpoint is missing or none, or if a command would run on random weights, or on weights
                of another task.
        """
        assert isinstance(args, list)
        command = next((argument for argument in args if argument in COMMANDS), None)
        args = complete(command, args)
        if command == "fit":
            args = pass_over_damage(args)
        trained_class = self._use_checkpoint(command, args) if command else ""
        self.config = parser.parse_args(args)
        if command == "fit" and self._checkpoint is None and (last := self._interrupted_run()):
            args = [*args, f"--ckpt_path={last}"]
            trained_class = self._use_checkpoint(command, args)
            self.config = parser.parse_args(args)
        config = self.config[self.config.subcommand]
        if self._checkpoint is None:
            if config.get("ckpt_path"):
                raise UserError(f"{config.ckpt_path}: a checkpoint to go on from is given as --ckpt_path, in no config")
        elif config.get("model"):
            wanted, trained = (name.rsplit(".", 1)[-1] for name in (config.model.class_path, trained_class))
            if trained and wanted != trained:
                raise UserError(f"{self._checkpoint}: a checkpoint of {trained}, but the config asks for {wanted}")

    def _use_checkpoint(self, command: str, args: list[str]) -> str:
        """Make the data settings of the checkpoint that the command line names its defaults; return its task's class.

        Only the command line counts: what a config names may be the checkpoint of another run.
        """
        given = peek(args)
        for config in given.config:
            if Path(config).exists() and is_special(Path(config)):  # to open a pipe would wait for ever
                raise UserError(f"{config}: not a regular file but a pipe, socket or device; write it to a file")
        if given.ckpt_path is None:
            return ""
        model = TrainedModel(Path(given.ckpt_path).absolute())
        self._checkpoint, checkpoint = model.path, model.checkpoint
        self._resumed_step = checkpoint.get("global_step", 0)
        typed = "\n".join([*args, *map(config_text, given.config)])
        import_parts(model.path, checkpoint, "model", typed)
        model.task()  # what is wrong with it is said of the checkpoint; the parser would take it for an option
        if command != "fit" and checkpoint.get("precision"):  # figures belong to the precision that they were had with
            self._parsers[command].set_defaults({"trainer.precision": checkpoint["precision"]})
        settings = data_settings(checkpoint)
        if settings is None and not (given.data or given.config):
            model.require_kept("data")
        # Of other data that are asked for, the checkpoint says nothing.
        if settings and (not given.data or given.data.rsplit(".", 1)[-1] == settings[0].rsplit(".", 1)[-1]):
            import_parts(model.path, checkpoint, "data", typed)
            model.check_data_settings()
            class_path, data = settings
            if command in ("test", "predict"):
                data.pop("limit", None)
            if command != "fit" and "target_names" in data:
                data["target_names"] = checkpoint["hyper_parameters"]["target_names"]
            self._parsers[command].set_defaults({"data": {"class_path": class_path, "init_args": data}})
        return str(checkpoint["hyper_parameters"].get("_class_path", ""))

    def _interrupted_run(self) -> Path | None:
        """Return the checkpoint of a training that SLURM has interrupted and requeued, None for any other training."""
        trainer = self.config["fit"].trainer
        if trainer.logger not in (None, True) or trainer.fast_dev_run:
            return None
        last = interrupted_run(_root(trainer) / LOGS, self._command_line)
        if last is not None and rank_zero_only.rank == 0:  # type: ignore[attr-defined]
            print(f"The job was requeued: its run goes on from {last}", file=sys.stderr)
        return last

    def before_instantiate_classes(self) -> None:
        """Refuse a command line without model or data; let callbacks monitor what the task is judged by."""
        config = self.config[self.subcommand]
        missing = [name for name in ("model", "data") if not config.get(name)]
        if missing:
            raise UserError(
                f"{self.subcommand} needs {' and '.join(missing)}; give a config that says which, as in "
                f"-c {'RUN/config.yaml' if self._checkpoint else 'genre_cnn.yaml'}"
            )
        if self.subcommand == "fit" and self._checkpoint is None:
            require_pretrained(config.model)
        if self.subcommand == "fit":
            follow_task(config, cast(type[SpectrogramTask], locate(config.model.class_path)))
        own_loading = config.data.init_args.get("num_workers") is None
        quieten(str(self.subcommand), resumed=self._checkpoint is not None, own_loading=own_loading)

    def instantiate_classes(self) -> None:
        """Make datamodule, task and trainer; a null root is the demo corpus, songs are cut as the checkpoint has it."""
        config = self.config[self.subcommand]
        of_audio = self.subcommand == "predict" and issubclass(
            cast(type, locate(config.data.class_path)), AudioDataModule
        )
        if of_audio:
            config.data.init_args.ckpt_path = config.get("ckpt_path")
        of_demo = fill_root(config.data.class_path, config.data.init_args)
        super().instantiate_classes()
        # What is saved of the settings names no checkpoint, and no folder of this machine's own corpus.
        if of_audio:
            config.data.init_args.ckpt_path = None
        if of_demo:
            config.data.init_args["root"] = self.datamodule.hparams["root"] = None

    def instantiate_trainer(self, **kwargs: Any) -> pl.Trainer:
        """Make the trainer, for a training with the callbacks that it keeps and the logger of its folder."""
        if self.subcommand == "fit":
            config = self.config_init["fit"]
            for name in left_out(config["trainer"]):
                config[name] = None
            if config["trainer"]["logger"] in (None, True) and not config["trainer"]["fast_dev_run"]:
                kwargs["logger"], self._claimed = run_logger(_root(config["trainer"]), self._checkpoint)
                kwargs["default_root_dir"] = kwargs["logger"].save_dir
        try:
            made = super().instantiate_trainer(**kwargs)
        except BaseException as error:
            self._unclaim()
            if type(error) is ValueError:  # as of a strategy or precision that there is not
                raise UserError(one_line(error)) from error
            raise
        assert isinstance(made, Trainer)
        made.run_record.command_line = self._command_line
        return made

    def fit(self, **kwargs: Any) -> None:
        """Train; the folder of a run that fails before its first step is removed, so that numbers are not used up."""
        try:
            self.trainer.fit(**kwargs)
        except BaseException:
            if self.trainer.global_step in (0, self._resumed_step):
                self._unclaim()
            raise

    def _unclaim(self) -> None:
        if self._claimed:
            shutil.rmtree(self._claimed, ignore_errors=True)

    def after_fit(self) -> None:
        """Test the best checkpoint, unless the run was a mere check or there is nothing to test on."""
        checkpoints = self.trainer.checkpoint_callback
        best = getattr(checkpoints, "best_model_path", "")
        mere_check = self.trainer.fast_dev_run or self.trainer.overfit_batches  # type: ignore[attr-defined]
        if not mere_check and not self.trainer.global_step:
            raise UserError("nothing was trained: no step was done; raise limit_train_batches, max_epochs or max_steps")
        if best and not mere_check:
            if self.datamodule.has_test:
                self.trainer.test(self.model, datamodule=self.datamodule, ckpt_path=best, verbose=False)
            if self.trainer.is_global_zero:
                print(f"{'Best' if checkpoints.monitor else 'Last'} checkpoint: {best}")  # type: ignore[union-attr]

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
                print(f"musiclab: error: {shown(failure)}", file=sys.stderr)
            raise SystemExit(1)


def _root(trainer: Namespace) -> Path:
    """Return the folder below which a training leaves its run."""
    return Path(trainer["default_root_dir"] or ".").absolute()
