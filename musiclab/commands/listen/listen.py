"""``musiclab listen``: songs as pages that play them, with what models say along them."""

from collections.abc import Sequence

from tqdm import tqdm

from musiclab.commands.listen.hearing import hear, load_listeners, load_neighbours
from musiclab.commands.listen.page import list_header, list_row, song_page
from musiclab.data.audio.files import Ids, find_audio, name_tracks
from musiclab.errors import UserError
from musiclab.files import shown, write_text
from musiclab.inference.model import checked_hop
from musiclab.pages.document import page_folder
from musiclab.pages.player import SongList

INDEX = "index"
NEAREST = 10


def listen(
    songs: list[str],
    *,
    ckpt_path: list[str],
    library: str | None = None,
    hop: float = 3.0,
    out: str = "listen",
    ids: Ids = "stem",
) -> None:
    """Make a page of each song that plays it and shows what models say along it: OUT/SONG.html.

    On one axis of time, with a cursor that follows the player: mel spectrogram, chromagram and beats; the probability
    of each genre, the value on each emotional axis, or the strongest tags; and the path in the plane of valence and
    energy. The answer about the whole song is that of `predict`. A page holds all that it shows and plays, and opens
    without a network. Of several songs, OUT/index.html lists all, to be sorted. What cannot be used is named, and the
    exit code is then 1.

    Args:
        songs: Audio files, folders, which are searched with all folders below them, or text files (.txt) with a path a
            line.
        ckpt_path: Checkpoint of a model of genre, emotion or tags; several may be given.
        library: File that `musiclab embed` wrote, of one of the models: the page names the nearest tracks in it.
        hop: Distance of the windows that are asked about, in s; they are as long as the tracks of the training.
        out: Folder for the pages, made if need be.
        ids: Name pages by the file's name (stem) or with the folders below the input before it (path).
    """
    hop = checked_hop(hop)
    files = name_tracks(find_audio(songs), ids)
    listeners = load_listeners(ckpt_path)
    near = load_neighbours(library, listeners) if library else None
    folder = page_folder(out)
    several = len(files) > 1
    names = page_names(list(files))
    header: list[str] = []
    rows: list[tuple[str, str, list[str]]] = []
    failures = []
    bar = tqdm(files.items(), "Songs", unit="song", disable=not several)
    for identifier, file in bar:
        try:
            heard = hear(file.path, listeners, hop, near, NEAREST)
        except UserError as error:
            if not str(error).startswith(f"{file.path}: "):
                raise  # what is wrong with a model is wrong with it for all songs
            failures.append(str(error))
            continue
        page = song_page(heard, identifier, f"{INDEX}.html" if several else None)
        name = names[identifier]
        write_text(folder / name, page.to_html())
        header = list_header(heard)
        rows.append((identifier, name, list_row(heard)))
    if not rows:
        more = f" (and {len(failures) - 1} more that cannot be used)" if len(failures) > 1 else ""
        raise UserError(failures[0] + more)
    first = folder / rows[0][1]
    if several:
        first = folder / f"{INDEX}.html"
        notes = [f"Left out: {failure}" for failure in failures]
        write_text(first, SongList(f"{len(rows)} songs", header, rows, notes).to_html())
    for failure in failures:
        print(shown(failure))
    pages = "A page" if len(rows) == 1 else f"{len(rows)} pages"
    print(shown(f"{pages}, to be looked at in a browser: {first}"))
    if failures:
        raise SystemExit(1)


def page_names(identifiers: Sequence[str]) -> dict[str, str]:
    """Return the file of each song's page, no two alike on disks that know no capitals, nor that of the list."""
    taken = {INDEX}
    names = {}
    for identifier in identifiers:
        name = identifier
        while name.lower() in taken:
            name += "_"
        taken.add(name.lower())
        names[identifier] = f"{name}.html"
    return names
