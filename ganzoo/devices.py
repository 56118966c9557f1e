"""Which device to compute on."""

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
            f"there is no device {name!r} here", hint="see what there is: ganzoo doctor; the names are cpu, cuda, cuda:1, mps"
        ) from error
    return device
