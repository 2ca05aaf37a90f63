"""Command lines of trainings as people type them: configs by name, several words, what is forgotten."""

import os
from pathlib import Path

import pytest
from command_line import CONFIGS, error_of, evaluate_args, run_folder
from conftest import make_genre_folder

from musiclab.cli import main
from musiclab.cli.arguments import complete
from musiclab.errors import UserError


@pytest.fixture
def empty(tmp_path, monkeypatch):
    """An empty folder as the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


class TestConfigsByName:
    @pytest.mark.parametrize("name", ["genre_cnn.yaml", "configs/genre_cnn.yaml"])
    @pytest.mark.parametrize("form", [["-c", "{}"], ["--config", "{}"], ["-c={}"], ["--config={}"]])
    def test_one_that_comes_along_is_found(self, name, form, empty):
        words = [word.format(name) for word in form]
        found = [word.format(CONFIGS / "genre_cnn.yaml") for word in form]
        assert complete("fit", ["fit", *words]) == ["fit", *found]

    @pytest.mark.parametrize("name", ["published/genre_cnn.yaml", "configs/published/genre_cnn.yaml"])
    def test_one_of_a_folder_is_found_by_both(self, name, empty):
        assert complete("fit", ["fit", "-c", name])[-1] == str(CONFIGS / "published" / "genre_cnn.yaml")

    def test_a_file_of_that_path_goes_first(self, empty):
        Path("genre_cnn.yaml").write_text("trainer: {max_epochs: 1}\n")
        assert complete("fit", ["fit", "-c", "genre_cnn.yaml"]) == ["fit", "-c", "genre_cnn.yaml"]
        Path("configs").mkdir()
        Path("configs/genre_cnn.yaml").write_text("trainer: {max_epochs: 1}\n")
        assert complete("fit", ["fit", "-c", "configs/genre_cnn.yaml"])[-1] == "configs/genre_cnn.yaml"

    def test_only_of_their_own_folder(self, empty):
        with pytest.raises(UserError, match=r"^elsewhere/genre_cnn.yaml: no such config"):
            complete("fit", ["fit", "-c", "elsewhere/genre_cnn.yaml"])

    def test_overlays_too(self, empty):
        args = complete("fit", ["fit", "-c", "emotion_multitask.yaml", "-c", "loss_spearman.yaml"])
        assert [Path(path).name for path in args[2::2]] == ["emotion_multitask.yaml", "loss_spearman.yaml"]
        assert all(Path(path).is_file() for path in args[2::2])

    @pytest.mark.parametrize(
        ("name", "said"),
        [
            ("genre_cn.yaml", "did you mean genre_cnn.yaml?"),
            ("genre_cnn", "did you mean genre_cnn.yaml?"),
            ("published/genre_cn.yaml", "did you mean published/genre_cnn.yaml?"),
            ("xyz.yaml", "`musiclab configs` lists them"),
            (".", "a folder"),
        ],
    )
    def test_a_wrong_name_is_one_line(self, name, said, empty, capfd):
        error = error_of(capfd, ["fit", "-c", name])
        assert error.startswith(f"musiclab: error: {name}: ")
        assert said in error

    @pytest.mark.parametrize(
        ("content", "said"),
        [(b"\x93NUMPY\xff", "not a config, which is text"), (b"data: [\n", "line 2: cannot be")],
    )
    def test_files_that_are_no_configs(self, content, said, empty, capfd):
        Path("bad.yaml").write_bytes(content)
        assert f"bad.yaml: {said}" in error_of(capfd, ["fit", "-c", "bad.yaml"])

    def test_none_at_all(self, empty, capfd):
        assert "which config?" in error_of(capfd, ["fit", "--data.root", "x", "-c"])

    def test_a_config_in_the_words_of_the_command_line_is_left_to_the_parser(self, empty):
        text = "{trainer: {max_epochs: 1}}"
        assert complete("fit", ["fit", "-c", text]) == ["fit", "-c", text]


class TestSeveralWords:
    @pytest.mark.parametrize(
        ("words", "value"),
        [
            (["--data.paths", "a.ogg"], ["--data.paths", "a.ogg"]),
            (["--data.paths", "a, b.ogg", "c.ogg"], ["--data.paths", '["a, b.ogg", "c.ogg"]']),
            (["--data.axes", "valence", "energy", "--x=1"], ["--data.axes", '["valence", "energy"]', "--x=1"]),
            (["--data.value_range", "1", "9"], ["--data.value_range", "[1,9]"]),
            (["--data.value_range", "-1", "1"], ["--data.value_range", "[-1,1]"]),
            (["--data.value_range", "[1,9]"], ["--data.value_range", "[1,9]"]),
            (["--data.axes=valence,energy"], ["--data.axes=valence,energy"]),
        ],
    )
    def test_are_a_list(self, words, value):
        assert complete(None, words) == value

    def test_songs_need_no_name_of_a_class(self):
        args = complete("predict", ["predict", "--ckpt_path=x.ckpt", "--data.paths", "a.ogg", "b.ogg"])
        assert args == ["predict", "--data=AudioDataModule", "--ckpt_path=x.ckpt", "--data.paths", '["a.ogg", "b.ogg"]']


class TestWhatIsForgotten:
    def test_the_config(self, empty, capfd):
        error = error_of(capfd, ["fit", "--data.root", "my data"])
        assert "musiclab fit -c genre_cnn.yaml --data.root 'my data' (`musiclab configs` lists them)" in error

    def test_the_option_before_the_config(self, empty, capfd):
        assert ": musiclab fit -c mine.yaml --data.root r " in error_of(capfd, ["fit", "mine.yaml", "--data.root", "r"])

    @pytest.mark.parametrize("command", ["validate", "test", "predict"])
    def test_the_checkpoint(self, command, empty, capfd):
        line = f"musiclab {command} --data.root r --ckpt_path "
        assert f"{line}RUN/checkpoints/best.ckpt" in error_of(capfd, [command, "--data.root", "r"])
        for version in (3, 12):
            checkpoint = Path(f"lightning_logs/version_{version}/checkpoints/best.ckpt")
            checkpoint.parent.mkdir(parents=True)
            checkpoint.touch()
            os.utime(checkpoint, (version, version))
        assert f"{line}lightning_logs/version_12/" in error_of(capfd, [command, "--data.root", "r"])

    def test_a_file_in_place_of_the_folder_of_a_run(self, empty, capfd):
        Path("version_0/checkpoints").mkdir(parents=True)
        error = error_of(capfd, evaluate_args("test", Path("version_0"), empty))
        assert "version_0: a folder; give a checkpoint in it, as in " in error
        assert error.endswith("version_0/checkpoints/best.ckpt")

    def test_the_value(self, empty, capfd):
        args = ["fit", "-c", "genre_cnn.yaml", "--data.root", "--data.limit", "3"]
        assert "--data.root: a value has to follow" in error_of(capfd, args)
        assert "--ckpt_path: a value has to follow" in error_of(capfd, ["test", "--ckpt_path"])

    @pytest.mark.parametrize("given", [None, "nowhere.ckpt"])
    def test_the_genre_model_that_a_transfer_starts_from(self, given, emotion_root, empty, capfd):
        args = ["fit", "-c", "emotion_transfer.yaml", f"--data.root={emotion_root}"]
        error = error_of(capfd, [*args, *([f"--model.pretrained={given}"] if given else [])])
        assert ("nowhere.ckpt: no such checkpoint" if given else "--model.pretrained is not given") in error
        assert error.endswith("as a fit of genre_cnn.yaml leaves it: --model.pretrained RUN/checkpoints/best.ckpt")
        assert not Path("lightning_logs").exists()

    @pytest.mark.parametrize("given", [None, "nowhere.ckpt"])
    def test_the_weights_of_musicnn(self, given, genre_root, empty, capfd):
        args = ["fit", "-c", "ear_genre.yaml", f"--data.root={genre_root}"]
        error = error_of(capfd, [*args, *([f"--model.pretrained={given}"] if given else [])])
        assert ("nowhere.ckpt: no such checkpoint" if given else "--model.pretrained is not given") in error
        assert error.endswith("as `musiclab import-weights` makes it: --model.pretrained musicnn.ckpt")


class TestQuestions:
    def test_of_a_class_that_is_not_named(self, empty, capfd):
        assert "--data.help GenreDataModule" in error_of(capfd, ["fit", "--data.help"])
        assert "--model.help ClassificationTask" in error_of(capfd, ["fit", "--model.help"])

    def test_of_the_class_of_a_config(self, empty, capsys):
        with pytest.raises(SystemExit) as info:
            main(["fit", "-c", "emotion_cnn.yaml", "--data.help"])
        assert info.value.code == 0
        assert "--data.axes AXES" in capsys.readouterr().out

    def test_need_no_config(self, empty, capsys):
        with pytest.raises(SystemExit) as info:
            main(["fit", "--data.help", "GenreDataModule"])
        assert info.value.code == 0
        assert "--data.class_map" in capsys.readouterr().out


def test_the_run_keeps_the_command_as_it_was_typed(empty):
    """In a folder without configs, on a data set of it."""
    make_genre_folder(Path("genres"))
    typed = ["fit", "-c", "genre_lstm.yaml", "--data.root", "genres", "--trainer.fast_dev_run", "true"]
    main([*typed, "--model.backbone.hidden_size", "4", "--trainer.accelerator", "cpu"])
    assert not run_folder(empty).exists()
