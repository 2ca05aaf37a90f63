"""Parts of a data set: tracks of one folder with their targets."""

from typing import Literal, NamedTuple

from torch import Tensor, cat

from musiclab.data.splitting import Indices, choose_subset
from musiclab.errors import UserError


class Part(NamedTuple):
    """Tracks of one folder: ids, a target for each, and a class for each to stratify by, if any."""

    folder: Literal["train", "test"]
    ids: list[str]
    targets: Tensor
    classes: list[str] | None


def select(part: Part, indices: Indices) -> Part:
    """Return the tracks of a part that ``indices`` name, in that order."""
    return Part(
        part.folder,
        [part.ids[index] for index in indices],
        part.targets[indices],
        None if part.classes is None else [part.classes[index] for index in indices],
    )


def join(first: Part, second: Part) -> Part:
    """Return the tracks of two parts of the same folder."""
    classes = None if first.classes is None or second.classes is None else first.classes + second.classes
    return Part(first.folder, first.ids + second.ids, cat([first.targets, second.targets]), classes)


def limit_part(part: Part, limit: int | None, seed: int) -> Part:
    """Return at most ``limit`` tracks of a part, drawn by ``seed``, an equal number per class as far as there are.

    Raises:
        UserError: If ``limit`` leaves no track.
    """
    return select(part, choose_subset(len(part.ids), part.classes, limit, seed))


def limit_parts(train: Part, validation: Part, limit: int | None, seed: int) -> tuple[Part, Part]:
    """Return at most ``limit`` tracks of two parts together, in the proportion of their sizes, and some of each.

    Raises:
        UserError: If ``limit`` leaves no track to one of them.
    """
    if limit is None:
        return train, validation
    if limit < 2:
        raise UserError(f"limit is {limit}; it must be 2 or more, for a track to train and one to validate on")
    share = len(validation.ids) / (len(train.ids) + len(validation.ids))
    for_validation = min(max(1, round(limit * share)), limit - 1)
    return limit_part(train, limit - for_validation, seed), limit_part(validation, for_validation, seed)
