"""How samples compare with real ones: in numbers that need no network, no labels, and nothing random."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from ganzoo.modalities.asking import asking
from ganzoo.modalities.base import Modality

KINDS = 12
"""Into how many kinds real samples are sorted."""

NUMBERS = 256
"""Samples that their modality does not sum up are projected to so many numbers, if they have more."""

TAIL = 0.05
"""The part of real values on either side that says nothing of how wide a column of a table is: of some data, it has no end."""

REACH = 2.0
"""So many widths from the middle of its column, a value is as far out as it counts."""

FLOOR = 0.1
"""A column that hardly changes counts as if it were at least this wide, the root mean square over all columns being 1. It is
no more to the discriminator either, and what a generator leaves there would else outweigh everything."""


class Likeness:
    """Compares samples with real ones.

    Args:
        reals: ``(N, *sample_shape)``.
        modality: What they are.

    Attributes:
        shape: Of a sample.
        distance: How far real samples are from each other, as numbers.
    """

    def __init__(self, reals: Tensor, modality: Modality) -> None:
        self.modality = modality
        reals = reals.float()
        self.shape = reals.shape[1:]
        summed_up = self._summary(reals) is not None
        self._columns = None if summed_up else _columns(reals.flatten(1))
        flat = self._scaled(reals)
        self.distance = spread(flat if self._columns is None else flat * self._columns[1])
        # Distances are kept by a random projection, which is the same one in every run.
        rng = torch.Generator().manual_seed(0)
        numbers = self.shape.numel()
        wide = not summed_up and numbers > NUMBERS
        self._projection = torch.randn(numbers, NUMBERS, generator=rng) / math.sqrt(NUMBERS) if wide else None
        self._spread = spread(flat)
        self._rough = self._roughness(reals)
        features = self._features(reals)
        self._mean = features.mean(0)
        self._variance = float(features.var(0).sum())
        self._kinds = sort_into_kinds(features, min(KINDS, len(reals) // 8))
        self._many = count_kinds(features, self._kinds)

    @property
    def possible(self) -> bool:
        """Whether the real samples differ at all."""
        return self._spread > 0 and self._variance > 0

    def __call__(self, samples: Tensor) -> dict[str, float | None]:
        """How samples ``(M, *sample_shape)`` compare; None is what cannot be said, all of it if they are not even numbers.

        ``spread``: how far they are from each other, real ones being 1; of pictures, as they are or reduced, whichever is
        less, for one picture under ever another noise is one picture. ``kinds``: of how many kinds they are, real ones
        being 1. ``off``: how far their mean is from that of real ones, whose deviation is 1. ``rough``: how much
        neighbouring pixels differ, real ones' being 1.
        """
        samples = samples.float()
        features = self._features(samples)
        spreads = [spread(self._scaled(samples)) / self._spread, spread(features) / math.sqrt(2 * self._variance)]
        off = float((features.mean(0) - self._mean).square().sum()) / self._variance
        if not (samples.isfinite().all() and all(map(math.isfinite, (*spreads, off)))):
            return dict.fromkeys(("spread", "kinds", "off", "rough"))
        return {
            "spread": min(spreads),
            # Of data that is all of a few kinds, samples of one are no wonder.
            "kinds": count_kinds(features, self._kinds) / self._many if self._many >= 4 else None,
            "off": math.sqrt(off),
            "rough": self._roughness(samples) / self._rough if self._rough else None,
        }

    def _scaled(self, samples: Tensor) -> Tensor:
        flat = samples.flatten(1)
        if self._columns is None:
            return flat
        middle, width = self._columns
        return ((flat - middle) / width).clamp(-REACH, REACH)

    def _roughness(self, samples: Tensor) -> float:
        axes = self.modality.smooth_axes
        return roughness(samples, axes) if axes else 0.0

    def _summary(self, samples: Tensor) -> Tensor | None:
        with asking(self.modality, "summary"):
            return self.modality.summary(samples)

    def _features(self, samples: Tensor) -> Tensor:
        if (summary := self._summary(samples)) is not None:
            return summary
        scaled = self._scaled(samples)
        return scaled if self._projection is None else scaled @ self._projection


def spread(samples: Tensor) -> float:
    """How far samples ``(N, D)`` are from each other: the root of the mean of squared distances over all pairs."""
    return math.sqrt(2 * float(samples.var(0).sum()))


def roughness(samples: Tensor, axes: Sequence[int]) -> float:
    """How much neighbouring values differ along some axes, such as those of pixels: the root of the mean of squares."""
    differences = [samples.diff(dim=axis).square().mean() for axis in axes]
    return math.sqrt(float(sum(differences[1:], differences[0])) / len(axes))


def sort_into_kinds(features: Tensor, count: int) -> Tensor:
    """The middles ``(count, D)`` of the kinds that samples ``(N, D)`` are of: k-means, with nothing random in it."""
    nearest = (features - features.mean(0)).square().sum(1)
    middles = [features[nearest.argmin()]]
    distance = torch.full((len(features),), math.inf)
    while len(middles) < count:
        distance = torch.minimum(distance, (features - middles[-1]).square().sum(1))
        middles.append(features[distance.argmax()])
    found = torch.stack(middles)
    for _ in range(10):
        kind = torch.cdist(features, found).argmin(1)
        sums = torch.zeros_like(found).index_add_(0, kind, features)
        sizes = kind.bincount(minlength=len(found)).unsqueeze(1)
        found = torch.where(sizes > 0, sums / sizes.clamp(min=1), found)
    return found


def count_kinds(features: Tensor, kinds: Tensor) -> float:
    """Of how many kinds samples ``(N, D)`` are: the exponential of the entropy, so that a rare kind counts for less."""
    shares = torch.cdist(features, kinds).argmin(1).bincount(minlength=len(kinds)).float() / len(features)
    return math.exp(float(torch.special.entr(shares).sum()))


def _columns(flat: Tensor) -> tuple[Tensor, Tensor]:
    """The middle and the half width of each column, between the tails; of columns that are nearly all one value, of all."""
    for tail in (TAIL, 0.0):
        low, high = flat.quantile(tail, dim=0), flat.quantile(1 - tail, dim=0)
        width = (high - low) / 2
        if width.any():
            break
    floor = FLOOR * float(width.square().mean().sqrt())
    return (low + high) / 2, width.clamp(min=floor or 1.0)
