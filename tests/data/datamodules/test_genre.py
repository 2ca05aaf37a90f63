"""GenreDataModule without a trainer: what it knows at once, its parts, its batches, and its refusals."""

import logging
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from conftest import GENRES, make_genre_folder

from musiclab.data.datamodules import GenreDataModule
from musiclab.errors import UserError

ROWS = {"mel": slice(0, 128), "chroma": slice(128, 140), "fused": slice(0, 140)}


@pytest.fixture
def root(tmp_path):
    """A data set to be spoilt."""
    return make_genre_folder(tmp_path / "genres", train=30, test=6)


def prepared(root, stage="fit", **options):
    module = GenreDataModule(root=root, **options)
    module.setup(stage)
    return module


def read(root, part, identifier):
    return np.load(root / part / f"{identifier}.fused.full.npy")


def labels(root, part):
    lines = (root / f"{part}_labels.txt").read_text().splitlines()[1:]
    return {name.split(".")[0]: genre for name, genre in (line.split("\t") for line in lines)}


def write_labels(root, part, genres):
    lines = [f"{identifier}.npy\t{genre}\n" for identifier, genre in genres.items()]
    (root / f"{part}_labels.txt").write_text("Id\tGenre\n" + "".join(lines))


def ids(loader):
    return [identifier for batch in loader for identifier in batch.ids]


def parts(module):
    return ids(module.train_dataloader()), ids(module.val_dataloader())


def both(module):
    train, validation = parts(module)
    return train + validation


def genres_of(module, batch):
    return [module.target_names[target] for target in batch.targets]


@pytest.mark.parametrize(("features", "number"), [("mel", 128), ("chroma", 12), ("fused", 140)])
def test_shape_of_the_model_is_known_before_setup(genre_root, features, number):
    module = GenreDataModule(root=genre_root, features=features)
    assert module.num_features == number
    assert module.target_names == GENRES


@pytest.mark.parametrize(
    ("class_map", "names", "tracks"),
    [
        ("lab", ["Rebetiko", "Rock"], 23),
        (None, ["Psych-Rock", "Rebetiko", "Rock", "Soundtrack"], 30),
        ({}, ["Psych-Rock", "Rebetiko", "Rock", "Soundtrack"], 30),
        ({"Rebetiko": "Folk", "Rock": None}, ["Folk", "Psych-Rock", "Soundtrack"], 22),
    ],
    ids=["lab", "none", "empty", "own"],
)
def test_class_map_merges_and_drops(root, class_map, names, tracks):
    kinds = ["Rock", "Psych-Rock", "Soundtrack", "Rebetiko"]
    for part in ("train", "test"):
        write_labels(root, part, {i: kinds[n % 4] for n, i in enumerate(labels(root, part))})
    module = prepared(root, class_map=class_map, val_fraction=0.2)
    assert module.target_names == names
    assert len(both(module)) == tracks


def test_fit_says_what_the_map_did(root, caplog):
    first, *others = labels(root, "train")
    genres = {first: "Soundtrack"} | dict.fromkeys(others[:10], "Jazz") | dict.fromkeys(others[10:], "Punk")
    write_labels(root, "train", genres)
    write_labels(root, "test", dict.fromkeys(labels(root, "test"), "Punk"))
    with caplog.at_level(logging.INFO):
        prepared(root)
    assert "Punk (19) -> Metal; dropped Soundtrack (1)" in caplog.text


def test_the_default_map_is_the_labs_where_all_genres_are_and_else_none(root, caplog):
    kinds = ["Rock", "Psych-Rock", "Soundtrack"]
    for part in ("train", "test"):
        write_labels(root, part, {i: kinds[n % 3] for n, i in enumerate(labels(root, part))})
    write_labels(root, "train", {i: [*kinds, "Jazz"][n % 4] for n, i in enumerate(labels(root, "train"))})
    module = GenreDataModule(root=root)
    assert (module.target_names, module.hparams["class_map"]) == (["Jazz", "Rock"], "lab")
    for part in ("train", "test"):  # a genre of the test part counts as well
        own = labels(root, part)
        genres = {i: [*kinds, "Jazz"][n % 4] for n, i in enumerate(own)}
        write_labels(root, part, genres | ({next(iter(own)): "Rebetiko"} if part == "test" else {}))
    module = GenreDataModule(root=root)
    assert (module.target_names, module.hparams["class_map"]) == (["Jazz", *sorted(kinds)], None)
    write_labels(root, "test", dict.fromkeys(labels(root, "test"), "Rock"))
    write_labels(root, "train", {i: [*kinds, "Rebetiko"][n % 4] for n, i in enumerate(labels(root, "train"))})
    with caplog.at_level(logging.INFO):
        module = prepared(root, val_fraction=0.2)
    assert module.target_names == sorted([*kinds, "Rebetiko"])
    assert "Genres are not merged, as not all are the lab's (Rebetiko); --data.class_map lab would give" in caplog.text
    assert "dropped Soundtrack" in caplog.text


def test_genres_that_no_map_would_change_are_nothing_to_speak_of(genre_root, caplog):
    with caplog.at_level(logging.INFO):
        prepared(genre_root)
    assert "merged" not in caplog.text


def test_target_names_given_set_the_order(genre_root):
    module = prepared(genre_root, "test", target_names=["Rock", "Opera", "Blues", "Jazz"])
    batch = next(iter(module.test_dataloader()))
    assert genres_of(module, batch) == [labels(genre_root, "test")[i] for i in batch.ids]
    assert set(batch.targets.tolist()) == {0, 2, 3}


@pytest.mark.parametrize("features", ROWS)
def test_batches_hold_the_rows_of_the_files_and_no_padding_is_seen(genre_root, features):
    module = prepared(genre_root, features=features, batch_size=7, store_dtype="float32")
    for batch in module.train_dataloader():
        for spectrogram, length, identifier in zip(batch.spectrograms, batch.lengths, batch.ids, strict=True):
            array = read(genre_root, "train", identifier)[ROWS[features]]
            assert length == array.shape[1]
            np.testing.assert_array_equal(spectrogram[:length].numpy(), array.T)
            assert not spectrogram[length:].any()


def test_batches_have_the_documented_shapes_and_types(genre_root):
    module = prepared(genre_root, batch_size=5)
    batches = list(module.train_dataloader())
    assert [len(batch.ids) for batch in batches] == [5] * 6 + [2]
    for batch in batches:
        size = len(batch.ids)
        assert batch.spectrograms.shape == (size, batch.lengths.max(), 128)
        assert batch.spectrograms.dtype == torch.float32
        assert (batch.lengths.shape, batch.lengths.dtype) == ((size,), torch.int64)
        assert (batch.targets.shape, batch.targets.dtype) == ((size,), torch.int64)
        assert genres_of(module, batch) == [labels(genre_root, "train")[i] for i in batch.ids]


def test_training_and_validation_share_out_the_training_tracks(genre_root):
    train, validation = parts(prepared(genre_root, val_fraction=0.25))
    assert len(validation) == 9
    assert sorted(train + validation) == sorted(labels(genre_root, "train"))


def test_validation_part_is_that_of_the_seed(genre_root):
    first, again, other = (parts(prepared(genre_root, seed=seed))[1] for seed in (0, 0, 1))
    assert first == again != other


def test_folds_cover_all_tracks_and_do_not_overlap(genre_root):
    held_out = [i for fold in range(4) for i in parts(prepared(genre_root, folds=4, fold=fold))[1]]
    assert sorted(held_out) == sorted(labels(genre_root, "train"))


def test_limit_keeps_some_of_each_genre(genre_root):
    module = prepared(genre_root, limit=12, val_fraction=0.25)
    module.setup("test")
    for part, chosen, each in (
        ("train", both(module), 4),
        ("test", ids(module.test_dataloader()), 3),
    ):
        genres = [labels(genre_root, part)[i] for i in chosen]
        assert {genre: genres.count(genre) for genre in GENRES} == dict.fromkeys(GENRES, each)


@pytest.mark.parametrize("features", ROWS)
def test_statistics_are_numpys_over_the_frames_of_the_training_part(genre_root, features):
    module = prepared(genre_root, features=features, store_dtype="float32")
    frames = np.concatenate([read(genre_root, "train", i)[ROWS[features]].T for i in parts(module)[0]], dtype=float)
    mean, std = module.feature_statistics()
    assert mean.dtype == std.dtype == torch.float32
    np.testing.assert_allclose(mean, frames.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(std, frames.std(axis=0), rtol=1e-4)


def test_train_targets_are_those_of_the_training_part(genre_root):
    module = prepared(genre_root)
    assert torch.bincount(module.train_targets()).tolist() == [
        [labels(genre_root, "train")[i] for i in parts(module)[0]].count(genre) for genre in GENRES
    ]


@pytest.mark.parametrize("stage", ["test", "predict"])
def test_test_tracks_come_in_the_order_of_the_labels(genre_root, stage):
    module = prepared(genre_root, stage, batch_size=4)
    loader = module.test_dataloader() if stage == "test" else module.predict_dataloader()
    assert ids(loader) == list(labels(genre_root, "test"))
    assert [genre for batch in loader for genre in genres_of(module, batch)] == list(
        labels(genre_root, "test").values()
    )


def test_predict_without_labels_covers_all_files(root):
    expected = sorted(labels(root, "test"))
    (root / "test_labels.txt").unlink()
    batch = next(iter(prepared(root, "predict").predict_dataloader()))
    assert batch.ids == expected
    assert batch.targets.tolist() == [-1] * 6
    assert batch.targets.dtype == torch.int64


def test_a_test_needs_labels(root):
    (root / "test_labels.txt").unlink()
    with pytest.raises(UserError, match=r"test_labels\.txt: no such label file, so there is nothing to test on"):
        prepared(root, "test")


@pytest.mark.parametrize("features", ["chroma", "fused"])
@pytest.mark.parametrize("stage", ["fit", "test", "predict"])
def test_features_that_the_arrays_lack_are_refused(tmp_path, features, stage):
    root = make_genre_folder(tmp_path / "mel", train=30, test=6, rows=128)
    with pytest.raises(UserError, match=f"{features} features need 140 rows, but its arrays have 128 .*features mel"):
        prepared(root, stage, features=features)
    assert prepared(root, stage, features="mel").num_features == 128


@pytest.mark.parametrize(("part", "stage"), [("train", "fit"), ("test", "test")])
def test_listed_file_that_is_missing_is_named(root, part, stage):
    missing = list(labels(root, part))[:2]
    for identifier in missing:
        (root / part / f"{identifier}.fused.full.npy").unlink()
    with pytest.raises(UserError, match=rf"{part}/{missing[0]}\..*missing \(and 1 more\).*musiclab check"):
        prepared(root, stage)


def test_file_that_is_not_listed_is_not_used(root):
    np.save(root / "train" / "5.npy", np.zeros((140, 3)))
    assert "5" not in both(prepared(root))


@pytest.mark.parametrize("stage", ["fit", "test"])
def test_test_genre_that_training_lacks_is_refused_at_once(root, stage):
    write_labels(root, "test", labels(root, "test") | {"132": "Opera"})
    with pytest.raises(UserError, match=r"test_labels\.txt: genre Opera is none of the model's \(Blues, Jazz, Rock\)"):
        prepared(root, stage)


def test_map_that_drops_everything_is_refused(genre_root):
    with pytest.raises(UserError, match="class_map drops every track"):
        GenreDataModule(root=genre_root, class_map=dict.fromkeys(GENRES))


def test_root_that_is_missing_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"nowhere: no such folder; .*--data.root"):
        GenreDataModule(root=tmp_path / "nowhere")


def test_no_root_is_refused():
    with pytest.raises(UserError, match=r'root is null; .*\.demo_folder\("fma_genre_spectrograms", beat_synced=True\)'):
        GenreDataModule(beat_synced=True)


def test_root_without_labels_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"train_labels\.txt: no such label file"):
        GenreDataModule(root=tmp_path)


def test_limit_that_leaves_no_track_is_refused(genre_root):
    with pytest.raises(UserError, match="limit is 0"):
        prepared(genre_root, limit=0)


@pytest.mark.parametrize(
    ("options", "by_length"),
    [
        ({}, False),
        ({"beat_synced": True}, True),
        ({"beat_synced": True, "by_length": False}, False),
        ({"by_length": True}, True),
    ],
)
def test_beat_synced_tracks_are_batched_by_length(genre_root, options, by_length):
    module = prepared(genre_root, batch_size=4, **options)
    lengths = [batch.lengths for batch in module.train_dataloader()]
    assert module.loading.by_length is by_length
    assert all((length.diff() >= 0).all() for length in lengths) is by_length


@pytest.mark.parametrize(("stage", "loader"), [("fit", "val"), ("test", "test"), ("predict", "predict")])
def test_evaluation_by_length_has_batches_of_similar_lengths(genre_root, stage, loader):
    sorted_by_length, plain = (
        list(getattr(prepared(genre_root, stage, batch_size=4, by_length=by_length), f"{loader}_dataloader")())
        for by_length in (True, False)
    )
    ranges = sorted((int(batch.lengths.min()), int(batch.lengths.max())) for batch in sorted_by_length)
    assert all(before[1] <= after[0] for before, after in pairwise(ranges))
    assert sorted(ids(sorted_by_length)) == sorted(ids(plain))


def test_training_order_is_drawn_from_the_seed_of_the_run(genre_root, monkeypatch):
    orders = []
    for seed in ("1", "1", "2"):
        monkeypatch.setenv("PL_GLOBAL_SEED", seed)
        orders.append(parts(prepared(genre_root)))
    assert orders[0] == orders[1]
    assert orders[0][0] != orders[2][0]
    assert orders[0][1] == orders[2][1]


def test_genres_are_mixed_without_shuffling_too(root):
    """The lab's label files are sorted by genre: batches in their order would be of one genre each."""
    write_labels(root, "train", dict(sorted(labels(root, "train").items(), key=lambda row: row[1])))
    loader = prepared(root, shuffle=False, batch_size=12).train_dataloader()
    assert all(len(batch.targets.unique()) == len(GENRES) for batch in loader if len(batch.ids) == 12)


def test_hyperparameters_are_plain_and_paths_absolute(genre_root, monkeypatch):
    monkeypatch.chdir(genre_root.parent)
    hyperparameters = GenreDataModule(root=Path(genre_root.name)).hparams
    assert hyperparameters["root"] == str(genre_root)


@pytest.mark.parametrize("options", [{"batch_size": 0}, {"seed": -1}, {"num_workers": -1}])
def test_numbers_out_of_range_are_refused(genre_root, options):
    with pytest.raises(UserError, match=f"{next(iter(options))} is .*at least"):
        GenreDataModule(root=genre_root, **options)


def test_workers_load_the_same_batches(genre_root):
    alone = next(iter(prepared(genre_root).train_dataloader()))
    beside = next(iter(prepared(genre_root, num_workers=1).train_dataloader()))
    assert alone.ids == beside.ids
    assert torch.equal(alone.spectrograms, beside.spectrograms)


@pytest.mark.parametrize("loader", ["train_dataloader", "val_dataloader", "test_dataloader"])
def test_fewer_tracks_than_processes_are_refused(genre_root, loader):
    module = prepared(genre_root)
    module.setup("test")
    module.trainer = SimpleNamespace(global_rank=0, world_size=50)
    with pytest.raises(UserError, match="tracks for 50 processes; use fewer devices"):
        getattr(module, loader)()


def test_setup_of_a_stage_again_changes_nothing(genre_root):
    module = prepared(genre_root)
    before = parts(module)
    module.setup("fit")
    module.setup("validate")
    assert parts(module) == before
