"""Published figures: the lab's, in ``published.yaml``, and those of files of a user's own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from musiclab.data.tables import is_number, read_text
from musiclab.errors import UserError, did_you_mean
from musiclab.runs.comparison import AXIS_SCORE

LAB_FILE = files("musiclab.commands.report").joinpath("published.yaml")

GENRE_SCORES, EMOTION_SCORES = ("accuracy", "f1_macro"), ("spearman",)
LEADERBOARD = "leaderboard"
"""Score of the lab's competition, which is of no data that anyone else has."""

WORDS = ("model", "source", "pretrained", "note")
"""What a figure says besides its scores; the first two always."""

SET_KEYS = ("title", "folder", "genres", "test_tracks", "data", "recipes", "figures")
LAB_KEYS = ("answered_by", "f1")
"""What the sets of the lab's file may have besides."""


@dataclass(frozen=True)
class Published:
    """A published figure: what a model of others reached.

    Attributes:
        model: Its name.
        source: Short name of who published it.
        scores: With the digits as published, by the names of our metrics, without ``test_``.
        pretrained: What it was trained on before; empty if nothing is told.
        note: Anything else.
    """

    model: str
    source: str
    scores: Mapping[str, str]
    pretrained: str = ""
    note: str = ""


@dataclass(frozen=True, eq=False)
class PublishedSet:
    """Figures that were published on one data set.

    Attributes:
        path: The file that they are from.
        title: What to call them.
        folder: How the folder of the data ends, as the runs name it; None where ``--lab`` says where it is.
        genres: Number of genres; None of emotions.
        test_tracks: Number of test tracks; None if theirs are not those that we have.
        data: Anything else on the data, in words.
        recipes: How models were trained, in words.
        figures: The figures.
        sources: In full, by their short names.
        answered_by: Of the lab's questions: which facts hold for models of ours that answer it.
        f1: Of the lab's questions: F1 of each genre by one of the models.
    """

    path: Path
    title: str
    folder: str | None
    genres: int | None
    test_tracks: int | None
    data: str
    recipes: str
    figures: Sequence[Published]
    sources: Mapping[str, str]
    answered_by: Mapping[str, Any]
    f1: Mapping[str, Any]

    @property
    def kind(self) -> str:
        """Kind of the outputs, as runs name it: classes, values; empty where no run can be compared."""
        names = {name for figure in self.figures for name in figure.scores}
        return "" if LEADERBOARD in names else "classes" if names.intersection(GENRE_SCORES) else "values"


def read_published(path: Path, lab: bool = False) -> list[PublishedSet]:
    """Read a file of published figures.

    Args:
        path: YAML with ``sources``, short names with what they stand for in full, and ``sets``; each has ``title``,
            ``folder``, ``test_tracks``, of genres their number as ``genres``, maybe ``data`` and ``recipes`` in words,
            and ``figures``: ``model``, ``source``, scores named as musiclab's metrics, maybe ``pretrained`` and
            ``note``.
        lab: Whether it is the lab's, whose sets have no folder.

    Raises:
        UserError: If it is no such file.
    """
    text = read_text(path)
    try:
        tree = yaml.load(text, Loader=yaml.BaseLoader)
    except yaml.YAMLError as error:
        raise UserError(f"{path}: not YAML: {' '.join(str(error).split())}") from None
    tree = _mapping(tree, f"{path}: the file", ("sources", "sets"), ("sources", "sets"))
    sources = {
        name: _text(said, f"{path}: source {name}") for name, said in _items(tree["sources"], f"{path}: sources")
    }
    sets = _list(tree["sets"], f"{path}: sets")
    return [_read_set(item, path, number, sources, lab) for number, item in enumerate(sets, 1)]


def _read_set(item: Any, path: Path, number: int, sources: Mapping[str, str], lab: bool) -> PublishedSet:
    title = item.get("title") if isinstance(item, dict) else None
    where = f"{path}: set {number}" + (f" ({title})" if isinstance(title, str) else "")
    needed = ("title", "figures", *(() if lab else ("folder", "test_tracks")))
    item = _mapping(item, where, (*SET_KEYS, *(LAB_KEYS if lab else ())), needed)
    figures = [
        _read_figure(figure, f"{where}: figure {index}", sources)
        for index, figure in enumerate(_list(item["figures"], f"{where}: figures"), 1)
    ]
    found = PublishedSet(
        path=path,
        figures=figures,
        sources=sources,
        genres=_count(item.get("genres"), f"{where}: genres"),
        test_tracks=_count(item.get("test_tracks"), f"{where}: test_tracks"),
        folder=_text(item["folder"], f"{where}: folder") if "folder" in item else None,
        title=_text(item["title"], f"{where}: title"),
        data=_text(item.get("data", ""), f"{where}: data"),
        recipes=_text(item.get("recipes", ""), f"{where}: recipes"),
        answered_by=item.get("answered_by", {}),
        f1=item.get("f1", {}),
    )
    of_genres = [any(name in GENRE_SCORES for name in figure.scores) for figure in figures]
    if any(of_genres) and not all(of_genres):
        raise UserError(f"{where}: scores of genres and of emotions; make it two sets")
    if any(of_genres) and found.genres is None:
        raise UserError(f"{where}: no genres; say how many the scores are of")
    return found


def _read_figure(item: Any, where: str, sources: Mapping[str, str]) -> Published:
    axes = [name for name in item if name.startswith(AXIS_SCORE)] if isinstance(item, dict) else []
    known = (*WORDS, *GENRE_SCORES, *EMOTION_SCORES, *axes, LEADERBOARD)
    item = _mapping(item, where, known, WORDS[:2])
    words = {name: _text(item[name], f"{where}: {name}") for name in WORDS if name in item}
    where += f" ({words['model']})"
    if words["source"] not in sources:
        near = did_you_mean(words["source"], sources) or "; say there what it stands for: authors, title, link"
        raise UserError(f"{where}: source {words['source']} is not among the sources of the file{near}")
    scores = {name: _text(value, f"{where}: {name}") for name, value in item.items() if name not in WORDS}
    if not scores:
        raise UserError(f"{where}: no score; give {', '.join((*GENRE_SCORES, *EMOTION_SCORES))} or {AXIS_SCORE}AXIS")
    for name, score in scores.items():
        if not is_number(score) or not -1 <= float(score) <= 1:
            raise UserError(f"{where}: {name} is {score!r}; give a number as musiclab's scores are, as in 0.53")
    return Published(scores=scores, **words)


def _mapping(value: Any, where: str, known: Sequence[str], needed: Sequence[str]) -> dict[str, Any]:
    found = dict(_items(value, where))
    for name in found:
        if name not in known:
            near = did_you_mean(name, known) or f"; there are {', '.join(known)}"
            raise UserError(f"{where}: {name} is not known{near}")
    for name in needed:
        if not found.get(name):
            raise UserError(f"{where}: no {name}; it takes {', '.join(needed)}")
    return found


def _items(value: Any, where: str) -> Sequence[tuple[str, Any]]:
    if not isinstance(value, dict) or not all(isinstance(name, str) for name in value):
        raise UserError(f"{where}: not names with values, as in name: value")
    return list(value.items())


def _list(value: Any, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise UserError(f"{where}: not a list, each item of which begins with a dash")
    return value


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise UserError(f"{where}: not a text or number; put quotes around it if it is one")
    return value


def _count(value: Any, where: str) -> int | None:
    if value is None:
        return None
    if not isinstance(value, str) or not value.isascii() or not value.isdigit() or int(value) == 0:
        raise UserError(f"{where} is {value!r}; give a whole number")
    return int(value)


LAB_SETS: Sequence[PublishedSet] = read_published(Path(str(LAB_FILE)), lab=True)
"""The lab's questions."""

LAB_GENRES: Sequence[str] = [genre for question in LAB_SETS for genre in question.f1.get("genres", {})]
"""Of the lab's data set, after merging."""
