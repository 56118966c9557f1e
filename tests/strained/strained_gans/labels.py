"""Pictures by class: embedded in the generator, projected in the discriminator (Miyato & Koyama, 2018)."""

from __future__ import annotations

import torch
from pydantic import PositiveInt
from torch import Tensor, nn

from ganzoo import Discriminator, Generator, UsageError


class LabelledGenerator(Generator):
    """The class's embedding goes in beside the latent."""

    def __init__(
        self, *, sample_shape: tuple[int, ...], num_classes: int, latent_dim: PositiveInt = 16, width: PositiveInt = 8
    ) -> None:
        super().__init__(latent_shape=(latent_dim,), sample_shape=sample_shape, num_classes=num_classes)
        if not num_classes:
            raise UsageError("strained-labels learns from labelled data, and this has no labels")
        if len(sample_shape) != 3 or sample_shape[1] != sample_shape[2] or sample_shape[1] % 4:
            raise UsageError(f"strained-labels makes square pictures of 4, 8, 12 … pixels, not {sample_shape}")
        side = sample_shape[1] // 4
        self.embedding = nn.Embedding(num_classes, latent_dim)
        self.layers = nn.Sequential(
            nn.Linear(2 * latent_dim, width * side * side),
            nn.Unflatten(1, (width, side, side)),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.ConvTranspose2d(width, width, 4, 2, 1),
            nn.ReLU(),
            nn.ConvTranspose2d(width, sample_shape[0], 4, 2, 1),
            nn.Tanh(),
        )

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        return self.layers(torch.cat([z, self.embedding(labels)], dim=1))


class ProjectionDiscriminator(Discriminator):
    """``w·φ(x) + e(y)·φ(x)``."""

    def __init__(self, *, sample_shape: tuple[int, ...], num_classes: int, width: PositiveInt = 8) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(sample_shape[0], width, 4, 2, 1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(width, 2 * width, 4, 2, 1),
            nn.LeakyReLU(0.2),
        )
        self.linear = nn.Linear(2 * width, 1)
        self.embedding = nn.Embedding(num_classes, 2 * width)

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        features = self.features(x).mean((2, 3))
        return self.linear(features).squeeze(1) + (self.embedding(labels) * features).sum(1)
