"""Backbones by ``torch.compile``."""

from collections.abc import Callable

import torch
from torch import Tensor

from musiclab.errors import UserError
from musiclab.models import Backbone

Embed = Callable[[Tensor, Tensor], Tensor]
"""From spectrograms ``(batch, time, features)`` and lengths ``(batch,)`` to embeddings ``(batch, embedding)``."""

VARIANTS = 64
"""How often one function may be compiled. PyTorch's 8 are few for blocks that share their code but not their sizes, and
beyond them it goes on uncompiled."""


def compile_backbone(backbone: Backbone, device: torch.device) -> Embed:
    """Return the forward pass of a backbone, which is compiled when it is first used.

    It is compiled for the shapes of the first batch, and again for some of the next ones, until it suits any length.
    What cannot be compiled runs as ever: PyTorch leaves recurrences alone, so that of an LSTM little but the pooling
    is compiled, and of a CNN batch norm and its pooling are left out.

    Args:
        backbone: The backbone; its parameters, their names and its other uses stay as they are.
        device: Where it runs.

    Raises:
        UserError: If nothing can be compiled here, as without a C++ compiler, or Triton on a GPU.
    """
    try:
        torch.compile(_trial)(torch.ones(2, device=device))
    except Exception as error:  # PyTorch's own, Triton's or the compiler's
        cause = getattr(error, "inner_exception", error)
        reason = (str(cause).strip() or repr(cause)).splitlines()[0]
        needed = "a C++ compiler, as g++" if device.type == "cpu" else "Triton"
        raise UserError(
            f"model.compile: torch.compile does not work here ({reason}); install {needed}, or set "
            "--model.compile false"
        ) from None
    torch._dynamo.config.cache_size_limit = VARIANTS  # there is no other way to say so
    compiled: Embed = torch.compile(backbone.forward)
    return compiled


def _trial(values: Tensor) -> Tensor:
    return values.square() + 1
