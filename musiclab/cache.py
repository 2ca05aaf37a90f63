"""Where musiclab keeps what it can make again: packed stores and the demo corpus."""

import os
from pathlib import Path

import platformdirs

CACHE_VARIABLE = "MUSICLAB_CACHE"


def cache_folder(argument: str | Path | None = None) -> Path:
    """Return the cache folder: the argument, else ``$MUSICLAB_CACHE``, else the user's cache folder.

    The folder is not made here.
    """
    folder = argument or os.environ.get(CACHE_VARIABLE) or platformdirs.user_cache_dir("musiclab")
    return Path(folder).expanduser().absolute()
