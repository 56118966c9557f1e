"""The two networks of a GAN."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from ganzoo.errors import UsageError
from ganzoo.latents import Latent, draw, truncate, truncate_normal_parts
from ganzoo.pinned import pinned
from ganzoo.seeds import sample_by_seed


class Generator(nn.Module, ABC):
    """Latents to samples.

    A subclass calls ``super().__init__(latent_shape=…, sample_shape=…)``, with ``num_classes=…`` as well if it is conditional,
    and writes ``forward``. Where its latents are not
    standard normal, it says ``latents=[Latent("noise", "normal", 62), Latent("digit", "categorical", 10)]`` instead of their
    shape, or overrides ``draw_latents`` if none of these kinds will do.

    Attributes:
        latent_shape: Shape of one latent.
        latents: What the numbers of a latent are, in order, where it was told so.
        sample_shape: Shape of one sample.
        num_classes: 0 for an unconditional generator.
        block_size: How many samples :meth:`sample` computes at once. It is fixed, and so is a seed's row in a block,
            because kernels for another batch size or for an unaligned row differ in their last bits, and a seed's sample
            must not.
    """

    block_size: ClassVar[int] = 32
    _ganzoo_class_names: Sequence[str] = ()
    """Of its classes, as the folder that it was loaded from has them."""

    def __init__(
        self,
        *,
        sample_shape: Sequence[int],
        latent_shape: Sequence[int] | None = None,
        latents: Sequence[Latent] = (),
        num_classes: int = 0,
    ) -> None:
        super().__init__()
        if (latent_shape is None) == (not latents):
            raise TypeError(f"{type(self).__name__} says its latent_shape, or what its latents are, and not both")
        if len({latent.name for latent in latents}) < len(latents):
            raise TypeError(f"two latents of {type(self).__name__} have one name: {[latent.name for latent in latents]}")
        if latents:
            self.latents = tuple(latents)
        self._ganzoo_latents = tuple(latents)
        self.latent_shape = tuple(latent_shape) if latent_shape is not None else (sum(latent.size for latent in latents),)
        self.sample_shape = tuple(sample_shape)
        self.num_classes = num_classes

    @abstractmethod
    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Samples ``(N, *sample_shape)`` of latents ``(N, *latent_shape)`` and, if conditional, int64 labels ``(N,)``."""

    def draw_latents(self, count: int, rng: torch.Generator) -> Tensor:
        """``count`` latents ``(count, *latent_shape)`` on the device of ``rng``, as ``latents`` says, else standard normal."""
        if self._ganzoo_latents:
            return draw(self._ganzoo_latents, count, rng)
        return torch.randn(count, *self.latent_shape, generator=rng, device=rng.device)

    def truncate_latents(self, z: Tensor, threshold: float) -> Tensor:
        """Latents ``z`` ``(N, *latent_shape)`` pulled towards the middle: what is normal in them is cut at ±``threshold``.

        Raises:
            UsageError: Nothing in them is known to be normal.
        """
        if type(self).draw_latents is not Generator.draw_latents or not any(
            latent.kind == "normal" for latent in self._ganzoo_latents or [Latent("z", "normal", 1)]
        ):
            raise UsageError("this generator's latents are not normal, so they cannot be truncated")
        latents = self._ganzoo_latents
        return truncate_normal_parts(latents, z, threshold) if latents else truncate(z, threshold)

    def sample(
        self,
        seeds: Iterable[int] | int | None = None,
        *,
        labels: Iterable[int | str] | int | str | None = None,
        truncation: float | None = None,
        latents: Tensor | None = None,
    ) -> Tensor:
        """Samples by seed: the same one for a seed, whatever else is in the call and whatever came before it.

        Args:
            seeds: Integers in [0, 2^63); one sample each.
            labels: A class for all, or one per seed, each by its number, or by its name if the generator was loaded from a
                folder that has names; by default ``seed % num_classes``. Only for conditional generators.
            truncation: Pull latents towards the middle: they follow a normal distribution cut at ± this (Brock et al.,
                2019, section 3.1). The smaller, the less samples vary; that they get better as well is true of large
                models, and of those that ship it is not. Only for latents that are normal, or in part.
            latents: Use these ``(N, *latent_shape)`` instead of drawing them from seeds.

        Returns:
            Tensor ``(N, *sample_shape)`` on the generator's device; pictures in [-1, 1].

        Raises:
            UsageError: A seed, label, truncation or latent that the generator cannot take.
        """
        if latents is not None and latents.requires_grad and torch.is_grad_enabled():
            raise UsageError(
                "sample() keeps no gradients, and these latents want some",
                hint="call the generator itself: generator(latents), or generator(latents, labels)",
            )
        with pinned():
            return sample_by_seed(self, seeds, labels, truncation, latents)


class Discriminator(nn.Module, ABC):
    """Samples to logits."""

    @abstractmethod
    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """Raw logits, no sigmoid, of samples ``(N, *sample_shape)`` and, if conditional, int64 labels ``(N,)``.

        They are ``(N,)``, or ``(N, K)`` for K judgements of each sample. Before a run they are looked at for that.
        """
