"""Which trainings a study has, and the command line of each."""

import re
import textwrap
from pathlib import Path

import pytest

from commands.study.standins import leave
from musiclab.commands.study.planning import Fit, Plan
from musiclab.commands.study.reading import read_study
from musiclab.errors import UserError
from musiclab.files import own_configs

TWO = """
    options: {trainer.max_epochs: 3}
    runs:
      base: {configs: [genre_cnn.yaml], options: {data.root: "{root}/genres"}, seeds: 2}
      next:
        configs: [emotion_transfer.yaml]
        after: base
        options: {data.root: "{root}/emotions", model.pretrained: "{base}", x: "s{seed}f{fold}"}
        seeds: [1, 5]
        folds: 2
    """


@pytest.fixture
def plan(tmp_path):
    def make(text, root="/data", more=()):
        (tmp_path / "mine.yaml").write_text(textwrap.dedent(text))
        return Plan(read_study(tmp_path / "mine.yaml"), Path("out"), root and Path(root), more)

    return make


def test_a_folder_for_each_seed_and_fold(plan):
    plan = plan(TWO)
    assert [[fit.name for fit in plan.fits(entry)] for entry in plan.entries] == [
        ["base/seed_0", "base/seed_1"],
        ["next/seed_1_fold_0", "next/seed_1_fold_1", "next/seed_5_fold_0", "next/seed_5_fold_1"],
    ]


def test_a_training_is_what_a_person_could_have_typed(plan):
    plan = plan(TWO, more=["--data.limit", "4"])
    base, after = plan.entries
    assert plan.arguments(Fit(base, 1)) == [
        *("fit", "-c", "genre_cnn.yaml", "--trainer.max_epochs", "3", "--data.root", str(Path("/data/genres"))),
        *("--data.limit", "4", "--seed_everything", "1", "--trainer.default_root_dir", str(Path("out/base/seed_1"))),
    ]
    arguments = plan.arguments(Fit(after, 5, 1))
    at = arguments.index("--x")
    assert arguments[at : at + 2] == ["--x", "s5f1"]
    assert arguments[-8:] == [
        *("--seed_everything", "5", "--data.folds", "2", "--data.fold", "1"),
        *("--trainer.default_root_dir", str(Path("out/next/seed_5_fold_1"))),
    ]


def test_folds_of_another_run_leave_the_data_whole(plan):
    plan = plan(
        """
        runs:
          tested: {configs: [emotion_multitask.yaml], folds: 2}
          genre:
            configs: [genre_cnn.yaml]
            after: tested
            options: {data.folds: null, data.leave_out: "{tested}"}
            folds: 2
          next: {configs: [emotion_transfer.yaml], after: genre, options: {model.pretrained: "{genre}"}, folds: 2}
        """
    )
    _, genre, after = plan.entries
    best = [Path("out", run, "fold_1/lightning_logs/version_0/checkpoints/best.ckpt") for run in ("tested", "genre")]
    assert plan.arguments(Fit(genre, None, 1)) == [
        *("fit", "-c", "genre_cnn.yaml", "--data.folds", "null", "--data.leave_out", str(best[0])),
        *("--trainer.default_root_dir", str(Path("out/genre/fold_1"))),
    ]
    arguments = plan.arguments(Fit(after, None, 1))
    assert arguments[3:9] == ["--model.pretrained", str(best[1]), "--data.folds", "2", "--data.fold", "1"]


@pytest.mark.parametrize(("seed", "of"), [(1, "seed_1"), (5, "seed_0")])
def test_it_waits_for_the_same_seed_or_else_the_first(seed, of, plan):
    plan = plan(TWO)
    fit = Fit(plan.entries[1], seed, 0)
    assert list(plan.needs(fit)) == [("base", f"base/{of}")]
    arguments = plan.arguments(fit)
    best = Path("out/base", of, "lightning_logs/version_0/checkpoints/best.ckpt")
    assert arguments[arguments.index("--model.pretrained") + 1] == str(best)


def test_the_checkpoint_is_that_of_the_run_that_was_done(plan, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    plan = plan(TWO)
    (tmp_path / "out/base/seed_1/lightning_logs/version_0").mkdir(parents=True)  # killed at its beginning
    folder = tmp_path / "out/base/seed_1/lightning_logs"
    leave(["fit", "--trainer.default_root_dir", "elsewhere"], lambda options: 0.5)
    (tmp_path / "elsewhere/lightning_logs/version_0").rename(folder / "version_1")
    assert plan.product("base/seed_1") == Path("out/base/seed_1/lightning_logs/version_1/checkpoints/best.ckpt")
    assert plan.is_there("base/seed_1")
    assert not plan.is_there("base/seed_0")
    kept = folder / "version_1" / "checkpoints"
    (kept / "best.ckpt").unlink(missing_ok=True)  # as a config says that keeps no best one
    (kept / "last.ckpt").touch()
    assert plan.product("base/seed_1").name == "last.ckpt"


def test_without_a_root_it_is_the_demo_corpus(plan):
    plan = plan(TWO, root=None)
    assert not any(argument.startswith("--data.root") for argument in plan.arguments(Fit(plan.entries[0], 0)))


def test_a_root_without_the_data_sets(plan, tmp_path):
    (tmp_path / "genres").mkdir()
    plan = plan(TWO, root=tmp_path)
    plan.check_root(plan.entries[:1])
    with pytest.raises(UserError) as caught:
        plan.check_root(plan.entries)
    assert str(caught.value) == (
        f"{tmp_path / 'emotions'}: no such folder; give --root the folder that holds genres, emotions"
    )


def test_a_trial_is_not_tested(plan):
    plan = plan(
        """
        runs:
          s:
            configs: [genre_cnn.yaml]
            search: {metric: val_accuracy, trials: 1, options: {a.b: {low: 1, high: 2}}}
          t: {configs: [genre_cnn.yaml, "{s}"], after: s}
        """
    )
    search, after = plan.entries
    assert plan.fits(search) == []
    assert plan.arguments(Fit(search), "s/trial_0", {"a.b": "1.5"})[3:] == [
        *("--a.b", "1.5", "--trainer.limit_test_batches", "0"),
        *("--trainer.default_root_dir", str(Path("out/s/trial_0"))),
    ]
    assert plan.arguments(Fit(after))[:5] == ["fit", "-c", "genre_cnn.yaml", "-c", str(Path("out/s/best.yaml"))]


def test_the_lab_s_table():
    plan = Plan(read_study(own_configs("studies")["lab.yaml"]), Path("out"), None, ())
    names = [fit.name for entry in plan.entries for fit in plan.fits(entry)]
    axes = ("valence", "energy", "danceability")
    assert names == [
        *("genre_cnn", "genre_lstm_mel", "genre_lstm_beat", "genre_lstm_chroma", "genre_lstm_fused"),
        *(f"lstm_{axis}" for axis in axes),
        *(f"cnn_{axis}" for axis in axes),
        *("transfer", "multitask", "multitask_fixed", "multitask_learned"),
    ]


@pytest.mark.parametrize(
    ("run", "said"),
    [
        ('configs: ["{root}/x.yaml"]', "a: {root}/x.yaml in its configs, but no --root"),
        (
            'configs: [genre_cnn.yaml], vary: {data.root: {x: "{root}/x", y: "{root}/y"}}',
            "a_x and a_y would both take the demo corpus; give --root",
        ),
    ],
)
def test_what_cannot_be_without_a_root(run, said, plan, tmp_path):
    without = plan(f"runs: {{a: {{{run}}}}}", root=None)
    with pytest.raises(UserError, match=re.escape(said)):
        without.check_root(without.entries)
    for name in ("x", "y", "x.yaml"):
        (tmp_path / name).touch()
    plan(f"runs: {{a: {{{run}}}}}", root=tmp_path).check_root(without.entries)


def test_variations_that_differ_without_a_root(plan):
    text = (
        "runs: {a: {configs: [genre_cnn.yaml], options: {data.root: '{root}/x'}, vary: {data.features: [mel, chroma]}}}"
    )
    without = plan(text, root=None)
    without.check_root(without.entries)
