"""Finding audio files and naming their tracks."""

import os
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache
from glob import glob
from pathlib import Path
from typing import Literal, NamedTuple

from musiclab.data.audio.ffmpeg import has_ffmpeg
from musiclab.data.tables import one_form, read_lines
from musiclab.errors import UserError
from musiclab.files import CONTROLS, shown

Ids = Literal["stem", "path"]

LIST_SUFFIX = ".txt"


FOREIGN = (".m4a", ".m4b", ".aac", ".mp4", ".wma", ".webm", ".mka", ".mkv", ".mov", ".ape", ".ac3", ".amr")
"""How names of audio end that libsndfile does not decode, but ffmpeg."""

CONVERT = "install ffmpeg, or convert it elsewhere, as by ffmpeg -i song.m4a song.wav"


class AudioFile(NamedTuple):
    """An audio file, absolute, and what it is called below the folder that it was found in."""

    path: Path
    name: Path


@cache
def audio_suffixes() -> frozenset[str]:
    """Return the file name endings, in lower case, that files in folders are taken for audio by."""
    import soundfile

    formats = {name.lower() for name in soundfile.available_formats()} - {"raw"}  # which says nothing of itself
    return frozenset(f".{name}" for name in formats | {"mp3", "aif", "aifc", "oga", "opus", "snd"})


def is_foreign(path: Path) -> bool:
    """Whether a file is audio, or a film, that libsndfile does not decode, by its name or its beginning."""
    if path.suffix.lower() in FOREIGN:
        return True
    with path.open("rb") as stream:
        return stream.read(8)[4:] == b"ftyp"  # of MPEG-4, whatever it is called


def find_audio(inputs: Sequence[str | Path]) -> list[AudioFile]:
    """Return the audio files that ``inputs`` name, each once, ordered by path.

    Args:
        inputs: Audio files, tried whatever they are called; folders, searched with all folders below them for names
            that end as audio does; text files (``.txt``) with a path a line, relative to the text file's folder.

    Raises:
        UserError: If something that is named does not exist or cannot be read, or there is no audio.
    """
    found: dict[Path, AudioFile] = {}
    ignored: Counter[str] = Counter()
    for entry in (name for one in inputs for name in _matches(one)):
        path = _in_some_form(_absolute(Path(entry).expanduser()))
        listed = path.suffix.lower() == LIST_SUFFIX and path.is_file()
        for file in _read_list(path, ignored) if listed else _expand(path, ignored):
            found.setdefault(file.path, file)
    others = ", ".join(f"{count} {suffix}" for suffix, count in sorted(ignored.items()))
    foreign = f"; {CONVERT}" if ignored.keys() & set(FOREIGN) else ""
    if not found:
        places = ", ".join(map(str, inputs))
        raise UserError(
            f"{places}: no audio was found" + (f", only {others}" if others else "")
            + (foreign or "; give files that libsndfile decodes (wav, flac, ogg, mp3, ...) or folders that hold some")
        )  # fmt: skip
    if others:
        print(shown(f"Not taken for audio: {others}{foreign}"))
    return sorted(found.values())


def _matches(name: str | Path) -> Sequence[str | Path]:
    """Return what a pattern stands for, which Windows leaves to programs; a name that is there stands for itself."""
    found = [] if exists(name) else sorted(glob(str(name)))  # noqa: PTH207  (of any folder, as the shell does)
    return found or [name]


def exists(path: str | Path) -> bool:
    """Whether a path is there, in some form of Unicode."""
    return _in_some_form(_absolute(Path(path).expanduser())).exists()


def name_tracks(files: Sequence[AudioFile], ids: Ids = "stem") -> dict[str, AudioFile]:
    """Return audio files by track id.

    Args:
        files: From :func:`find_audio`.
        ids: ``stem``: the file's name without its suffix; ``path``: with the folders that it was found in before it.

    Raises:
        UserError: If two files have the same id.
    """
    named: dict[str, AudioFile] = {}
    for file in files:
        identifier = make_id(file.name if ids == "path" else Path(file.name.name))
        if identifier in named:
            other = named[identifier]
            folders_differ = make_id(other.name) != make_id(file.name)
            advice = ", or name tracks by their folders too: --ids path" if folders_differ else ""
            raise UserError(f"{other.path} and {file.path} would both be track {identifier}; rename one{advice}")
        named[identifier] = file
    return named


def make_id(name: Path) -> str:
    """Return the id of a track: its path without the suffix, in which dots and slashes become ``_``.

    So do tabs and line breaks, which label files could not hold.
    """
    return re.sub(r"[./\\]", "_", plain_name("/".join([*name.parts[:-1], name.stem])).strip())


def plain_name(text: str) -> str:
    """Return what a file or folder is called as label files can hold it: UTF-8, in one form, on one line."""
    return re.sub(f"[{CONTROLS}]", "_", one_form(text)).encode(errors="replace").decode()


def _absolute(path: Path) -> Path:
    return Path(os.path.normpath(path.absolute()))  # links are kept: what they point to may be called anything


def _in_some_form(path: Path) -> Path:
    """Return a path in the form of Unicode in which it is there, if it is."""
    forms = (path, *(Path(unicodedata.normalize(form, str(path))) for form in ("NFC", "NFD")))
    return next((form for form in forms if form.exists()), path)


def _expand(path: Path, ignored: Counter[str]) -> Iterator[AudioFile]:
    if path.is_dir():
        yield from _search(path, ignored)
    elif path.exists():
        yield AudioFile(path, Path(path.name))
    else:
        raise UserError(f"{path}: no such file or folder; check the path")


def _search(root: Path, ignored: Counter[str]) -> Iterator[AudioFile]:
    def refuse(error: OSError) -> None:
        raise UserError(f"{error.filename}: cannot be read ({error.strerror}); change its permissions or leave it out")

    taken = audio_suffixes() | frozenset(FOREIGN if has_ffmpeg() else ())
    searched = {os.path.realpath(root)}  # each folder once: links may lead back to where they lie
    for folder, subfolders, names in os.walk(root, onerror=refuse, followlinks=True):
        wanted = {name: os.path.realpath(Path(folder, name)) for name in sorted(subfolders) if not name.startswith(".")}
        subfolders[:] = [name for name, real in wanted.items() if real not in searched]
        searched.update(wanted.values())
        for name in names:
            path = Path(folder, name)
            if name.startswith("."):  # what a system keeps beside its files, as ._song.mp3 on a Mac
                continue
            if path.suffix.lower() in taken:
                yield AudioFile(path, path.relative_to(root))
            else:
                ignored[path.suffix.lower() or "without suffix"] += 1


def _read_list(listing: Path, ignored: Counter[str]) -> Iterator[AudioFile]:
    """Yield what a text file names; a file in a folder of the list is called by its path from there."""
    paths = [_in_some_form(_absolute(listing.parent / line)) for line in read_lines(listing)]
    missing = [path for path in paths if not path.exists()]
    if missing:
        more = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
        raise UserError(f"{listing}: names {missing[0]}, which does not exist{more}; mend or remove the line")
    for path in paths:
        for file in _expand(path, ignored):
            below = path.is_file() and path.is_relative_to(listing.parent)
            yield file._replace(name=path.relative_to(listing.parent)) if below else file
