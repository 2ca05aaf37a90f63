"""``artists.txt`` of a data set folder: who made which track, as far as it is known."""

from pathlib import Path

from musiclab.data.labels import read_table
from musiclab.errors import UserError

FILE = "artists.txt"


def read_artists(root: Path) -> dict[str, str]:
    """Return the artist of each track that the file names, by track id; nothing if there is no such file.

    The file is tab-separated, with the header ``Id<TAB>Artist``, and may name any of the folder's tracks.

    Args:
        root: Data set folder.

    Raises:
        UserError: If the file cannot be read, has another header, an id twice or no artist for one.
    """
    path = root / FILE
    if not path.exists():
        return {}
    table = read_table(path)
    if table.columns and (table.columns[0] != "Id" or "Artist" not in table.columns):
        raise UserError(f"{path}: the header is {' | '.join(table.columns)!r}; expected 'Id<TAB>Artist'")
    if table.problems:
        raise UserError(table.problems[0])
    column = table.columns.index("Artist")
    artists = {identifier: fields[column] for identifier, fields in table.rows}
    without = [identifier for identifier, artist in artists.items() if not artist]
    if without:
        raise UserError(f"{path}: track {without[0]} has no artist; fill it in or remove the row")
    return artists
