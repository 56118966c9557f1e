"""The moving average of weights that samples are drawn from."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping
from typing import TypeAlias

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
        self._places = [place for role, n in networks.items() for place in _places(self.networks[role], n)]

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
        averaged: list[tuple[Tensor, Tensor]] = []
        for mine, its in self._pairs():
            if mine.is_floating_point():
                averaged.append((mine, its))
            else:
                mine.copy_(its)
        if averaged:
            torch._foreach_lerp_([a for a, _ in averaged], [b for _, b in averaged], share)

    def _pairs(self) -> Iterable[tuple[Tensor, Tensor]]:
        """Every tensor of the averages and the one that it follows, as they are now: a network may replace its own.

        What two layers share is there once.
        """
        pairs = ((ours.get(name), theirs.get(name)) for ours, theirs, name in self._places)
        return {id(mine): (mine, its) for mine, its in pairs if mine is not None and its is not None}.values()


_Held: TypeAlias = Mapping[str, Tensor | None]
"""A module's own parameters or buffers by name."""


def _places(ours: nn.Module, theirs: nn.Module) -> Iterator[tuple[_Held, _Held, str]]:
    """Where the tensors of two networks that are alike are found."""
    for a, b in zip(ours.modules(), theirs.modules(), strict=True):
        yield from ((a._parameters, b._parameters, name) for name in a._parameters)
        yield from ((a._buffers, b._buffers, name) for name in a._buffers)
