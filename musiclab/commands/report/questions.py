"""The lab's questions: the published figures on each, and ours, never in one table."""

import math
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from musiclab.commands.report.beside import published_table
from musiclab.commands.report.datasets import describe
from musiclab.commands.report.groups import AXES, Group, is_single, settings_key
from musiclab.commands.report.published import LAB_SETS
from musiclab.commands.report.tables import differs_text, heading_of, mean_text, score_text
from musiclab.data.labels import LAB_CLASS_MAP
from musiclab.pages.document import Block, Details, Heading, Link, SideBySide, Table, Text

OTHER_DATA = "Ours, on other data: does not compare. "
SAME_DATA = {"classes": "Ours, on the lab's data set. ", "values": "Ours, on other test tracks of the lab's data set. "}
GENRE_COLUMNS = {"accuracy": "accuracy", "macro F1": "f1_macro"}


def question_blocks(groups: Sequence[Group], solutions: Sequence[str]) -> list[Block]:
    """Return all questions with their tables, nothing where no model is of the lab's genres or axes.

    Args:
        groups: The models of the report; others than those of the lab's genres and axes are left out here.
        solutions: Names of the runs that made a file for Kaggle.
    """
    asked = [group for group in groups if is_of_lab(group)]
    if groups and not asked:
        return []
    sources = "; ".join(f"{name}: {what}" for name, what in LAB_SETS[0].sources.items())
    made = f"solution.txt of {', '.join(solutions)}; the score is known to Kaggle alone."
    kaggle = Text(f"Ours: {made if solutions else 'no solution.txt among the given folders.'}")
    blocks: list[Block] = []
    for question in LAB_SETS:
        tracks = f"; {question.test_tracks} to test" if question.test_tracks else ""
        caption = f"Published, on the lab's data set: {question.data}{tracks}"
        theirs: list[Block] = [published_table(question.figures, caption)]
        theirs += [Text(question.recipes)] if question.recipes else []
        if question.f1:
            rows = [[genre, *cells] for genre, cells in question.f1["genres"].items()]
            caption = f"F1 of each genre by the 2D CNN of {question.f1['source']}"
            theirs.append(Table(["genre", "F1", "test tracks"], rows, caption))
        wanted = question.answered_by
        ours = our_tables([group for group in asked if answers(group, wanted)]) if wanted else [kaggle]
        blocks += [Heading(question.title, 3), SideBySide([theirs, ours])]
    near = any(group.data.is_lab for group in asked)
    summary = f"Published on the lab's data set, beside ours{'' if near else ', which are on other data'}. {sources}."
    return [Heading("The lab's questions"), Details(summary, blocks, opened=near)]


def is_of_lab(group: Group) -> bool:
    """Tell whether all genres of a model, or all axes, are among the lab's; it has no tags."""
    if group.data.kind == "tags":
        return False
    ours = {*LAB_CLASS_MAP, *LAB_CLASS_MAP.values()} if group.data.kind == "classes" else set(AXES)
    return all(ours.issuperset(run.target_names) for run in group.runs)


def answers(group: Group, wanted: Mapping[str, Any]) -> bool:
    """Tell whether a model has all the facts that a question wants."""
    run = group.runs[0]
    facts = {
        "kind": group.data.kind,
        "lstm": "LSTM" in (run.backbone or ""),
        "transfer": bool(run.model("pretrained")),
        "single": is_single(run),
    }
    return all(str(facts[name]).lower() == value for name, value in wanted.items())


def our_tables(groups: Sequence[Group]) -> list[Block]:
    """Return what finished and tested runs reached, a table for each data set."""
    tested = [group for group in groups if any(run.metrics for run in group.counted)]
    blocks: list[Block] = []
    for data in dict.fromkeys(group.data for group in tested):
        ours = [group for group in tested if group.data == data]
        sentence = describe(data, [run for group in ours for run in group.counted])
        blocks.append(Text((SAME_DATA[data.kind] if data.is_lab else OTHER_DATA) + sentence))
        blocks.append(_our_table(ours))
    return blocks or [Text("Ours: no finished and tested run of this kind among the given folders.")]


def _our_table(groups: Sequence[Group]) -> Table:
    """Return a row of scores for each model; models of single axes that are set alike share one."""
    families: dict[str, list[Group]] = {}
    for group in groups:
        families.setdefault(_family(group), []).append(group)
    genre = groups[0].data.kind == "classes"
    named = {axis for group in groups for run in group.runs for axis in run.target_names}
    axes = [axis for axis in AXES if axis in named] + sorted(named - set(AXES))
    columns = GENRE_COLUMNS if genre else {axis: f"spearman_{axis}" for axis in axes}
    rows = []
    for family in families.values():
        first = family[0]
        name = first.title
        if len(family) > 1:
            model = first.name.replace(f"{first.runs[0].target_names[0]} ", "")
            name = f"{', '.join(str(group.number) for group in family)}: {model}, one for each axis"
        words = dict.fromkeys("reference" if g.base == g.number else differs_text(g) for g in family)
        counts = sorted({len(group.counted) for group in family})
        cells = ["".join(mean_text(group, metric) for group in family) for metric in columns.values()]
        mean = [] if genre else [_mean_of_axes(family)]
        count = f"{counts[0]} to {counts[-1]}" if len(counts) > 1 else str(counts[0])
        rows.append([Link(name, heading_of(first).anchor), "; ".join(filter(None, words)), count, *cells, *mean])
    return Table(["our model", "set otherwise", "runs", *columns, *([] if genre else ["mean"])], rows).without_empty()


def _family(group: Group) -> str:
    """What is the same for models that differ in their single axis alone."""
    run = group.runs[0]
    single = group.data.kind == "values" and is_single(run)
    return settings_key(run, axes=False) if single else str(group.number)


def _mean_of_axes(family: Sequence[Group]) -> str:
    """Return the mean over the axes of a model of several; of models of one, if the three of the lab are there."""
    if not is_single(family[0].runs[0]):
        return mean_text(family[0], "spearman")
    if {group.runs[0].target_names[0] for group in family} != set(AXES):
        return ""
    scores = [group.scores(f"spearman_{group.runs[0].target_names[0]}") for group in family]
    return score_text(fmean(fmean(values) if values else math.nan for values in scores))
