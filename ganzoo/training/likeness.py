"""How samples compare with real ones: in numbers that need no network, no labels, and nothing random."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

KINDS = 12
"""Into how many kinds real samples are sorted."""

POOLED = 8
"""What a picture is reduced to for its kind and its place in the data: so many pixels across."""

NUMBERS = 256
"""Samples that are no pictures are projected to so many numbers, if they have more."""


class Likeness:
    """Compares samples with real ones.

    Args:
        reals: ``(N, *sample_shape)``.
        pictures: Whether they are.

    Attributes:
        distance: How far real samples are from each other, as numbers.
    """

    def __init__(self, reals: Tensor, *, pictures: bool) -> None:
        self.pictures = pictures
        reals = reals.float()
        self._shape = tuple(reals.shape[1:])
        self.distance = spread(reals.flatten(1))
        self._scale = None if pictures else _deviation(reals.flatten(1))
        shape = reals[0].numel()
        # Distances are kept by a random projection, which is the same one in every run.
        rng = torch.Generator().manual_seed(0)
        wide = not pictures and shape > NUMBERS
        self._projection = torch.randn(shape, NUMBERS, generator=rng) / math.sqrt(NUMBERS) if wide else None
        self._spread = spread(self._scaled(reals))
        self._rough = roughness(reals) if pictures else 0.0
        features = self._features(reals)
        self._mean = features.mean(0)
        self._variance = float(features.var(0).sum())
        self._kinds = sort_into_kinds(features, min(KINDS, len(reals) // 8))
        self._many = count_kinds(features, self._kinds)

    def check(self, samples: Tensor) -> Tensor:
        """The same samples. Raises ValueError if they have another shape than real ones."""
        if tuple(samples.shape[1:]) != self._shape:
            raise ValueError(f"samples of shape {tuple(samples.shape[1:])}, expected {self._shape}")
        return samples

    @property
    def possible(self) -> bool:
        """Whether the real samples differ at all."""
        return self._spread > 0 and self._variance > 0

    def __call__(self, samples: Tensor) -> dict[str, float | None]:
        """How samples ``(M, *sample_shape)`` compare; None is what cannot be said.

        ``spread``: how far they are from each other, real ones being 1; of pictures, as they are or reduced, whichever is
        less, for one picture under ever another noise is one picture. ``kinds``: of how many kinds they are, real ones
        being 1. ``off``: how far their mean is from that of real ones, whose deviation is 1. ``rough``: how much
        neighbouring pixels differ, real ones' being 1.
        """
        samples = samples.float()
        features = self._features(samples)
        spreads = [spread(self._scaled(samples)) / self._spread, spread(features) / math.sqrt(2 * self._variance)]
        off = float((features.mean(0) - self._mean).square().sum()) / self._variance
        return {
            "spread": min(spreads) if all(map(math.isfinite, spreads)) else None,
            # Of data that is all of a few kinds, samples of one are no wonder.
            "kinds": count_kinds(features, self._kinds) / self._many if self._many >= 4 else None,
            "off": math.sqrt(off),
            "rough": roughness(samples) / self._rough if self._rough else None,
        }

    def _scaled(self, samples: Tensor) -> Tensor:
        flat = samples.flatten(1)
        return flat if self._scale is None else flat / self._scale

    def _features(self, samples: Tensor) -> Tensor:
        if self.pictures:
            return adaptive_avg_pool2d(samples, POOLED).flatten(1)
        scaled = self._scaled(samples)
        return scaled if self._projection is None else scaled @ self._projection


def spread(samples: Tensor) -> float:
    """How far samples ``(N, D)`` are from each other: the root of the mean of squared distances over all pairs."""
    return math.sqrt(2 * float(samples.var(0).sum()))


def roughness(pictures: Tensor) -> float:
    """How much neighbouring pixels differ: the root of the mean of squares."""
    across = (pictures[..., 1:] - pictures[..., :-1]).square().mean()
    down = (pictures[..., 1:, :] - pictures[..., :-1, :]).square().mean()
    return math.sqrt(float(across + down) / 2)


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


def _deviation(flat: Tensor) -> Tensor:
    """Of every number, that samples in different units may be compared; of one that never changes, that of all."""
    own = flat.std(0)
    return torch.where(own > 0, own, own.mean().clamp(min=1e-12))
