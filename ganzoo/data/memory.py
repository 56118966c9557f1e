"""How much memory a store may take, asked before it is allocated."""

from __future__ import annotations

import math
import os
from pathlib import Path

from ganzoo.errors import DataError

SHARE = 0.8
"""Of the memory that is free. The rest is for the networks."""

_CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")


def budget() -> float:
    """Bytes that data may take: 80 % of what is free now; infinite where the system does not say."""
    return SHARE * min(_free(), _allowed())


def require(size: int, what: str, *, hint: str | None = None) -> None:
    """Raise DataError, with ``hint``, if ``size`` bytes of ``what`` do not fit."""
    if size > (room := budget()):
        message = f"{what} would take {_gib(size)} GiB of memory, and data may take {_gib(room)} GiB here"
        raise DataError(message, hint=hint)


def _gib(size: float) -> str:
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
