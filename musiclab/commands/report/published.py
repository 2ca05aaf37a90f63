"""The lab's questions, and what was published on each: ``published.yaml``."""

from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

import yaml

from musiclab.pages.document import Table

PUBLISHED: dict[str, Any] = yaml.safe_load(
    files("musiclab.commands.report").joinpath("published.yaml").read_text(encoding="utf-8")
)
QUESTIONS: Sequence[Mapping[str, Any]] = PUBLISHED["questions"]

GENRES: Sequence[str] = [genre for question in QUESTIONS for genre in question.get("genres", {}).get("f1", {})]
"""Of the lab's data set, after merging."""


def published_table(figures: Sequence[Mapping[str, Any]]) -> Table:
    """Return the published figures, a row for each team and model."""
    scores = PUBLISHED["scores"]
    rows = [
        [figure["model"], figure["team"], *(figure["scores"].get(name, "") for name in scores), figure.get("note", "")]
        for figure in figures
    ]
    return Table(["published model", "team", *scores, "note"], rows).without_empty()
