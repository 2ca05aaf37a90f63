"""``musiclab study``: from a file to runs, a table and a report."""

import json
import shlex
import shutil
from pathlib import Path

import pytest
from command_line import CONFIGS, SMALL_CNN, TRAINER, error_of, fit_args, read_rows, run_folder
from conftest import make_emotion_folder, make_genre_folder
from filelock import FileLock
from forked import Forked

from commands.study.standins import Ended, leave
from musiclab.cli import main
from musiclab.commands.study import running
from musiclab.commands.study import study as module
from musiclab.files import own_configs

CNN = "configs: [genre_cnn.yaml]"
PAIR = f"""
    runs:
      base: {{{CNN}}}
      next: {{configs: [emotion_transfer.yaml], after: base, options: {{model.pretrained: "{{base}}"}}}}
      other: {{{CNN}, vary: {{data.features: [mel, chroma]}}}}
    """
SEARCH = f"""
      s: {{{CNN}, search: {{metric: val_x, trials: 1, options: {{model.init_args.lr: {{low: 1, high: 2}}}}}}}}
    """


def study(*more, out="out"):
    main(["study", "mine.yaml", f"--out={out}", *more])


def test_all_runs_then_the_table_and_the_report(study_file, standins, capsys):
    study_file(PAIR)
    study("--options=--trainer.precision bf16-mixed")
    names = ["base", "next", "other_mel", "other_chroma"]
    assert standins.folders == [Path("out", name) for name in names]
    assert all(line[-4:-2] == ["--trainer.precision", "bf16-mixed"] for line in standins.lines[:-1])
    assert standins.lines[-1] == ["report", "out", "--out", str(Path("out/report"))]
    assert [row["run"] for row in read_rows(Path("out/table.csv"))] == names
    printed = capsys.readouterr().out
    assert shlex.join(["musiclab", *standins.lines[0]]) in printed
    assert "[1/4] base: test accuracy " in printed
    standins.lines.clear()
    study()
    assert [line[0] for line in standins.lines] == ["report"]
    assert "[1/4] base: done already" in capsys.readouterr().out


def test_by_default_the_folder_is_named_after_the_file(study_file, standins):
    study_file(PAIR)
    main(["study", "mine.yaml", "--only", "base"])
    assert standins.folders == [Path("runs/mine/base")]
    table = read_rows(Path("runs/mine/table.csv"))
    assert [row["done"] for row in table] == ["1 of 1", *["0 of 1"] * 3]  # of all runs, whichever are run


def test_seeds_and_folds_of_the_command_line(study_file, standins):
    study_file(PAIR)
    study("--seeds=2", "--folds=2", "--only", "base", "next")
    which = ["seed_0_fold_0", "seed_0_fold_1", "seed_1_fold_0", "seed_1_fold_1"]
    assert standins.folders == [Path("out", name, one) for name in ("base", "next") for one in which]
    for line, one in zip(standins.lines[4:8], which, strict=True):
        best = Path("out/base", one, "lightning_logs/version_0/checkpoints/best.ckpt")
        assert line[line.index("--model.pretrained") + 1] == str(best)


def test_it_goes_on_with_the_run_that_was_interrupted(study_file, standins):
    study_file(PAIR)
    standins.code = lambda line: KeyboardInterrupt() if len(standins.lines) == 2 else 0
    with pytest.raises(SystemExit) as ended:
        study()
    assert ended.value.code == 130
    standins.lines.clear()
    standins.code = lambda line: 0
    study()
    run = run_folder(Path("out/next"))
    first = ["fit", "-c", str(run / "config.yaml"), "--ckpt_path", str(run / "checkpoints" / "last.ckpt")]
    assert standins.lines[0] == first
    assert [folder.name for folder in standins.folders] == ["next", "other_mel", "other_chroma"]


def test_one_that_fails_stops_only_those_after_it(study_file, standins, capfd):
    study_file(PAIR)
    standins.code = lambda line: int(line[-1] == str(Path("out/base")))
    with pytest.raises(SystemExit) as ended:
        study()
    assert ended.value.code == 1
    assert [folder.name for folder in standins.folders] == ["base", "other_mel", "other_chroma"]
    out, err = capfd.readouterr()
    assert "next: not run, as base, which it comes after, has not been done" in out
    assert "musiclab: error: base, next: failed; mend what is said above and run the same command again" in err
    assert Path("out/table.csv").exists()


def test_a_report_that_fails_is_an_error(study_file, standins):
    study_file(PAIR)
    standins.code = lambda line: int(line[0] == "report")
    with pytest.raises(SystemExit) as ended:
        study()
    assert ended.value.code == 1


def test_only_some_runs_by_the_name_in_the_file_or_of_a_variation(study_file, standins, capfd):
    study_file(PAIR)
    study("--only", "other")
    study("--only", "other_mel", out="again")
    assert standins.folders == [Path("out/other_mel"), Path("out/other_chroma"), Path("again/other_mel")]
    error = error_of(capfd, ["study", "mine.yaml", "--only", "othr"])
    assert error.endswith("--only othr: no such run; did you mean other?")
    with pytest.raises(SystemExit):
        study("--only", "next", out="third")
    assert "next: not run, as base" in capfd.readouterr().out


def test_a_run_that_was_begun_with_other_options_is_told_of(study_file, standins, capsys):
    study_file(PAIR)
    study("--only=base")
    study_file(PAIR.replace(CNN, f"{CNN}, options: {{data.limit: 9}}", 1))
    standins.lines.clear()
    study("--only=base")
    said = f"base: was begun without --data.limit 9: kept; remove {Path('out/base')} to begin anew"
    assert said in capsys.readouterr().out
    assert [line[0] for line in standins.lines] == ["report"]


def test_a_run_of_an_earlier_checkpoint_is_told_of(study_file, standins, capsys):
    study_file(PAIR)
    study("--only", "base", "next")
    assert "made from an earlier" not in capsys.readouterr().out
    shutil.rmtree("out/base")
    study("--only", "base", "next")
    assert standins.folders == [Path("out/base"), Path("out/next"), Path("out/base")]
    printed = capsys.readouterr().out
    assert f"next: made from an earlier base; remove {Path('out/next')} to make it anew" in printed
    assert read_rows(Path("out/table.csv"))[1]["done"] == "1 of 1 (1 made from an earlier base)"


def test_a_run_of_another_process_is_left_to_it(study_file, standins, capfd):
    study_file(PAIR)
    leave(["fit", "--trainer.default_root_dir", "out/base"], lambda options: 0.5, finished=False)
    for lock in ("out/base/.study.lock", "out/base/lightning_logs/version_0/.lock"):
        with FileLock(lock), pytest.raises(SystemExit):
            study("--only=base")
        assert "base: another process is at it, in out" in capfd.readouterr().out
    assert [line[0] for line in standins.lines] == ["report", "report"]


def test_gpus_are_shared_out(study_file, standins, capfd):
    study_file(PAIR)
    study("--gpus=0,1", "--only", "other", "base")
    assert standins.gpus[:2] == ["0", "1"]
    assert Path(standins.folders[0]) == Path("out/base")
    error = error_of(capfd, ["study", "mine.yaml", "--gpus=0,,1"])
    assert error.endswith("--gpus '0,,1': give the numbers of GPUs, as in 0,1")


class TestShown:
    def test_those_first_that_come_after_no_others(self, study_file, capsys):
        study_file(PAIR)
        study("--show=true")
        out, err = capsys.readouterr()
        folders = [Path(line.split()[-1]).name for line in out.splitlines()]
        assert folders == ["base", "other_mel", "other_chroma", "next"]
        assert err == "Wave 1: lines 1-3\nWave 2: lines 4-4, after those before\n"
        assert not Path("out").exists()

    def test_only_what_is_still_to_be_run(self, study_file, standins, capsys):
        study_file(PAIR)
        standins.code = lambda line: KeyboardInterrupt() if len(standins.lines) == 2 else 0
        with pytest.raises(SystemExit):
            study()
        capsys.readouterr()
        study("--show=true")
        lines = capsys.readouterr().out.splitlines()
        assert lines[0] == f"musiclab fit -c {run_folder(Path('out/next')) / 'config.yaml'} --ckpt_path " + str(
            run_folder(Path("out/next")) / "checkpoints" / "last.ckpt"
        )
        assert len(lines) == 3
        standins.code = lambda line: 0
        study()
        capsys.readouterr()
        study("--show=true")
        assert capsys.readouterr() == ("", "All runs have been done\n")

    @pytest.mark.parametrize("name", own_configs("studies"))
    def test_each_line_is_understood(self, name, tmp_path, monkeypatch, capsys):
        monkeypatch.chdir(tmp_path)
        for data in ("fma_genre_spectrograms", "fma_genre_spectrograms_beat"):
            make_genre_folder(tmp_path / "data" / data, train=3, test=3)
        emotions = make_emotion_folder(tmp_path / "data" / "multitask_dataset", train=3, test=2)
        (emotions / "artists.txt").write_text("Id\tArtist\n100\tCan\n")
        for made in ("lab", "coarse", "musicnn", "embedded"):
            make_genre_folder(tmp_path / "data" / made / "genres", train=3, test=3)
            make_emotion_folder(tmp_path / "data" / made / "emotions", train=3, test=2)
        for model in ("fma", "musicnn"):
            (tmp_path / "data" / f"{model}.ckpt").touch()
        main(["study", name, "--root=data", "--out=out", "--show=true"])
        lines = [shlex.split(line) for line in capsys.readouterr().out.splitlines()]
        forms = {tuple(word for word in line if word.startswith("-") or word.endswith("yaml")): line for line in lines}
        for program, *arguments in forms.values():  # those that differ in values alone are of one form
            assert program == "musiclab"
            if arguments[0] == "study":
                main([*arguments, "--show=true"])
                continue
            for path in (word for word in arguments if word.endswith("best.yaml")):
                Path(path).parent.mkdir(parents=True, exist_ok=True)
                Path(path).write_text("model: {init_args: {label_smoothing: 0.2}}")
            with pytest.raises(SystemExit) as exit_info:
                main([*arguments, "--print_config"])
            assert exit_info.value.code == 0


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["missing.yaml"], "missing.yaml: no such study, neither here nor among those that come along"),
        (["lap.yaml"], "did you mean lab.yaml?"),
        (["mine.yaml", "--folds=1"], "--folds 1: it must be at least 2"),
        (["mine.yaml", "--seeds=0"], "--seeds 0: it must be at least 1"),
        (["mine.yaml", "--at_once=0"], "--at_once 0: it must be at least 1"),
        (["mine.yaml", "--options=--a 'b"], "--options --a 'b: No closing quotation"),
        (["mine.yaml", "--options=--ckpt_path=x"], "--options: ckpt_path is what a study gives itself"),
        (["mine.yaml", "--options=--model.lr 3"], "--options: model.lr is what s searches"),
        (["lab.yaml", "--root=nowhere"], f"{Path('nowhere/fma_genre_spectrograms')}: no such folder; give --root"),
    ],
)
def test_what_is_wrong_is_found_before_anything_is_run(args, said, study_file, standins, capfd):
    study_file(PAIR + SEARCH)
    assert said in error_of(capfd, ["study", *args])
    assert standins.lines == []
    assert not Path("runs").exists()


@pytest.fixture
def here(monkeypatch):
    """Have what would be processes run in this one."""

    def start(arguments, log=None, gpu=None):
        main(list(arguments))
        return Ended()

    for place in (running, module):
        monkeypatch.setattr(place, "start", start)


def test_a_study_of_one_fit_is_that_fit(study_file, here, genre_root):
    """The same figures and predictions as the command by itself."""
    study_file("runs: {cnn: {configs: [genre_cnn.yaml], options: {data.root: '{root}'}}}")
    own = fit_args("genre_cnn.yaml", genre_root, Path("alone"))
    main(own)
    options = [word for word in own[1:] if not word.startswith(("-c", "--data.root", "--trainer.default_root_dir"))]
    study(f"--root={genre_root}", f"--options={shlex.join(options)}")
    alone, ours = run_folder(Path("alone")), run_folder(Path("out/cnn"))
    for name in ("test_metrics.json", "predictions.csv"):
        assert (ours / name).read_bytes() == (alone / name).read_bytes()
    (row,) = read_rows(Path("out/table.csv"))
    accuracy = json.loads((ours / "test_metrics.json").read_text())["test_accuracy"]
    assert float(row["mean"]) == pytest.approx(accuracy, abs=1e-4)
    assert Path("out/report/report.html").exists()


def test_a_search_trains_without_a_test_and_what_it_finds_can_be_trained(study_file, here, genre_root):
    study_file(
        f"""
        options: {{data.root: {genre_root}}}
        runs:
          s:
            configs: [{CONFIGS / "genre_cnn.yaml"}]
            search:
              trials: 2
              metric: val_f1_macro
              options:
                model.lr_scheduler.max_lr: {{low: 1e-4, high: 1e-2, log: true}}
                data.batch_size: {{low: 4, high: 8}}
                model.backbone.channels: {{choices: [[4, 4, 8, 8], [4, 8, 8, 8]]}}
          found: {{configs: [{CONFIGS / "genre_cnn.yaml"}, "{{s}}"], after: s}}
        """
    )
    study(f"--options={shlex.join([*TRAINER, '--trainer.max_epochs=1', '--model.augmentations=[]'])}")
    for number in (0, 1):
        trial = run_folder(Path(f"out/s/trial_{number}"))
        assert json.loads((trial / "run.json").read_text())["status"] == "finished"
        assert not list(trial.glob("*test*"))
        assert "test" not in json.loads((trial / "run.json").read_text())
    assert (run_folder(Path("out/found")) / "test_metrics.json").exists()


class TestProcesses:
    """Trainings in processes of their own."""

    @pytest.fixture
    def forks(self, monkeypatch):
        class Process(Forked):
            def poll(self):
                return self.process.exitcode

            def terminate(self):
                self.process.terminate()

            def wait(self):
                return self.ended().returncode

        monkeypatch.setattr(running, "start", lambda arguments, log=None, gpu=None: Process(main, list(arguments)))
        monkeypatch.setattr(module, "start", lambda arguments: Ended())  # no report

    def test_two_at_once_end_in_two_folders(self, study_file, forks, genre_root, capsys):
        study_file(f"runs: {{cnn: {{{CNN}, seeds: 2, options: {{data.root: {genre_root}}}}}}}")
        options = [*TRAINER, *SMALL_CNN, "--trainer.max_epochs=1", "--data.batch_size=8"]
        study("--at_once=2", f"--options={shlex.join(options)}")
        printed = capsys.readouterr().out
        assert printed.index("[2/2] cnn/seed_1: musiclab") < printed.index("cnn/seed_0: test accuracy")
        for seed in (0, 1):
            run = run_folder(Path("out/cnn", f"seed_{seed}"))
            assert json.loads((run / "run.json").read_text())["seed"] == seed
            assert (run / "test_metrics.json").exists()
        (row,) = read_rows(Path("out/table.csv"))
        assert row["done"] == "2 of 2"
