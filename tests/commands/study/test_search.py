"""A search: which trials there are, what Optuna is told of them, and the config of the best."""

import json
import math
from itertools import pairwise
from pathlib import Path

import optuna
import pytest
import yaml
from command_line import error_of
from filelock import FileLock
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from musiclab.cli import main
from musiclab.commands.study import search as module

RATE = "--model.lr_scheduler.max_lr"

SEARCH = """
    runs:
      lr:
        configs: [genre_cnn.yaml]
        search:
          trials: 6
          metric: val_accuracy
          options:
            model.lr_scheduler.max_lr: {low: 1e-4, high: 1, log: true}
      found:
        configs: [genre_cnn.yaml, "{lr}"]
        after: lr
    """


def rate_of(line):
    return float(dict(pairwise(line))[RATE])


def nearness(options):
    """A score that is the better, the nearer the rate is to 0.01."""
    return 1 / (1 + abs(math.log10(float(options.get(RATE, 1))) + 2))


@pytest.fixture
def search(study_file, standins, tmp_path):
    """Run the search with what stands in for its trainings."""
    study_file(SEARCH)
    standins.score = nearness

    def run(*more):
        main(["study", "mine.yaml", "--out=out", "--only=lr", *more])

    return run


def trials(out="out/lr"):
    storage = JournalStorage(JournalFileBackend(str(Path(out, "journal.log"))))
    return optuna.load_study(study_name="lr", storage=storage).trials


def test_trials_are_run_and_told_and_the_best_becomes_a_config(search, standins, capsys):
    search()
    assert standins.folders == [Path("out/lr", f"trial_{number}") for number in range(6)]
    rates = [rate_of(line) for line in standins.lines]
    assert len(set(rates)) == 6
    assert all(dict(pairwise(line))["--trainer.limit_test_batches"] == "0" for line in standins.lines)
    told = trials()
    assert [trial.value for trial in told] == [pytest.approx(nearness({RATE: rate})) for rate in rates]
    best = min(rates, key=lambda rate: abs(math.log10(rate) + 2))
    text = Path("out/lr/best.yaml").read_text()
    expected = {"model": {"init_args": {"lr_scheduler": {"init_args": {"max_lr": best}}}}}
    assert yaml.safe_load(text) == expected
    assert text.startswith(f"# The best of lr: trial {rates.index(best)}, val_accuracy ")
    printed = capsys.readouterr().out
    assert f"the best of 6 trials is trial {rates.index(best)}: model.lr_scheduler.max_lr {best}" in printed
    command = printed.splitlines()[-1].split()
    assert command == [*["musiclab", "fit", "-c", "genre_cnn.yaml", "-c"], str(Path("out/lr/best.yaml"))]


def test_it_is_the_same_again_wherever_it_was_interrupted(search, standins):
    search()
    whole = [rate_of(line) for line in standins.lines]
    standins.lines.clear()
    standins.code = lambda line: KeyboardInterrupt() if len(standins.lines) == 3 else 0
    with pytest.raises(SystemExit) as ended:
        search("--out=again")
    assert ended.value.code == 130
    assert [trial.state.name for trial in trials("again/lr")] == ["COMPLETE", "COMPLETE", "RUNNING"]
    interrupted = standins.lines[-1]
    standins.lines.clear()
    standins.code = lambda line: 0
    search("--out=again")
    assert standins.folders == [Path("again/lr", f"trial_{number}") for number in range(2, 6)]
    assert standins.lines[0][3] == "--ckpt_path"  # from its checkpoint
    told = trials("again/lr")
    assert [trial.params[RATE.removeprefix("--")] for trial in told] == whole
    assert rate_of(interrupted) == whole[2]
    standins.lines.clear()
    search("--out=again")
    assert standins.lines == []


def test_a_trial_that_had_ended_before_anybody_was_told_is_read(search, standins):
    standins.code = lambda line: KeyboardInterrupt() if len(standins.lines) == 2 else 0
    with pytest.raises(SystemExit):
        search()
    record = Path("out/lr/trial_1/lightning_logs/version_0/run.json")
    record.write_text(json.dumps(json.loads(record.read_text()) | {"status": "finished"}))
    standins.code = lambda line: 0
    search()
    assert {trial.state.name for trial in trials()} == {"COMPLETE"}
    assert len(trials()) == 6


def test_a_trial_of_another_process_is_left_to_it(search, standins, capfd):
    standins.code = lambda line: KeyboardInterrupt() if len(standins.lines) == 2 else 0
    with pytest.raises(SystemExit):
        search()
    standins.lines.clear()
    standins.code = lambda line: 0
    with FileLock("out/lr/trial_1/.study.lock"), pytest.raises(SystemExit):
        search()
    assert "lr, trial 6 of 6: another process still trains trial_1; wait for its end" in capfd.readouterr().out
    assert standins.folders == [Path("out/lr", f"trial_{number}") for number in range(2, 6)]
    assert [trial.state.name for trial in trials()].count("COMPLETE") == 5


def test_a_trial_that_outlives_its_study_is_left_alone(search, standins, capfd):
    standins.code = lambda line: KeyboardInterrupt() if len(standins.lines) == 2 else 0
    with pytest.raises(SystemExit):
        search()
    standins.lines.clear()
    standins.code = lambda line: 0
    with FileLock("out/lr/trial_1/lightning_logs/version_0/.lock"), pytest.raises(SystemExit):
        search()
    assert "another process still trains trial_1" in capfd.readouterr().out
    assert Path("out/lr/trial_1") not in standins.folders
    search()
    assert [trial.state.name for trial in trials()] == ["COMPLETE"] * 6


def test_a_trial_that_fails_is_made_good_the_next_time(search, standins, capfd):
    standins.code = lambda line: int(len(standins.lines) == 2)
    with pytest.raises(SystemExit) as ended:
        search()
    assert ended.value.code == 1
    assert "lr, trial 2 of 6: failed; mend what" in capfd.readouterr().err
    assert [trial.state.name for trial in trials()].count("COMPLETE") == 5
    standins.lines.clear()
    standins.code = lambda line: 0
    search()
    assert standins.folders == [Path("out/lr/trial_6")]


def test_a_wrong_command_line_ends_the_search(search, standins, capfd):
    standins.code = lambda line: 2
    with pytest.raises(SystemExit):
        search()
    assert len(standins.folders) == 1
    assert "the command line of its trials is wrong" in capfd.readouterr().out


@pytest.mark.parametrize(
    ("record", "said"),
    [
        ({"history": [{"epoch": 2, "val_acc": 0.5}]}, "did you mean val_acc?"),
        ({"history": [{"epoch": 2, "val_x": 0.5, "val_y": 1}]}, "the trainings have no such metric; there are val_x"),
        ({"best": None}, "val_accuracy: the trainings have no such metric"),
        ({"best": {"monitor": "val_accuracy", "mode": "min", "value": 1, "epoch": 2}}, "give its search mode: min"),
    ],
)
def test_a_metric_that_there_is_not_ends_the_search(record, said, search, standins, capfd):
    standins.record = {"best": {"monitor": "val_loss", "mode": "min", "value": 0.5, "epoch": 2}} | record
    with pytest.raises(SystemExit):
        search()
    assert len(standins.folders) == 1
    assert said in capfd.readouterr().out


def test_another_metric_than_the_monitored_is_that_of_the_best_epoch(study_file, standins):
    study_file(SEARCH.replace("val_accuracy", "val_loss").replace("trials: 6", "trials: 1"))
    standins.record = {"history": [{"epoch": 1, "val_loss": 0.1}, {"epoch": 2, "val_loss": 0.7}]}
    main(["study", "mine.yaml", "--out=out", "--only=lr"])
    (trial,) = trials()
    assert trial.value == 0.7


@pytest.mark.parametrize("value", ["nan", [1], None])
def test_a_score_that_is_no_number_is_no_result(value, study_file, standins, capsys):
    study_file(SEARCH.replace("trials: 6", "trials: 1"))
    standins.record = {"best": {"monitor": "val_accuracy", "mode": "max", "value": value, "epoch": 2}}
    main(["study", "mine.yaml", "--out=out", "--only=lr"])
    assert "val_accuracy is no number" in capsys.readouterr().out
    assert not Path("out/lr/best.yaml").exists()


def test_a_search_that_was_begun_otherwise(search, study_file, standins, capfd):
    search()
    study_file(SEARCH.replace("val_accuracy", "val_loss").replace("trials: 6", "trials: 7"))
    error = error_of(capfd, ["study", "mine.yaml", "--out=out", "--only=lr"])
    assert "begun as a search by val_accuracy max, not by val_loss min" in error
    before = list(standins.lines)
    for old, new, said in (
        ("{low: 1e-4, high: 1, log: true}", "{choices: [1, 2]}", "begun with model.lr_scheduler.max_lr: "),
        ("trials: 6", "trials: 7\n          seed: 3", "begun with seed: 0 and without seed: 3; trials of both"),
        ("search:", "options: {data.limit: 9}\n        search:", "begun without --data.limit 9; trials of both"),
    ):
        study_file(SEARCH.replace(old, new, 1))
        assert said in error_of(capfd, ["study", "mine.yaml", "--out=out", "--only=lr"])
    assert standins.lines == before


def test_more_trials_in_a_folder_that_was_moved(search, study_file, standins, tmp_path):
    search()
    Path("out").rename("moved")
    study_file(SEARCH.replace("trials: 6", "trials: 7"))
    standins.lines.clear()
    main(["study", "mine.yaml", f"--out={tmp_path / 'moved'}", "--only=lr"])
    assert standins.folders == [tmp_path / "moved/lr/trial_6"]


@pytest.mark.parametrize("content", [b"", None])
def test_without_the_journal_trials_of_another_search_are_no_results(content, search, study_file, standins, capfd):
    search()
    Path("out/lr/journal.log").unlink()
    if content is not None:
        Path("out/lr/journal.log").write_bytes(content)
    study_file(SEARCH.replace("high: 1,", "high: 2,"))
    standins.lines.clear()
    for _ in range(2):
        with pytest.raises(SystemExit):
            search()
        said = capfd.readouterr().out
        assert f"{Path('out/lr/trial_0')}: a trial that was begun with --model.lr_scheduler.max_lr " in said
        assert f"of which journal.log does not know; put back a copy of that, or remove {Path('out/lr')} to" in said
    assert standins.lines == []


@pytest.mark.parametrize("damage", [lambda old: old[:-9], lambda old: b"\xff\x00\n" * 3, lambda old: b"[3]\n" + old])
@pytest.mark.parametrize("more", [[], ["--show=true"]])
def test_a_damaged_journal_is_said_in_a_line(damage, more, search, standins, capfd):
    standins.code = lambda line: KeyboardInterrupt() if len(standins.lines) == 2 else 0
    with pytest.raises(SystemExit):
        search()
    journal = Path("out/lr/journal.log")
    damaged = damage(journal.read_bytes())
    journal.write_bytes(damaged)
    capfd.readouterr()
    error = error_of(capfd, ["study", "mine.yaml", "--out=out", "--only=lr", *more])
    assert f"{journal}: damaged, no journal of Optuna; put back a copy" in error
    assert journal.read_bytes() == damaged


def test_a_run_after_it_takes_its_config(study_file, standins, capfd):
    study_file(SEARCH)
    main(["study", "mine.yaml", "--out=out"])
    assert standins.folders[-1] == Path("out/found")
    assert standins.lines[-2][:5] == [*["fit", "-c", "genre_cnn.yaml", "-c"], str(Path("out/lr/best.yaml"))]
    assert "--trainer.limit_test_batches" not in standins.lines[-2]
    assert standins.lines[-1] == ["report", str(Path("out/found")), "--out", str(Path("out/report"))]  # no trials


def test_without_any_result_what_comes_after_is_not_run(study_file, standins, capfd):
    study_file(SEARCH)
    standins.code = lambda line: 1
    with pytest.raises(SystemExit):
        main(["study", "mine.yaml", "--out=out"])
    assert "found: not run, as lr, which it comes after, has not been done" in capfd.readouterr().out


def test_what_comes_after_waits_for_all_trials(study_file, standins, capfd):
    study_file(SEARCH)
    standins.code = lambda line: int(len(standins.lines) == 2)
    with pytest.raises(SystemExit):
        main(["study", "mine.yaml", "--out=out"])
    assert Path("out/lr/best.yaml").exists()
    assert "found: not run, as lr, which it comes after, has not been done" in capfd.readouterr().out
    assert not Path("out/found").exists()
    standins.code = lambda line: 0
    main(["study", "mine.yaml", "--out=out"])
    assert Path("out/found").exists()


def test_a_run_of_an_earlier_search_is_told_of(study_file, standins, capsys):
    study_file(SEARCH)
    standins.score = lambda options: 0.5
    main(["study", "mine.yaml", "--out=out"])
    main(["study", "mine.yaml", "--out=out"])
    assert "made from an earlier" not in capsys.readouterr().out
    study_file(SEARCH.replace("trials: 6", "trials: 7"))
    standins.score = lambda options: 0.9
    main(["study", "mine.yaml", "--out=out"])
    printed = capsys.readouterr().out
    assert f"found: made from an earlier lr; remove {Path('out/found')} to make it anew" in printed
    assert "1 of 1 (1 made from an earlier lr)" in printed


def test_shown_is_the_command_of_the_whole_search(study_file, capsys):
    study_file(SEARCH)
    main(["study", "mine.yaml", "--out=out", "--options=--data.limit 3", "--show=true"])
    first, second = capsys.readouterr().out.splitlines()
    assert first == "musiclab study mine.yaml --out out --options '--data.limit 3' --only lr"
    main(["study", "mine.yaml", "--out=out", "--seeds=3", "--folds=2", "--show=true"])
    assert capsys.readouterr().out.startswith("musiclab study mine.yaml --out out --seeds 3 --folds 2 --only lr\n")
    assert second.startswith(f"musiclab fit -c genre_cnn.yaml -c {Path('out/lr/best.yaml')} --data.limit 3")
    assert not Path("out").exists()


def test_without_optuna(study_file, monkeypatch, capfd):
    study_file(SEARCH)
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    error = error_of(capfd, ["study", "mine.yaml"])
    assert error == "musiclab: error: a search needs Optuna: pip install musiclab[search]"
