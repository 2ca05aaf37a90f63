"""Arrays on another scale than dB relative to a maximum: named by check, said by fit, refused by what answers."""

import shutil

import numpy as np
import pytest
from command_line import error_of, evaluate_args, fit_args, run_folder
from conftest import make_genre_folder
from data.audio.sounds import clicks, write

from musiclab.cli import main

CHANGES = {
    "above the quietest": lambda mel: mel + 80,
    "0..1": lambda mel: (mel + 80) / 80,
    "power": lambda mel: 10 ** (mel / 10),
    "large power": lambda mel: 1e5 * 10 ** (mel / 10),
    "-1..0": lambda mel: mel / 80,
    "one value": lambda mel: np.full_like(mel, -30.0),
    "standardised": lambda mel: (mel + 50) / 15,
    "other than the clip's maximum": lambda mel: mel + 20,
}
SAID = {"large power": "power or magnitude", "power": "0..1, or power"}


def rescale(root, change, parts=("train", "test")):
    """Change the mel rows of all arrays of some parts."""
    for part in parts:
        for path in (root / part).iterdir():
            array = np.load(path)
            array[:128] = change(array[:128])
            np.save(path, array)
    return root


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A data set and the best checkpoint of a training on it."""
    folder = tmp_path_factory.mktemp("scales")
    root = make_genre_folder(folder / "genres")
    main(fit_args("genre_cnn.yaml", root, folder / "run", "--model.augmentations=[]"))
    return root, run_folder(folder / "run") / "checkpoints" / "best.ckpt"


@pytest.fixture
def rescaled(trained, tmp_path):
    """The same data, but dB that begin at 0."""
    return rescale(shutil.copytree(trained[0], tmp_path / "rescaled"), CHANGES["above the quietest"])


@pytest.mark.parametrize("name", CHANGES)
def test_check_names_the_cause_once_for_a_folder(name, tmp_path, capsys):
    root = rescale(make_genre_folder(tmp_path / "genres", train=6, test=3), CHANGES[name])
    with pytest.raises(SystemExit) as stopped:
        main(["check", str(root)])
    assert stopped.value.code == 1
    output = capsys.readouterr().out
    assert "\nScale: 2\n" in output
    assert output.count(SAID.get(name, name)) == 2
    assert f"  {root / 'train'}: mel rows of all 6 arrays, such as 100.fused.full.npy, " in output


def test_check_names_single_arrays(tmp_path, capsys):
    root = make_genre_folder(tmp_path / "genres", train=6, test=3)
    path = root / "train" / "100.fused.full.npy"
    array = np.load(path)
    array[:128], array[128:] = -30, 2 * array[128:]
    np.save(path, array)
    with pytest.raises(SystemExit):
        main(["check", str(root)])
    output = capsys.readouterr().out
    assert f"  {path}: mel rows -30..-30: one value throughout" in output
    assert f"  {path}: chroma rows " in output


def test_check_sees_that_bands_and_frames_changed_places(tmp_path, capsys):
    root = make_genre_folder(tmp_path / "genres", rows=128, train=6, test=3, frames=(128, 129))
    slope = np.linspace(0, -30, 128)[:, None]
    rescale(root, lambda mel: np.maximum(mel + slope, -80))
    main(["check", str(root)])
    rescale(root, np.transpose, ("train",))
    with pytest.raises(SystemExit):
        main(["check", str(root)])
    assert f"  {root / 'train'}: bands and frames are likely transposed" in capsys.readouterr().out


def test_fit_warns(rescaled, tmp_path, caplog, capsys):
    arguments = fit_args("genre_cnn.yaml", rescaled, tmp_path / "run", "--trainer.fast_dev_run=true")
    main(arguments)
    said = caplog.text + capsys.readouterr().err
    assert said.count("Warning: the training tracks have mel bands with means of") == 1
    assert "above the quietest" in said


@pytest.mark.parametrize("command", ["test", "validate", "predict"])
def test_what_answers_refuses(command, trained, rescaled, tmp_path, capfd):
    arguments = evaluate_args(command, trained[1], tmp_path / "runs", f"--data.root={rescaled}")
    error = error_of(capfd, arguments)
    assert str(rescaled) in error
    assert str(trained[1]) in error
    assert "standard deviations away: likely arrays on another scale" in error
    assert "--data.any_scale true" in error
    main([*arguments, "--data.any_scale=true"])


def test_the_permission_is_not_inherited(rescaled, trained, tmp_path, capfd):
    root = trained[0]
    main(fit_args("genre_cnn.yaml", root, tmp_path / "run", "--data.any_scale=true"))
    checkpoint = run_folder(tmp_path / "run") / "checkpoints" / "best.ckpt"
    error_of(capfd, evaluate_args("test", checkpoint, tmp_path, f"--data.root={rescaled}"))


def test_a_transfer_refuses(trained, rescaled, tmp_path, capfd):
    arguments = fit_args("genre_cnn.yaml", rescaled, tmp_path / "run", f"--model.pretrained={trained[1]}")
    assert f"{trained[1]} was trained on" in error_of(capfd, arguments)


def test_a_resumed_training_refuses(trained, rescaled, tmp_path, capfd):
    arguments = fit_args("genre_cnn.yaml", rescaled, tmp_path, f"--ckpt_path={trained[1]}", epochs=1)
    assert "another scale" in error_of(capfd, arguments)


@pytest.mark.parametrize("command", ["latents", "activations"])
def test_pictures_of_a_model_refuse(command, trained, rescaled, tmp_path, capfd):
    arguments = [command, f"--ckpt_path={trained[1]}", f"--data.root={rescaled}", f"--out={tmp_path / 'out'}"]
    assert "another scale" in error_of(capfd, arguments)
    main([*arguments, "--data.any_scale=true"])


def test_songs_are_not_asked_of_a_model_of_another_scale(rescaled, tmp_path, capfd):
    main(fit_args("genre_cnn.yaml", rescaled, tmp_path / "run", "--data.any_scale=true"))
    checkpoint = run_folder(tmp_path / "run") / "checkpoints" / "best.ckpt"
    song = write(tmp_path / "song.wav", clicks(2))
    options = ["--data=AudioDataModule", f"--data.paths={song}"]
    error = error_of(capfd, evaluate_args("predict", checkpoint, tmp_path, *options))
    assert f"{checkpoint}: was trained on mel bands with means of" in error


def test_explore_draws_another_scale_over_its_own_range(rescaled, tmp_path):
    main(["explore", str(rescaled), f"--out={tmp_path / 'page'}"])
    assert "likely dB above the quietest value" in (tmp_path / "page" / "index.html").read_text()


def test_a_test_part_on_another_scale_is_refused_before_the_first_step(tmp_path, capfd):
    """Before, it was refused, or scored, after the last one."""
    root = rescale(make_genre_folder(tmp_path / "genres"), CHANGES["above the quietest"], parts=["test"])
    error = error_of(capfd, fit_args("genre_cnn.yaml", root, tmp_path))
    assert f"{root}: test tracks: values of" in error
    assert not run_folder(tmp_path).exists()
