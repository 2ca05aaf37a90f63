"""The report as a whole: every number is that of the runs' files, nothing stops it, a browser shows it."""

import json
import re

import numpy as np
import pytest
from command_line import CONFIGS, error_of, fit_args, run_folder

from commands.report.making import AXES, GENRES, make_evaluation, make_run
from commands.report.pages import Outline, Tables, browser, look
from musiclab.cli import main
from musiclab.commands.report.folders import NO_RECORD
from musiclab.figures import new_figure, png_bytes


def write_report(out, *runs):
    main(["report", *map(str, runs), "--out", str(out)])
    return (out / "report.html").read_text(encoding="utf-8")


def read_metrics(folder):
    return json.loads((folder / "test_metrics.json").read_text())


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Runs of all kinds, by their names."""
    root = tmp_path_factory.mktemp("runs")
    emotion = {"kind": "emotion"}
    settings = {
        "cnn_0": {},
        "cnn_1": {"seed": 1},
        "cnn_smoothed": {"model_label_smoothing": 0.1},
        "other": {"data_root": "/data/zeta/genres"},
        "multi_0": emotion,
        "multi_1": {**emotion, "seed": 1},
        "energy": {**emotion, "names": ["energy"], "record": {"task": "RegressionTask"}},
        "frozen": {**emotion, "model_pretrained": "x.ckpt", "record": {"trainable_parameters": 99}},
        "killed": {**emotion, "seed": 5, "record": {"status": "running"}, "tested": False, "epochs": 1},
    }
    return {name: make_run(root / name / "lightning_logs" / "version_0", **kwargs) for name, kwargs in settings.items()}


@pytest.fixture(scope="module")
def report(runs, tmp_path_factory):
    out = tmp_path_factory.mktemp("report")
    return out, write_report(out, runs["cnn_0"].parents[2])


def test_every_number_of_the_runs_is_that_of_their_files(runs, report):
    seen = {}
    for _, header, rows in Tables(report[1]).all:
        if header[0] == "run" and "seed" in header:
            seen |= {row[0]: dict(zip(header, row, strict=True)) for row in rows}
    assert set(seen) == set(runs)
    names = {"test accuracy": "test_accuracy", "test macro F1": "test_f1_macro", "test Spearman, mean": "test_spearman"}
    names |= {f"test {axis}": f"test_spearman_{axis}" for axis in AXES}
    for name, row in seen.items():
        metrics = {} if name == "killed" else read_metrics(runs[name])
        for column, metric in names.items():
            assert row.get(column, "") == (f"{metrics[metric]:.3f}" if metric in metrics else ""), (name, column)
        record = json.loads((runs[name] / "run.json").read_text())
        parameters = "12,345" + (" (99 trained)" if name == "frozen" else "")
        monitor = record["best"]["monitor"]
        assert row["parameters"] == parameters
        assert row["epochs"] == str(record["epochs"])
        assert row["seconds"] == f"{record['seconds']:,.0f}"
        assert row[f"best {monitor} (epoch)"] == f"{record['best']['value']:.3f} ({record['best']['epoch']})"
        assert row["features"] == record["features"]
        assert row["model"] == record["backbone"]
    assert [seen[name]["state"] for name in ("killed", "multi_0")] == ["running, or killed", "finished"]
    assert [seen[name]["task"] for name in ("cnn_0", "multi_0", "energy", "frozen")] == [
        "genre",
        "multitask",
        "energy",
        "transfer",
    ]


def test_repeated_runs_become_mean_and_spread(runs, report):
    rows = {}
    for _, header, body in Tables(report[1]).all:
        if header[0] == "model" and "runs" in header:
            rows |= {row[0].split(": ")[0]: dict(zip(header, row, strict=True)) for row in body}
    scores = [read_metrics(runs[name])["test_accuracy"] for name in ("cnn_0", "cnn_1")]
    first, second = rows["1"], rows["2"]
    assert (first["runs"], first["test accuracy"]) == ("2 (2 seeds)", f"{np.mean(scores):.3f}")
    assert first["of the runs"] == f"{min(scores):.3f} - {max(scores):.3f}"
    assert first["set otherwise"] == "reference: model.label_smoothing null"
    assert (second["runs"], second["set otherwise"]) == ("1", "model.label_smoothing 0.1")
    multitask = next(row for row in rows.values() if row["model"].endswith("multitask CNN, mel"))
    assert multitask["runs"] == "2 (2 seeds, of 3 runs)"


def test_the_f1_of_each_genre(runs, report):
    tables = [(header, rows) for _, header, rows in Tables(report[1]).all if header == ["model", *GENRES]]
    metrics = [read_metrics(runs[name]) for name in ("cnn_0", "cnn_1")]
    means = [f"{np.mean([scores[f'test_f1_{genre}'] for scores in metrics]):.3f}" for genre in GENRES]
    assert tables[0][1][0] == ["1: CNN, mel", *means]


def test_the_page_stands_alone_and_its_links_lead_somewhere(report):
    outline = Outline(report[1])
    assert "<script" not in report[1]
    assert "http" not in report[1]
    assert all(image["src"].startswith("data:image/png;base64,") and image["alt"] for image in outline.all("img"))
    anchors = [heading["id"] for level in ("h2", "h3") for heading in outline.all(level)]
    assert len(set(anchors)) == len(anchors)
    assert {link["href"].removeprefix("#") for link in outline.all("a")} <= set(anchors)


def test_each_model_has_its_pictures(report):
    captions = Outline(report[1]).texts["figcaption"]
    assert captions.count("F1 of each genre: mean and, as dots, 2 runs") == 1
    assert sum("confusion matrix" in caption for caption in captions) == 4
    assert [f"multi_1: {axis} of 25 test tracks" in captions for axis in AXES] == [True] * 3
    assert "Weight of the loss of each axis, of 3 runs" in captions
    assert "Cross-entropy (nats): training and validation, of 2 runs" in captions
    assert "Accuracy (share of tracks): training and validation" in captions


def test_markdown_links_pictures_that_are_there(report):
    out, page = report
    text = (out / "report.md").read_text(encoding="utf-8")
    linked = re.findall(r"!\[.*?\]\((.*?)\)", text)
    assert len(linked) == len(set(linked)) == len(Outline(page).all("img"))
    assert all((out / name).read_bytes().startswith(b"\x89PNG") for name in linked)
    assert text.startswith("# Report of 9 runs\n")


def test_the_report_opens_with_a_picture_of_each_ranking(report):
    captions = Outline(report[1]).texts["figcaption"]
    ranked = [caption.split(":")[0] for caption in captions[:4]]
    assert ranked == [
        "Accuracy, best of 2 models",
        "Accuracy",
        "Mean Spearman of valence, energy, danceability, best of 2 models",
        "Spearman, energy, best of 3 models",
    ]
    assert all((report[0] / "pictures" / name).is_file() for name in ("models_1_accuracy.png", "models_3_spearman.png"))


def test_figures_of_a_users_own_stand_beside_ours(runs, tmp_path):
    mine = tmp_path / "mine.yaml"
    lines = ["sources: {Doe 2024: a paper}", "sets:"]
    for name, tracks in (("zeta", 1), ("eta", 25)):
        lines += [f"- title: {name}", f"  folder: {name}/genres", "  genres: 3", f"  test_tracks: {tracks}"]
        lines += ["  figures:", "  - {model: M, source: Doe 2024, accuracy: 0.50}"]
    mine.write_text("\n".join(lines))
    page = write_report(tmp_path / "out", runs["other"], runs["cnn_0"], "--published", mine)
    found = [(heading, rows) for heading, _, rows in Tables(page).all if rows[0][:2] == ["M", "Doe 2024"]]
    assert found == [("Genre: zeta/genres, 3 genres", [["M", "Doe 2024", "0.50"]])]
    assert "zeta: published, on this data." in Outline(page).texts["caption"]
    ((_, left),) = Tables(page).below("Left out, or damaged")
    assert left == [[str(mine), "eta: no run is on data whose folder ends in eta/genres"]]


def test_a_report_is_replaced_and_nothing_else_is_touched(runs, tmp_path):
    write_report(tmp_path, runs["cnn_0"], runs["other"])
    (tmp_path / "notes.txt").write_text("mine")
    first = {path.name for path in tmp_path.rglob("*")}
    page = write_report(tmp_path, runs["cnn_0"])
    assert "Report of 1 run" in Outline(page).texts["h1"]
    assert first <= {path.name for path in tmp_path.rglob("*")}
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_what_is_no_whole_run_is_listed_and_stops_nothing(runs, tmp_path, capsys):
    logs = tmp_path / "lightning_logs"
    (logs / "version_0").mkdir(parents=True)
    (logs / "version_1").mkdir()
    (logs / "version_1" / "hparams.yaml").write_text("lr: 1\n")
    (make_run(logs / "version_2") / "run.json").write_text("{")
    predicted = make_evaluation(logs / "version_3", "predict", "emotion", metrics={}, tracks=375)
    (predicted / "solution.txt").write_text("")
    tested = make_evaluation(logs / "version_4", "test")
    make_evaluation(logs / "version_5", "validate", "emotion", metrics={"val_spearman": 0.25, "val_loss": 1.0})
    heard = make_evaluation(logs / "version_8", "validate", "emotion", metrics={"val_spearman": 0.75})
    (heard / "config.yaml").write_text("data: {init_args: {validate_on: train}}\n")
    make_run(logs / "version_6", record={"kind": "chords", "task": "ChordTask"})
    damaged = make_run(logs / "version_7", seed=9)
    (damaged / "confusion_matrix.csv").write_text("x")
    page = write_report(tmp_path / "out", tmp_path, runs["cnn_0"])
    tables = Tables(page)
    ((_, left), (_, problems)) = tables.below("Left out, or damaged")
    assert [(row[0].rsplit("_")[-1], row[1].split(":")[0]) for row in left] == [
        ("0", "empty"),
        ("1", NO_RECORD.split(":")[0]),
        ("2", "run.json"),
        ("6", "neither genres, emotions nor tags, but ChordTask"),
    ]
    assert problems[0][1] == "confusion_matrix.csv: not a square table with the same genres as rows and columns"
    assert problems[0][0].endswith("version_7")
    ((_, others),) = tables.below("Tests and predictions by themselves")
    metrics = read_metrics(tested)
    shown = f"accuracy {metrics['test_accuracy']:.3f}; macro F1 {metrics['test_f1_macro']:.3f}"
    assert [row[1:] for row in others] == [
        ["predict", "multitask CNN, mel", "/runs/a/best.ckpt", "375", ""],
        ["test", "CNN, mel", "/runs/a/best.ckpt", "25", shown],
        ["validate", "multitask CNN, mel", "/runs/a/best.ckpt", "25", "Spearman, mean 0.250"],
        ["validate on the training part", "multitask CNN, mel", "/runs/a/best.ckpt", "25", "Spearman, mean 0.750"],
    ]
    assert "Ours: solution.txt of " in page
    assert f"{damaged}: confusion_matrix.csv: not a square table" in capsys.readouterr().out


def test_no_run_at_all(tmp_path):
    (tmp_path / "empty").mkdir()
    page = write_report(tmp_path / "out", tmp_path / "empty")
    assert Outline(page).texts["h1"] == ["Report of 0 runs"]
    assert Tables(page).below("Left out, or damaged")[0][1] == [[str(tmp_path / "empty"), "empty"]]


def test_pictures_of_latent_representations_are_shown(tmp_path):
    run = make_run(tmp_path / "run")
    (run / "latents").mkdir()
    png = png_bytes(new_figure(1, 1))
    (run / "latents" / "pca.png").write_bytes(png)
    (run / "latents" / "broken.png").write_bytes(b"GIF")
    page = write_report(tmp_path / "out", run)
    assert [caption for caption in Outline(page).texts["figcaption"] if "latents" in caption] == [
        "run: latents/pca.png"
    ]
    assert (tmp_path / "out" / "pictures" / "run_latents_pca.png").read_bytes() == png


def test_mistakes_are_one_line(tmp_path, capfd):
    assert "nowhere: no such folder" in error_of(capfd, ["report", str(tmp_path / "nowhere"), "--out", str(tmp_path)])
    (tmp_path / "file").write_text("")
    assert "a file; give the folder" in error_of(capfd, ["report", str(tmp_path), "--out", str(tmp_path / "file")])
    (tmp_path / "mine.yaml").write_text("sources: {}\nset: []")
    wrong = ["report", str(tmp_path), "--out", str(tmp_path / "out"), "--published", str(tmp_path / "mine.yaml")]
    assert "mine.yaml: the file: set is not known; did you mean sets?" in error_of(capfd, wrong)
    assert not (tmp_path / "out").exists()
    assert "RUNS" in error_of(capfd, ["report", "--out", str(tmp_path)], code=2)


@pytest.mark.skipif(browser() is None, reason="Chromium is not installed")
@pytest.mark.parametrize(("width", "least"), [(1200, 0.99), (390, 0.8)])
def test_a_browser_shows_all_of_it_on_wide_and_narrow_screens(report, width, least):
    out, page = report
    seen = look(out / "report.html", width)
    assert seen["scroll"] == seen["client"] <= width  # nothing sticks out but in boxes that scroll
    assert len(seen["images"]) == len(Outline(page).all("img"))
    # Text in the pictures, of 10 points at 110 dots per inch, nearly keeps its size.
    assert all(natural > 0 and shown / natural > least for natural, shown in seen["images"])


@pytest.mark.filterwarnings("ignore")
def test_a_real_run_leaves_a_record_whatever_its_callbacks_and_is_reported(genre_root, tmp_path):
    main(fit_args("genre_cnn.yaml", genre_root, tmp_path / "fit", epochs=2))
    main(fit_args("genre_cnn.yaml", genre_root, tmp_path / "check", f"-c={CONFIGS / 'overfit.yaml'}"))
    fitted, checked = (run_folder(tmp_path / name) for name in ("fit", "check"))
    record, check = (json.loads((folder / "run.json").read_text()) for folder in (fitted, checked))
    assert (record["status"], record["epochs"], record["best"]["monitor"]) == ("finished", 2, "val_accuracy")
    assert record["tracks"] == {"train": 32, "validation": 4, "test": 9}
    assert record["data_root"] == str(genre_root)
    assert record["command_line"][:2] == ["musiclab", "fit"]
    assert record["test"]["tracks"] == 9
    assert record["history"][-1]["epoch"] == 2
    assert (check["status"], check["best"]) == ("finished", None)
    page = write_report(tmp_path / "out", tmp_path)
    (row,) = [
        dict(zip(header, row, strict=True))
        for _, header, rows in Tables(page).all
        if header[0] == "run" and "seed" in header
        for row in rows
        if row[0] == "fit"
    ]
    assert row["test accuracy"] == f"{read_metrics(fitted)['test_accuracy']:.3f}"
    assert row["best val_accuracy (epoch)"] == f"{record['best']['value']:.3f} ({record['best']['epoch']})"
    assert row["parameters"] == f"{record['parameters']:,}"
    assert "Data: " in page
    assert "32 tracks to train; 4 tracks to validate; 9 tracks to test" in page
