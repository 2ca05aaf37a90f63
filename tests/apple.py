"""A device like Apple's GPUs, played by the CPU: without float64, unseen by numpy, and without some distributions."""

from typing import Any

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves, tree_map

CPU, GPU = torch.device("cpu"), torch.device("mps")


class OnDevice(torch.Tensor):
    """A tensor of the device."""


class AppleDevice(TorchFunctionMode):
    """Has what is made on the device, or computed from what is there, be there, until ``cpu`` brings it back.

    Raises:
        RuntimeError: Where a float64 would be there, or numpy is given what is there.
        NotImplementedError: Where PyTorch has nothing for the device.
    """

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        values = tree_leaves((args, kwargs))
        there = any(isinstance(value, OnDevice) for value in values)
        if function == torch.Tensor.device.__get__:
            return GPU if there else CPU
        if there and function in (torch.Tensor.numpy, torch.Tensor.__array__):
            raise RuntimeError("can't convert mps:0 device type tensor to numpy")
        if there and function in (torch._standard_gamma, torch._sample_dirichlet):
            raise NotImplementedError(f"{function.__name__} is not currently implemented for the MPS device")
        places = [value.type for value in values if isinstance(value, torch.device)]
        args, kwargs = tree_map(lambda value: CPU if isinstance(value, torch.device) else value, (args, kwargs or {}))
        result = function(*args, **kwargs)
        if function is torch.Tensor.cpu or "cpu" in places:
            return tree_map(lambda value: _as(torch.Tensor, value), result)
        if there or "mps" in places:
            return tree_map(lambda value: _as(OnDevice, value), result)
        return result


def _as(kind: type[torch.Tensor], value: Any) -> Any:
    if not isinstance(value, torch.Tensor):
        return value
    if kind is OnDevice and value.dtype == torch.float64:
        raise RuntimeError("Cannot convert a MPS Tensor to float64 dtype as the MPS framework doesn't support float64")
    return value.as_subclass(kind)
