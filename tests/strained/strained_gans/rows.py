"""Rows of a table, ``(D,)``, in whatever units its columns have."""

from __future__ import annotations

from pydantic import PositiveInt
from torch import Tensor, nn

from ganzoo import Discriminator, Generator, UsageError


def perceptron(width_in: int, hidden: int, width_out: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(width_in, hidden), nn.SiLU(), nn.Linear(hidden, hidden), nn.SiLU(), nn.Linear(hidden, width_out)
    )


class RowGenerator(Generator):
    """Unbounded values."""

    def __init__(self, *, sample_shape: tuple[int, ...], latent_dim: PositiveInt = 8, hidden: PositiveInt = 32) -> None:
        super().__init__(latent_shape=(latent_dim,), sample_shape=sample_shape)
        if len(sample_shape) != 1:
            raise UsageError(f"strained-rows makes rows (D,), not samples of shape {sample_shape}")
        self.layers = perceptron(latent_dim, hidden, sample_shape[0])

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        return self.layers(z)


class RowDiscriminator(Discriminator):
    def __init__(self, *, sample_shape: tuple[int, ...], hidden: PositiveInt = 32) -> None:
        super().__init__()
        self.layers = perceptron(sample_shape[0], hidden, 1)

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        return self.layers(x).squeeze(1)
