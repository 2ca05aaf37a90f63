"""Tracks of a data set that are the same music: what stands in two parts or under two labels first."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from musiclab.data.duplicates import MusicIndex
from musiclab.data.labels import EmotionLabels, say_tags
from musiclab.data.survey import Survey


class Copies(NamedTuple):
    """Tracks that are the same music, a line for each group or pair.

    Attributes:
        faults: Identical ones in two parts or with two labels.
        identical: Other identical ones.
        likely: Those that are likely the same recording, in two parts or with two labels first.
    """

    faults: list[str]
    identical: list[str]
    likely: list[str]


class Place(NamedTuple):
    """Where a track stands: name below the root, part, and label, None if it has none."""

    name: str
    part: str
    label: str | None


def find_copies(survey: Survey, music: MusicIndex, paths: Sequence[Path]) -> Copies:
    """Look for tracks that are the same music.

    Args:
        survey: The data set.
        music: What was read of it.
        paths: The file of each clip of that.
    """
    copies = Copies([], [], [])
    groups, alike = music.identical(), music.likely()
    places = _places(survey) if groups or alike else {}
    for group in groups:
        found = [places[paths[position]] for position in group]
        (copies.faults if _differ(found) else copies.identical).append(_describe(found))
    pairs = [([places[paths[pair.first]], places[paths[pair.second]]], pair.alike) for pair in alike]
    for found, share in sorted(pairs, key=lambda pair: not _differ(pair[0])):
        copies.likely.append(f"{_describe(found)}, {100 * share:.0f} % alike")
    return copies


def _places(survey: Survey) -> dict[Path, Place]:
    """Return the place of each array file."""
    places = {}
    for folder, arrays in survey.arrays.items():
        known: dict[str, tuple[str, str | None]] = {}
        for part, labels in survey.labels[folder].items():
            if not isinstance(labels, EmotionLabels):
                said = labels.genres
            elif survey.of_tags:
                said = [say_tags(labels.axes, values) for values in labels.values]
            else:
                said = [" ".join(f"{value:g}" for value in values) for values in labels.values]
            known |= {i: (part, label) for i, label in zip(labels.ids, said, strict=True)}
        for identifier, (path, _) in arrays.items():
            places[path] = Place(f"{folder}/{path.name}", *known.get(identifier, (folder, None)))
    return places


def _differ(found: Sequence[Place]) -> bool:
    labels = {place.label for place in found} - {None}
    return len({place.part for place in found}) > 1 or len(labels) > 1


def _describe(found: Sequence[Place]) -> str:
    return " and ".join(f"{place.name} ({place.label or 'no label'})" for place in found)
