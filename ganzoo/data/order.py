"""The order in which samples are shown: a function of the seed, with no state to save."""

from __future__ import annotations

import functools
import hashlib

import torch
from torch import Tensor


class Order:
    """An endless stream of epochs, each a permutation of all samples that depends on (seed, epoch) alone.

    Args:
        count: How many samples there are, at least 1.
        seed: The run's seed.

    Raises:
        ValueError: ``count`` is less than 1.
    """

    def __init__(self, count: int, seed: int) -> None:
        if count < 1:
            raise ValueError(f"an order of {count} samples")
        self.count = count
        # A batch lies in one epoch or across the border of two; more are gone through once and not come back to.
        self._epoch = functools.lru_cache(maxsize=2)(functools.partial(permutation, count, seed))

    def indices(self, start: int, count: int) -> Tensor:
        """Positions ``start`` to ``start + count`` of the stream: int64 ``(count,)`` in [0, number of samples).

        Position p is in epoch ``p // number of samples``. Any start can be asked for at any time.
        """
        if start < 0 or count < 0:
            raise ValueError(f"{count} positions from {start}")
        parts = [torch.empty(0, dtype=torch.int64)]
        while count > 0:
            epoch, offset = divmod(start, self.count)
            parts.append(self._epoch(epoch)[offset : offset + count])
            start += len(parts[-1])
            count -= len(parts[-1])
        return torch.cat(parts)


def permutation(count: int, seed: int, epoch: int) -> Tensor:
    """The int64 ``(count,)`` permutation of ``epoch``."""
    digest = hashlib.sha256(f"{seed} order {epoch}".encode()).digest()
    rng = torch.Generator().manual_seed(int.from_bytes(digest[:8], "little") >> 1)
    return torch.randperm(count, generator=rng)
