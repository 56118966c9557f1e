"""On how many of the processor's threads torch computes: on as many as are fastest beside whatever else the machine does.

An operation that is shared out among threads ends when the slowest of them does. One other busy program keeps one of them
waiting, in each of the hundreds of operations of a step, until the scheduler lets it run. Two threads are then several times
as slow as one.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

import torch

CLEARLY = 1.25
"""How many times as fast another number of threads must be before it is taken instead."""

SEVERAL = 2.0
"""How many times as fast where results are not to change, in their last digits, without a good reason."""

TRIES = 4
TRIAL_SECONDS = 0.25
"""How often the work is done on each number of threads, at the most, and for how long."""

HOPELESS = 3.0
"""A number of threads on which the work takes so many times as long as on the best one is not tried any longer."""


def counts_up_to(most: int) -> list[int]:
    """1, 2, 4, … and ``most``: the numbers of threads worth a trial."""
    return [*(1 << power for power in range((most - 1).bit_length())), most]


def time_threads(work: Callable[[], object], counts: Sequence[int]) -> dict[int, float]:
    """Seconds that ``work`` takes on each number of threads. Leaves torch with as many as it had.

    Args:
        work: Is done some times on each; the first time, in which libraries set themselves up, does not count.
        counts: From small to large: on few threads nothing waits for long.
    """
    seconds: dict[int, float] = {}
    for count in counts:
        with on_threads(count):
            limit = HOPELESS * min(seconds.values(), default=float("inf"))
            first = _seconds(work)
            taken = [first] if first > HOPELESS * limit else [_seconds(work)]
            while len(taken) < TRIES and sum(taken) < TRIAL_SECONDS and max(taken) < limit:
                taken.append(_seconds(work))
        seconds[count] = sum(taken) / len(taken)
    return seconds


def fastest(seconds: Mapping[int, float], used: int, times: float = CLEARLY) -> int:
    """The best number of threads: ``used``, unless another one is so many ``times`` as fast."""
    best = min(seconds, key=lambda count: seconds[count])
    return best if used not in seconds or seconds[used] > times * seconds[best] else used


def on_fastest_threads(work: Callable[[], object], device: torch.device) -> contextlib.AbstractContextManager[None]:
    """In the block torch computes on fewer threads than it has, if a trial of ``work`` on them is several times as fast.

    Args:
        work: A small piece of what the block will do.
        device: Where it is done; only a processor has threads.
    """
    most = torch.get_num_threads()
    if most == 1 or device.type != "cpu":
        return contextlib.nullcontext()
    return on_threads(fastest(time_threads(work, counts_up_to(most)), most, SEVERAL))


@contextlib.contextmanager
def on_threads(count: int) -> Iterator[None]:
    """torch computes on ``count`` threads in the block, and on as many as before after it."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
