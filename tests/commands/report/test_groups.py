"""Groups of runs: what belongs together, what it is called, mean and spread."""

import pytest

from commands.report.making import make_run
from musiclab.commands.report.datasets import assign
from musiclab.commands.report.groups import make_groups, model_name, spread, task_words
from musiclab.commands.report.settings import fold_of
from musiclab.runs.run import read_run

SPEARMAN = {"class_path": "musiclab.losses.RegressionLoss", "init_args": {"mse": 1.0, "spearman": 0.1}}


def groups_of(tmp_path, *settings):
    runs = [read_run(make_run(tmp_path / str(number), **kwargs)) for number, kwargs in enumerate(settings)]
    return make_groups(runs, assign(runs))


def test_runs_with_other_seeds_are_one_group_and_other_settings_another(tmp_path):
    first, second, third = groups_of(
        tmp_path,
        {"kind": "emotion", "seed": 1},
        {"kind": "emotion", "seed": 0, "data_num_workers": 2},
        {"kind": "emotion", "seed": 0, "model_loss": SPEARMAN},
        {"kind": "emotion", "seed": 0, "model_frozen_epochs": 5, "trainer_max_epochs": 9},
    )
    assert [run.seed for run in first.runs] == [0, 1]
    assert [group.title for group in (first, second, third)] == [f"{n}: multitask CNN, mel" for n in (1, 2, 3)]
    assert [group.base for group in (first, second, third)] == [1, 1, 1]
    assert second.differs == ["model.loss.spearman 0.1"]
    assert third.differs == ["model.frozen_epochs 5", "trainer.max_epochs 9"]
    assert sorted(first.differs) == ["model.frozen_epochs null", "model.loss.spearman null", "trainer.max_epochs 3"]


def test_a_part_is_not_named_beside_its_whole(tmp_path):
    other = {"class_path": "musiclab.losses.PublishedLoss", "init_args": {"weight": 0.1}}
    first, *_ = groups_of(
        tmp_path,
        {"kind": "emotion"},
        {"kind": "emotion", "seed": 1},
        {"kind": "emotion", "model_loss": SPEARMAN},
        {"kind": "emotion", "model_loss": other},
    )
    assert first.differs == ["model.loss RegressionLoss (mse 1.0)"]


def test_the_number_of_processes_and_the_data_tell_runs_apart(tmp_path):
    groups = groups_of(
        tmp_path,
        {},
        {"seed": 1, "record": {"processes": 2}},
        {"seed": 2, "record": {"tracks": {"train": 5, "validation": 5}}},
    )
    assert [len(group.runs) for group in groups] == [1, 1, 1]


def test_only_finished_runs_count_and_each_seed_once(tmp_path):
    (group,) = groups_of(
        tmp_path,
        {"seed": 0},
        {"seed": 0},
        {"seed": 1, "record": {"status": "running"}, "tested": False},
        {"seed": 2},
    )
    assert [run.seed for run in group.runs] == [0, 0, 1, 2]
    assert [run.folder.name for run in group.counted] == ["0", "3"]


def test_runs_of_other_folds_are_one_group_each_seed_and_fold_counts_once(tmp_path):
    cross = {"kind": "emotion", "data_folds": 2}
    runs = [{**cross, "seed": seed, "data_fold": fold} for seed in range(2) for fold in range(2)]
    whole, group = groups_of(tmp_path, *runs, runs[0], {"kind": "emotion", "data_folds": None, "data_fold": 1})
    assert [(run.seed, fold_of(run)) for run in group.runs] == [
        (0, 0),
        (0, 0),
        (0, 1),
        (1, 0),
        (1, 1),
    ]
    assert (len(group.counted), group.count, group.folds) == (4, "4 (2 seeds, 2 folds, of 5 runs)", {0, 1})
    assert (whole.count, whole.folds) == ("1", set())
    assert group.data.name == f"{whole.data.name}, 2 folds"  # tested on other tracks


def test_a_study_gives_each_seed_and_fold_its_own_genre_model(tmp_path):
    runs = [
        {
            "kind": "emotion",
            "seed": seed,
            "data_folds": 2,
            "data_fold": fold,
            "data_leave_out": f"/lists/fold_{fold}.txt",
            "model_pretrained": f"/study/genre/seed_{seed}_fold_{fold}/lightning_logs/version_0/checkpoints/best.ckpt",
        }
        for seed in (1, 10)
        for fold in range(2)
    ]
    (group,) = groups_of(tmp_path / "own", *runs)
    assert group.count == "4 (2 seeds, 2 folds)"
    other = {**runs[0], "model_pretrained": runs[2]["model_pretrained"]}  # the model of seed 10 for seed 1
    assert len(groups_of(tmp_path / "other", *runs, other)) == 2


def test_runs_with_damaged_settings_stay_by_themselves(tmp_path):
    folders = [make_run(tmp_path / str(number)) for number in range(2)]
    for folder in folders:
        (folder / "config.yaml").write_text("a: [")
    runs = [read_run(folder) for folder in folders]
    assert [len(group.runs) for group in make_groups(runs, assign(runs))] == [1, 1]


@pytest.mark.parametrize(
    ("settings", "task", "name"),
    [
        ({}, "genre", "CNN, mel"),
        ({"record": {"beat_synced": True, "features": "fused"}}, "genre", "CNN, fused in beats"),
        ({"kind": "emotion"}, "multitask", "multitask CNN, mel"),
        ({"kind": "emotion", "names": ["energy"]}, "energy", "energy CNN, mel"),
        (
            {"kind": "emotion", "names": ["energy", "calm"]},
            "multitask energy + calm",
            "multitask energy + calm CNN, mel",
        ),
        ({"kind": "emotion", "model_pretrained": "x.ckpt"}, "transfer", "transfer CNN, mel"),
        (
            {"kind": "emotion", "names": ["energy"], "model_pretrained": "x"},
            "transfer energy",
            "transfer energy CNN, mel",
        ),
        (
            {"kind": "emotion", "record": {"task": "RegressionTask"}},
            "valence + energy + danceability",
            "valence + energy + danceability CNN, mel",
        ),
    ],
)
def test_what_models_are_called(tmp_path, settings, task, name):
    run = read_run(make_run(tmp_path / "run", **settings))
    assert (task_words(run), model_name(run)) == (task, name)


def test_groups_are_in_the_order_of_the_labs_steps(tmp_path):
    emotion = {"kind": "emotion", "data_root": "/data/a"}
    groups = groups_of(
        tmp_path,
        {**emotion, "model_pretrained": "x"},
        {**emotion},
        {**emotion, "names": ["energy"]},
        {**emotion, "names": ["valence"]},
        {"data_root": "/data/z"},
        {"data_root": "/data/a"},
    )
    names = [(group.data.kind, group.data.name[0], group.name) for group in groups]
    assert names == [
        ("classes", "d", "CNN, mel"),
        ("classes", "d", "CNN, mel"),
        ("values", "d", "valence CNN, mel"),
        ("values", "d", "energy CNN, mel"),
        ("values", "d", "multitask CNN, mel"),
        ("values", "d", "transfer CNN, mel"),
    ]
    assert [group.data.name.split(",")[0] for group in groups[:2]] == ["data/a", "data/z"]


def test_mean_and_spread():
    def text(value):
        return f"{value:.2f}"

    assert spread([0.5, 0.25, 0.75], text) == "0.50 (0.25 - 0.75)"
    assert spread([0.5], text) == "0.50"
    assert spread([], text) == ""
