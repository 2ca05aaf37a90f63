"""What ``musiclab fit --help`` and the like show: the options that matter, on one screen; Lightning's list is long."""

from collections.abc import Sequence

ALL = "--help all"
"""What asks for every option."""

START = {
    "fit": """\
usage: musiclab fit -c CONFIG [--data.OPTION VALUE ...] [--model.OPTION VALUE ...] [--trainer.OPTION VALUE ...]

Train a model, then test its best checkpoint. Results go to lightning_logs/version_N.

  musiclab fit -c genre_cnn.yaml                                        on a demo corpus, which is made on first use
  musiclab fit -c genre_cnn.yaml --data.root ROOT                       on a data set folder
  musiclab fit -c RUN/config.yaml --ckpt_path RUN/checkpoints/last.ckpt   go on with a run that was interrupted

  -c CONFIG                 model, data and settings; `musiclab configs` lists those that come along. Of several, the
                            later ones go first, and options on the command line go before all of them
  --print_config            show all settings, instead of training
  --seed_everything N       seed of everything random [0]
""",
    "validate": """\
usage: musiclab validate --ckpt_path CKPT [--data.OPTION VALUE ...]

Measure a trained model on its validation part.

  musiclab validate --ckpt_path RUN/checkpoints/best.ckpt
""",
    "test": """\
usage: musiclab test --ckpt_path CKPT [--data.OPTION VALUE ...]

Measure a trained model on its test part. Results go to lightning_logs/version_N.

  musiclab test --ckpt_path RUN/checkpoints/best.ckpt                   on the data set that it was trained on
  musiclab test --ckpt_path RUN/checkpoints/best.ckpt --data.root ROOT    on another one
""",
    "predict": """\
usage: musiclab predict --ckpt_path CKPT [--data.paths SONG ...] [--data.OPTION VALUE ...]

Say what a trained model makes of songs, or of the tracks in test/ of a data set. predictions.csv goes to
lightning_logs/version_N.

  musiclab predict --ckpt_path RUN/checkpoints/best.ckpt --data.paths *.mp3
  musiclab predict --ckpt_path RUN/checkpoints/best.ckpt --data.root ROOT
""",
}

CHECKPOINT = """\

  --ckpt_path CKPT          checkpoint of the model; it says which data, features and targets go with it
"""

FOLDER = """\
  --data.root ROOT          data set folder: train/, test/, train_labels.txt [the demo corpus]
  --data.features mel       mel, chroma, fused (both), or all: rows of any number and meaning [mel]
  --data.beat_synced true   a frame is a beat [false]
  --data.seconds S          duration of a frame in s, for frames that are no beats [of features.json, else 0.0232]
  --data.batch_size N       tracks per batch [32]
  --data.limit N            use at most N tracks of train/ and of test/
  --data.cache FOLDER       where packed tracks are kept [the user's cache folder]
"""

TRAINED_ON = """\
  --data.root ROOT          data set folder: train/, test/, and label files [that of the training]
  --data.batch_size N       tracks per batch [as in the training]
  --data.limit N            use at most N tracks
  --data.validate_on train  validate on the tracks of the training [validation]
  --data.any_scale true     take arrays of another scale than those of the training, which are refused otherwise [false]
"""

TRAINED = """\
  --data.val_fraction F     share of the training tracks held out for validation [0.1; emotion_*.yaml: 0.2]
  --data.folds K            cross-validation; --data.fold N says which fold, from 0, is held out
  --data.groups FILE        who made which track: an artist stays in one part; null ignores it [artists.txt]
  --data.leave_out FILE     tracks, and artists, to be neither trained nor validated on; CKPT: what it was tested on
  --data.train_limit N      train on at most N tracks; those to validate and to test on stay the same
  --data.class_map MAP      of genres: which become which; auto, lab or null (see --data.help) [auto]
  --data.axes A B           of emotions: columns of train_labels.txt [all]; of tags: --data.tags A B
  --data.test_fraction F    share of the labelled tracks held out for the test [0.2; of genres: null, see --data.help]
  --data.value_range 1 9    of emotions: lowest and highest value of a label [0 1]
"""

SONGS = """\
Songs
  --data.paths SONG ...     audio files, folders of them, or text files with a path a line
  --data.window S           length in s of the windows that a song is cut into [as long as the training tracks]
  --data.jobs N             processes that compute spectrograms [as many as there are cores]

"""

TRAINING = """\

Model (as the configs have it)
  --model.backbone.dropout P, --model.backbone.channels [16,32] (CNN), --model.backbone.hidden_size N (LSTM)
  --model.optimizer.lr R, --model.lr_scheduler.max_lr R, --model.label_smoothing P (genres)
  --model.augmentations []  train without augmentations
  --model.pretrained CKPT   start from the backbone of another run; --model.frozen_epochs N or all: keep it as it is
"""

TRAINER = """\

Trainer
  --trainer.max_epochs N    [as the config has it]
  --trainer.accelerator A   cpu, gpu or auto [auto]; --trainer.devices N [auto]; --trainer.strategy ddp
  --trainer.precision P     32-true, bf16-mixed or 16-mixed [32-true]
  --trainer.default_root_dir DIR   where lightning_logs goes [the current folder]
  --trainer.fast_dev_run true      a batch of each part, to see that everything works
  --early_stopping null     train all epochs; --early_stopping.patience N
  --import MODULE           import a module with classes of your own; those of the current folder are found anyway
"""

EVALUATION = """\

Trainer
  --trainer.accelerator A   cpu, gpu or auto [auto]
  --trainer.default_root_dir DIR   where lightning_logs goes [the current folder]
"""

END = """\

More
  musiclab {command} --data.help {data}
  {model}musiclab {command} --help all      every option, those of Lightning's Trainer too"""


def short_help(arguments: Sequence[str]) -> str | None:
    """Return the help of a command, None where another help is asked for, or none."""
    if not {"-h", "--help"} & set(arguments) or asks_for_all(arguments) or arguments[0] not in START:
        return None
    command = arguments[0]
    if command == "fit":
        model = "musiclab fit --model.help ClassificationTask; RegressionTask, MultitaskRegressionTask, TaggingTask\n  "
        data = "GenreDataModule; EmotionDataModule, TagDataModule"
        middle = "\nData (a default in brackets)\n" + FOLDER + TRAINED + TRAINING + TRAINER
    else:
        model, data = "", "AudioDataModule" if command == "predict" else "GenreDataModule"
        songs = "\n" + SONGS + "Data set\n" if command == "predict" else "\nData set\n"
        middle = CHECKPOINT + songs + TRAINED_ON + EVALUATION
    return START[command] + middle + END.format(command=command, data=data, model=model)


def asks_for_all(arguments: Sequence[str]) -> bool:
    """Whether every option is asked for, as by ``--help all``."""
    words = list(arguments)
    return "--trainer.help" in words or any(
        word in ("-h", "--help") and words[number + 1 : number + 2] == ["all"] for number, word in enumerate(words)
    )
