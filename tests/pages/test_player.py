"""Pages of songs: whole in themselves, and safe whatever songs and genres are called."""

import json
import re

import pytest
from commands.report.pages import Outline

from musiclab.pages.player import Line, Panel, Plane, SongList, SongPage, clock, value_marks

PNG = b"\x89PNG\r\n\x1a\n"
NASTY = "</script><b>\"Rock\" & 'Roll'"


def make_page(**more):
    lines = [Line(NASTY, "#123456", "0.75", 0.75), Line("energy", "#654321", "0.25", dashes="dashed")]
    panel = Panel("Genre", b"<svg/>", "areas", 100, [(0.0, "0"), (1.0, "1")], "model0", "genre", lines, "Rock")
    plane = Plane("model0", "valence", "energy", b"<svg/>", (0.0, 1.0), (0.2, 0.8), "a path")
    values = {"model0": {"names": [NASTY, "energy"], "seconds": [1.0], "values": [[0.5, 0.5]], "lines": [[0], [1]]}}
    return SongPage(NASTY, "3:05.", 185.0, b"mp3", [Panel("Mel", PNG, "mel", 50), panel], [plane], values, **more)


def test_a_page_holds_all_that_it_shows():
    html = make_page(notes=["a note"], near=[("100", "cosine 0.9")], index="index.html").to_html()
    page = Outline(html)
    sources = [attributes["src"] for _, attributes in page.elements if "src" in attributes]
    assert [source.split(",")[0] for source in sources] == [
        "data:audio/mpeg;base64", "data:image/png;base64", "data:image/svg+xml;base64", "data:image/svg+xml;base64",
    ]  # fmt: skip
    assert [attributes["href"] for _, attributes in page.elements if "href" in attributes] == ["data:,", "index.html"]
    assert not re.search(r"url\(|@import|https?://|fetch\(|XMLHttp", html)
    (policy,) = (meta["content"] for meta in page.all("meta") if "http-equiv" in meta)
    assert policy.startswith("default-src 'none'; img-src data:; media-src data:;")
    assert "index.html" not in make_page().to_html()


def test_names_cannot_break_a_page():
    page = Outline(make_page().to_html())
    assert page.texts["h1"] == [NASTY] == page.texts["title"]
    assert page.texts["td"][0] == NASTY
    assert "b" not in {tag for tag, _ in page.elements}
    data, script = page.texts["script"]
    assert json.loads(data)["model0"]["names"] == [NASTY, "energy"]
    assert script.startswith("// The cursor")


@pytest.mark.parametrize(("seconds", "said"), [(5.9, "0:05"), (185, "3:05"), (3600, "1:00:00"), (7325, "2:02:05")])
def test_times(seconds, said):
    assert clock(seconds) == said


@pytest.mark.parametrize("seconds", [1.2, 30, 245, 3600, 90000])
def test_few_marks_on_the_axis_of_time(seconds):
    marks = SongPage("", "", seconds, b"", []).marks
    assert 1 < len(marks) <= 26
    assert marks[0] == (0, "0:00")
    assert all(0 <= place <= 1 for place, _ in marks)


def test_marks_of_values():
    assert value_marks(0.0, 1.0) == [(0.0, "0"), (0.5, "0.5"), (1.0, "1")]
    for low, high in ((0.0, 1.0), (-0.02, 1.02), (0.31, 0.52), (-3.0, 900.0), (0.5, 0.5003)):
        marks = value_marks(low, high)
        assert 2 <= len(marks) <= 5
        for place, text in marks:
            assert float(text) == pytest.approx(low + place * (high - low), rel=0.01, abs=1e-9)


def test_a_list_of_songs():
    rows = [("a#1", "a#1.html", ["0:45", "Rock", "0.31"]), (NASTY, "b.html", ["2:12", "Folk", "0.4"])]
    songs = SongList("2 songs", ["length", "genre", "probability"], rows, ["Left out: c.mp3"])
    page = Outline(songs.to_html())
    assert [link["href"] for link in page.all("a")] == ["a%231.html", "b.html"]
    assert page.texts["a"] == ["a#1", NASTY]
    assert page.texts["p"] == ["Left out: c.mp3"]
    assert songs.numbers == [False, False, True]
