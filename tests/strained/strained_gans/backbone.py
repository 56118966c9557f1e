"""A discriminator that learns a head on the features of a network that it leaves as it is (after Sauer et al., 2021)."""

from __future__ import annotations

import timm
from pydantic import PositiveInt
from torch import Tensor, nn

from ganzoo import Discriminator, Generator, UsageError
from ganzoo.layers import LogitHead


class PictureGenerator(Generator):
    """One projection, one convolution."""

    def __init__(self, *, sample_shape: tuple[int, ...], latent_dim: PositiveInt = 16, width: PositiveInt = 8) -> None:
        super().__init__(latent_shape=(latent_dim,), sample_shape=sample_shape)
        if len(sample_shape) != 3 or sample_shape[0] not in (1, 3) or sample_shape[1] % 4 or sample_shape[2] % 4:
            raise UsageError(f"strained-backbone makes grey or RGB pictures with sides of 4, 8, 12 …, not {sample_shape}")
        channels, height, across = sample_shape
        self.layers = nn.Sequential(
            nn.Linear(latent_dim, width * height * across // 16),
            nn.Unflatten(1, (width, height // 4, across // 4)),
            nn.ReLU(),
            nn.Upsample(scale_factor=4),
            nn.Conv2d(width, channels, 3, padding=1),
            nn.Tanh(),
        )

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        return self.layers(z)


class FrozenFeatures(Discriminator):
    """A timm backbone that nothing moves, and a head that learns."""

    def __init__(self, *, sample_shape: tuple[int, ...], backbone: str = "test_resnet", hidden: PositiveInt = 16) -> None:
        super().__init__()
        self.backbone = timm.create_model(backbone, pretrained=False, in_chans=sample_shape[0], num_classes=0)
        self.backbone.requires_grad_(False)
        self.head = nn.Sequential(nn.Linear(self.backbone.num_features, hidden), nn.LeakyReLU(0.2), LogitHead(hidden))

    def train(self, mode: bool = True) -> FrozenFeatures:
        super().train(mode)
        self.backbone.eval()
        return self

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        return self.head(self.backbone(x))
