"""Which data set a run is from: what can be told, and what must never be put together."""

import pytest

from commands.report.making import make_config, make_run
from musiclab.commands.report.datasets import LAB_GENRES, assign, describe
from musiclab.runs.run import read_run


def data_of(tmp_path, *settings):
    runs = [read_run(make_run(tmp_path / str(number), **kwargs)) for number, kwargs in enumerate(settings)]
    sets = assign(runs)
    return runs, [sets[run] for run in runs]


def tracks(train, validation, **more):
    return {"tracks": {"train": train, "validation": validation, **more}}


def test_the_labs_emotion_data_are_known_by_their_number_of_tracks(tmp_path):
    _, (lab, folds, other) = data_of(
        tmp_path,
        {"kind": "emotion", "record": tracks(718, 180, test=224)},
        {"kind": "emotion", "record": tracks(898, 224), "seed": 1},
        {"kind": "emotion", "record": tracks(718, 180, test=223)},
    )
    assert (lab.is_lab, folds.is_lab, other.is_lab) == (True, True, False)
    assert lab == folds


@pytest.mark.parametrize(
    ("names", "record", "tested", "is_lab"),
    [
        (list(LAB_GENRES), tracks(2075, 230), False, True),
        (list(LAB_GENRES), tracks(2075, 230), True, False),  # the test is of other than 575 tracks
        (list(LAB_GENRES), tracks(2075, 229), False, False),
        (list(LAB_GENRES), False, False, False),  # it cannot be told
        (list(LAB_GENRES)[:9], tracks(2075, 230), False, False),
    ],
)
def test_the_labs_genre_data_are_known_by_genres_and_numbers_of_tracks(tmp_path, names, record, tested, is_lab):
    _, (data,) = data_of(tmp_path, {"names": names, "record": record, "tested": tested})
    assert data.is_lab == is_lab


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
    assert names[1] == "genre large/genres, 3 genres"
    assert names[0] == "genre small/genres, 3 genres (/data/small/genres, 100 tracks)"
    assert names[5] == "genre small/genres, 3 genres, limited to 50 tracks"


def test_runs_without_a_record_go_with_those_that_have_one_if_these_agree(tmp_path):
    old = {"record": False}
    _, (one, other) = data_of(tmp_path / "a", {}, old)
    assert one == other
    assert one.labelled == 100
    _, sets = data_of(tmp_path / "b", {}, {"record": tracks(80, 19)}, old)
    assert len(set(sets)) == 3


@pytest.mark.parametrize("root", [None, "/home/someone/.cache/musiclab/demo-corpus-v1/multitask_dataset"])
def test_the_demo_corpus_has_a_name(tmp_path, root):
    runs, (data,) = data_of(tmp_path, {"kind": "emotion", "record": {"data_root": root}, "data_root": None})
    assert (data.name, data.root) == ("demo corpus", None)
    assert describe(data, runs) == (
        "Data: the demo corpus of synthesised music; 90 tracks to train; 10 tracks to validate; 25 tracks to test."
    )


def test_a_sentence_on_the_data(tmp_path):
    config = make_config("emotion", data_root="/data/small/emotions")
    runs, (data, _) = data_of(
        tmp_path,
        {"kind": "emotion", "config": config, "record": tracks(718, 180, test=224)},
        {"kind": "emotion", "config": config, "record": tracks(898, 224), "tested": False},
    )
    assert describe(data, runs) == (
        "Data: the lab's data set; /data/small/emotions; 718 to 898 tracks to train; 180 to 224 tracks to validate; "
        "25 tracks to test."
    )
