"""Who made the tracks of a data set: whose tracks stand in two parts, and for which tracks it is not said."""

from collections import Counter
from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

from musiclab.data.artists import FILE, Artists, parse_artists
from musiclab.data.survey import Survey
from musiclab.files import stands_there


class ArtistsFound(NamedTuple):
    """What ``artists.txt`` says, a line each.

    Attributes:
        faults: What is wrong with the file.
        shared: Artists whose tracks stand in two parts.
        unknown: Tracks that the file names and that are not here.
        summary: How many artists there are, and how many tracks of a part are by artists of another.
    """

    faults: list[str]
    shared: list[str]
    unknown: list[str]
    summary: list[str]


def find_artists(survey: Survey) -> ArtistsFound:
    """Look at who made the tracks of a data set, if it is said."""
    path = survey.root / FILE
    if not stands_there(path):
        return ArtistsFound([], [], [], [])
    of, faults = parse_artists(path)
    artists, parts = Artists(path, of), _parts(survey)
    here = {one for arrays in survey.arrays.values() for one in arrays}.union(*parts.values())
    unknown = [f"{path}: {identifier} is no track of this folder" for identifier in of if identifier not in here]
    known = [one for one in here if one in of]
    summary = [f"{FILE}: {len(artists.known(known))} artists of {len(known)} of {len(here)} tracks"]
    counts = {part: Counter(of[one] for one in ids if one in of) for part, ids in parts.items()}
    shared = []
    for first, second in combinations(parts, 2):
        both = sorted(counts[first].keys() & counts[second].keys())
        many = sum(counts[second][artist] for artist in both)
        summary.append(f"  of {len(parts[second])} {second} tracks, {many} are by artists of {first}")
        for artist in both:
            shared.append(f"{artist}: {counts[first][artist]} in {first}, {counts[second][artist]} in {second}")
    return ArtistsFound(faults, shared, unknown, summary)


def _parts(survey: Survey) -> dict[str, Sequence[str]]:
    """Return the tracks of each part that has a label file, and of ``test/`` if it has none."""
    parts: dict[str, Sequence[str]] = {}
    for labels in survey.labels.values():
        parts |= {part: found.ids for part, found in labels.items() if found.ids}
    if survey.arrays["test"] and "test" not in parts:
        parts["test"] = list(survey.arrays["test"])
    return parts
