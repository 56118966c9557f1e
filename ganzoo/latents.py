"""Latents: what a generator starts from, and how they are drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import torch
from torch import Tensor

LatentKind: TypeAlias = Literal["normal", "uniform", "categorical"]
KINDS: tuple[LatentKind, ...] = get_args(LatentKind)


@dataclass(frozen=True)
class Latent:
    """A part of a generator's latent vector that has a name, such as a code of InfoGAN (Chen et al., 2016, section 7).

    Attributes:
        name: What people call it: ``noise``, ``digit``.
        kind: ``normal``: standard normal numbers. ``uniform``: numbers uniform in [-1, 1]. ``categorical``: one of ``size``
            categories, all equally likely, as a one-hot vector.
        size: How many numbers of the vector it takes.

    Raises:
        ValueError: Another kind, a size below 1, or a name that is no identifier.
    """

    name: str
    kind: LatentKind
    size: int

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"the latent {self.name!r} is of the kind {self.kind!r}, which is none of {', '.join(KINDS)}")
        if not self.name.isidentifier():
            raise ValueError(f"{self.name!r} cannot name a latent: it has to be an identifier")
        if self.size < 1:
            raise ValueError(f"the latent {self.name!r} has the size {self.size}, which has to be at least 1")

    def draw(self, count: int, rng: torch.Generator) -> Tensor:
        """``(count, size)``, float32, on the device of ``rng``."""
        device = rng.device
        if self.kind == "normal":
            return torch.randn(count, self.size, generator=rng, device=device)
        if self.kind == "uniform":
            return torch.rand(count, self.size, generator=rng, device=device) * 2 - 1
        chosen = torch.randint(self.size, (count, 1), generator=rng, device=device)
        return (chosen == torch.arange(self.size, device=device)).float()


def draw(latents: Sequence[Latent], count: int, rng: torch.Generator) -> Tensor:
    """``(count, sum of sizes)``: the parts one after another."""
    return torch.cat([latent.draw(count, rng) for latent in latents], dim=1)


def truncate_normal_parts(latents: Sequence[Latent], z: Tensor, threshold: float) -> Tensor:
    """``z`` ``(N, sum of sizes)`` with its normal parts :func:`truncate`\\ d, and the others as they are."""
    parts = torch.split(z, [latent.size for latent in latents], dim=1)
    cut = [truncate(part, threshold) if latent.kind == "normal" else part for latent, part in zip(latents, parts, strict=True)]
    return torch.cat(cut, dim=1)


def truncate(z: Tensor, threshold: float) -> Tensor:
    """Standard normal ``z`` mapped, monotonically and value by value, onto a normal distribution cut at ±threshold."""
    low = torch.special.ndtr(torch.tensor(-threshold, dtype=torch.float64))
    quantile = low + (1 - 2 * low) * torch.special.ndtr(z.double())
    cut: Tensor = torch.special.ndtri(quantile).clamp(-threshold, threshold).to(z.dtype)
    return cut
