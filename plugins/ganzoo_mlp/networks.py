"""Fully connected networks for samples of any shape."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Annotated, Literal

from pydantic import Field, PositiveFloat, PositiveInt
from torch import Tensor, nn

from ganzoo import Discriminator, Generator, LogitHead, UsageError

Widths = Annotated[tuple[PositiveInt, ...], Field(max_length=64)]
Activation = Literal["leaky-relu", "relu", "silu"]

ACTIVATIONS: dict[Activation, Callable[[], nn.Module]] = {
    "leaky-relu": lambda: nn.LeakyReLU(0.2),
    "relu": nn.ReLU,
    "silu": nn.SiLU,
}


class MLPGenerator(Generator):
    """Latents through fully connected ReLU layers to samples of any shape.

    Args:
        sample_shape: Shape of one sample.
        latent_dim: Length of a latent.
        hidden: Width of each hidden layer.
        norm: Batch norm after each hidden layer, or none.
        value_range: Of the samples; bounded ones are in [-1, 1].
        output: ``tanh`` to [-1, 1]; ``sigmoid`` to [0, 1], then moved to [-1, 1]; ``linear`` to anything; ``auto``: ``tanh``,
            or ``linear`` for unbounded samples.
        init_range: Draw weights from U(±this) and zero the biases, instead of torch's initialisation.
    """

    def __init__(
        self,
        *,
        sample_shape: tuple[int, ...],
        value_range: tuple[float, float] | None = (-1.0, 1.0),
        latent_dim: PositiveInt = 64,
        hidden: Widths = (512, 512, 512),
        norm: Literal["batch", "none"] = "batch",
        output: Literal["auto", "tanh", "sigmoid", "linear"] = "auto",
        init_range: PositiveFloat | None = None,
    ) -> None:
        if value_range is None and output in ("tanh", "sigmoid"):
            raise UsageError(f"{output} makes bounded samples, and these have no bounds", hint="-o generator.output=linear")
        super().__init__(latent_shape=(latent_dim,), sample_shape=sample_shape)
        layers: list[nn.Module] = []
        width = latent_dim
        for following in hidden:
            layers.append(nn.Linear(width, following, bias=norm == "none"))
            if norm == "batch":
                layers.append(nn.BatchNorm1d(following))
            layers.append(nn.ReLU())
            width = following
        self.layers = nn.Sequential(*layers, nn.Linear(width, math.prod(sample_shape)))
        self.output = output if output != "auto" else "tanh" if value_range else "linear"
        if init_range is not None:
            init_uniform(self, init_range)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        x: Tensor = self.layers(z)
        if self.output == "tanh":
            x = x.tanh()
        elif self.output == "sigmoid":
            x = 2 * x.sigmoid() - 1
        return x.reshape(len(x), *self.sample_shape)


class MLPDiscriminator(Discriminator):
    """Samples of any shape through fully connected layers to logits.

    Args:
        sample_shape: Shape of one sample.
        hidden: Width of each hidden layer.
        activation: ``leaky-relu`` (slope 0.2), ``relu``, or ``silu``, which is smooth: a penalty on its slope says more.
        unit_range: Move pictures from [-1, 1] to [0, 1] first, as networks trained on sigmoid outputs have them.
    """

    def __init__(
        self,
        *,
        sample_shape: tuple[int, ...],
        hidden: Widths = (512, 512, 512),
        activation: Activation = "leaky-relu",
        unit_range: bool = False,
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        width = math.prod(sample_shape)
        for following in hidden:
            layers += [nn.Linear(width, following), ACTIVATIONS[activation]()]
            width = following
        self.layers = nn.Sequential(*layers)
        self.head = LogitHead(width)
        self.unit_range = unit_range

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        x = x.flatten(1)
        logits: Tensor = self.head(self.layers((x + 1) / 2 if self.unit_range else x))
        return logits


class MaxoutDiscriminator(Discriminator):
    """Two layers of maxout units (Goodfellow et al., 2013) with dropout, on values in [0, 1].

    Args:
        sample_shape: Shape of one sample.
        units: Maxout units in each layer.
        pieces: Linear pieces that each unit is the maximum of.
        input_dropout: Part of the inputs dropped.
        hidden_dropout: Part of each layer's outputs dropped.
        init_range: Weights start in U(±this), biases at zero.
    """

    def __init__(
        self,
        *,
        sample_shape: tuple[int, ...],
        units: PositiveInt = 240,
        pieces: PositiveInt = 5,
        input_dropout: float = 0.2,
        hidden_dropout: float = 0.5,
        init_range: PositiveFloat = 0.005,
    ) -> None:
        super().__init__()
        self.pieces = pieces
        self.input_dropout = nn.Dropout(input_dropout)
        self.hidden_dropout = nn.Dropout(hidden_dropout)
        self.first = nn.Linear(math.prod(sample_shape), units * pieces)
        self.second = nn.Linear(units, units * pieces)
        self.head = LogitHead(units)
        init_uniform(self, init_range)

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        x = self.input_dropout((x.flatten(1) + 1) / 2)
        for layer in (self.first, self.second):
            x = self.hidden_dropout(layer(x).unflatten(1, (-1, self.pieces)).amax(dim=2))
        logits: Tensor = self.head(x)
        return logits


def init_uniform(network: nn.Module, bound: float) -> None:
    """Weights of linear layers from U(±bound), biases zero."""
    for module in network.modules():
        if isinstance(module, nn.Linear):
            nn.init.uniform_(module.weight, -bound, bound)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
