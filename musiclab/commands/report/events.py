"""Curves from TensorBoard's event files, without TensorFlow."""

import struct
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from tensorboard.backend.event_processing.event_file_loader import LegacyEventFileLoader

from musiclab.errors import UserError

EVENT_FILES = "events.out.tfevents.*"
FITTED = ("train_", "val_", "weight_", "param_")
"""How the names of what a training logs once an epoch begin."""

_LENGTH, _CHECKSUM = struct.Struct("<Q"), 4


class Curve(NamedTuple):
    """A quantity over a training: epochs, counted from 1, and the value at the end of each."""

    epochs: npt.NDArray[np.float64]
    values: npt.NDArray[np.float64]


class Point(NamedTuple):
    """One logged value, and the time of its logging in seconds."""

    step: int
    value: float
    time: float


class EventFile(NamedTuple):
    """What one event file holds.

    Attributes:
        points: Those of each quantity.
        start: Time of the first event in seconds.
        whole: Whether it could be read to its end, which is not so for a process that was killed while writing.
    """

    points: dict[str, list[Point]]
    start: float
    whole: bool


def read_events(path: Path) -> EventFile:
    """Read all scalars of an event file.

    Raises:
        UserError: If nothing of it can be read.
    """
    points: dict[str, list[Point]] = defaultdict(list)
    start, count = 0.0, 0
    try:
        for event in LegacyEventFileLoader(str(path)).Load():
            count += 1
            start = start or event.wall_time
            for value in event.summary.value:
                if value.HasField("simple_value"):
                    points[value.tag].append(Point(event.step, value.simple_value, event.wall_time))
    except Exception as error:  # bytes that are no events make protobuf fail in ways of its own
        raise UserError(f"{path}: cannot be read as TensorBoard events ({type(error).__name__})") from None
    records = count_records(path)
    if records != 0 and not start:
        raise UserError(f"{path}: holds no TensorBoard events")
    return EventFile(dict(points), start, count == records)


def count_records(path: Path) -> int | None:
    """Return the number of records of an event file, None if it ends within one.

    TensorBoard's reader stops at the first that is damaged, and says nothing. A record is its length (8 bytes), a
    checksum of that (4), as many bytes, and their checksum (4).
    """
    size, position, count = path.stat().st_size, 0, 0
    with path.open("rb") as stream:
        while position < size:
            header = stream.read(_LENGTH.size)
            if len(header) < _LENGTH.size:
                return None
            position += _LENGTH.size + _LENGTH.unpack(header)[0] + 2 * _CHECKSUM
            if position > size:
                return None
            stream.seek(position)
            count += 1
    return count


def fit_seconds(files: Sequence[EventFile]) -> float | None:
    """Return the time from the first event to the last that a training logged, summed over its resumptions."""
    total = None
    for file in files:
        times = [point.time for name, points in file.points.items() if name.startswith(FITTED) for point in points]
        if times:
            total = (total or 0.0) + max(times) - file.start
    return total


def curves(files: Sequence[EventFile]) -> dict[str, Curve]:
    """Return the curve of each quantity of a training.

    Where a run was interrupted and went on from a checkpoint, steps come twice; what was logged last counts.
    """
    epoch_of: dict[int, int] = {}
    for point in _latest(files, "epoch"):
        epoch_of[point.step] = int(point.value)
    names = sorted({name for file in files for name in file.points if name.startswith(FITTED)})
    result = {}
    for name in names:
        points = [point for point in _latest(files, name) if point.step in epoch_of]
        if points:
            epochs = _epochs([epoch_of[point.step] for point in points])
            result[name] = Curve(epochs, np.array([point.value for point in points]))
    return result


def _latest(files: Sequence[EventFile], name: str) -> Iterator[Point]:
    """Yield the points of a quantity in the order of their steps, of each step the one that was logged last."""
    points = sorted((point for file in files for point in file.points.get(name, [])), key=lambda point: point.time)
    return iter(sorted({point.step: point for point in points}.values()))


def _epochs(epochs: Sequence[int]) -> npt.NDArray[np.float64]:
    """Return how many epochs had passed at each point; several points of an epoch are spread evenly over it."""
    values, index, counts = np.unique(epochs, return_inverse=True, return_counts=True)
    ranks = np.arange(len(epochs)) - np.searchsorted(epochs, values)[index]
    passed: npt.NDArray[np.float64] = values[index] + (ranks + 1) / counts[index]
    return passed
