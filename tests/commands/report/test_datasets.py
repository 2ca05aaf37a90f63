"""Which data set a run is from: what can be told, and what must never be put together."""

import pytest

from commands.report.making import make_config, make_run
from musiclab.commands.report.datasets import assign, describe
from musiclab.commands.report.published import LAB_GENRES as GENRES
from musiclab.runs.run import read_run


def data_of(tmp_path, *settings, lab=None):
    runs = [read_run(make_run(tmp_path / str(number), **kwargs)) for number, kwargs in enumerate(settings)]
    sets = assign(runs, lab)
    return runs, [sets[run] for run in runs]


def tracks(train, validation, **more):
    return {"tracks": {"train": train, "validation": validation, **more}}


@pytest.mark.parametrize(
    ("settings", "is_lab"),
    [
        ({"kind": "emotion", "data_root": "/data/lab/emotions"}, True),
        ({"kind": "emotion", "data_root": "/data/lab"}, True),
        ({"kind": "emotion", "data_root": "/data/laboratory/emotions"}, False),
        ({"kind": "emotion", "data_root": "/data/lab/emotions", "data_limit": 80}, False),
        ({"names": sorted(GENRES), "data_root": "/data/lab/genres"}, True),
        ({"names": GENRES[:9], "data_root": "/data/lab/genres"}, False),  # merged otherwise
    ],
)
def test_the_labs_data_are_where_one_says_that_they_are(tmp_path, settings, is_lab):
    _, (data,) = data_of(tmp_path / "told", settings, lab="/data/lab")
    assert data.is_lab == is_lab
    _, (data,) = data_of(tmp_path / "untold", settings)
    assert not data.is_lab


def test_data_are_told_apart_by_folder_genres_tracks_and_limit(tmp_path):
    base = {"kind": "genre"}
    _, sets = data_of(
        tmp_path,
        base,
        {**base, "seed": 1},
        {**base, "data_root": "/data/large/genres"},
        {**base, "data_root": "/elsewhere/small/genres"},
        {**base, "names": ["Blues", "Rock"]},
        {**base, "record": tracks(80, 20)},
        {**base, "record": tracks(80, 19)},
        {**base, "data_limit": 50},
        {"kind": "emotion"},
    )
    assert sets[0] == sets[1] == sets[5]  # split otherwise, but as many tracks
    assert len(set(sets)) == len(sets) - 2
    names = [f"{data.kind} {data.name}" for data in dict.fromkeys(sets)]
    assert len(set(names)) == len(names)
    assert names[1] == "classes large/genres, 3 genres"
    assert names[0] == "classes small/genres, 3 genres (/data/small/genres, 100 tracks)"
    assert names[5] == "classes small/genres, 3 genres, limited to 50 tracks"


def test_folds_of_unequal_size_are_of_one_data_set(tmp_path):
    cross = {"data_folds": 3, "data_test_fraction": 0.2}
    _, sets = data_of(
        tmp_path,
        {**cross, "record": tracks(60, 7, test=33)},
        {**cross, "data_fold": 1, "record": tracks(59, 7, test=34)},
        {"data_folds": 3, "record": tracks(66, 34, test=9)},  # tested on tracks of test_labels.txt
        {"kind": "emotion", "data_folds": 3, "record": tracks(60, 7, test=33)},
        {"kind": "emotion", "data_folds": 3, "data_test_fraction": 0, "record": tracks(66, 34)},
        {"kind": "emotion", "data_folds": 3, "data_limit": 50, "record": tracks(40, 10, test=33)},
        {"kind": "emotion", "data_folds": 3, "data_limit": 50, "record": tracks(40, 10, test=34)},
    )
    assert [data.labelled for data in sets] == [100, 100, 100, 100, 100, 50, 50]
    assert sets[0] == sets[1]
    assert sets[5] == sets[6]
    assert [data.name.endswith(", 3 folds") for data in sets] == [True, True, False, True, False, True, True]


def test_what_is_left_out_of_the_training_makes_no_other_data_set(tmp_path):
    _, (whole, *left) = data_of(
        tmp_path,
        {},
        {"data_leave_out": "a.txt", "record": tracks(70, 8)},
        {"data_leave_out": "b.txt", "record": tracks(60, 7)},
    )
    assert left == [whole, whole]
    _, (first, second, unknown) = data_of(
        tmp_path / "two", {}, {"record": tracks(80, 19)}, {"data_leave_out": "a.txt", "record": tracks(70, 8)}
    )
    assert unknown.labelled is None
    assert len({first, second, unknown}) == 3


def test_the_demo_corpus_has_a_name_wherever_it_is(tmp_path):
    demo = {"kind": "emotion", "record": {"demo": True}}
    runs, (data, other, beats) = data_of(
        tmp_path, demo, {**demo, "data_root": "/elsewhere"}, {**demo, "record": {"demo": True, "beat_synced": True}}
    )
    assert data == other
    assert (data.name, beats.name) == ("demo corpus", "demo corpus, beat-synchronised")
    assert describe(data, runs) == (
        "Data: the demo corpus of synthesised music; 90 tracks to train; 10 tracks to validate; 25 tracks to test."
    )


def test_a_sentence_on_the_data(tmp_path):
    config = make_config("emotion", data_root="/data/small/emotions")
    runs, (data, _) = data_of(
        tmp_path,
        {"kind": "emotion", "config": config, "record": tracks(718, 180, test=224)},
        {"kind": "emotion", "config": config, "record": tracks(898, 224), "tested": False},
        lab="/data",
    )
    assert describe(data, runs) == (
        "Data: the lab's data set; /data/small/emotions; 718 to 898 tracks to train; 180 to 224 tracks to validate; "
        "25 tracks to test."
    )
