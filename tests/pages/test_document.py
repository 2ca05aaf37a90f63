"""Documents: the same blocks as html that a parser finds well-formed, and as Markdown."""

import numpy as np
import pytest
from commands.report.pages import Outline

from musiclab.errors import UserError
from musiclab.figures import confusion_figure, png_bytes
from musiclab.pages.document import (
    Code,
    Details,
    Document,
    Heading,
    Link,
    Picture,
    Pictures,
    SideBySide,
    Table,
    Text,
)

PICTURES = [Picture(f"pictures/{name}.png", b"\x89PNG" + bytes(20) + name.encode(), name) for name in "abc"]


def make_document():
    png = png_bytes(confusion_figure(np.eye(2, dtype=int), ["Jazz", "Rock"], 1.0))
    return Document(
        "Runs & <results>",
        [
            Heading("Genre: accuracy"),
            Text("Between a < b and *c*."),
            Table(["run", "accuracy"], [["cnn|1", "0.51"], ["2D <CNN>", "0.59 ± 0.01"]], "On the test set"),
            Heading("Figures"),
            Pictures([Picture("pictures/matrix.png", png, "Confusion of 'a' and \"b\"")]),
            Code("musiclab fit\nmusiclab test"),
        ],
    )


def test_html_is_well_formed_and_holds_everything():
    outline = Outline(make_document().to_html(embed=True))
    assert outline.texts["h1"] == ["Runs & <results>"]
    assert outline.texts["h2"] == ["Genre: accuracy", "Figures"]
    assert outline.texts["p"] == ["Between a < b and *c*."]
    assert outline.texts["td"] == ["cnn|1", "0.51", "2D <CNN>", "0.59 ± 0.01"]
    assert [cell.get("class") for cell in outline.all("td")] == [None, "number"] * 2
    links = [link["href"] for link in outline.all("a")]
    assert links == ["#" + heading["id"] for heading in outline.all("h2")] == ["#genre-accuracy", "#figures"]


def test_an_embedding_page_needs_no_other_file_and_no_script():
    page = make_document().to_html(embed=True)
    (image,) = Outline(page).all("img")
    assert image["src"].startswith("data:image/png;base64,")
    assert image["alt"] == "Confusion of 'a' and \"b\""
    assert (int(image["width"]), int(image["height"])) == (385, 335)
    assert "http" not in page
    assert "<script" not in page


def test_pictures_are_shown_at_the_size_that_they_were_drawn_for_of_any_resolution():
    figure = confusion_figure(np.eye(2, dtype=int), ["Jazz", "Rock"], 1.0)  # 3.5 by 3.05 inches
    for png in (png_bytes(figure), png_bytes(figure, colours=64)):
        assert int.from_bytes(png[16:20]) > 385
        assert Picture("a.png", png, "").size == (385, 335)
    assert Picture("a.png", b"\x89PNG" + bytes(14) + bytes([1, 0]) + bytes([0, 0, 0, 200]), "").size == (256, 200)


def test_a_linking_page_names_the_picture_files_that_are_saved(tmp_path, capsys):
    make_document().write(tmp_path, ["one thing to be said"])
    (image,) = Outline((tmp_path / "index.html").read_text(encoding="utf-8")).all("img")
    assert (tmp_path / image["src"]).read_bytes().startswith(b"\x89PNG")
    assert capsys.readouterr().out.splitlines() == [
        "one thing to be said",
        f"Runs & <results>, to be looked at in a browser: {tmp_path / 'index.html'}",
    ]


def test_a_page_cannot_be_written_to_a_file(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="file: a file; give the folder"):
        make_document().write(tmp_path / "file")


def test_markdown(tmp_path, capsys):
    make_document().write(tmp_path, alone="report")
    assert capsys.readouterr().out.endswith(f": {tmp_path / 'report.html'}, and report.md\n")
    assert "data:image/png" in (tmp_path / "report.html").read_text(encoding="utf-8")
    assert (tmp_path / "report.md").read_text(encoding="utf-8").split("\n\n") == [
        "# Runs & \\<results\\>",
        "## Genre: accuracy",
        "Between a \\< b and \\*c\\*.",
        "On the test set",
        "| run | accuracy |\n| --- | ---: |\n| cnn\\|1 | 0.51 |\n| 2D \\<CNN\\> | 0.59 ± 0.01 |",
        "## Figures",
        "![Confusion of 'a' and \"b\"](pictures/matrix.png)",
        "Confusion of 'a' and \"b\"",
        "    musiclab fit\n    musiclab test\n",
    ]


def test_columns_of_words_that_begin_with_digits_are_no_numbers():
    table = Table(["model"], [["2D CNN"], ["3 of them"]])
    assert table.to_markdown().splitlines()[1] == "| --- |"


def test_a_cell_can_lead_to_a_heading_of_the_page():
    heading = Heading("2: CNN & mel", 3)
    table = Table(["model", "runs"], [[Link("2 & up", heading.anchor), Link("3", "x")]])
    outline = Outline(Document("Links", [table, heading]).to_html(embed=True))
    assert outline.all("a") == [{"href": "#2-cnn-mel"}, {"href": "#x"}]
    assert outline.all("h3") == [{"id": "2-cnn-mel"}]
    assert outline.texts["a"] == ["2 & up", "3"]
    assert [cell.get("class") for cell in outline.all("td")] == [None, "number"]
    assert table.to_markdown().splitlines()[-1] == "| 2 & up | 3 |"


HOSTILE = "</p></title><script>alert(1)</script>\"' onload='x' {{ title }} {% raw %} &amp;"


@pytest.mark.parametrize(
    ("block", "tag"),
    [
        (Heading(HOSTILE), "h2"),
        (Text(HOSTILE), "p"),
        (Code(HOSTILE), "pre"),
        (Table([HOSTILE], []), "th"),
        (Table(["name"], [[HOSTILE]]), "td"),
        (Table(["name"], [[Link(HOSTILE, "x")]]), "a"),
        (Table(["name"], [], HOSTILE), "caption"),
        (Details(HOSTILE, [], opened=True), "summary"),
        (Details("more", [Text(HOSTILE)]), "p"),
        (SideBySide([[Text(HOSTILE)]]), "p"),
        (Pictures([Picture(HOSTILE, PICTURES[0].png, HOSTILE)]), "figcaption"),
    ],
)
@pytest.mark.parametrize("embed", [True, False])
def test_hostile_names_are_shown_as_they_are(block, tag, embed):
    page = Document(HOSTILE, [block]).to_html(embed)
    outline = Outline(page)
    assert HOSTILE in outline.texts[tag]
    assert outline.texts["title"] == outline.texts["h1"] == [HOSTILE]
    assert "<script" not in page
    for image in outline.all("img"):
        assert image["alt"] == HOSTILE
        assert embed or image["src"] == HOSTILE
        assert set(image) == {"src", "width", "height", "alt"}


@pytest.mark.parametrize("rows", [[["1", "2"]], [["1"], []]])
def test_a_row_of_another_length_is_refused(rows):
    with pytest.raises(ValueError, match="zip"):
        Document("Rows", [Table(["a"], rows)]).to_html(embed=True)


def make_folded():
    folded = Details("2 <pictures>", [Text("Inside"), Pictures(PICTURES[:2])])
    columns = SideBySide([[Text("Left")], [Table(["x"], [["1"]]), Pictures(PICTURES[2:])]])
    return Document("Blocks", [folded, columns, Details("Open", [], opened=True)])


def test_html_is_well_formed_and_folds_without_a_script():
    page = make_folded().to_html(embed=True)
    outline = Outline(page)
    assert outline.texts["summary"] == ["2 <pictures>", "Open"]
    assert [("open" in details) for details in outline.all("details")] == [False, True]
    assert outline.texts["p"] == ["Inside", "Left"]
    assert len(outline.all("img")) == 3
    assert "<script" not in page


def test_pictures_within_are_found_and_saved(tmp_path):
    document = make_folded()
    assert document.pictures == PICTURES
    document.write(tmp_path)
    assert sorted(path.name for path in (tmp_path / "pictures").iterdir()) == ["a.png", "b.png", "c.png"]


def test_markdown_has_all_of_it():
    text = make_folded().to_markdown()
    order = [
        text.index(part) for part in ("Inside", "pictures/a.png", "pictures/b.png", "Left", "| x |", "pictures/c.png")
    ]
    assert order == sorted(order)


def test_a_table_without_its_empty_columns():
    table = Table(["a", "b", "c"], [["1", "", Link("", "x")], ["", "", Link("2", "y")]], "caption")
    kept = table.without_empty()
    assert kept == Table(["a", "c"], [["1", ""], ["", "2"]], "caption")
    assert kept.rows[1][1].anchor == "y"
