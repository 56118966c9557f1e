"""A discriminator that judges five patches of a picture at three scales: fifteen logits for each sample."""

from __future__ import annotations

import torch
from pydantic import PositiveInt
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d

from ganzoo import Discriminator, UsageError

PATCHES = 5
SCALES = 3


class PatchScales(Discriminator):
    """Logits ``(N, 15)``: of the four corners and the middle, of the picture and of it at a half and a quarter of its size."""

    def __init__(self, *, sample_shape: tuple[int, ...], width: PositiveInt = 8) -> None:
        super().__init__()
        if len(sample_shape) != 3 or min(sample_shape[1:]) < 8:
            raise UsageError("strained-patches takes pictures of 8 pixels or more a side")
        self.layers = nn.ModuleList(
            nn.Sequential(nn.Conv2d(sample_shape[0], width, 3, padding=1), nn.LeakyReLU(0.2), nn.Conv2d(width, 1, 1))
            for _ in range(SCALES)
        )

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        found = []
        for scale, layers in enumerate(self.layers):
            judged = layers(avg_pool2d(x, 2**scale) if scale else x)
            rows, columns = (size // 2 for size in judged.shape[2:])
            corners = [
                judged[..., r, c] for r in (slice(rows), slice(rows, None)) for c in (slice(columns), slice(columns, None))
            ]
            middle = judged[..., rows // 2 : rows // 2 + rows, columns // 2 : columns // 2 + columns]
            found += [part.mean((1, 2, 3)) for part in (*corners, middle)]
        return torch.stack(found, dim=1)
