"""DCGAN's networks, for any number of channels and every square resolution that halves evenly down to 4 to 7 pixels."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, PositiveFloat, PositiveInt
from torch import Tensor, nn

from ganzoo import Discriminator, Generator, LogitHead, UsageError

Depth = Annotated[int, Field(ge=0, le=16)]


class DCGANGenerator(Generator):
    """A small map of many channels, doubled in size and halved in channels until it is a picture in [-1, 1].

    Args:
        sample_shape: ``(C, R, R)``; R is 4 to 7 times a power of two from 2 on.
        value_range: Of the samples; pictures are bounded.
        latent_dim: Length of a latent.
        width: Channels at half the resolution; twice as many at each halving below, to 8 times at most.
        base_convs: 3x3 convolutions at the smallest map, before it is first doubled. The paper has none.
        init_std: Draw weights from N(0, this), as the paper does, instead of torch's initialisation.
    """

    def __init__(
        self,
        *,
        sample_shape: tuple[int, ...],
        value_range: tuple[float, float] | None = (-1.0, 1.0),
        latent_dim: PositiveInt = 100,
        width: PositiveInt = 64,
        base_convs: Depth = 0,
        init_std: PositiveFloat | None = None,
    ) -> None:
        if value_range is None:
            raise UsageError("dcgan makes pictures, not samples without bounds", hint="mlp takes any samples")
        super().__init__(latent_shape=(latent_dim,), sample_shape=sample_shape)
        base, halvings = plan(sample_shape)
        widths = channels(width, halvings)[::-1]
        self.base = base
        self.project = nn.Linear(latent_dim, widths[0] * base * base, bias=False)
        layers: list[nn.Module] = [nn.BatchNorm2d(widths[0]), nn.ReLU()]
        for _ in range(base_convs):
            layers += [nn.Conv2d(widths[0], widths[0], 3, 1, 1, bias=False), nn.BatchNorm2d(widths[0]), nn.ReLU()]
        for narrow, wide in zip(widths[1:], widths, strict=False):
            layers += [nn.ConvTranspose2d(wide, narrow, 4, 2, 1, bias=False), nn.BatchNorm2d(narrow), nn.ReLU()]
        self.layers = nn.Sequential(*layers, nn.ConvTranspose2d(widths[-1], sample_shape[0], 4, 2, 1), nn.Tanh())
        if init_std is not None:
            init_normal(self, init_std)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        # Channels come last in memory, as the convolutions run fastest.
        maps = self.project(z).unflatten(1, (self.base, self.base, -1)).permute(0, 3, 1, 2)
        pictures: Tensor = self.layers(maps)
        return pictures


class DCGANDiscriminator(Discriminator):
    """Strided convolutions, each halving the picture and doubling the channels, then one logit.

    Args:
        sample_shape: ``(C, R, R)``, as for the generator.
        width: Channels after the first convolution; twice as many after each further one, to 8 times at most.
        norm: Batch norm after all convolutions but the first, or none, which gradient penalties need.
        base_convs: 3x3 convolutions at the smallest map, before the logit. The paper has none.
        init_std: Draw weights from N(0, this), as the paper does, instead of torch's initialisation.
    """

    def __init__(
        self,
        *,
        sample_shape: tuple[int, ...],
        width: PositiveInt = 64,
        norm: Literal["batch", "none"] = "batch",
        base_convs: Depth = 0,
        init_std: PositiveFloat | None = None,
    ) -> None:
        super().__init__()
        base, halvings = plan(sample_shape)
        layers: list[nn.Module] = []
        before = sample_shape[0]
        widths = channels(width, halvings)
        shapes = [(after, 4, 2) for after in widths] + [(widths[-1], 3, 1)] * base_convs
        for number, (after, kernel_size, stride) in enumerate(shapes):
            normed = norm == "batch" and number > 0
            layers.append(nn.Conv2d(before, after, kernel_size, stride, 1, bias=not normed))
            if normed:
                layers.append(nn.BatchNorm2d(after))
            layers.append(nn.LeakyReLU(0.2))
            before = after
        self.layers = nn.Sequential(*layers)
        self.head = LogitHead(before * base * base)
        if init_std is not None:
            init_normal(self, init_std)

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        logits: Tensor = self.head(self.layers(x).permute(0, 2, 3, 1))
        return logits


def plan(sample_shape: tuple[int, ...]) -> tuple[int, int]:
    """The smallest map's size and how often it doubles to the resolution. Raises UsageError if it does not."""
    if len(sample_shape) != 3 or sample_shape[1] != sample_shape[2]:
        raise UsageError(f"dcgan makes square pictures, not samples of shape {sample_shape}", hint="mlp takes any shape")
    resolution = base = sample_shape[1]
    halvings = 0
    while base > 7 and base % 2 == 0:
        base, halvings = base // 2, halvings + 1
    if not 4 <= base <= 7 or not halvings:
        possible = sorted(b << k for b in (4, 5, 6, 7) for k in range(1, 11))
        near = sorted(sorted(possible, key=lambda r: abs(r - resolution))[:2])
        raise UsageError(
            f"dcgan cannot make {resolution}x{resolution} pictures: it needs 4, 5, 6 or 7 times a power of two",
            hint=f"the nearest: --resolution {near[0]} or {near[1]}",
        )
    return base, halvings


def channels(width: int, halvings: int) -> list[int]:
    """Channels at each halving, from the largest map down."""
    return [width * min(2**i, 8) for i in range(halvings)]


def init_normal(network: nn.Module, std: float) -> None:
    """Convolutions and projections from N(0, std), batch norm's scales from N(1, std). (Radford et al., 2016, section 4.)"""
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
            nn.init.normal_(module.weight, 0.0, std)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1.0, std)
