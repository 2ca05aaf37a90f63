"""What the processor that a network runs on can do."""

import torch


def has_half_precision() -> bool:
    """Return whether the processor computes in bfloat16; others make it of float32, which is slower than float32 is.

    Where none of it is in hardware, there are operations that PyTorch does not have at all: on x86 processors without
    AVX-512, an LSTM in bfloat16 ends with "could not create a primitive descriptor".
    """
    if not hasattr(torch.cpu, "get_capabilities"):  # versions of PyTorch before it, the first of which do not tell
        return bool(getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)())
    capabilities = torch.cpu.get_capabilities()
    return any(capabilities.get(name, False) for name in ("avx512_bf16", "amx_bf16", "bf16"))
