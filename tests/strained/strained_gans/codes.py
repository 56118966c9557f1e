"""InfoGAN in small (Chen et al., 2016): latents with a code in them, and a head that finds the code again in samples."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from pydantic import PositiveInt
from torch import Tensor, nn

from ganzoo import Generator, Latent
from strained_gans.rows import perceptron

TABLE = torch.arange(4.0)
"""A tensor that is made as the module is imported."""


class CodeGenerator(Generator):
    """Its latents are noise, an angle and one of some digits."""

    def __init__(self, *, sample_shape: tuple[int, ...], digits: PositiveInt = 3, hidden: PositiveInt = 16) -> None:
        latents = [Latent("noise", "normal", 5), Latent("angle", "uniform", 1), Latent("digit", "categorical", digits)]
        super().__init__(latents=latents, sample_shape=sample_shape)
        self.layers = perceptron(6 + digits, hidden, math.prod(sample_shape))

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        return self.layers(z).unflatten(1, self.sample_shape)


class CodeHead(nn.Module):
    """Samples to one number for each number of a code: what the latents say decides how many."""

    def __init__(
        self,
        *,
        sample_shape: tuple[int, ...],
        latents: tuple[Latent, ...],
        generator_options: Mapping[str, Any],
        discriminator_options: Mapping[str, Any],
    ) -> None:
        super().__init__()
        self.codes = [latent for latent in latents if latent.kind != "normal"]
        self.told = dict(generator_options), dict(discriminator_options)
        hidden = discriminator_options["hidden"]
        self.layers = perceptron(math.prod(sample_shape), hidden, sum(latent.size for latent in self.codes))

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x.flatten(1))
