"""Documents: the same blocks as html that a parser finds well-formed, and as Markdown."""

import numpy as np
from commands.report.pages import Outline

from musiclab.figures import confusion_figure, png_bytes
from musiclab.pages.document import Code, Document, Heading, Link, Picture, Pictures, Table, Text


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


def test_a_linking_page_names_the_picture_files_that_are_saved(tmp_path):
    document = make_document()
    document.save_html(tmp_path / "index.html", embed=False)
    document.save_pictures(tmp_path)
    (image,) = Outline((tmp_path / "index.html").read_text(encoding="utf-8")).all("img")
    assert (tmp_path / image["src"]).read_bytes().startswith(b"\x89PNG")


def test_markdown(tmp_path):
    make_document().save_markdown(tmp_path / "report.md")
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
