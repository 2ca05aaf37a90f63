"""What a report opens with: pictures of how the models stand, and which is best, in words."""

from collections.abc import Iterable, Sequence

from matplotlib.figure import Figure

from musiclab.commands.report.beside import COMPARES, comparison, stands_beside
from musiclab.commands.report.drawing import LINES, slug
from musiclab.commands.report.groups import Group
from musiclab.commands.report.published import Published, PublishedSet
from musiclab.commands.report.standings import Ranking, Standing, count_tested
from musiclab.commands.report.tables import score_text
from musiclab.figures import Apart, Place, png_bytes, ranking_figure
from musiclab.pages.document import Block, Picture, Pictures, Text
from musiclab.runs.comparison import Difference

MOST, MOST_APART = 20, 6
"""So many models are shown, and so many published figures."""

LEGEND = (
    "Dots are means over a model's runs, small dots the runs. Lines are 95 % intervals: how far the mean may be off "
    "for other tracks like those tested, or other artists where they are known. A hollow dot is below the best: the "
    "interval of their difference on the same tracks leaves out 0."
)
GREY = " What is grey was published by others (*: pretrained on other data)."


def opening_blocks(rankings: Sequence[Ranking], published: Sequence[PublishedSet]) -> list[Block]:
    """Return a picture for each ranking, with the figures that were published on its data, and how to read them."""
    if not rankings:
        return []
    pictures, grey = [], ""
    for number, ranking in enumerate(rankings, 1):
        aparts = _aparts(ranking, published)
        png = png_bytes(_draw(ranking, aparts), LINES)
        pictures.append(Picture(f"pictures/models_{number}_{slug(ranking.metric)}.png", png, _say(ranking)))
        grey = GREY if aparts else grey
    return [Pictures(pictures), Text(LEGEND + grey)]


def short_name(group: Group) -> str:
    """Return number, name, and what is set otherwise, of each option its last word."""
    words = [] if group.base in (None, group.number) else group.differs
    return ", ".join([group.title, *(" ".join(_last(*word.split(" ", 1))) for word in words)])


def tracks_of(ranking: Ranking) -> set[int | None]:
    """Return how many tracks the models of a ranking were tested on, one number where all were on as many."""
    return {count_tested(standing.group, ranking.metric) for standing in ranking.standings}


def _last(name: str, *rest: str) -> Iterable[str]:
    return (name.rsplit(".", 1)[-1], *rest)


def _draw(ranking: Ranking, aparts: Sequence[Apart]) -> Figure:
    places = [
        Place(
            short_name(standing.group),
            standing.mean,
            score_text(standing.mean),
            standing.interval,
            standing.scores,
            standing.is_lower,
        )
        for standing in ranking.standings[:MOST]
    ]
    counts = [count for count in tracks_of(ranking) if count is not None]
    tracks = f", {_range(counts)} test tracks" if counts else ""
    return ranking_figure(places, ranking.data.name, f"{ranking.said}{tracks}", aparts, _floor(ranking))


def _floor(ranking: Ranking) -> tuple[str, float] | None:
    """Return the share of the largest genre among the test tracks, which needs no model."""
    if ranking.data.kind != "classes":
        return None
    runs = [run for standing in ranking.standings for run in standing.group.tested(ranking.metric)]
    counts = [run.confusion.matrix.sum(axis=1) for run in runs if run.confusion is not None]
    tracks = sum(counts)  # of all folds
    if not counts or not tracks.sum():
        return None
    share = float(tracks.max() / tracks.sum())
    return f"largest genre {share:.3f}", share


def _aparts(ranking: Ranking, published: Sequence[PublishedSet]) -> list[Apart]:
    """Return the published figures of a ranking's data: those that compare first."""
    tracks = tracks_of(ranking)
    found: dict[str, list[Published]] = {COMPARES: []}
    for one in published:
        if stands_beside(ranking.data, one):
            figures = [figure for figure in one.figures if ranking.metric in figure.scores]
            found.setdefault(comparison(ranking.data, one, tracks), []).extend(figures)
    aparts = []
    for said, figures in found.items():
        figures.sort(key=lambda figure: -float(figure.scores[ranking.metric]))
        most = f" (best {MOST_APART} of {len(figures)})" if len(figures) > MOST_APART else ""
        places = [
            Place(figure.model, float(figure.scores[ranking.metric]), figure.scores[ranking.metric], end=_end(figure))
            for figure in figures[:MOST_APART]
        ]
        aparts += [Apart(said + most, places)] if places else []
    return aparts


def _end(figure: Published) -> str:
    return f"{'*' if figure.pretrained else ''} ({figure.source})"


def _say(ranking: Ranking) -> str:
    """Return in words which model is best, and whether it differs from the next."""
    best, *others = ranking.standings
    what = f"{ranking.said[0].upper()}{ranking.said[1:]}" + (f" of {', '.join(ranking.axes)}" if ranking.axes else "")
    lead = f", best of {len(others) + 1} models" if others else ""
    sentences = [f"{what}{lead}: model {_named(best.group)}, {_scored(best)}."]
    if others:
        after = others[0]
        found = after.to_best
        beside = f": {_turned(found).words}" if found else f", {_scored(after)}"
        sentences.append(f"Beside the next, model {_named(after.group)}{beside}.")
    if len(others) >= MOST:
        sentences.append(f"The best {MOST} are shown.")
    return " ".join(sentences)


def _named(group: Group) -> str:
    return f"{group.number} ({group.name})"


def _scored(standing: Standing) -> str:
    interval = standing.interval
    said = f" (95 % interval {score_text(interval.low)} to {score_text(interval.high)})" if interval else ""
    return score_text(standing.mean) + said


def _turned(found: Difference) -> Difference:
    """Return a difference as that of the other model to the one."""
    return found._replace(value=0 - found.value, low=0 - found.high, high=0 - found.low)  # 0 is never -0


def _range(counts: Sequence[int]) -> str:
    low, high = min(counts), max(counts)
    return str(low) if low == high else f"{low} to {high}"
