"""The same music twice among tracks that were extracted: it is listed, and left out if that is asked for."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from tqdm import tqdm

from musiclab.data.arrays import read_float32
from musiclab.data.audio.extraction import ARRAY_ENDING, is_whole, writing
from musiclab.data.audio.output import Output
from musiclab.data.duplicates import MusicIndex, Pair
from musiclab.files import shown, write_csv

Duplicates = Literal["keep", "drop"]

LISTING = "duplicates.csv"
HEADER = ("track", "label", "copy", "label_of_copy", "how", "left_out")

SHOWN = 5
"""So many pairs are shown on screen."""


def settle_copies(output: Output, labels: Mapping[str, str], duplicates: Duplicates) -> None:
    """List tracks that are the same music in ``duplicates.csv`` of an output's first folder, and on screen.

    Args:
        output: What was extracted. Its first form is what is compared.
        labels: What is known of each track, by its name below the folders.
        duplicates: ``drop`` removes the arrays of the later one of each pair, in the order of the output's sources,
            in all forms; so it gets into no label file.
    """
    folder = next(iter(output.folders.values()))
    names, pairs = _find(output, folder)
    later = _later(pairs) if duplicates == "drop" else set()
    listing = folder / LISTING
    with writing(folder):
        for position in later:
            for form in output.folders.values():
                _array(form, names[position]).unlink(missing_ok=True)
        if not pairs:
            listing.unlink(missing_ok=True)
            return
        rows = []
        for first, second, alike, is_identical in pairs:
            both = [value for name in (names[first], names[second]) for value in (name, labels.get(name, ""))]
            left_out = [names[position] for position in (first, second) if position in later]
            said = "identical" if is_identical else f"likely, {100 * alike:.0f} % alike"
            rows.append([*both, said, " ".join(left_out)])
        write_csv(listing, HEADER, rows)
    identical = sum(pair.identical for pair in pairs)
    summary = f"The same music twice: {identical} pairs of identical tracks, {len(pairs) - identical} likely ones"
    print(shown(f"{summary}, listed in {listing}; {len(later) or 'none'} left out"))
    for name, label, other, other_label, how, _ in rows[:SHOWN]:
        print(shown(f"  {name} ({label}) and {other} ({other_label}): {how}"))


def _find(output: Output, folder: Path) -> tuple[list[str], list[Pair]]:
    """Return the names of the tracks that are there, and pairs of them that are the same music."""
    names = [name for name in output.sources if is_whole(_array(folder, name))]
    music = MusicIndex()
    for name in tqdm(names, desc="Comparing", unit="track", delay=1):
        music.add(read_float32(_array(folder, name))[1], output.recipe.mels or 0)
    identical = [Pair(first, other, 1.0, True) for first, *others in music.identical() for other in others]
    return names, [*identical, *music.likely()]


def _later(pairs: list[Pair]) -> set[int]:
    """Return the clips to leave out: each that is the same music as an earlier one that stays."""
    out: set[int] = set()
    for first, second, *_ in sorted(pairs, key=lambda pair: (pair.second, pair.first)):
        if first not in out:
            out.add(second)
    return out


def _array(folder: Path, name: str) -> Path:
    return folder / (name + ARRAY_ENDING)
