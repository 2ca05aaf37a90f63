"""Blocks that hold others: folded, and side by side."""

from commands.report.pages import Outline

from musiclab.pages.document import Document, Picture, Pictures, Table, Text
from musiclab.pages.folding import Details, SideBySide

PICTURES = [Picture(f"pictures/{name}.png", b"\x89PNG" + bytes(20) + name.encode(), name) for name in "abc"]


def make_document():
    folded = Details("2 <pictures>", [Text("Inside"), Pictures(PICTURES[:2])])
    columns = SideBySide([[Text("Left")], [Table(["x"], [["1"]]), Pictures(PICTURES[2:])]])
    return Document("Blocks", [folded, columns, Details("Open", [], opened=True)])


def test_html_is_well_formed_and_folds_without_a_script():
    page = make_document().to_html(embed=True)
    outline = Outline(page)
    assert outline.texts["summary"] == ["2 <pictures>", "Open"]
    assert [("open" in details) for details in outline.all("details")] == [False, True]
    assert outline.texts["p"] == ["Inside", "Left"]
    assert len(outline.all("img")) == 3
    assert "<script" not in page


def test_pictures_within_are_found_and_saved(tmp_path):
    document = make_document()
    assert list(document.pictures()) == PICTURES
    document.save_pictures(tmp_path)
    assert sorted(path.name for path in (tmp_path / "pictures").iterdir()) == ["a.png", "b.png", "c.png"]


def test_markdown_has_all_of_it():
    text = make_document().to_markdown()
    order = [
        text.index(part) for part in ("Inside", "pictures/a.png", "pictures/b.png", "Left", "| x |", "pictures/c.png")
    ]
    assert order == sorted(order)
