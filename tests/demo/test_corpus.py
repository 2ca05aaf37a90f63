"""The demo corpus: the lab's layout, the same bytes for the same seed, and never half of it."""

import json
from collections import Counter

import numpy as np
import pytest
import soundfile
from joblib.externals.loky import reusable_executor

from musiclab.commands.demo_data import demo_data
from musiclab.demo import corpus as demo
from musiclab.demo import demo_folder, genres
from musiclab.errors import UserError

SIZES = {"genre_train": 14, "genre_test": 3, "emotion_train": 3, "emotion_test": 2}
FOLDERS = ["fma_genre_spectrograms", "multitask_dataset"]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return demo.make_corpus(tmp_path_factory.mktemp("demo") / "corpus", **SIZES, jobs=1)


@pytest.fixture
def silent_tracks(monkeypatch):
    """Stand in for the synthesis where only files matter."""

    def write_track(root, seed, beats, track):
        name = f"{track.id}.fused.full.npy"
        for form in ("", demo.BEAT_SUFFIX):
            np.save(root / (track.folder + form) / track.split / name, np.zeros((140, 4), np.float32))
        return 0.1, 0.2, 0.3

    monkeypatch.setattr(demo, "_write_track", write_track)


def rows(path, separator):
    header, *lines = path.read_text().splitlines()
    return header, [line.split(separator) for line in lines]


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("form", ["", "_beat"])
@pytest.mark.parametrize("split", ["train", "test"])
def test_genre_labels_name_the_arrays_on_disk(corpus, form, split):
    folder = corpus / f"fma_genre_spectrograms{form}"
    header, labels = rows(folder / f"{split}_labels.txt", "\t")
    assert header == "Id\tGenre"
    assert len(labels) == SIZES[f"genre_{split}"]
    on_disk = {path.name for path in (folder / split).iterdir()}
    assert on_disk == {f"{name.split('.')[0]}.fused.full.npy" for name, _ in labels}


def test_label_names_have_the_quirks_of_the_labs(corpus):
    def endings(form):
        labels = rows(corpus / f"fma_genre_spectrograms{form}" / "train_labels.txt", "\t")[1]
        return {name.partition(".")[2] for name, _ in labels}

    assert endings("") == {"fused.full.npy.gz", "full.fused.npy.gz"}
    assert endings("_beat") == {"beatsync.fused.npy.gz"}


def test_emotion_labels(corpus):
    for form in ("", "_beat"):
        folder = corpus / f"multitask_dataset{form}"
        header, labels = rows(folder / "train_labels.txt", ",")
        assert header == "Id,valence,energy,danceability"
        assert {f"{row[0]}.fused.full.npy" for row in labels} == {p.name for p in (folder / "train").iterdir()}
        assert all(len(value) == 5 and 0 <= float(value) <= 1 for row in labels for value in row[1:])
        assert not (folder / "test_labels.txt").exists()
        assert len(list((folder / "test").iterdir())) == SIZES["emotion_test"]


@pytest.mark.parametrize("folder", FOLDERS)
def test_arrays(corpus, folder):
    for path in (corpus / folder).rglob("*.npy"):
        full = np.load(path)
        beat = np.load(corpus / f"{folder}_beat" / path.relative_to(corpus / folder))
        for array in (full, beat):
            assert array.dtype == np.float32
            assert array.shape[0] == 140
            assert array[:128].max() == 0
            assert array[:128].min() >= -80
            assert 0 <= array[128:].min() <= array[128:].max() <= 1
        assert 300 < full.shape[1] < 400
        assert 6 <= beat.shape[1] < 60


def test_songs_to_ask_about_are_of_their_genres_and_in_no_data_set(corpus):
    songs = sorted((corpus / "songs").iterdir())
    assert [song.name for song in songs] == ["Classical.wav", "Electronic.wav", "Jazz.wav", "Metal.wav"]
    samples = [soundfile.read(song)[0] for song in songs]
    assert all(7 * 22050 <= len(song) <= 9 * 22050 and 0.8 < abs(song).max() < 0.95 for song in samples)
    assert genres.draw_traits("Jazz", np.random.default_rng(0), overlap=0).drums == "swing"


def test_without_beats_there_is_one_form_and_the_same_otherwise(corpus, tmp_path):
    alone = demo.make_corpus(tmp_path / "corpus", **SIZES, beats=False, jobs=1)
    assert sorted(path.name for path in alone.iterdir()) == ["corpus.json", *FOLDERS, "songs"]
    same = [path for path in FOLDERS for path in (alone / path).rglob("*.npy")]
    differ = [path for path in same if path.read_bytes() != (corpus / path.relative_to(alone)).read_bytes()]
    assert len(same) == sum(SIZES.values())
    assert len(differ) <= 1


def test_ids_are_distinct(corpus):
    ids = [path.name for folder in FOLDERS for path in (corpus / folder).rglob("*.npy")]
    assert len(ids) == len(set(ids)) == sum(SIZES.values())


def test_every_genre_has_a_track_and_the_shares_hold():
    assert set(demo.GENRE_SHARES) == set(genres.GENRES)
    assert Counter(demo._apportion(14)) == dict.fromkeys(demo.GENRE_SHARES, 1)
    assert Counter(demo._apportion(480)) == {genre: 8 * share for genre, share in demo.GENRE_SHARES.items()}


def test_some_genres_merge_and_some_are_dropped():
    labels = pytest.importorskip("musiclab.data.labels")
    counts = Counter(labels.LAB_CLASS_MAP[genre] for genre in demo._apportion(480))
    assert counts.pop(None) > 0
    assert len(counts) == 8 < len(demo.GENRE_SHARES) - 2
    assert max(counts.values()) < 2 * min(counts.values())


def test_same_seed_same_bytes_on_any_number_of_processes(corpus, tmp_path):
    again = demo.make_corpus(tmp_path / "again", **SIZES, jobs=2)
    assert contents(again) == contents(corpus)
    kept = reusable_executor._executor
    assert kept is None or not kept._processes  # else they would stay, 300 MB each


@pytest.mark.usefixtures("silent_tracks")
def test_another_seed_is_another_corpus(corpus, tmp_path):
    other = demo.make_corpus(tmp_path / "other", seed=1, **SIZES, jobs=1)
    path = "fma_genre_spectrograms/train_labels.txt"
    assert (other / path).read_text() != (corpus / path).read_text()


def test_emotions_follow_from_the_music():
    rng = np.random.default_rng(0)
    traits = [genres.draw_traits(genre, rng) for genre in list(genres.GENRES) * 30]
    emotions = np.array([genres.draw_emotions(track, rng) for track in traits])
    assert emotions.min() >= 0
    assert emotions.max() <= 1
    assert (emotions.std(axis=0) > 0.1).all()

    def correlation(axis, trait):
        return np.corrcoef(emotions[:, axis], [float(getattr(track, trait)) for track in traits])[0, 1]

    assert correlation(0, "minor") < -0.4
    assert correlation(0, "tempo") > 0.2
    assert correlation(1, "drive") > 0.5
    assert correlation(2, "drum_level") > 0.4


@pytest.mark.usefixtures("silent_tracks")
def test_a_corpus_is_made_once(tmp_path, monkeypatch):
    out = demo.make_corpus(tmp_path / "corpus", **SIZES, jobs=1)
    monkeypatch.setattr(demo, "_make", None)  # would fail if called
    assert demo.make_corpus(str(out), **SIZES) == out


@pytest.mark.usefixtures("silent_tracks")
def test_refuses_a_corpus_made_with_other_arguments(tmp_path):
    out = demo.make_corpus(tmp_path / "corpus", **SIZES, jobs=1)
    with pytest.raises(UserError, match=r"other arguments.*remove it or name another"):
        demo.make_corpus(out, seed=5, **SIZES)


def test_refuses_what_is_no_corpus(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(UserError, match="no demo corpus: name another folder"):
        demo.make_corpus(tmp_path, **SIZES)
    with pytest.raises(UserError, match="no demo corpus"):
        demo.make_corpus(tmp_path / "thesis.txt", **SIZES)
    with pytest.raises(UserError, match=r"thesis\.txt"):
        demo.make_corpus(tmp_path / "thesis.txt" / "corpus", **SIZES)
    assert (tmp_path / "thesis.txt").read_text() == "mine"


def test_refuses_too_few_tracks_and_negative_seeds(tmp_path):
    with pytest.raises(UserError, match="seed is -1"):
        demo.make_corpus(tmp_path / "corpus", seed=-1)
    with pytest.raises(UserError, match=r"genre_train is 13.*at least 14"):
        demo.make_corpus(tmp_path / "corpus", genre_train=13)


@pytest.mark.usefixtures("silent_tracks")
def test_an_interrupted_run_leaves_nothing(tmp_path, monkeypatch):
    (tmp_path / "corpus").mkdir()  # an empty folder is no obstacle
    (tmp_path / ".corpus.partial-of-a-killed-run").mkdir()

    def interrupt(*args):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(demo, "_write_emotions", interrupt)
        with pytest.raises(KeyboardInterrupt):
            demo.make_corpus(tmp_path / "corpus", **SIZES, jobs=1)
    assert not any((tmp_path / "corpus").iterdir())
    out = demo.make_corpus(tmp_path / "corpus", **SIZES, jobs=1)
    assert json.loads((out / "corpus.json").read_text())["genre_train"] == 14
    assert {path.name for path in tmp_path.iterdir()} <= {"corpus", ".corpus.lock"}


@pytest.mark.usefixtures("silent_tracks")
def test_the_corpus_that_stands_for_a_null_root_is_in_the_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("MUSICLAB_CACHE", str(tmp_path))
    monkeypatch.setattr(demo, "_plan", lambda seed, sizes: [])
    folder = demo_folder("multitask_dataset")
    assert folder == tmp_path / "demo-corpus-v2" / "multitask_dataset"
    assert folder.is_dir()
    assert demo_folder("multitask_dataset", beat_synced=True) == folder.with_name("multitask_dataset_beat")


@pytest.mark.usefixtures("silent_tracks")
def test_the_command_says_what_to_do_next(tmp_path, capsys):
    demo_data(str(tmp_path / "corpus"), **SIZES, jobs=1)
    root = tmp_path / "corpus" / "fma_genre_spectrograms"
    assert f"musiclab fit -c genre_cnn.yaml --data.root {root}" in capsys.readouterr().out
