"""Folders that arrays are extracted to: who may write there, and what failed."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from filelock import FileLock, Timeout

from musiclab.data.audio.decoding import missing_above
from musiclab.data.audio.extraction import ARRAY_ENDING, Failure, Form, Kind, Outcome, Track, writing
from musiclab.data.recipe import read_recipe, write_recipe
from musiclab.errors import UserError
from musiclab.files import shown, write_csv, write_text
from musiclab.spectrogram import LAB, SAMPLE_RATE, Recipe

BEAT_SUFFIX = "_beat"
DESCRIPTION = "extraction.json"
FAILURES = "failures.csv"
VERSION = 2
"""Part of what makes two extractions the same: raised whenever the arrays change."""

_LOCK = ".extraction.lock"


class Output(NamedTuple):
    """Folders that tracks are extracted to.

    Attributes:
        folders: Where each form goes.
        settings: What all arrays of the folders have in common.
        sources: The audio file of each track, by what the track is called below the folders: ``train/1043``.
        recipe: How the arrays are made; it goes into ``features.json``.
    """

    folders: Mapping[Form, Path]
    settings: Mapping[str, Any]
    sources: Mapping[str, Path]
    recipe: Recipe = LAB


def output_folders(out: str | Path, kind: Kind | None, recipe: Recipe = LAB) -> dict[Form, Path]:
    """Return where each form goes: full arrays to ``out``, beat-synchronised ones to ``out_beat`` beside it.

    Args:
        out: The folder.
        kind: Which forms; None for both, of the lab's recipe, and for full arrays of any other.
        recipe: How the arrays are made.

    Raises:
        UserError: If beats are asked for of another recipe than the lab's.
    """
    kind = kind or ("both" if recipe == LAB else "full")
    if kind != "full" and recipe != LAB:
        raise UserError(
            f"kind is {kind}, but with --mels, --hop, --rate, --window or --recipe there is a column a frame alone; "
            "give --kind full, or leave these out for the lab's arrays, which there are of beats too"
        )
    folder = Path(out).expanduser().absolute()
    folders: dict[Form, Path] = {"full": folder, "beat": folder.with_name(folder.name + BEAT_SUFFIX)}
    return folders if kind == "both" else {kind: folders[kind]}


def planned_tracks(*outputs: Output) -> list[Track]:
    """Return what to extract: each audio file once, whatever it is needed for."""
    arrays: dict[Path, dict[Form, list[Path]]] = {}
    for folders, _, sources, _ in outputs:
        for name, source in sources.items():
            for form, folder in folders.items():
                arrays.setdefault(source, {}).setdefault(form, []).append(folder / (name + ARRAY_ENDING))
    return [Track(source, forms) for source, forms in arrays.items()]


@contextmanager
def claimed(*outputs: Output, complete: bool = False) -> Iterator[None]:
    """Hold output folders while arrays are written there; refuse those that hold anything else.

    A description in each folder says how its arrays were made and of which file each one was, so that an extraction
    that was interrupted goes on and arrays of different making are never mixed.

    Args:
        outputs: What is to be extracted, and where to.
        complete: Whether these are all tracks of the folders; if not, others may be there already.

    Raises:
        UserError: If a folder holds something else, another process writes to it, or it cannot be written.
    """
    for output in outputs:
        for folder in output.folders.values():
            with writing(folder):
                _refuse_files_of_others(folder)
    with ExitStack() as stack:
        for output in outputs:
            tracks = {name: str(path) for name, path in output.sources.items()}
            for form, folder in output.folders.items():
                own = {} if output.recipe == LAB else {"features": output.recipe.plain()}
                described = {"version": VERSION, "form": form, **output.settings, **own}
                with writing(folder):
                    folder.mkdir(parents=True, exist_ok=True)
                    stack.enter_context(_locked(folder))
                    known = _check_description(folder, described, tracks, complete)
                    for leftover in folder.rglob(".*.partial-*"):  # of a run that was killed
                        leftover.unlink(missing_ok=True)
                    if known != tracks:
                        text = json.dumps({**described, "tracks": {**known, **tracks}}, indent=1)
                        write_text(folder / DESCRIPTION, text + "\n")
                    if read_recipe(folder) != output.recipe:
                        write_recipe(folder, output.recipe)
        yield


def report(outcome: Outcome, *outputs: Output) -> None:
    """List what failed in ``failures.csv`` of each output's first folder and sum the extraction up on screen."""
    listings = []
    for folders, _, sources, _ in outputs:
        listing = next(iter(folders.values())) / FAILURES
        own = set(sources.values())
        failures = [failure for failure in outcome.failures if failure.path in own]
        rows = [[str(value) for value in failure] for failure in failures]
        with writing(listing.parent):
            if rows:
                write_csv(listing, Failure._fields, rows)
                listings.append(listing)
            else:
                listing.unlink(missing_ok=True)
    parts = [f"{outcome.made} {'track' if outcome.made == 1 else 'tracks'} extracted"]
    if outcome.found:
        parts.append(f"{outcome.found} there already")
    if outcome.failures:
        parts.append(f"{len(outcome.failures)} failed, listed in {' and '.join(map(str, listings))}")
    places = [folder for output in outputs for folder in output.folders.values()]
    print(shown(f"{', '.join(parts)}; arrays in {' and '.join(map(str, places))}"))
    for output in outputs:
        if output.recipe != LAB:  # as pretrained networks want it
            failed = {failure.path for failure in outcome.failures}
            tell_missing([path for path in output.sources.values() if path not in failed], output.recipe.rate)


def tell_missing(paths: Sequence[Path], rate: int | None, consequence: str = "") -> None:
    """Say what the first of some files lacks that were sampled less often than at a rate in Hz, and how many do."""
    found = [(path, missing_above(path, rate or SAMPLE_RATE)) for path in paths]
    dull = [f"{path}: {missing}{consequence}" for path, missing in found if missing]
    if dull:
        more = f" (and {len(dull) - 1} more file{'s' if len(dull) > 2 else ''})" if len(dull) > 1 else ""
        print(shown(f"{dull[0]}{more}"))


def fit_command(config: str, form: Form, output: Output, *options: str) -> str:
    """Return the command line that trains on the folder of a form of a data set."""
    features = [] if output.recipe == LAB else ["--data.features all"]
    beats = ["--data.beat_synced true"] if form == "beat" else []
    return " ".join([f"musiclab fit -c {config} --data.root {output.folders[form]}", *options, *features, *beats])


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    try:
        with FileLock(folder / _LOCK, timeout=0):
            yield
    except Timeout:
        raise UserError(f"{folder}: another process is extracting to it; wait for it or name another folder") from None


def _refuse_files_of_others(folder: Path) -> None:
    if folder.is_dir() and not (folder / DESCRIPTION).exists():
        foreign = sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
        if foreign:
            raise UserError(f"{folder}: holds {foreign[0]} and is no extraction of musiclab; name another folder")


def _check_description(
    folder: Path, described: dict[str, Any], tracks: dict[str, str], complete: bool
) -> dict[str, str]:
    """Return the tracks that are described already; refuse arrays made otherwise or of other files."""
    path = folder / DESCRIPTION
    if not path.exists():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        known: dict[str, str] = found.pop("tracks")
        differing = {key: found.get(key) for key in {**found, **described} if found.get(key) != described.get(key)}
    except (ValueError, AttributeError, KeyError):
        raise UserError(f"{path}: damaged; remove {folder} or name another folder") from None
    if differing:
        was = ", ".join(f"{key} {json.dumps(value)}" for key, value in differing.items())
        raise UserError(f"{folder}: was made with {was}; use the same settings or name another folder")
    for name in tracks.keys() & known.keys():
        if tracks[name] != known[name]:
            raise UserError(
                f"{folder}: track {name} was made of {known[name]}, not of {tracks[name]}; name another folder"
            )
    if complete and tracks.keys() != known.keys():
        name = min(tracks.keys() ^ known.keys())
        raise UserError(
            f"{folder}: holds a data set of other tracks or split otherwise ({name}); name another folder, or remove "
            "this one to make it anew"
        )
    return known
