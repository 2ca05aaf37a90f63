"""``musiclab check``: everything that is wrong with a data set folder, listed at once."""

import math
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from musiclab.commands.check.artists import find_artists
from musiclab.commands.check.copies import find_copies
from musiclab.commands.check.values import Range, Values, scale_problems
from musiclab.data.arrays import ROW_COUNTS
from musiclab.data.labels import EmotionLabels, GenreLabels, range_of
from musiclab.data.packing import damaged_tracks
from musiclab.data.survey import FOLDERS, ArrayFile, Labels, Survey, known_recipe, survey_dataset
from musiclab.data.tables import as_list, is_number
from musiclab.errors import UserError
from musiclab.files import shown
from musiclab.spectrogram import LAB


class Report(NamedTuple):
    """What was found.

    Attributes:
        problems: What is wrong, by kind.
        notes: What is to be looked at and may be right, by kind.
        summary: Lines that describe what is sound.
    """

    problems: dict[str, list[str]]
    notes: dict[str, list[str]]
    summary: list[str]


def check(
    root: str,
    most: int = 10,
    store: bool = False,
    *,
    value_range: list[str] | None = None,
    tags: bool | None = None,
) -> None:
    """List everything that is wrong with a data set folder, or sum up what it holds.

    Exits with code 1 if anything is wrong: also if mel or chroma rows are on another scale, and if identical tracks
    stand in two parts or under two labels. Other identical tracks, and those that are likely the same recording at
    another gain or encoding, are listed for you to look at, and are no fault; so are artists (of artists.txt) whose
    tracks stand in two parts.

    Args:
        root: Data set folder with train/ and train_labels.txt; there may be test/ and test_labels.txt,
            validation_labels.txt, artists.txt and a features.json too.
        most: List at most so many problems of a kind; the counts are of all.
        value_range: Lowest and highest value that a label on an emotional axis can have, as in 1 9; null for 0 1.
        tags: Whether the columns of the label files are tags, which hold 0 or 1, and not emotional axes; null to take
            them for tags where nearly all values are 0 or 1.
        store: Compare the packed stores of the folder, as far as there are any in the cache folder, with its arrays.
    """
    folder = Path(root).expanduser()
    problems, notes, summary = inspect_dataset(folder, _limits(value_range), tags)
    if store:
        stored = [line for name in FOLDERS if (folder / name).is_dir() for line in damaged_tracks(folder / name)]
        problems |= {"Packed stores": stored} if stored else {}
        summary += [] if stored else ["packed stores: those in the cache folder hold the values of the arrays"]
    for line in filter(None, summary):
        print(shown(line))
    for kind, found in [*notes.items(), *problems.items()]:
        print(f"\n{kind}: {len(found)}")
        for line in found[:most]:
            print(f"  {shown(line)}")
        if len(found) > most:
            print(f"  and {len(found) - most} more; --most {len(found)} lists them all")
    if notes and not problems:
        print()
    if problems:
        count = sum(map(len, problems.values()))
        print(f"\n{shown(folder)}: {count} {'problem' if count == 1 else 'problems'}")
        raise SystemExit(1)
    print(f"{shown(folder)}: nothing is wrong")


def inspect_dataset(root: Path, limits: Range = (0.0, 1.0), tags: bool | None = None) -> Report:
    """Read a whole data set folder and return what is wrong with it and what it holds.

    Args:
        root: The folder.
        limits: Lowest and highest value that a label on an emotional axis can have.
        tags: Whether the labels are tags; None to go by their values.
    """
    values = Values(known_recipe(root))
    survey = survey_dataset(root, values.read, tags)
    survey.problems["Scale"] += scale_problems(survey, values)
    for labels in survey.labels.values():
        for part, found in labels.items():
            if not survey.of_tags:
                survey.problems["Values out of range"] += _range_problems(root / f"{part}_labels.txt", found, limits)
    copies = find_copies(survey, values.music, values.paths)
    survey.problems["Identical tracks in two parts or with two labels"] += copies.faults
    artists = find_artists(survey)
    survey.problems["Label files"] += artists.faults
    summary = [_describe_features(survey), _describe_kind(survey)]
    for folder, arrays in survey.arrays.items():
        if not arrays and not (root / folder).exists():
            continue
        labels = survey.labels[folder]
        summary.append(_describe_arrays(folder, list(arrays.values()), values.ranges))
        summary += [line for part, found in labels.items() for line in _describe_labels(part, found, survey.of_tags)]
        if not labels:
            summary.append("  without labels")
    if survey.axes is None and not survey.labels["test"]:
        summary.append("no test_labels.txt: `fit` has nothing to test on (--data.test_fraction 0.2 holds out a share)")
    summary += artists.summary
    if survey.problems["Scale"] and (survey.recipe is None or survey.recipe.scale is None):
        summary.append(
            'if the rows are no mel bands in dB: say so in features.json, as {"scale": "embedding"}, and train with '
            "--data.features all"
        )
    notes = {
        "Identical tracks of one part and label": copies.identical,
        "Likely the same recording": copies.likely,
        "Tags of no training track": _unused_tags(survey),
        "Artists in two parts": artists.shared,
        "Artists of tracks that are not here": artists.unknown,
    }
    return Report(_found(survey.problems), _found(notes), summary)


def _describe_features(survey: Survey) -> str:
    """Return a line on how the arrays were made, and how a training takes them; empty for the lab's without a file."""
    recipe = survey.recipe
    rows = {array.header.rows for arrays in survey.arrays.values() for array in arrays.values()}
    if recipe is None:
        if not rows or rows <= {*ROW_COUNTS}:
            return ""
        return (
            "features: not the lab's, and no features.json says how they were made; train with --data.features all, "
            "and --data.seconds for the duration of a frame"
        )
    ours = not [one for one in LAB.differences(recipe) if not one.startswith(("seconds", "chroma"))]
    taken = "the lab's" if ours and rows <= {*ROW_COUNTS} else "train with --data.features all"
    said = ", ".join(
        f"{name} {value:.4g}" if name == "seconds" else f"{name} {value}" for name, value in recipe.plain().items()
    )
    return f"features.json: {said}; {taken}"


def _describe_kind(survey: Survey) -> str:
    """Return a line that says for what the columns of label files are taken; empty for genres."""
    if not survey.axes:
        return ""
    if survey.of_tags:
        return "labels: tags, 0 or 1, to train on by --data TagDataModule (--tags false: values on axes)"
    return "labels: values on axes, to train on by --data EmotionDataModule (--tags true: tags)"


def _unused_tags(survey: Survey) -> list[str]:
    """Return which tags no track of ``train_labels.txt`` has, a line each."""
    labels = survey.labels["train"].get("train")
    if not survey.of_tags or not isinstance(labels, EmotionLabels) or not labels.ids:
        return []
    return [f"{tag}: 0 for all {len(labels.ids)} tracks" for tag, count in _tag_counts(labels).items() if not count]


def _tag_counts(labels: EmotionLabels) -> dict[str, int]:
    """Return how many tracks have each tag."""
    columns = zip(labels.axes, zip(*labels.values, strict=True), strict=True)
    return {tag: sum(value == 1 for value in values) for tag, values in columns}


def _limits(words: list[str] | None) -> Range:
    """Return the lowest and the highest of two numbers, as words or as one: ``1 9``, ``1,9`` or ``[1,9]``."""
    if words is None:
        return 0.0, 1.0
    numbers = [name for word in words for name in as_list(word)]
    if len(numbers) != 2 or not all(map(is_number, numbers)) or not float(numbers[0]) < float(numbers[1]):
        raise UserError(f"--value_range {' '.join(words)}: give the lowest and the highest value, as in 1 9")
    return float(numbers[0]), float(numbers[1])


def _range_problems(path: Path, labels: Labels, limits: Range) -> list[str]:
    """Return which axes have values out of range, a line each."""
    if not isinstance(labels, EmotionLabels):
        return []
    low, high = limits
    problems = []
    for axis, values in zip(labels.axes, zip(*labels.values, strict=True), strict=False):
        out = [value for value in values if value < low or value > high]  # what is no number is told of already
        if out:
            found = range_of([value for row in labels.values for value in row if math.isfinite(value)])
            ours = " ".join(found[1:-1].split(","))
            problems.append(
                f"{path}: {axis} is outside {low:g}..{high:g} for {len(out)} of {len(values)} tracks, such as "
                f"{out[0]:g}; correct them, or say what the range is: check --value_range {ours}, and "
                f"fit --data.value_range {found}"
            )
    return problems


def _found(kinds: Mapping[str, list[str]]) -> dict[str, list[str]]:
    return {kind: lines for kind, lines in kinds.items() if lines}


def _describe_arrays(folder: str, sound: list[ArrayFile], ranges: Mapping[Path, dict[str, Range]]) -> str:
    line = f"{folder}: {len(sound)} sound arrays"
    if not sound:
        return line
    frames = np.array([array.header.columns for array in sound])
    dtypes = ", ".join(sorted({array.header.dtype for array in sound}))
    rows = ", ".join(str(number) for number in sorted({array.header.rows for array in sound}))
    line += f", {rows} rows, {frames.min()} to {frames.max()} frames (median {np.median(frames):.0f}), {dtypes}"
    for name in ("mel", "chroma", "values"):
        found = np.array([ranges[array.path][name] for array in sound if name in ranges[array.path]])
        line += f", {'dB' if name == 'mel' else name} {found.min():g}..{found.max():g}" if found.size else ""
    return line


def _describe_labels(part: str, labels: Labels, of_tags: bool) -> list[str]:
    if not labels.ids:
        return []
    prefix = f"  validation ({len(labels.ids)} tracks): " if part == "validation" else "  "
    if isinstance(labels, GenreLabels):
        counts = Counter(labels.genres)
        return [f"{prefix}{len(counts)} genres: " + ", ".join(f"{genre} {counts[genre]}" for genre in sorted(counts))]
    if of_tags:
        tagged = _tag_counts(labels)
        a_track = sum(tagged.values()) / len(labels.ids)
        counted = ", ".join(f"{tag} {count}" for tag, count in tagged.items())
        return [f"{prefix}{len(tagged)} tags, {a_track:.2g} a track: {counted}"]
    columns = zip(labels.axes, np.array(labels.values).T, strict=True)
    return [prefix + ", ".join(f"{axis} {values.min():g}..{values.max():g}" for axis, values in columns)]
