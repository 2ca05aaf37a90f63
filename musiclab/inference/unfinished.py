"""What has been embedded of a long list, kept beside the file that is to be made of it until that is made."""

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt

from musiclab.errors import UserError


class Embedded(NamedTuple):
    """Embeddings of a track.

    Attributes:
        starts: Where each window begins, in s; ``[0]`` for the whole, ``(rows,)``.
        values: ``(rows, embedding)`` float32.
    """

    starts: list[float]
    values: npt.NDArray[np.float32]


class Unfinished:
    """Embeddings by the path of the track that they are of, in a file of a line each, that an interruption leaves.

    A track whose file has changed since is embedded anew.

    Args:
        path: The file to be made; this one is called ``.part`` after it.
        settings: What embeddings depend on; those made with others are refused.

    Attributes:
        done: Embeddings by path.

    Raises:
        UserError: If there are some made with other settings, or the file cannot be read or written.
    """

    def __init__(self, path: Path, settings: Mapping[str, Any]) -> None:
        self.path = path.with_name(f"{path.name}.part")
        self.done: dict[str, Embedded] = {}
        header = json.dumps(dict(settings))
        lines = self.path.read_bytes().splitlines(keepends=True) if self.path.exists() else []
        whole = [line for line in lines if line.endswith(b"\n")]  # the last may have been cut off
        if whole and whole[0].decode(errors="replace").strip() != header:
            raise UserError(
                f"{self.path}: begun with another model or other options; go on with those, or remove it to begin anew"
            )
        self._stamps: dict[str, list[int]] = {}
        for line in whole[1:]:
            try:
                track, stamp, starts, size, text = json.loads(line)
                values = np.frombuffer(base64.b64decode(text), np.float32).reshape(len(starts), size)
            except (ValueError, TypeError):
                raise UserError(f"{self.path}: damaged; remove it to begin anew") from None
            self.done[track], self._stamps[track] = Embedded(starts, values), stamp
        self._before = whole or [f"{header}\n".encode()]
        self._stream: BinaryIO | None = None

    def knows(self, track: Path) -> bool:
        """Tell whether a track is done, and its file the same since; else what is known of it is forgotten."""
        if self._stamps.get(str(track)) != _stamp(track):
            self.done.pop(str(track), None)
        return str(track) in self.done

    def add(self, track: Path, embedded: Embedded) -> None:
        """Note down a track."""
        text = base64.b64encode(np.ascontiguousarray(embedded.values).tobytes()).decode()
        row = [str(track), _stamp(track), embedded.starts, embedded.values.shape[1], text]
        if self._stream is None:  # not before there is something to keep
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._stream = self.path.open("wb")
            self._stream.writelines(self._before)
        self._stream.write(json.dumps(row).encode() + b"\n")
        self._stream.flush()
        self.done[str(track)] = embedded

    def close(self) -> None:
        """Keep it for another time."""
        if self._stream is not None:
            self._stream.close()

    def remove(self) -> None:
        """Remove the file: all is done."""
        self.close()
        self.path.unlink(missing_ok=True)


def _stamp(path: Path) -> list[int]:
    try:
        found = path.stat()
    except OSError:
        return [0, 0]
    return [found.st_size, found.st_mtime_ns]
