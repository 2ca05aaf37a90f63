"""``musiclab fit --help`` and the like: one screen, whose options and defaults are the real ones."""

import inspect
import re
import subprocess
import sys

import pytest
from command_line import environment

from musiclab.cli import main
from musiclab.cli.options import CLASSES, all_options
from musiclab.cli.short_help import START, short_help

COMMANDS = list(START)


def shown(capsys, *args):
    with pytest.raises(SystemExit) as info:
        main(list(args))
    assert info.value.code == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_fits_a_screen_and_says_where_the_rest_is(command, flag, capsys):
    text = shown(capsys, command, flag)
    assert len(text.splitlines()) <= 60
    assert max(map(len, text.splitlines())) <= 120
    assert f"musiclab {command} --help all" in text
    assert f"musiclab {command} --data.help " in text


def test_of_fit_names_data_model_and_trainer():
    text = short_help(["fit", "--help"])
    for option in ("--data.root", "--data.batch_size", "--model.backbone.dropout", "--trainer.max_epochs", "-c CONFIG"):
        assert option in text
    assert "musiclab fit --model.help ClassificationTask" in text


@pytest.mark.parametrize("command", COMMANDS)
def test_names_options_that_there_are(command):
    text = short_help([command, "--help"])
    options = set(re.findall(r"--((?:data|model|trainer|early_stopping)\.\w+(?:\.\w+)?)", text))
    backbone = {"model.backbone.dropout", "model.backbone.channels", "model.backbone.hidden_size"}
    known = {*all_options(), *backbone, "data.help", "model.help"}
    options = {option for option in options if not option.endswith("OPTION")}
    assert options <= known
    assert len(options) > 5


def test_says_the_real_defaults():
    text = short_help(["fit", "--help"])
    folder = CLASSES["data"][0].__mro__[1]
    found = dict(re.findall(r"--data\.(\w+) .*\[([\w.]+)[\];]", text))
    of = {**inspect.signature(folder).parameters, **inspect.signature(CLASSES["data"][0]).parameters}
    of |= inspect.signature(CLASSES["data"][1]).parameters
    for name in ("features", "beat_synced", "batch_size", "val_fraction", "class_map", "test_fraction"):
        assert found[name] == str(of[name].default).lower(), name


def test_all_is_lightnings_list(capsys):
    text = shown(capsys, "fit", "--help", "all")
    assert "--trainer.accumulate_grad_batches" in text
    assert text == shown(capsys, "fit", "--trainer.help")


def test_takes_no_time():
    code = (
        "import atexit, sys; from musiclab.cli import main; atexit.register(lambda: print('torch' in sys.modules)); "
        "main(['fit', '--help'])"
    )
    done = subprocess.run([sys.executable, "-c", code], env=environment(), capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"
