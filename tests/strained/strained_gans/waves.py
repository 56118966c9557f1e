"""Waveforms ``(1, T)``, T a multiple of 16, by strided convolutions in time (after Donahue et al., 2019)."""

from __future__ import annotations

from pydantic import PositiveInt
from torch import Tensor, nn

from ganzoo import Discriminator, Generator, UsageError
from ganzoo.layers import LogitHead


class WaveGenerator(Generator):
    """Quadruples the length twice."""

    def __init__(self, *, sample_shape: tuple[int, ...], latent_dim: PositiveInt = 16, width: PositiveInt = 8) -> None:
        super().__init__(latent_shape=(latent_dim,), sample_shape=sample_shape)
        if len(sample_shape) != 2 or sample_shape[1] % 16:
            raise UsageError(f"strained-waves makes waveforms (C, T) with T a multiple of 16, not {sample_shape}")
        channels, length = sample_shape
        self.layers = nn.Sequential(
            nn.Linear(latent_dim, 2 * width * length // 16),
            nn.Unflatten(1, (2 * width, length // 16)),
            nn.ReLU(),
            nn.ConvTranspose1d(2 * width, width, 8, 4, 2),
            nn.ReLU(),
            nn.ConvTranspose1d(width, channels, 8, 4, 2),
            nn.Tanh(),
        )

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        return self.layers(z)


class WaveDiscriminator(Discriminator):
    """A critic without batch norm."""

    def __init__(self, *, sample_shape: tuple[int, ...], width: PositiveInt = 8) -> None:
        super().__init__()
        channels, length = sample_shape
        self.layers = nn.Sequential(
            nn.Conv1d(channels, width, 9, 4, 4), nn.LeakyReLU(0.2), nn.Conv1d(width, 2 * width, 9, 4, 4), nn.LeakyReLU(0.2)
        )
        self.head = LogitHead(2 * width * length // 16)

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        return self.head(self.layers(x))
