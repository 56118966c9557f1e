"""How much memory data may take, asked before it is allocated: the system's, and that of a device."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import TYPE_CHECKING

from ganzoo.errors import DataError

if TYPE_CHECKING:
    import torch

SHARE = 0.8
"""Of the memory that is free. The rest is for the networks."""

DEVICE_SHARE = 0.5
"""Of a device's memory that is free. The rest is for the networks, their gradients, and all that is kept between the two."""

_CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")


def budget() -> float:
    """Bytes that data may take: 80 % of what is free now; infinite where the system does not say."""
    return SHARE * min(_free(), _allowed())


def require(size: int, what: str, *, hint: str | None = None) -> None:
    """Raise DataError, with ``hint``, if ``size`` bytes of ``what`` do not fit."""
    if size > (room := budget()):
        message = f"{what} would take {gib(size)} GiB of memory, and data may take {gib(room)} GiB here"
        raise DataError(message, hint=hint)


def fits_on_device(size: float, free: float) -> bool:
    """Whether ``size`` bytes of data may go to a device that has ``free`` bytes of memory free."""
    return size <= DEVICE_SHARE * free


def free_on(device: torch.device) -> float:
    """Bytes that are free on a device now; infinite for the processor's, and where torch does not say."""
    import torch

    if device.type in ("cpu", "meta"):
        return math.inf
    ask = getattr(torch.get_device_module(device), "mem_get_info", None)
    return float(ask(device)[0]) if ask else math.inf


def gib(size: float) -> str:
    """Bytes in GiB, for people."""
    return f"{size / 2**30:,.1f}"


def _free() -> float:
    # Linux counts the page cache as used in what sysconf calls available; MemAvailable does not.
    try:
        with Path("/proc/meminfo").open() as lines:
            return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration):
        pass
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return math.inf


def _allowed() -> float:
    try:
        return int(_CGROUP_LIMIT.read_text())
    except (OSError, ValueError):
        return math.inf
