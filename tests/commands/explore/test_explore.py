"""`musiclab explore`: a page that shows a data set, read back by a parser and by a browser."""

import subprocess
import sys

import matplotlib.pyplot as plt
import numpy as np
import pytest
from command_line import error_of
from conftest import make_array, make_emotion_folder, make_genre_folder, make_tag_folder
from scipy.stats import spearmanr

from commands.report.pages import Outline, browser, look
from musiclab.cli import main
from musiclab.commands.explore.explore import explore
from musiclab.commands.explore.tracks import read_drawn, track_labels
from musiclab.data.survey import survey_dataset


@pytest.fixture(scope="module")
def genre_root(tmp_path_factory):
    """Tracks 100-111 train, 112-117 test, in turns of Blues, Jazz and Rock, each of 100 to 139 frames."""
    return make_genre_folder(tmp_path_factory.mktemp("data") / "genres", train=12, test=6, frames=(100, 140))


@pytest.fixture(scope="module")
def beat_root(genre_root):
    """The same, beat-synchronised to 10 columns, without track 101."""
    root = genre_root.with_name("genres_beat")
    for path in genre_root.glob("*/*.npy"):
        folder = root / path.parent.name
        folder.mkdir(parents=True, exist_ok=True)
        if not path.name.startswith("101."):
            np.save(folder / path.name.replace("full", "beatsync"), np.load(path)[:, :10])
    return root


def read(out):
    """Return the outline of a page whose pictures are all there, none of them twice, and no others."""
    outline = Outline((out / "index.html").read_text(encoding="utf-8"))
    sources = [image["src"] for image in outline.all("img")]
    assert sorted(sources) == sorted(str(path.relative_to(out)) for path in out.glob("pictures/*.png"))
    for image in outline.all("img"):
        assert (out / image["src"]).read_bytes().startswith(b"\x89PNG")
        assert image["alt"]
        assert int(image["width"]) <= 6.5 * 110
    return outline


def names(outline):
    return [image["src"].removeprefix("pictures/").removesuffix(".png") for image in outline.all("img")]


def cells(outline):
    """Return the cells of all tables, one after the other."""
    return " | ".join(outline.texts["td"]).replace("\u00a0", " ")


@pytest.fixture(scope="module")
def genre_page(genre_root, beat_root, tmp_path_factory):
    out = tmp_path_factory.mktemp("out") / "page"
    merging = '{"Blues": "Jazz", "Rock": null}'
    main(["explore", str(genre_root), "--beat-root", str(beat_root), "--class_map", merging, "--out", str(out)])
    return out


def test_a_genre_data_set_with_beats(genre_page, beat_root):
    outline = read(genre_page)
    assert outline.texts["h1"] == ["Data set genres"]
    assert outline.texts["h2"] == ["Tracks", "Genres", "Lengths", "Problems"]
    kinds = ["mel", "mel_beat", "chroma", "chroma_beat"]
    tracks = [f"track_{number}_{kind}" for number in (1, 2) for kind in kinds]
    assert names(outline) == [*tracks, "genres_before", "genres_after", "lengths_frames", "lengths_beats"]
    assert "train | 12 | 3 | 12 | 140 | float32" in cells(outline)
    assert "Blues | Jazz | 4 | 2 | Jazz | Jazz | 4 | 2 | Rock | dropped | 4 | 2" in cells(outline)
    assert any("makes 1 genre of 3 and drops 6 of 18 tracks" in text for text in outline.texts["p"])
    assert any("Rock is dropped" in text for text in outline.texts["figcaption"])
    assert outline.texts["pre"][1].startswith(f"{beat_root}/train: no array")
    assert outline.texts["pre"][1].endswith("no array of track 101 that can be used")
    assert plt.get_fignums() == []


def test_tracks_that_are_named(genre_root, beat_root, tmp_path):
    main(
        [
            "explore",
            str(genre_root),
            "--beat_root",
            str(beat_root),
            "--out",
            str(tmp_path),
            "--tracks",
            "112.npy",
            "101",
        ]
    )
    outline = read(tmp_path)
    assert outline.texts["h3"] == ["Track 112: Blues", "Track 101: Jazz"]
    first, second = (
        np.load(genre_root / part / f"{number}.fused.full.npy").shape[1]
        for part, number in (("test", 112), ("train", 101))
    )
    seconds = 512 / 22050
    assert (
        f"112 | test | 140 x {first} | {first * seconds:.1f} s | 140 x 10 | {first / 10:.1f}x | "
        f"101 | train | 140 x {second} | {second * seconds:.1f} s | " in cells(outline)
    )
    assert outline.texts["p"].count("There is no beat-synchronised array of this track.") == 1
    assert names(outline)[4:6] == ["track_2_mel", "track_2_chroma"]
    caption = f"Mel spectrogram of track 112: 128 bands by {first} frames of 23.2 ms, {first * seconds:.1f} s."
    assert outline.texts["figcaption"][0] == caption


def test_compression_over_all_tracks(genre_root, beat_root, genre_page):
    columns = [np.load(genre_root / "test" / f"{number}.fused.full.npy").shape[1] for number in range(112, 118)]
    said = " | ".join(f"{value / 10:.1f}x" for value in (min(columns), np.median(columns), max(columns)))
    assert f"test | 6 | {said}" in cells(read(genre_page))


def test_tracks_are_drawn_by_seed_of_different_genres(genre_root):
    survey = survey_dataset(genre_root)
    groups = track_labels(survey)
    drawn = []
    for seed in (0, 0, 1, 2, 3):
        tracks = read_drawn(survey, {}, groups, seed)
        drawn.append(tuple(track.identifier for track in tracks))
        assert len({track.label for track in tracks}) == 2
        assert {track.part for track in tracks} == {"train"}
    assert drawn[0] == drawn[1]
    assert len(set(drawn)) == 4


def test_merging_that_changes_nothing_is_one_histogram(genre_root, tmp_path):
    for class_map, said in (("lab", "Merging by class_map changes nothing here."), (None, "There is no merging.")):
        explore(str(genre_root), out=str(tmp_path), class_map=class_map)
        outline = read(tmp_path)
        assert [name for name in names(outline) if "genres" in name] == ["genres"]
        assert any(text.startswith(said) for text in outline.texts["p"])


def test_arrays_without_chroma(tmp_path):
    root = make_genre_folder(tmp_path / "mel", train=3, test=3, rows=128)
    explore(str(root), out=str(tmp_path / "out"), seconds=0.234375)
    outline = read(tmp_path / "out")
    assert "chroma" not in " ".join(names(outline))
    assert any("There are no chromagrams" in text for text in outline.texts["p"])
    assert "frames of 234 ms" in outline.texts["figcaption"][0]


def test_columns_that_are_beats_have_no_seconds(beat_root, genre_root, tmp_path, capsys):
    root = tmp_path / "beats"
    make_genre_folder(root, train=3, test=3)
    main(["explore", str(root), "--seconds", "null", "--out", str(tmp_path / "out")])
    outline = read(tmp_path / "out")
    assert outline.texts["figcaption"][0].endswith("columns, one a beat.")
    assert names(outline)[-1] == "lengths_beats"
    assert "duration" not in outline.texts["th"]


def test_an_emotion_data_set(tmp_path):
    axes = ["valence", "energy", "arousal"]
    root = make_emotion_folder(tmp_path / "emotions", train=20, test=4, axes=axes)
    explore(str(root), out=str(tmp_path / "out"))
    outline = read(tmp_path / "out")
    sections = ["Tracks", "Values on each axis", "Relations between axes", "Lengths"]
    assert outline.texts["h2"] == sections
    assert [name for name in names(outline) if "axis" in name] == ["axis_1", "axis_2", "axis_3"]
    assert [name for name in names(outline) if "pair" in name] == ["pair_1", "pair_2", "pair_3"]
    values = np.loadtxt(root / "train_labels.txt", delimiter=",", skiprows=1)[:, 1:]
    for first, second in ((0, 1), (0, 2), (1, 2)):
        correlation = spearmanr(values[:, first], values[:, second]).statistic
        assert f"{axes[first]} | {axes[second]} | {correlation:.3f}" in cells(outline)
    assert "test | 4 | 140" in cells(outline).replace("test |  |  |", "test |")


@pytest.mark.filterwarnings("error")
def test_an_axis_without_spread_and_one_on_another_scale(tmp_path):
    root = make_emotion_folder(tmp_path / "emotions", train=3, test=1)
    (root / "train_labels.txt").write_text("Id,valence,arousal\n100,0.5,9\n101,0.5,1\n102,0.5,-3\n")
    explore(str(root), out=str(tmp_path / "out"))
    assert "valence | arousal | undefined" in cells(read(tmp_path / "out"))
    (root / "train_labels.txt").write_text("Id,arousal\n100,9\n101,1\n102,-3\n")
    explore(str(root), out=str(tmp_path / "single"))
    assert read(tmp_path / "single").texts["h2"] == ["Tracks", "Values on each axis", "Lengths"]


def test_damaged_files_are_named_and_passed_over(tmp_path, capsys):
    root = make_genre_folder(tmp_path / "genres", train=6, test=3)
    for number in range(100, 104):  # NaN shows in the values alone
        np.save(root / "train" / f"{number}.fused.full.npy", np.full((140, 5), np.nan))
    (root / "test" / "106.fused.full.npy").write_bytes(b"")
    explore(str(root), out=str(tmp_path / "out"))
    outline = read(tmp_path / "out")
    assert sorted(outline.texts["h3"]) == ["Track 104: Jazz", "Track 105: Rock"]
    said = "\n".join(outline.texts["pre"])
    assert f"musiclab check {root}" in said
    assert "106.fused.full.npy: truncated or not an array file" in said
    assert "holds NaN or infinite values" in said
    assert "problems, listed at the end of the page" in capsys.readouterr().out


def test_a_single_track(tmp_path):
    root = make_genre_folder(tmp_path / "one", train=1, test=0, frames=(1, 2))
    (root / "test_labels.txt").unlink()
    explore(str(root), out=str(tmp_path / "out"), class_map={"Blues": None})
    outline = read(tmp_path / "out")
    assert outline.texts["h3"] == ["Track 100: Blues"]
    assert "genres_after" not in names(outline)


def test_an_earlier_page_is_written_over_and_files_of_others_stay(genre_root, tmp_path):
    for name in ("index.html", "notes.txt", "pictures/track_1_mel.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("earlier")
    explore(str(genre_root), out=str(tmp_path))
    read(tmp_path)
    assert (tmp_path / "notes.txt").read_text() == "earlier"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--tracks", "12"], "no array of track 12; there are 112"),
        (["--tracks", "../112"], "'../112' is no track name"),
        (["--beat_root", "nowhere"], "nowhere: no such folder"),
        (["--beat_root", "{root}"], "beat_root is the data set itself"),
        (["--beat_root", "{out}"], "has no array of any track of"),
        (["--seconds", "0"], "seconds is 0.0; give the duration"),
        (["--out", "{root}/train_labels.txt"], "train_labels.txt: a file; give the folder"),
    ],
)
def test_mistakes_are_said_in_one_line(genre_root, tmp_path, capfd, more, said):
    more = [word.format(root=genre_root, out=tmp_path) for word in more]
    assert said in error_of(capfd, ["explore", str(genre_root), "--out", str(tmp_path / "out"), *more])
    assert not (tmp_path / "out" / "index.html").exists()


def test_a_folder_that_is_no_data_set_is_refused(tmp_path, capfd):
    for root, said in ((tmp_path / "nowhere", "no such folder"), (tmp_path, "train_labels.txt: no such label file")):
        assert said in error_of(capfd, ["explore", str(root), "--out", str(tmp_path / "out")])
    assert not (tmp_path / "out").exists()


def test_values_of_tracks_that_are_not_shown_are_not_read(genre_root, tmp_path, monkeypatch):
    from musiclab.commands.explore import tracks

    seen = []
    monkeypatch.setattr(
        tracks, "read_array", lambda path: seen.append(path) or make_array(0, np.random.default_rng(0), 9)
    )
    explore(str(genre_root), out=str(tmp_path))
    assert len(seen) == 2


def test_torch_is_not_imported():
    module = "musiclab.commands.explore.explore"
    code = f"import {module}, sys; assert 'torch' not in sys.modules and 'librosa' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.skipif(browser() is None, reason="no Chromium")
@pytest.mark.parametrize("width", [390, 1200])
def test_a_browser_shows_all_pictures_within_the_width_of_its_window(genre_page, width):
    seen = look(genre_page / "index.html", width)
    assert seen["scroll"] == seen["client"] <= width
    assert len(seen["images"]) == 12
    for real, shown in seen["images"]:
        assert 0 < shown <= 1.21 * real
        assert shown > 0.64 * real  # text of 10 points is then 10 pixels high
    if width == 1200:  # pictures side by side grow until they fill the page
        assert 2 * seen["images"][0][1] > 1100


def test_tags_are_counted(tmp_path):
    root = make_tag_folder(tmp_path / "tags", train=6, test=0, tags=("80s", "rock"))
    rows = ["Id,80s,rock", *(f"{number},0,{number % 2}" for number in range(100, 105)), "105,1,1"]
    (root / "train_labels.txt").write_text("\n".join(rows))
    explore(str(root), out=str(tmp_path / "out"))
    outline = read(tmp_path / "out")
    assert "Tags" in outline.texts["h2"]
    assert "2 tags of 6 labelled tracks; a track has 0.67 in the mean, 0 to 2." in outline.texts["p"]
    assert "rock | 3 | 0.500 | 80s | 1 | 0.167" in cells(outline)
    said = track_labels(survey_dataset(root))
    assert [said[identifier] for identifier in ("100", "101", "105")] == ["no tag", "rock", "80s, rock"]
