"""Convolutional networks for any number of channels and any square resolution from 6 pixels on.

A resolution is halved, rounding up, until 4 or 3 is reached: 64, 32, 16, 8, 4 as in the DCGAN paper; 28, 14, 7, 4, where
what is doubled from 4 is cut to 7, as in the MNIST code of WGAN-GP's authors.
"""

from __future__ import annotations

import itertools
from typing import Annotated, Literal

from pydantic import Field, PositiveFloat, PositiveInt
from torch import Tensor, nn

from ganzoo import Discriminator, Generator, LogitHead, UsageError

KernelSize = Annotated[int, Field(ge=3, le=9)]
Blocks = Annotated[int, Field(ge=0, le=16)]
Norm = Literal["batch", "none"]

SMALL = 8
"""Maps of so many pixels a side are cheap to work on: what a picture shows is laid out there."""


class DCGANGenerator(Generator):
    """A small map of many channels, doubled in size and halved in channels until it is a picture in [-1, 1].

    Args:
        sample_shape: ``(C, R, R)``, R from 6 on.
        value_range: Of the samples; pictures are bounded.
        latent_dim: Length of a latent.
        width: Channels at half the resolution; twice as many at each halving below, to 8 times at most.
        kernel_size: Of every convolution that doubles, 3 to 9.
        blocks: Residual blocks at each size of 8 pixels or less, 16 at most; the paper has none.
        norm: Batch norm after all layers but the last, or none.
        output: ``tanh`` to [-1, 1], or ``sigmoid`` to [0, 1], then moved to [-1, 1].
        init_std: Draw weights from N(0, this), as the paper does, instead of torch's initialisation.
    """

    def __init__(
        self,
        *,
        sample_shape: tuple[int, ...],
        value_range: tuple[float, float] | None = (-1.0, 1.0),
        latent_dim: PositiveInt = 100,
        width: PositiveInt = 64,
        kernel_size: KernelSize = 4,
        blocks: Blocks = 0,
        norm: Norm = "batch",
        output: Literal["tanh", "sigmoid"] = "tanh",
        init_std: PositiveFloat | None = None,
    ) -> None:
        if value_range is None:
            raise UsageError("dcgan makes pictures, not samples without bounds", hint="mlp takes any samples")
        super().__init__(latent_shape=(latent_dim,), sample_shape=sample_shape)
        sizes = plan(sample_shape)[::-1]
        widths = [*channels(width, len(sizes) - 1)[::-1], sample_shape[0]]
        self.base = sizes[0]
        self.project = nn.Linear(latent_dim, widths[0] * self.base**2, bias=norm == "none")
        layers: list[nn.Module] = []
        for (size, doubled), (before, after) in zip(itertools.pairwise(sizes), itertools.pairwise(widths), strict=True):
            if size <= SMALL:
                layers += [Residual(before, norm) for _ in range(blocks)]
            layers += _activation(before, norm)
            layers.append(Double(before, after, kernel_size, doubled, bias=doubled == sizes[-1] or norm == "none"))
        self.layers = nn.Sequential(*layers)
        self.output = output
        if init_std is not None:
            init_normal(self, init_std)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        # Channels come last in memory, as the convolutions run fastest.
        maps = self.project(z).unflatten(1, (self.base, self.base, -1)).permute(0, 3, 1, 2)
        x: Tensor = self.layers(maps)
        return x.tanh() if self.output == "tanh" else 2 * x.sigmoid() - 1


class DCGANDiscriminator(Discriminator):
    """Strided convolutions, each halving the picture and doubling the channels, then one logit.

    Args:
        sample_shape: ``(C, R, R)``, as for the generator.
        width: Channels after the first convolution; twice as many after each further one, to 8 times at most.
        kernel_size: Of every convolution, 3 to 9.
        norm: Batch norm after all convolutions but the first, or none, which penalties on each sample's gradient need.
        unit_range: Move pictures from [-1, 1] to [0, 1] first, as networks trained on sigmoid outputs have them.
        init_std: Draw weights from N(0, this), as the paper does, instead of torch's initialisation.
    """

    def __init__(
        self,
        *,
        sample_shape: tuple[int, ...],
        width: PositiveInt = 64,
        kernel_size: KernelSize = 4,
        norm: Norm = "none",
        unit_range: bool = False,
        init_std: PositiveFloat | None = None,
    ) -> None:
        super().__init__()
        sizes = plan(sample_shape)
        layers: list[nn.Module] = []
        before = sample_shape[0]
        for number, ((size, half), after) in enumerate(
            zip(itertools.pairwise(sizes), channels(width, len(sizes) - 1), strict=True)
        ):
            normed = norm == "batch" and number > 0
            layers += _halving(before, after, kernel_size, size, half, bias=not normed)
            layers += [nn.BatchNorm2d(after)] if normed else []
            layers.append(nn.LeakyReLU(0.2))
            before = after
        self.layers = nn.Sequential(*layers)
        self.head = LogitHead(before * sizes[-1] ** 2)
        self.unit_range = unit_range
        if init_std is not None:
            init_normal(self, init_std)

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        logits: Tensor = self.head(self.layers((x + 1) / 2 if self.unit_range else x).permute(0, 2, 3, 1))
        return logits


class Residual(nn.Module):
    """Norm, ReLU and a 3x3 convolution, added to what came in: nothing at first, as its weights are 0 (He et al., 2016)."""

    def __init__(self, width: int, norm: Norm) -> None:
        super().__init__()
        convolution = nn.Conv2d(width, width, 3, padding=1, bias=norm == "none")
        self.layers = nn.Sequential(*_activation(width, norm), convolution)
        self.silence()

    def silence(self) -> None:
        """Add nothing."""
        for parameter in self.layers[-1].parameters():
            nn.init.zeros_(parameter)

    def forward(self, x: Tensor) -> Tensor:
        added: Tensor = x + self.layers(x)
        return added


class Double(nn.ConvTranspose2d):
    """A transposed convolution of stride 2 whose output is cut to ``size`` pixels."""

    def __init__(self, before: int, after: int, kernel_size: int, size: int, *, bias: bool) -> None:
        super().__init__(before, after, kernel_size, 2, (kernel_size - 1) // 2, output_padding=kernel_size % 2, bias=bias)
        self.size = size

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        return super().forward(x)[..., : self.size, : self.size]


def plan(sample_shape: tuple[int, ...]) -> list[int]:
    """The sizes of the maps, from the resolution halved and rounded up, down to 4 or 3. Raises UsageError."""
    if len(sample_shape) != 3 or sample_shape[1] != sample_shape[2]:
        raise UsageError(f"dcgan makes square pictures, not samples of shape {sample_shape}", hint="mlp takes any shape")
    sizes = [sample_shape[1]]
    if sizes[0] < 6:
        raise UsageError(f"dcgan cannot make {sizes[0]}x{sizes[0]} pictures", hint="the smallest: --resolution 6")
    while sizes[-1] > 4:
        sizes.append((sizes[-1] + 1) // 2)
    return sizes


def channels(width: int, halvings: int) -> list[int]:
    """Channels at each halving, from the largest map down."""
    return [width * min(2**i, 8) for i in range(halvings)]


def init_normal(network: nn.Module, std: float) -> None:
    """Convolutions and projections from N(0, std), batch norm's scales from N(1, std). (Radford et al., 2016, section 4.)

    Residual blocks, which the paper does not have, add nothing at first all the same.
    """
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
            nn.init.normal_(module.weight, 0.0, std)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1.0, std)
    for module in network.modules():
        if isinstance(module, Residual):
            module.silence()


def _activation(width: int, norm: Norm) -> list[nn.Module]:
    return [nn.BatchNorm2d(width), nn.ReLU()] if norm == "batch" else [nn.ReLU()]


def _halving(before: int, after: int, kernel_size: int, size: int, half: int, *, bias: bool) -> list[nn.Module]:
    """A strided convolution from ``size`` to ``half`` pixels, zeros added where the two do not meet."""
    needed = max(0, (half - 1) * 2 + kernel_size - size)
    low, high = needed // 2, needed - needed // 2
    if low == high:
        return [nn.Conv2d(before, after, kernel_size, 2, low, bias=bias)]
    return [nn.ZeroPad2d((low, high, low, high)), nn.Conv2d(before, after, kernel_size, 2, bias=bias)]
