"""The moving average of weights that samples are drawn from."""

from __future__ import annotations

import copy
from collections.abc import Mapping

import torch
from torch import Tensor, nn

SPACING = 256
"""Images between two updates, where batches are smaller."""

DENSE = 64 * SPACING
"""Until so many images, every step is taken in."""


class EMA:
    """Exponential moving averages of some networks, with a half-life in images (Karras et al., 2020).

    Floating-point buffers, batch norm's statistics among them, are averaged like weights; others are copied.

    Args:
        networks: Role -> network to follow.
        half_life: In images; 0 follows without averaging.
        ramp: The half-life is at most this part of the images shown so far.
    """

    def __init__(self, networks: Mapping[str, nn.Module], half_life: float, ramp: float = 1.0) -> None:
        self.half_life = half_life
        self.ramp = ramp
        self.networks = {role: copy.deepcopy(n).eval().requires_grad_(False) for role, n in networks.items()}
        pairs = [p for role, n in networks.items() for p in _pairs(self.networks[role], n)]
        self._averaged = [(a, b) for a, b in pairs if a.is_floating_point()]
        self._copied = [(a, b) for a, b in pairs if not a.is_floating_point()]

    @torch.no_grad()
    def update(self, images: int, batch: int) -> None:
        """Take in the networks as they stand after ``images``, ``batch`` of them since the last call.

        Once many steps are behind it, the average takes in every :data:`SPACING` images only: that is as good, and the
        pass over all weights, which empties a processor's caches, costs a twentieth of a small network's step.
        """
        period = SPACING // batch
        if images > DENSE and period > 1:
            if images // batch % period:
                return
            batch *= period
        half_life = min(self.half_life, images * self.ramp)
        share = 1 - 0.5 ** (batch / half_life) if half_life > 0 else 1.0
        if self._averaged:
            torch._foreach_lerp_([a for a, _ in self._averaged], [b for _, b in self._averaged], share)
        for mine, its in self._copied:
            mine.copy_(its)


def _pairs(ours: nn.Module, theirs: nn.Module) -> list[tuple[Tensor, Tensor]]:
    parameters = zip(ours.parameters(), theirs.parameters(), strict=True)
    return [*((a.data, b.data) for a, b in parameters), *zip(ours.buffers(), theirs.buffers(), strict=True)]
