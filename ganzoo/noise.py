"""Random numbers of a training step, by what they are for and whose samples they belong to."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


class Noise:
    """Random numbers of one purpose in one step, a row for each sample of a batch.

    Rows belong to the samples of the whole batch, however it is shared out: whoever holds the samples ``start``,
    ``start + stride``, … of it gets their rows. So one process or many, in one go or in parts, see the same numbers.

    Args:
        seed: What they follow from.
        device: Where they are drawn.
        start, stride: Which samples of the whole batch are at hand.

    Attributes:
        rng: The source itself, for what is one number for the whole batch.
    """

    def __init__(self, seed: int, device: torch.device | str = "cpu", start: int = 0, stride: int = 1) -> None:
        self.rng = torch.Generator(device).manual_seed(seed)
        self._of = (seed, start, stride)

    def part(self, index: int, count: int) -> Noise:
        """That of every ``count``-th of the samples at hand, from ``index`` on; drawn from the beginning again."""
        seed, start, stride = self._of
        return Noise(seed, self.rng.device, start + index * stride, stride * count)

    def draw(self, count: int, sampler: Callable[[int, torch.Generator], Tensor]) -> Tensor:
        """``count`` rows of what ``sampler(rows, rng)`` returns, rows first, which must not depend on anything else."""
        _, start, stride = self._of
        return sampler(count * stride, self.rng)[start::stride]

    def normal(self, count: int, *shape: int) -> Tensor:
        """``(count, *shape)``, standard normal."""
        return self.draw(count, lambda rows, rng: torch.randn(rows, *shape, generator=rng, device=rng.device))

    def uniform(self, count: int, *shape: int) -> Tensor:
        """``(count, *shape)``, uniform in [0, 1)."""
        return self.draw(count, lambda rows, rng: torch.rand(rows, *shape, generator=rng, device=rng.device))
