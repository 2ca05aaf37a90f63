"""``musiclab build-fma``: from folders shaped as the Free Music Archive's to two data sets that train."""

import csv
import json

import numpy as np
import pytest
from command_line import error_of, evaluate_args, fit_args, read_rows, run_folder
from data.audio.sounds import truncate

from commands.build_fma.fma_tree import Row, mp3_path, write_clip, write_metadata
from musiclab.cli import main
from musiclab.commands.check.check import inspect_dataset
from musiclab.data.artists import read_artists
from musiclab.data.audio import extraction

GENRE, EMOTION = "fma_genre_spectrograms", "multitask_dataset"
FORMS = ["", "_beat"]
TOPS = ("Rock", "Folk", "Hip-Hop")
SPLITS = {"training": range(2, 14), "validation": range(1000, 1006), "test": range(20000, 20006)}


def good_tracks():
    """24 tracks, three genres in turns; all but the first of each split have emotions."""
    rng = np.random.default_rng(0)
    return {
        key: Row(split, TOPS[number % 3], emotions=rng.uniform(size=3).round(4).tolist() if number else None)
        for split, keys in SPLITS.items()
        for number, key in enumerate(keys)
    }


ODD = {
    50: Row(emotions=[0.1, 0.2, 0.3]),  # no file
    51: Row(emotions=[0.4, 0.5, 0.6]),  # words
    52: Row("validation"),  # half a second
    53: Row(),  # cut off
    60: Row(top="", genres="[]", emotions=[0.7, 0.25, 0.75]),
    61: Row("test", top="", genres="[12, 17]", emotions=[0.15, "1e-05", 1]),
    62: Row(top="", genres="[12, 17]"),
    63: Row("test", top="", emotions=[0.3, "", 0.4]),
    64: Row("test", top="", emotions=[0.3, "inf", 0.4]),
    65: Row("test", top="Opera"),
    70: Row("nonsense", subset="medium", genres="junk", emotions=["?", 2, 3]),
}


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """Folder with fma_small/ and fma_metadata/."""
    root = tmp_path_factory.mktemp("fma")
    tracks = good_tracks() | ODD
    write_metadata(root / "fma_metadata", tracks)
    for key in tracks:
        if key not in (50, 70):
            write_clip(root / "fma_small", key, 0.5 if key == 52 else 1.1, "MP3" if key in (3, 1001) else "WAV")
    mp3_path(root / "fma_small", 51).write_text("These are words. " * 500)
    truncate(mp3_path(root / "fma_small", 53))
    return root


def arguments(tree, out, *more):
    return [
        "build-fma",
        f"--audio={tree / 'fma_small'}",
        f"--metadata={tree / 'fma_metadata'}",
        f"--out={out}",
        "--jobs=1",
        *more,
    ]


def build(*args):
    """Build what has tracks that fail."""
    with pytest.raises(SystemExit) as raised:
        main(arguments(*args))
    assert raised.value.code == 1


@pytest.fixture(scope="module")
def decoded():
    """Paths of the clips that the build decoded."""
    return []


@pytest.fixture(scope="module")
def built(tree, decoded, tmp_path_factory):
    """The folder of the data sets."""
    out = tmp_path_factory.mktemp("built") / "data"
    load = extraction.load_audio
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(extraction, "load_audio", lambda path, *clip: decoded.append(path) or load(path, *clip))
        build(tree, out)
    return out


def labels(folder, part):
    with (folder / f"{part}_labels.txt").open(newline="", encoding="utf-8") as stream:
        return list(csv.reader(stream, delimiter="\t" if GENRE in folder.name else ","))


def ids(folder, part):
    return {int(row[0].split(".")[0]) for row in labels(folder, part)[1:]}


def failures(folder):
    return {(row["path"].split("/")[-1], row["form"]): row["reason"] for row in read_rows(folder / "failures.csv")}


@pytest.mark.parametrize("form", FORMS)
def test_the_parts_are_those_of_fma(built, form):
    folder = built / (GENRE + form)
    for split, part in (("training", "train"), ("validation", "validation"), ("test", "test")):
        header, *rows = labels(folder, part)
        assert header == ["Id", "Genre"]
        assert rows == [[f"{key}.fused.full.npy", TOPS[index % 3]] for index, key in enumerate(SPLITS[split])]
    assert {path.name for path in (folder / "test").iterdir()} == {row[0] for row in labels(folder, "test")[1:]}
    assert len(list((folder / "train").iterdir())) == 18


@pytest.mark.parametrize("form", FORMS)
def test_emotions_are_those_of_all_tracks_with_three_values(built, form):
    folder = built / (EMOTION + form)
    expected = good_tracks() | {key: ODD[key] for key in (60, 61)}
    for split, part in (("training", "train"), ("validation", "validation"), ("test", "test")):
        header, *rows = labels(folder, part)
        assert header == ["Id", "valence", "energy", "danceability"]
        assert {int(key): [float(value) for value in values] for key, *values in rows} == {
            key: [float(value) for value in row.emotions]
            for key, row in expected.items()
            if row.split == split and row.emotions is not None
        }


@pytest.mark.parametrize("folder", [name + form for name in (GENRE, EMOTION) for form in FORMS])
def test_check_finds_nothing_wrong(built, folder):
    assert inspect_dataset(built / folder).problems == {}


def test_a_track_of_both_data_sets_is_decoded_once(built, decoded):
    assert len(decoded) == len(set(decoded)) == 24 + 4 + 2
    for part, key in (("train", 3), ("train", 1001), ("test", 20001)):
        for form in FORMS:
            arrays = [built / (name + form) / part / f"{key}.fused.full.npy" for name in (GENRE, EMOTION)]
            assert arrays[0].read_bytes() == arrays[1].read_bytes()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", [GENRE, EMOTION])
def test_artists_are_those_of_fma(name, form, built):
    folder = built / (name + form)
    listed = set().union(*(ids(folder, part) for part in ("train", "validation", "test")))
    assert read_artists(folder) == {str(key): str(key // 2) for key in listed}


def test_failures_are_listed_in_the_data_sets_of_their_tracks(built):
    listed = failures(built / GENRE)
    assert [name for name, _ in listed] == ["000050.mp3", "000051.mp3", "000053.mp3", "000052.mp3"]
    for reason, word in zip(listed.values(), ["missing", "not audio", "truncated", "0.50 s"], strict=True):
        assert word in reason
    assert [name for name, _ in failures(built / EMOTION)] == ["000050.mp3", "000051.mp3"]
    assert not (built / f"{GENRE}_beat" / "failures.csv").exists()


def test_a_second_run_tries_again_what_failed_alone_and_says_what_there_is(tree, built, capsys):
    before = {path: path.stat().st_mtime_ns for path in built.rglob("*.npy")}
    described = {path: path.read_bytes() for path in built.rglob("*.[jt][sx][ot]*")}
    build(tree, built)
    assert {path: path.stat().st_mtime_ns for path in built.rglob("*.npy")} == before
    assert {path: path.read_bytes() for path in described} == described
    output = capsys.readouterr().out
    assert "0 tracks extracted, 26 there already, 4 failed, listed in" in output
    assert f"{GENRE}: 12 train, 6 validation, 6 test\n  Rock 8, Folk 8, Hip-Hop 8\n" in output
    assert "  left out: 5 tracks without a top genre\n" in output
    assert "  left out: 1 track with a genre that no track to train on has\n" in output
    assert f"{EMOTION}_beat: 12 train, 5 validation, 6 test\n" in output
    assert "  left out: 2 tracks without a value of valence, energy, danceability\n" in output
    assert f"musiclab check {built / GENRE}\n" in output
    command = f"musiclab fit -c genre_cnn.yaml --data.root {built / GENRE}_beat --data.class_map null"
    assert f"{command} --data.beat_synced true\n" in output


def test_genres_train_and_are_validated_on_fmas_part(built, tmp_path, caplog):
    options = ["--data.class_map=null", "--data.beat_synced=true"]
    main(fit_args("genre_cnn.yaml", built / f"{GENRE}_beat", tmp_path, *options))
    assert "Validation: the 6 tracks of" in caplog.text
    tested = read_rows(run_folder(tmp_path) / "predictions.csv")
    assert {int(row["id"]) for row in tested} == set(SPLITS["test"])


def test_emotions_train_and_predictions_show_their_truth(built, tmp_path):
    main(fit_args("emotion_multitask.yaml", built / EMOTION, tmp_path))
    checkpoint = run_folder(tmp_path) / "checkpoints" / "best.ckpt"
    main(evaluate_args("predict", checkpoint, tmp_path / "predicted"))
    for folder in (tmp_path, tmp_path / "predicted"):
        rows = {int(row["id"]): row for row in read_rows(run_folder(folder) / "predictions.csv")}
        assert set(rows) == ids(built / EMOTION, "test")
        assert float(rows[61]["truth_energy"]) == pytest.approx(1e-5)


def test_settings_of_other_making_are_refused(tree, built, capfd):
    assert "was made with seconds 30.0" in error_of(capfd, arguments(tree, built, "--seconds=20"))
    error = error_of(capfd, arguments(tree, built, "--genres=Rock"))
    assert f"{built / GENRE}: was made with genres null" in error
    described = json.loads((built / EMOTION / "extraction.json").read_text())
    assert described["made by"] == "musiclab build-fma"
    assert described["tracks"]["train/1001"].endswith("fma_small/001/001001.mp3")
