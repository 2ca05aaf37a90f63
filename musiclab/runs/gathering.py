"""What the processes of a run know, put together."""

from typing import Any, TypeVar

import torch.distributed

T = TypeVar("T")


def gather(value: T) -> list[T]:
    """Return the values of all processes, in the order of their ranks; every process has to ask for them."""
    if not is_one_of_several():
        return [value]
    values: list[Any] = [None] * torch.distributed.get_world_size()
    torch.distributed.all_gather_object(values, value)
    return values


def is_one_of_several() -> bool:
    """Tell whether this process is one of several of a run."""
    return torch.distributed.is_available() and torch.distributed.is_initialized()
