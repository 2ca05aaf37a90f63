"""Means of several models' predictions, and how they compare with the models."""

import json
import re

import numpy as np
import pytest

from commands.combine.making import (
    AXES,
    CLASSES,
    GENRES,
    IDS,
    VALUES,
    probabilities,
    refused,
    values,
    write_genres,
    write_values,
)
from musiclab.cli import main
from musiclab.runs.class_results import ClassResults
from musiclab.runs.comparison import difference, mean_interval, scores
from musiclab.runs.predictions import Rows, read_predictions
from musiclab.runs.value_results import ValueResults

UNKNOWN = np.full(len(IDS), -1)
NOTHING = np.full(VALUES.shape, np.nan)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_genres_are_the_mean_of_the_probabilities(folder, capsys):
    files = [write_genres(folder / f"{seed}.csv", seed) for seed in (1, 2, 3)]
    main(["combine", *files, "--out", "both"])
    mean = np.mean([probabilities(seed) for seed in (1, 2, 3)], axis=0)
    found = read_predictions(folder / "both" / "predictions.csv")
    np.testing.assert_allclose(found.predicted, mean, atol=1e-6)
    np.testing.assert_array_equal(found.answers, mean.argmax(axis=1))
    np.testing.assert_array_equal(found.truth, CLASSES)
    names = {path.name for path in (folder / "both").iterdir()}
    report = {"classification_report.txt", "confusion_matrix.csv", "confusion_matrix.png"}
    assert names == {"predictions.csv", "test_metrics.json", *report}
    metrics = json.loads((folder / "both" / "test_metrics.json").read_text())
    assert metrics["test_accuracy"] == pytest.approx(np.mean(mean.argmax(axis=1) == CLASSES))
    assert (metrics["test_accuracy_low"], metrics["test_accuracy_high"]) == mean_interval([found], "accuracy")
    printed = capsys.readouterr().out
    assert "macro avg" in printed
    assert_table(printed, "accuracy", files, found)
    assert_table(printed, "macro F1", files, found)


def assert_table(printed, title, files, combined):
    """The table of a metric has each model and the mean with score, interval and difference to the best model."""
    metric = {"macro F1": "f1_macro"}.get(title, title)
    members = [read_predictions(file) for file in map(type(combined.path), files)]
    found = [scores(member)[metric] for member in members]
    best = members[int(np.argmax(found))]
    lines = printed[printed.index(f"\n{title}, 95 % intervals") :].splitlines()[2 : 3 + len(files)]
    for line, name, predictions in zip(
        lines, [*files, f"all {len(files)} averaged"], [*members, combined], strict=True
    ):
        low, high = mean_interval([predictions], metric)
        assert line.startswith(f"  {name}")
        assert f"  {scores(predictions)[metric]:.3f}  {low:.3f} to {high:.3f}  " in line
        expected = "the best of them" if predictions is best else difference([predictions], [best], metric).words
        assert line.endswith(f"  {expected}")
    beside = difference([combined], members, metric).words
    assert f"all {len(files)} averaged, against the mean of their scores, {np.mean(found):.3f}: {beside}\n" in printed


def test_values_are_the_mean_of_the_values(folder, capsys):
    files = [write_values(folder / f"{seed}.csv", seed) for seed in (1, 2)]
    main(["combine", *files, "--out", "both"])
    found = read_predictions(folder / "both" / "predictions.csv")
    np.testing.assert_allclose(found.predicted, (values(1) + values(2)) / 2, atol=1e-6)
    assert {path.name for path in (folder / "both").iterdir()} == {
        "predictions.csv",
        "test_metrics.json",
        "scatter.png",
    }
    metrics = json.loads((folder / "both" / "test_metrics.json").read_text())
    assert metrics["test_spearman"] == pytest.approx(scores(found)["spearman"], abs=1e-6)
    assert metrics["test_mse"] == pytest.approx(np.mean((found.predicted - VALUES) ** 2), abs=1e-6)
    printed = capsys.readouterr().out
    assert re.search(r"^valence +0\.\d{4}  -?0\.\d{3} to 0\.\d{3}", printed, re.MULTILINE)
    assert "Spearman, mean over the axes, 95 % intervals (bootstrap over 40 tracks)" in printed


def test_standardised_values_weigh_alike(folder):
    files = [write_values(folder / f"{seed}.csv", seed) for seed in (1, 9)]
    main(["combine", *files, "--out", "both", "--standardise", "true"])
    found = read_predictions(folder / "both" / "predictions.csv").predicted
    models = np.stack([values(1), values(9)])
    means, spreads = models.mean(axis=1), models.std(axis=1)
    scaled = (models - means[:, None]) / spreads[:, None]
    np.testing.assert_allclose(found, scaled.mean(axis=0) * spreads.mean(axis=0) + means.mean(axis=0), atol=2e-6)
    for axis in range(2):  # as near to one as to the other, and not only to that of wider values
        near = [np.corrcoef(found[:, axis], model[:, axis])[0, 1] for model in models]
        assert near[0] == pytest.approx(near[1], abs=1e-5)


def test_a_model_whose_values_are_all_equal_can_be_standardised(folder):
    files = [write_values(folder / "1.csv", 1), str(folder / "2.csv")]
    rows = [f"{track},,0.5,,0.5" for track in IDS]
    (folder / "2.csv").write_text(
        "\n".join(["id,truth_valence,prediction_valence,truth_energy,prediction_energy", *rows])
    )
    main(["combine", *files, "--out", "both", "--standardise", "true"])
    assert np.isfinite(read_predictions(folder / "both" / "predictions.csv").predicted).all()


@pytest.mark.parametrize("kind", ["genre", "emotion"])
def test_of_a_single_run_the_figures_are_its_own(kind, folder, capsys):
    (folder / "run").mkdir()
    path = folder / "run" / "predictions.csv"
    if kind == "genre":
        write_genres(path, 1)
        files, rows = ClassResults(GENRES), Rows(IDS, CLASSES, probabilities(1))
    else:
        write_values(path, 1)
        files, rows = ValueResults(AXES), Rows(IDS, VALUES, values(1))
    files.write_test(folder / "run", rows, files.scores(rows))
    capsys.readouterr()
    main(["combine", "run", "--out", "one"])
    own, found = (json.loads((folder / name / "test_metrics.json").read_text()) for name in ("run", "one"))
    assert found == pytest.approx(own, abs=1e-6)
    assert (folder / "one" / "predictions.csv").read_text() == path.read_text()
    table = capsys.readouterr().out.splitlines()[-1]
    assert table.startswith("  run  ")
    assert "best" not in table


def test_genres_and_axes_are_matched_by_name(folder):
    write_genres(folder / "1.csv", 1)
    write_genres(folder / "2.csv", 2)
    write_genres(folder / "turned.csv", 2, order=[2, 0, 1])
    write_values(folder / "a.csv", 1)
    write_values(folder / "b.csv", 2)
    write_values(folder / "turned_b.csv", 2, axes=AXES[::-1])
    for pair in (["1.csv", "2.csv"], ["1.csv", "turned.csv"], ["a.csv", "b.csv"], ["a.csv", "turned_b.csv"]):
        main(["combine", *pair, "--out", "_".join(pair)])
    for straight, turned in (("1.csv_2.csv", "1.csv_turned.csv"), ("a.csv_b.csv", "a.csv_turned_b.csv")):
        for name in ("predictions.csv", "test_metrics.json"):
            assert (folder / straight / name).read_text() == (folder / turned / name).read_text()


def test_each_axis_may_have_models_of_its_own(folder, capsys):
    files = [
        write_values(folder / "1.csv", 1),
        write_values(folder / "2.csv", 2, axes=["energy"]),
        write_values(folder / "3.csv", 3, axes=["energy"]),
    ]
    main(["combine", *files, "--out", "all"])
    found = read_predictions(folder / "all" / "predictions.csv")
    assert found.axes == AXES
    np.testing.assert_allclose(found.predicted[:, 0], values(1)[:, 0], atol=1e-6)
    expected = np.mean([values(seed)[:, 1] for seed in (1, 2, 3)], axis=0)
    np.testing.assert_allclose(found.predicted[:, 1], expected, atol=1e-6)
    printed = capsys.readouterr().out
    valence, energy = (printed[printed.index(f"Spearman, {axis},") :] for axis in AXES)
    assert "averaged" not in valence.split("\n\n")[0]
    assert "all 3 averaged " in energy


def test_a_run_may_be_a_folder_and_its_truth_that_of_another(folder):
    (folder / "tested").mkdir()
    write_genres(folder / "tested" / "predictions.csv", 1, artists=[f"a{int(track) % 9}" for track in IDS])
    write_genres(folder / "predicted.csv", 2, truth=UNKNOWN)
    main(["combine", "predicted.csv", "tested", "--out", "both"])
    found = read_predictions(folder / "both" / "predictions.csv")
    np.testing.assert_array_equal(found.truth, CLASSES)
    assert found.artists[:2] == ["a1", "a2"]
    assert json.loads((folder / "both" / "test_metrics.json").read_text())["test_artists"] == 9


def test_without_truth_predictions_alone_are_written(folder, capsys):
    genres = [write_genres(folder / f"{seed}.csv", seed, truth=UNKNOWN) for seed in (1, 2)]
    emotions = [write_values(folder / f"e{seed}.csv", seed, truth=NOTHING) for seed in (1, 2)]
    for files in (genres, emotions):
        main(["combine", *files, "--out", files[0][:-4]])
    assert "intervals" not in capsys.readouterr().out
    assert [path.name for path in (folder / "1").iterdir()] == ["predictions.csv"]
    assert [path.name for path in (folder / "e1").iterdir()] == ["predictions.csv"]
    np.testing.assert_array_equal(read_predictions(folder / "1" / "predictions.csv").truth, UNKNOWN)
    np.testing.assert_array_equal(read_predictions(folder / "e1" / "predictions.csv").truth, NOTHING)


def test_models_are_compared_on_the_tracks_whose_truth_is_known(folder, capsys):
    truth = np.where(np.arange(40) < 30, CLASSES, -1)
    files = [write_genres(folder / f"{seed}.csv", seed, truth=truth) for seed in (1, 2)]
    main(["combine", *files, "--out", "both"])
    assert "accuracy, 95 % intervals (bootstrap over 30 tracks)" in capsys.readouterr().out
    assert [path.name for path in (folder / "both").iterdir()] == ["predictions.csv"]


def test_models_can_be_compared_without_writing_anything(folder, capsys):
    files = [write_genres(folder / f"{seed}.csv", seed) for seed in (1, 2)]
    before = sorted(folder.iterdir())
    main(["combine", *files])
    assert "the best of them" in capsys.readouterr().out
    assert sorted(folder.iterdir()) == before


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text[: text.rindex("40,")], "bad.csv: lacks track 40, which 1.csv has"),
        (lambda text: f"{text}41,,Jazz,0,1,0\n", "1.csv: lacks track 41, which bad.csv has"),
        (lambda text: f"{text}40,,Jazz,0,1,0\n", "bad.csv: line 42: track 40 stands there twice"),
        (lambda text: text.replace("Rock", "Soul"), "bad.csv: lacks the genre Rock, which 1.csv has"),
        (lambda text: text.replace("\n", ",0\n").replace(",0\n", ",Soul\n", 1), "1.csv: lacks the genre Soul"),
        (lambda text: re.sub(r",[^,]*$", "", text, flags=re.MULTILINE).replace("Rock", "Jazz"), "lacks the genre Rock"),
        (lambda text: re.sub(r"\n7,\w+,", "\n7,,", text).replace("\n7,,", f"\n7,{GENRES[(CLASSES[6] + 1) % 3]},"),
         "bad.csv: the true genre of track 7 is "),
        (lambda text: re.sub(r"\n9,.*", "\n9,,Jazz,0,nan,0", text), "bad.csv: track 9: the Jazz is nan, not a finite"),
        (lambda text: re.sub(r"\n9,.*", "\n9,,Jazz,inf,0,0", text), "bad.csv: track 9: the Blues is inf, not a finite"),
        (lambda text: "id,truth_valence,prediction_valence\n1,,0.5\n", "bad.csv: of valence, but 1.csv of genres"),
        (lambda text: "", "bad.csv: the file is empty"),
    ],
)  # fmt: skip
def test_genres_that_do_not_fit_are_named(change, said, folder, capfd):
    write_genres(folder / "1.csv", 1)
    write_genres(folder / "bad.csv", 2)
    (folder / "bad.csv").write_text(change((folder / "bad.csv").read_text()))
    assert said in refused(folder, capfd, ["1.csv", "bad.csv", "--out=both"])


def test_truths_of_values_that_contradict_are_named(folder, capfd):
    write_values(folder / "1.csv", 1)
    other = VALUES.copy()
    other[4, 1] += 0.01
    write_values(folder / "2.csv", 2, truth=other)
    error = refused(folder, capfd, ["1.csv", "2.csv", "--out=both"])
    assert f"2.csv: the true energy of track 5 is {other[4, 1]:.3f}, but in 1.csv {VALUES[4, 1]}" in error


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["genre.csv", "value.csv"], "value.csv: of valence, energy, but genre.csv of genres"),
        (["run"], "run: no predictions.csv; make it with `musiclab test --ckpt_path run/checkpoints/best.ckpt`"),
        (["empty"], "empty: no predictions.csv; make it with `musiclab test --ckpt_path CKPT`"),
        (["root"], "root: no predictions.csv; there is one in root/lightning_logs/version_1: give that"),
        (["nowhere"], "nowhere: no such file"),
        (["genre.csv", "./genre.csv"], "genre.csv: given twice"),
        (["genre.csv", "--out=genre.csv"], "genre.csv: this is a file; give a folder to --out"),
        (["genre.csv", "--out=genre.csv/there"], "genre.csv"),
        (["genre.csv", "--out=run"], "run: the folder of a run"),
        (["root/lightning_logs/version_1", "--out=root/lightning_logs/version_1"], "version_1: the folder of a run"),
        (["genre.csv", "--standardise=true"], "genre.csv: of genres; --standardise is for emotional values"),
        (["genre.csv", "--solution=solution.txt"], "genre.csv: of genres; --solution is for emotional values"),
        (["unknown.csv"], "no truth is known, so that there is nothing to compare; give --out DIR or --solution FILE"),
    ],
)  # fmt: skip
def test_arguments_that_do_not_fit_are_one_line(arguments, said, folder, capfd):
    write_genres(folder / "genre.csv", 1)
    write_genres(folder / "unknown.csv", 1, truth=UNKNOWN)
    write_values(folder / "value.csv", 1)
    for name in ("run/checkpoints", "empty", "root/lightning_logs/version_1"):
        (folder / name).mkdir(parents=True)
    (folder / "run" / "run.json").write_text("{}")
    (folder / "run" / "checkpoints" / "best.ckpt").write_text("")
    write_genres(folder / "root" / "lightning_logs" / "version_1" / "predictions.csv", 1)
    assert said in refused(folder, capfd, arguments)


def test_an_axis_is_compared_on_all_tracks_whose_value_on_it_is_known(folder, capsys):
    truth = VALUES.copy()
    truth[:12, 0] = np.nan
    files = [write_values(folder / "a.csv", 1, truth), write_values(folder / "b.csv", 2, axes=AXES[1:])]
    main(["combine", *files])
    printed = capsys.readouterr().out
    first, second = (
        f"Spearman, {axis}, 95 % intervals (bootstrap over {count} tracks)"
        for axis, count in zip(AXES, (28, 40), strict=True)
    )
    assert first in printed
    assert second in printed
    assert f"{scores(read_predictions(folder / 'b.csv'))['spearman_' + AXES[1]]:.3f}" in printed.split(second)[1]


def test_nothing_stays_of_an_earlier_combination(folder):
    main(["combine", write_genres(folder / "g.csv", 1), "--out", "both"])
    main(["combine", write_values(folder / "v.csv", 1), "--out", "both"])
    assert {path.name for path in (folder / "both").iterdir()} == {
        "predictions.csv",
        "test_metrics.json",
        "scatter.png",
    }
    main(["combine", write_values(folder / "w.csv", 1, NOTHING), "--out", "both"])
    assert {path.name for path in (folder / "both").iterdir()} == {"predictions.csv"}


def test_of_a_single_track_there_is_no_interval(folder, capsys):
    file = write_genres(folder / "one.csv", 1, np.where(np.arange(len(IDS)) == 3, CLASSES, -1))
    main(["combine", file])
    printed = capsys.readouterr().out
    assert "nan" not in printed
    assert "bootstrap over 1 track)" in printed
