"""Which device, and in which precision its networks run."""

from __future__ import annotations

import torch

from ganzoo.errors import UsageError


def choose_device(name: str = "auto") -> torch.device:
    """The device of that name; ``auto`` is the first accelerator, else the CPU. Raises UsageError if it is not there."""
    if name == "auto":
        return torch.accelerator.current_accelerator(check_available=True) or torch.device("cpu")
    try:
        device = torch.device(name)
        if device.type == "meta":
            raise RuntimeError("meta computes nothing")
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, ImportError) as error:
        raise UsageError(
            f"no device {name!r} here", hint="cpu, cuda, cuda:1, mps; see what there is: ganzoo doctor"
        ) from error
    return device


def choose_precision(device: torch.device) -> torch.dtype:
    """bfloat16 where the device computes in it (AMX, AVX512-bf16, recent CUDA), else float32."""
    if device.type == "cuda":
        fast = torch.cuda.is_bf16_supported(including_emulation=False)
    elif device.type == "cpu":
        fast = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    else:
        fast = False
    return torch.bfloat16 if fast else torch.float32
