"""The lab's questions: the published figures on each, and ours, never in one table and never ranked."""

import json
from collections.abc import Callable, Sequence
from typing import NamedTuple

from musiclab.commands.report import published
from musiclab.commands.report.datasets import describe
from musiclab.commands.report.groups import AXES, Group, is_single, spread
from musiclab.commands.report.published import Figure
from musiclab.commands.report.settings import SEED, simplify
from musiclab.commands.report.tables import differs_text, heading_of, score_text, without_empty
from musiclab.pages.document import Block, Heading, Link, SideBySide, Table, Text

OTHER_DATA = "Ours, on other data, so that these figures and the published ones do not compare. "
SAME_DATA = {
    "genre": "Ours, on the lab's data set as well. ",
    "emotion": "Ours, on the lab's data set as well, with a held-out part of our own. ",
}


class Question(NamedTuple):
    """One question of the lab: what was published on it, and which of our groups answer it."""

    title: str
    data: str
    recipes: str
    figures: Sequence[Figure]
    answers: Callable[[Group], bool]


def _is_genre(group: Group, lstm: bool) -> bool:
    return group.data.kind == "genre" and ("LSTM" in (group.runs[0].backbone or "")) == lstm


def _is_emotion(group: Group, transfer: bool, single: bool | None) -> bool:
    run = group.runs[0]
    return (
        group.data.kind == "emotion"
        and bool(run.model("pretrained")) == transfer
        and (single is None or is_single(run) == single)
    )


QUESTIONS = [
    Question(
        "Step 5: genre by an LSTM, on each kind of features",
        published.GENRE_DATA,
        published.LSTM_RECIPES,
        published.LSTM,
        lambda group: _is_genre(group, lstm=True),
    ),
    Question(
        "Step 7: genre by a 2D CNN",
        published.GENRE_DATA,
        published.CNN_RECIPES,
        published.CNN,
        lambda group: _is_genre(group, lstm=False),
    ),
    Question(
        "Step 8: emotion, a model for each axis",
        published.EMOTION_DATA,
        "",
        published.SINGLE,
        lambda group: _is_emotion(group, transfer=False, single=True),
    ),
    Question(
        "Step 9: emotion, starting from the genre model",
        published.EMOTION_DATA,
        "",
        published.TRANSFER,
        lambda group: _is_emotion(group, transfer=True, single=None),
    ),
    Question(
        "Step 10: emotion, all axes at once, and the weighting of their losses",
        published.EMOTION_DATA,
        published.MULTITASK_RECIPES,
        published.MULTITASK,
        lambda group: _is_emotion(group, transfer=False, single=False),
    ),
]


def question_blocks(groups: Sequence[Group], solutions: Sequence[str]) -> list[Block]:
    """Return all questions with their tables; ``solutions`` names the runs that made a file for Kaggle."""
    teams = "; ".join(f"{team}: {what}" for team, what in published.TEAMS.items())
    blocks: list[Block] = [
        Heading("The lab's questions"),
        Text(
            "What others published on the lab's data set, and what the runs of this report reached. Figures on "
            f"different data stand in tables of their own; no order among them is meant. {teams}."
        ),
    ]
    for question in QUESTIONS:
        theirs: list[Block] = [Text(question.data), published_table(question.figures)]
        theirs += [Text(f"As published. {question.recipes}")] if question.recipes else []
        if question.figures is published.CNN:
            theirs += _published_f1()
        ours = our_tables([group for group in groups if question.answers(group)])
        blocks += [Heading(question.title, 3), SideBySide([theirs, ours])]
    blocks += [
        Heading("Step 11: the Kaggle competition", 3),
        Text(published.KAGGLE_DATA),
        published_table(published.KAGGLE),
        Text(
            f"Ours: solution.txt of {', '.join(solutions)}; the score is known to Kaggle alone."
            if solutions
            else "Ours: no solution.txt among the given folders."
        ),
    ]
    return blocks


def published_table(figures: Sequence[Figure]) -> Table:
    """Return the published figures, a row for each team and model."""
    found = {name for figure in figures for name in figure.scores}
    scores = [name for name in published.SCORES if name in found]
    notes = any(figure.note for figure in figures)
    rows = [
        [figure.model, figure.team, *(figure.scores.get(name, "") for name in scores), *([figure.note] * notes)]
        for figure in figures
    ]
    return Table(["published model", "team", *scores, *(["note"] * notes)], rows)


def our_tables(groups: Sequence[Group]) -> list[Block]:
    """Return what finished and tested runs reached, a table for each data set."""
    tested = [group for group in groups if any(run.metrics for run in group.counted)]
    blocks: list[Block] = []
    for data in dict.fromkeys(group.data for group in tested):
        ours = [group for group in tested if group.data is data or group.data == data]
        sentence = describe(data, [run for group in ours for run in group.counted])
        blocks.append(Text((SAME_DATA[data.kind] if data.is_lab else OTHER_DATA) + sentence))
        blocks.append(_genre_table(ours) if data.kind == "genre" else _emotion_table(ours))
    return blocks or [Text("Ours: no finished and tested run of this kind among the given folders.")]


def _genre_table(groups: Sequence[Group]) -> Table:
    header = ["our model", "set otherwise", "runs", "accuracy", "macro F1"]
    rows = [
        [
            Link(group.title, heading_of(group).anchor),
            _differs(group),
            _count([group]),
            *(_mean(group, f"test_{name}") for name in names),
        ]
        for group in groups
        for names in [("accuracy", "f1_macro")]
    ]
    return without_empty(header, rows)


def _emotion_table(groups: Sequence[Group]) -> Table:
    """Return Spearman's correlations; models of single axes that are set alike share a row."""
    families: dict[str, list[Group]] = {}
    for group in groups:
        families.setdefault(_family(group), []).append(group)
    axes = [axis for axis in AXES if any(axis in run.target_names for group in groups for run in group.runs)]
    axes += sorted({axis for group in groups for run in group.runs for axis in run.target_names} - set(axes))
    rows = []
    for family in families.values():
        name, anchor = family[0].title, heading_of(family[0]).anchor
        if len(family) > 1:
            numbers = ", ".join(str(group.number) for group in family)
            name = (
                f"{numbers}: {family[0].name.replace(f'{family[0].runs[0].target_names[0]} ', '')}, one for each axis"
            )
        words = dict.fromkeys(_differs(group) for group in family)
        by_axis = {group.runs[0].target_names[0]: group for group in family if is_single(group.runs[0])}
        if by_axis:
            cells = [_mean(by_axis[axis], f"test_spearman_{axis}") if axis in by_axis else "" for axis in axes]
            mean = _mean_of_axes(by_axis)
        else:
            cells = [_mean(family[0], f"test_spearman_{axis}") for axis in axes]
            mean = _mean(family[0], "test_spearman")
        rows.append([Link(name, anchor), "; ".join(filter(None, words)), _count(family), *cells, mean])
    return without_empty(["our model", "set otherwise", "runs", *axes, "mean"], rows)


def _family(group: Group) -> str:
    """What is the same for models that differ in their single axis alone."""
    run = group.runs[0]
    if not is_single(run) or not run.config:
        return str(group.number)
    settings = simplify(run.config)
    settings.pop(SEED, None)
    settings["data"] = {name: value for name, value in settings.get("data", {}).items() if name != "axes"}
    return json.dumps(settings, default=str)


def _differs(group: Group) -> str:
    return "reference" if group.base == group.number else differs_text(group)


def _mean(group: Group, metric: str) -> str:
    return spread([run.metrics.get(metric) for run in group.counted], score_text)


def _mean_of_axes(by_axis: dict[str, Group]) -> str:
    """Return the mean of the axes' means, if the three of the lab are there."""
    if set(by_axis) != set(AXES):
        return ""
    means = []
    for axis, group in by_axis.items():
        values = [run.metrics[name] for run in group.counted if (name := f"test_spearman_{axis}") in run.metrics]
        means.append(sum(values) / len(values) if values else float("nan"))
    return score_text(sum(means) / len(means))


def _count(groups: Sequence[Group]) -> str:
    counts = sorted({len(group.counted) for group in groups})
    return str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"


def _published_f1() -> list[Block]:
    rows = [[genre, score, str(tracks)] for genre, (score, tracks) in published.CNN_F1.items()]
    text = f"F1 of each genre by the 2D CNN of team {published.CNN_F1_TEAM}, on the same test tracks."
    return [Text(text), Table(["genre", "F1", "test tracks"], rows)]
