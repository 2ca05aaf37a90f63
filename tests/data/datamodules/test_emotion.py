"""EmotionDataModule without a trainer: its axes, its parts, its targets, and its refusals."""

import csv

import numpy as np
import pytest
import torch
import yaml
from conftest import SHARED, make_emotion_folder

from musiclab.data.datamodules import EmotionDataModule
from musiclab.errors import UserError

AXES = ["valence", "energy", "danceability"]
REAL = SHARED / "fma_small_mel" / "multitask_dataset"


@pytest.fixture
def root(tmp_path):
    """A data set to be spoilt."""
    return make_emotion_folder(tmp_path / "emotions", train=20, test=4)


def prepared(root, *stages, **options):
    module = EmotionDataModule(root=root, **options)
    for stage in stages or ("fit",):
        module.setup(stage)
    return module


def refusal(root, *stages, **options):
    """The error of a module that must not get ready: one line."""
    with pytest.raises(UserError) as raised:
        prepared(root, *stages, **options)
    assert "\n" not in str(raised.value)
    return str(raised.value)


def read_labels(root):
    with (root / "train_labels.txt").open(newline="") as stream:
        return {row["Id"]: row for row in csv.DictReader(stream)}


def write_labels(root, labels):
    header = list(next(iter(labels.values())))
    lines = [",".join(map(str, row.values())) for row in labels.values()]
    (root / "train_labels.txt").write_text("\n".join([",".join(header), *lines]) + "\n")


def change(root, identifier, **values):
    """Give a track other values."""
    labels = read_labels(root)
    labels[identifier] |= values
    write_labels(root, labels)


def ids(loader):
    return [identifier for batch in loader for identifier in batch.ids]


def parts(module):
    """Ids of the tracks to train, to validate and, if there are any, to test on."""
    loaders = [module.train_dataloader(), module.val_dataloader()]
    return [set(ids(loader)) for loader in (*loaders, *([module.test_dataloader()] if module.has_test else []))]


@pytest.mark.parametrize(
    ("axes", "names"),
    [
        (None, AXES),
        ("energy", ["energy"]),
        (["danceability"], ["danceability"]),
        (["energy", "valence"], ["energy", "valence"]),
        (["danceability", "valence", "energy"], ["danceability", "valence", "energy"]),
    ],
)
def test_targets_are_those_of_the_label_file_in_the_order_of_the_axes(emotion_root, axes, names):
    module = prepared(emotion_root, "fit", "test", axes=axes, batch_size=7)
    assert module.target_names == names
    labels = read_labels(emotion_root)
    for loader in (module.train_dataloader(), module.val_dataloader(), module.test_dataloader()):
        for batch in loader:
            assert batch.targets.dtype == torch.float32
            expected = [[float(labels[identifier][axis]) for axis in names] for identifier in batch.ids]
            np.testing.assert_array_equal(batch.targets, np.array(expected, dtype=np.float32))


def test_axes_have_any_names(tmp_path):
    root = make_emotion_folder(tmp_path / "emotions", axes=("arousal", "Tension (1)"))
    assert prepared(root).target_names == ["arousal", "Tension (1)"]
    assert prepared(root, axes=["Tension (1)"]).train_targets().shape == (28, 1)


@pytest.mark.parametrize(
    ("options", "sizes"),
    [
        ({}, [28, 4, 8]),
        ({"val_fraction": 0.25, "test_fraction": 0.5}, [15, 5, 20]),
        ({"test_fraction": 0.0}, [36, 4]),
        ({"folds": 5, "fold": 4, "val_fraction": 0.5}, [16, 16, 8]),
        ({"folds": 5, "test_fraction": 0.0}, [32, 8]),
    ],
)
def test_parts_are_disjoint_and_complete_and_those_of_the_seed(emotion_root, options, sizes):
    def of_seed(seed):
        module = EmotionDataModule(root=emotion_root, seed=seed, **options)
        for stage in ["fit", "test"][: 1 + module.has_test]:
            module.setup(stage)
        return parts(module)

    first, again, other = map(of_seed, (0, 0, 1))
    assert list(map(len, first)) == sizes
    assert set().union(*first) == set(read_labels(emotion_root))
    assert sum(sizes) == 40
    assert first == again
    assert all(one != two for one, two in zip(first, other, strict=True))


@pytest.mark.parametrize("folds", [None, 4])
@pytest.mark.parametrize("options", [{"val_fraction": 0.4}, {"limit": 20}, {"axes": "energy"}])
def test_the_test_part_is_that_of_the_seed_alone(emotion_root, options, folds):
    plain = EmotionDataModule(root=emotion_root, folds=folds).parts.test().ids
    module = prepared(emotion_root, "fit", "test", folds=folds, **options)
    assert module.parts.test().ids == plain
    train, validation, test = parts(module)
    assert test <= set(plain)
    assert not (train | validation) & set(plain)


def test_limit_is_at_most_so_many_tracks_of_each_folder(emotion_root):
    module = prepared(emotion_root, "fit", "test", "predict", limit=6, val_fraction=0.5)
    assert list(map(len, parts(module))) == [3, 3, 6]
    assert len(ids(module.predict_dataloader())) == 6


@pytest.mark.parametrize("folds", [2, 3, 7])
def test_test_parts_of_the_folds_partition_the_tracks(emotion_root, folds):
    modules = [
        prepared(emotion_root, "fit", "test", folds=folds, fold=fold, test_fraction=0.1) for fold in range(folds)
    ]
    tested = [identifier for module in modules for identifier in ids(module.test_dataloader())]
    assert sorted(tested) == sorted(read_labels(emotion_root))
    assert all(set().union(*parts(module)) == set(tested) for module in modules)


@pytest.mark.parametrize("folds", [2, 3, 7])
def test_without_a_test_the_validation_parts_of_the_folds_partition_the_tracks(emotion_root, folds):
    modules = [prepared(emotion_root, folds=folds, fold=fold, test_fraction=0) for fold in range(folds)]
    validated = [identifier for module in modules for identifier in ids(module.val_dataloader())]
    assert sorted(validated) == sorted(read_labels(emotion_root))


def test_nothing_is_tested_with_test_fraction_0(emotion_root):
    assert prepared(emotion_root).has_test
    assert not prepared(emotion_root, test_fraction=0.0).has_test
    assert "test_fraction is 0; give a share" in refusal(emotion_root, "test", test_fraction=0.0)


@pytest.mark.parametrize("labelled", [True, False])
def test_predict_covers_all_of_test_with_targets_that_are_nan(root, labelled):
    if not labelled:
        (root / "train_labels.txt").unlink()
    module = prepared(root, "predict", axes=["energy", "valence"], batch_size=3)
    batches = list(module.predict_dataloader())
    assert [identifier for batch in batches for identifier in batch.ids] == ["120", "121", "122", "123"]
    targets = torch.cat([batch.targets for batch in batches])
    assert (targets.shape, targets.dtype) == ((4, 2), torch.float32)
    assert targets.isnan().all()


def test_training_needs_no_test_folder(root):
    for path in (root / "test").iterdir():
        path.unlink()
    prepared(root, "fit", "test")
    assert f"{root / 'test'}: no array files" in refusal(root, "predict")
    (root / "test").rmdir()
    prepared(root, "fit", "test")
    assert f"{root / 'test'}: no such folder" in refusal(root, "predict")


def test_a_track_without_labels_is_not_used(root):
    np.save(root / "train" / "5.npy", np.zeros((140, 3)))
    assert "5" not in set().union(*parts(prepared(root, "fit", "test")))


def test_hyperparameters_are_plain_and_hold_the_resolved_axes(root):
    module = prepared(root, "fit", "test", val_fraction=0.3, cache=root.parent / "cache", value_range=(0, 2))
    saved = dict(module.hparams)
    assert yaml.safe_load(yaml.safe_dump(saved)) == saved
    assert (saved["root"], saved["axes"], saved["value_range"]) == (str(root), AXES, [0, 2])
    # Another column is not what a model with these hyperparameters gives.
    write_labels(root, {key: row | {"arousal": 0.5} for key, row in read_labels(root).items()})
    again = EmotionDataModule(**saved)
    again.setup("fit")
    again.setup("test")
    assert again.target_names == AXES
    assert parts(again) == parts(module)


def test_labels_of_another_range_need_it_declared(root):
    labels = {key: row | {axis: 1 + 8 * float(row[axis]) for axis in AXES} for key, row in read_labels(root).items()}
    write_labels(root, labels)
    error = refusal(root)
    assert f"{root / 'train_labels.txt'}: track 100: valence is {labels['100']['valence']}, outside the range" in error
    assert error.endswith("range 0 to 1; correct it, or declare the range of all: --data.value_range [1,9]")
    targets = prepared(root, value_range=(1, 9)).train_targets()
    assert 1 <= targets.min() < 2
    assert 8 < targets.max() <= 9


@pytest.mark.parametrize("value", ["0.0", "1", "1e-3"])
def test_the_ends_of_the_range_are_in_it(root, value):
    change(root, "100", energy=value)
    prepared(root)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("nan", "energy is 'nan', not a finite number"),
        ("inf", "energy is 'inf', not a finite number"),
        ("high", "energy is 'high', not a finite number"),
        ("", "energy is '', not a finite number"),
        ("1.0000001", "energy is 1.0000001, outside the range 0 to 1"),
        ("-0.001", "energy is -0.001, outside the range 0 to 1"),
    ],
)
@pytest.mark.parametrize("stage", ["fit", "test"])
def test_a_bad_value_is_refused_by_file_track_axis_and_value(root, value, said, stage):
    change(root, "111", energy=value)
    assert refusal(root, stage).startswith(f"{root / 'train_labels.txt'}: track 111: {said}")
    prepared(root, stage, axes=["valence", "danceability"])  # which do not ask for it


@pytest.mark.parametrize("part", ["train", "validation", "test"])
def test_an_axis_on_which_all_tracks_of_a_part_are_equal_is_refused(root, part):
    options = {"val_fraction": 0.25}
    tracks = parts(prepared(root, "fit", "test", **options))[["train", "validation", "test"].index(part)]
    for identifier in tracks:
        change(root, identifier, energy="0.25")
    error = refusal(root, **options)
    assert error.startswith(
        f"{root / 'train_labels.txt'}: energy is 0.25 for all {len(tracks)} tracks of the {part} part"
    )
    prepared(root, axes="valence", **options)


@pytest.mark.parametrize(
    ("options", "part"),
    [({"val_fraction": 0.05}, "validation"), ({"val_fraction": 0.9}, "train"), ({"test_fraction": 0.05}, "test")],
)
def test_a_part_of_one_track_is_refused(root, options, part):
    assert f"for the only track of the {part} part" in refusal(root, **options)


@pytest.mark.parametrize("part", ["train", "validation", "test"])
def test_a_missing_file_is_named_when_training_starts(root, part):
    tracks = parts(prepared(root, "fit", "test"))[["train", "validation", "test"].index(part)]
    missing = min(tracks)
    (root / "train" / f"{missing}.fused.full.npy").unlink()
    assert f"train/{missing}.*.npy: listed in the label file but missing" in refusal(root)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"axes": "arousal"}, "train_labels.txt: no column arousal; it has valence, energy, danceability"),
        ({"axes": ["energy", "Id"]}, "train_labels.txt: no column Id; it has"),
        ({"axes": "valence,arousal"}, "no column arousal; it has"),
        ({"axes": ["energy", "valence", "energy"]}, "axes are energy, valence, energy; name each axis once"),
        ({"axes": []}, "axes are none; name each axis once"),
        ({"value_range": (9, 1)}, "value_range is [9, 1]; give the lowest"),
        ({"value_range": (1, 1)}, "value_range is [1, 1]"),
        ({"test_fraction": -0.1}, "test_fraction is -0.1; it must lie between 0 and 1"),
        ({"test_fraction": 1.0}, "test_fraction is 1.0"),
        ({"val_fraction": 0.0}, "val_fraction is 0.0"),
        ({"val_fraction": 0.0, "folds": 4}, "val_fraction is 0.0"),
        (
            {"test_fraction": 0.999},
            "(test_fraction 0.999): 20 would be held out and 0 stay, but each part needs a track; --data.test",
        ),
        (
            {"val_fraction": 0.999},
            "16 labelled tracks cannot be split (val_fraction 0.999): 16 would be held out and 0 stay, but each",
        ),
        (
            {"folds": 21},
            "20 labelled tracks cannot be split (folds 21): there are tracks for 20 folds at most; give --data.folds 5",
        ),
        (
            {"folds": 21, "test_fraction": 0},
            "20 labelled tracks cannot be split (folds 21): there are tracks for 20 folds at most; give --data.folds 5",
        ),
        ({"folds": 4, "fold": 4}, "fold 4 of 4 folds"),
        ({"limit": 1}, "label more tracks, 2 at least (with --data.limit 1; raise it)"),
        ({"limit": 0}, "limit is 0"),
    ],
)
def test_options_that_do_not_fit_are_refused(root, options, said):
    assert said in refusal(root, **options)


@pytest.mark.parametrize("axes", [None, "valence"])
def test_the_labels_of_genres_are_refused(genre_root, axes):
    assert f"{genre_root / 'train_labels.txt'}: the header is 'Id | Genre'" in refusal(genre_root, axes=axes)


@pytest.mark.parametrize(("axes", "stage"), [(None, "fit"), (None, "predict"), ("valence", "fit"), ("valence", "test")])
def test_a_missing_label_file_is_named(root, axes, stage):
    (root / "train_labels.txt").unlink()
    assert f"{root / 'train_labels.txt'}: no such label file" in refusal(root, stage, axes=axes)


@pytest.mark.skipif(not REAL.is_dir(), reason="shared/data is not beside the repository")
def test_real_data_has_991_tracks_with_labels_and_300_without():
    module = prepared(REAL, "fit", "test", "predict")
    assert module.target_names == AXES
    assert list(map(len, parts(module))) == [716, 80, 195]
    assert list(map(len, parts(prepared(REAL, "fit", "test", groups=None)))) == [712, 80, 199]
    assert len(set().union(*parts(module))) == 991
    assert len(set(ids(module.predict_dataloader()))) == 300
