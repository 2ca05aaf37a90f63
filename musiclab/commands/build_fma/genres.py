"""Which genre a track of the Free Music Archive gets: its top genre, or the deepest of some that are named."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import NamedTuple

from musiclab.commands.build_fma.metadata import FmaGenre, FmaTrack
from musiclab.errors import UserError


class Labelled(NamedTuple):
    """The genre of each track by id, and how many tracks were left out for which reason."""

    genres: dict[int, str]
    left_out: Counter[str]


def top_genres(tracks: Mapping[int, FmaTrack]) -> Labelled:
    """Give each track its top genre."""
    genres = {identifier: track.top_genre for identifier, track in tracks.items() if track.top_genre}
    without = len(tracks) - len(genres)
    return _known_in_training(tracks, Labelled(genres, Counter({"without a top genre": without})))


def named_genres(tracks: Mapping[int, FmaTrack], tree: Mapping[int, FmaGenre], names: Sequence[str]) -> Labelled:
    """Give each track that of the named genres that is deepest in the tree, of its own and all above these.

    Raises:
        UserError: If a name is that of no genre, or a track's genres cannot be read.
    """
    named = find_genres(tree, names)
    lines = {genre: [genre, *_above(tree, genre)] for genre in tree}
    genres = {}
    left_out: Counter[str] = Counter()
    for identifier, track in tracks.items():
        found = {genre for own in _parse(identifier, track.genres) for genre in lines.get(own, ()) if genre in named}
        depth = max((len(lines[genre]) for genre in found), default=0)
        deepest = {named[genre] for genre in found if len(lines[genre]) == depth}
        if len(deepest) == 1:
            genres[identifier] = deepest.pop()
        else:
            left_out["with several equally deep ones" if deepest else "with none of the genres"] += 1
    return _known_in_training(tracks, Labelled(genres, left_out))


def find_genres(tree: Mapping[int, FmaGenre], names: Iterable[str]) -> dict[int, str]:
    """Return the names of genres by id: of those whose title is the name, else whose title begins with ``NAME /``.

    Raises:
        UserError: If a name is that of no genre, several at once, or two names are of the same genre.
    """
    named: dict[int, str] = {}
    unknown = []
    for name in dict.fromkeys(names):
        found = [genre for genre, (title, _) in tree.items() if title == name]
        found = found or [genre for genre, (title, _) in tree.items() if title.split(" / ")[0] == name]
        if not found:
            unknown.append(name)
        for genre in found:
            if genre in named:
                raise UserError(f"genres: {named[genre]} and {name} are both {tree[genre].title}; name it once")
            named[genre] = name
    if unknown:
        raise UserError("genres: " + "; ".join(_suggest(name, tree) for name in unknown))
    return named


def _suggest(name: str, tree: Mapping[int, FmaGenre]) -> str:
    titles = {title.casefold(): title for title, _ in tree.values()}
    wanted = name.casefold()
    near = [title for title in titles if wanted in title]
    near += get_close_matches(wanted, titles, n=3, cutoff=0.6)
    advice = ", ".join(titles[title] for title in list(dict.fromkeys(near))[:5]) or "any title of genres.csv"
    return f"{name} is no genre of FMA's; did you mean {advice}?"


def _above(tree: Mapping[int, FmaGenre], genre: int) -> list[int]:
    """Return the genres above one, the nearest first; a damaged tree may have circles."""
    above: list[int] = []
    parent = tree[genre].parent
    while parent in tree and parent != genre and parent not in above:
        above.append(parent)
        parent = tree[parent].parent
    return above


def _parse(identifier: int, text: str) -> list[int]:
    """Return the genres of a track, which tables hold as the text of a list."""
    try:
        genres = json.loads(text or "[]")
    except (ValueError, RecursionError):
        genres = None
    if not isinstance(genres, list) or not all(isinstance(genre, int) for genre in genres):
        raise UserError(f"tracks.csv: track {identifier}: genres are {text[:80]!r}; expected ids, as in [26, 12]")
    return genres


def _known_in_training(tracks: Mapping[int, FmaTrack], labelled: Labelled) -> Labelled:
    """Leave out what no model could learn: genres that no track to train on has."""
    trained = {genre for identifier, genre in labelled.genres.items() if tracks[identifier].part == "train"}
    genres = {identifier: genre for identifier, genre in labelled.genres.items() if genre in trained}
    unlearnt = Counter({"with a genre that no track to train on has": len(labelled.genres) - len(genres)})
    return Labelled(genres, +(labelled.left_out + unlearnt))
