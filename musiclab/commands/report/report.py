"""``musiclab report``: what runs reached, in one page."""

import datetime
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from musiclab import __version__
from musiclab.commands.report.beside import published_blocks, stands_beside
from musiclab.commands.report.datasets import assign, describe
from musiclab.commands.report.drawing import (
    curve_drawings,
    draw_all,
    f1_drawings,
    latent_pictures,
    tag_drawings,
    test_drawings,
)
from musiclab.commands.report.folders import LeftOut, find_folders, short_names
from musiclab.commands.report.groups import Group, make_groups, model_name
from musiclab.commands.report.opening import opening_blocks, tracks_of
from musiclab.commands.report.published import LAB_SETS, PublishedSet, read_published
from musiclab.commands.report.questions import question_blocks
from musiclab.commands.report.settings import data_setting
from musiclab.commands.report.standings import Ranking, rank
from musiclab.commands.report.tables import (
    differs_text,
    f1_table,
    heading_of,
    models_table,
    runs_table,
    score_text,
    scores_of,
    tag_table,
)
from musiclab.errors import UserError
from musiclab.pages.document import Block, Details, Document, Heading, Pictures, Table, Text, page_folder
from musiclab.runs.run import Run, read_run

OPEN = 16
"""With up to so many models, their pictures are shown at first."""

LONG = 20
"""A table of tags of more rows is shown when it is asked for."""

KINDS = {"classes": "Genre", "values": "Emotion", "tags": "Tags"}
"""Kinds of outputs, and the title of their part of the report."""


def report(runs: list[str], *, out: str, lab: str | None = None, published: list[str] | None = None) -> None:
    """Write report.html, which needs no other file, and report.md with the pictures beside it.

    Of the folders of runs alone; no checkpoint is read.

    Args:
        runs: Folders of runs, lightning_logs/version_N, or folders with such below them.
        out: Folder to write to. What an earlier report wrote there is replaced; nothing is deleted.
        lab: Folder that the lab's own data sets lie in, as the runs name it; null if no run is on them. Only results
            on these are said to be on the same data as the published figures.
        published: Files of figures that others published, to stand beside ours: YAML, see docs/runs.md.
    """
    sets = [one for name in published or [] for one in read_published(Path(name).expanduser())]
    folders, left = find_folders(runs)
    page_folder(out)  # before what takes long
    read = []
    for path in tqdm(folders, "reading", unit="run", disable=not folders):
        try:
            read.append(read_run(path))
        except UserError as error:
            left.append(LeftOut(path, str(error)))
    notes = [f"{run.folder}: {problem}" for run in read for problem in run.damaged]
    notes += [f"{path}: left out: {reason}" for path, reason in left]
    make_document(read, left, lab, sets).write(out, notes, alone="report")


def make_document(
    runs: Sequence[Run], left: Sequence[LeftOut], lab: str | None = None, published: Sequence[PublishedSet] = ()
) -> Document:
    """Return the report of some runs, and of what was left out of it; see :func:`report`."""
    names = short_names([run.folder for run in runs])
    fits = [run for run in runs if run.command == "fit" and run.kind in KINDS]
    groups = make_groups(fits, assign(fits, lab))
    others = [run for run in runs if run.command != "fit"]
    unknown = [run for run in runs if run.command == "fit" and run.kind not in KINDS]
    lost = [*left, *(LeftOut(run.folder, f"neither genres, emotions nor tags, but {run.task}") for run in unknown)]
    solutions = [names[run.folder] for run in runs if (run.folder / "solution.txt").is_file()]
    data_sets = list(dict.fromkeys(group.data for group in groups))
    lost += [
        LeftOut(one.path, f"{one.title}: no run is on data whose folder ends in {one.folder}")
        for one in published
        if not any(stands_beside(data, one) for data in data_sets)
    ]
    ranked = {data: rank([group for group in groups if group.data == data]) for data in data_sets}
    intro = (
        f"{len(fits)} trainings of {len(groups)} models; musiclab {__version__}, {datetime.date.today():%Y-%m-%d}. "
        "A model's runs differ in seed, fold and folder alone; those that finished count, one for each seed and fold."
    )
    blocks: list[Block] = [Text(intro)]
    blocks += opening_blocks([ranking for rankings in ranked.values() for ranking in rankings], [*LAB_SETS, *published])
    for kind, title in KINDS.items():
        ours = [data for data in data_sets if data.kind == kind]
        if ours:
            blocks.append(Heading(title))
        for data in ours:
            members = [group for group in groups if group.data == data]
            blocks += _data_blocks(title, members, ranked[data], names, published)
    blocks += question_blocks(groups, solutions)
    blocks += _picture_blocks(groups, names)
    blocks += _other_blocks(others, names)
    blocks += _lost_blocks(runs, lost, names)
    return Document(f"Report of {len(fits)} {'run' if len(fits) == 1 else 'runs'}", blocks)


def _data_blocks(
    title: str,
    groups: Sequence[Group],
    rankings: Sequence[Ranking],
    names: dict[Path, str],
    published: Sequence[PublishedSet],
) -> list[Block]:
    data = groups[0].data
    tracks = {count for ranking in rankings for count in tracks_of(ranking)}
    table_of = {"classes": f1_table, "tags": tag_table}.get(data.kind)
    scores = table_of(groups) if table_of else None
    return [
        Heading(f"{title}: {data.name}", 3),
        Text(describe(data, [run for group in groups for run in group.runs])),
        models_table(groups, rankings),
        *published_blocks(data, published, tracks),
        runs_table(groups, names),
        *([] if scores is None else [_folded(scores) if data.kind == "tags" else scores]),
    ]


def _folded(table: Table) -> Block:
    """Return a table of tags, to be opened by a click if they are many."""
    if len(table.rows) <= LONG:
        return table
    return Details(f"{table.caption}: {len(table.rows)} rows", [table])


def _picture_blocks(groups: Sequence[Group], names: dict[Path, str]) -> list[Block]:
    """Return the pictures of each model, drawn all together."""
    if not groups:
        return []
    by_group = [
        curve_drawings(group)
        + [d for run in group.runs for d in test_drawings(run, names[run.folder])]
        + f1_drawings(group)
        + tag_drawings(group)
        for group in groups
    ]
    pictures = iter(draw_all([drawing for drawings in by_group for drawing in drawings]))
    blocks: list[Block] = [Heading("Curves, confusion, scatter plots")]
    for group, drawings in zip(groups, by_group, strict=True):
        settings = f"Settings: {words}. " if (words := differs_text(group)) else ""
        runs = ", ".join(names[run.folder] for run in group.runs)
        blocks += [heading_of(group), Text(f"On {group.data.name}. {settings}Runs: {runs}.")]
        shown = [next(pictures) for _ in drawings]
        shown += [picture for run in group.runs for picture in latent_pictures(run, names[run.folder])]
        if shown:
            summary = f"{len(shown)} {'picture' if len(shown) == 1 else 'pictures'}"
            blocks.append(Details(summary, [Pictures(shown)], opened=len(groups) <= OPEN))
    return blocks


def _other_blocks(runs: Sequence[Run], names: dict[Path, str]) -> list[Block]:
    """Return what is known of tests, validations and predictions in folders of their own."""
    if not runs:
        return []
    rows = []
    for run in runs:
        done = run.evaluations.get(run.command)  # none where it did not end
        results = [] if run.finished else [run.state]
        checkpoint, tracks, _, metrics = done or ("", "", None, {})
        for metric, name in scores_of(run.kind, [run]).items() if run.kind in KINDS else []:
            logged = metric.replace("test", "val", 1) if run.command == "validate" else metric
            if logged in metrics:
                results.append(f"{name.removeprefix('test ')} {score_text(metrics[logged])}")
        heard = run.command == "validate" and data_setting(run, "validate_on") == "train"
        what = [names[run.folder], run.command + (" on the training part" if heard else ""), model_name(run)]
        rows.append([*what, checkpoint or "", str(tracks), "; ".join(results)])
    header = ["folder", "command", "model", "checkpoint", "tracks", "result"]
    return [Heading("Tests and predictions by themselves"), Table(header, rows)]


def _lost_blocks(runs: Sequence[Run], lost: Sequence[LeftOut], names: dict[Path, str]) -> list[Block]:
    """Return which folders are left out, and which files are damaged."""
    damaged = [[names[run.folder], problem] for run in runs for problem in run.damaged]
    blocks: list[Block] = [Heading("Left out, or damaged")] if lost or damaged else []
    if lost:
        blocks.append(Table(["folder", "why it is left out"], [[str(path), reason] for path, reason in lost]))
    if damaged:
        blocks.append(Table(["run", "damaged file"], damaged))
    return blocks
