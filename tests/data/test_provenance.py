"""Which tracks a training had: the same by id, and by array or folder."""

import numpy as np
import pytest
import torch

from musiclab.data.dataset import SpectrogramDataset
from musiclab.data.packing import open_store
from musiclab.data.provenance import folder_checksum, keep_parts, tracks_of_other_parts

PARTS = {"train": ["1", "2", "3"], "validation": ["4"], "test": ["5", "6"]}


def make_store(root, ids="123456", seed=0):
    (root / "train").mkdir(parents=True)
    rng = np.random.default_rng(seed)
    for identifier in ids:
        np.save(root / "train" / f"{identifier}.npy", rng.uniform(-80, 0, (128, 5)).astype(np.float32))
    return open_store(root / "train", cache=root / "cache")


def datasets(store, parts):
    return {name: SpectrogramDataset(store, ids, torch.zeros(len(ids)), slice(0, 128)) for name, ids in parts.items()}


def shared(root, store, parts, kept):
    found = tracks_of_other_parts(root, datasets(store, parts), list(parts), kept)
    return {(part, other): ids for part, _, before in found for other, ids in before.items()}


@pytest.fixture
def root(tmp_path):
    return tmp_path / "set"


@pytest.fixture
def kept(root):
    return keep_parts(root, datasets(make_store(root), PARTS), {"train": "0123456789abcdef"})


def test_what_a_checkpoint_keeps_is_small_and_safely_loaded(kept, tmp_path):
    assert {name: tuple(kept[name].shape) for name in PARTS} == {"train": (3, 2), "validation": (1, 2), "test": (2, 2)}
    torch.save(kept, tmp_path / "kept.pt")
    again = torch.load(tmp_path / "kept.pt", weights_only=True)
    assert again["checksums"] == {"train": "0123456789abcdef"}
    assert all(torch.equal(again[name], kept[name]) for name in PARTS)


def test_tracks_that_change_their_part_are_found(root, kept):
    store = open_store(root / "train", cache=root / "cache")
    assert shared(root, store, PARTS, kept) == {}
    now = {"train": ["1", "5"], "validation": ["2", "4"], "test": ["3", "4", "6"]}
    assert shared(root, store, now, kept) == {
        ("train", "test"): ["5"],
        ("validation", "train"): ["2"],
        ("test", "train"): ["3"],
        ("test", "validation"): ["4"],
    }
    (found,) = tracks_of_other_parts(root, datasets(store, now), ["test"], kept)
    assert str(found) == ("of 3 test tracks, the checkpoint's training has trained on 1 and validated on 1 (3 first)")


def test_a_copy_elsewhere_is_known_by_its_arrays(tmp_path, kept):
    elsewhere = tmp_path / "elsewhere"
    assert shared(elsewhere, make_store(elsewhere), {"test": ["1"]}, kept) == {("test", "train"): ["1"]}


def test_the_beat_synchronised_form_is_known_by_its_folder(root, kept):
    beats = root.with_name("set_beat")
    assert shared(beats, make_store(beats, seed=1), {"test": ["1", "5"]}, kept) == {("test", "train"): ["1"]}


def test_the_same_id_in_another_data_set_is_another_track(tmp_path, kept):
    other = tmp_path / "other"
    assert shared(other, make_store(other, seed=1), {"test": ["1", "2"]}, kept) == {}


def test_a_checksum_of_a_folder_knows_ids_arrays_and_labels_but_no_order(tmp_path):
    labels = tmp_path / "train_labels.txt"

    def measure(name, ids="123456", rows=("1\tRock", "2\tJazz")):
        labels.write_text("\n".join(["Id\tGenre", *rows]))
        return folder_checksum(make_store(tmp_path / name, ids), [labels])

    first = measure("a")
    assert measure("b", rows=("2\tJazz", "1\tRock")) == first
    assert len({first, measure("c", rows=("1\tRock", "2\tRock")), measure("d", ids="123457")}) == 3
