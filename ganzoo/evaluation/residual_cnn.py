"""The small residual classifier that the extractors which ship with ganzoo are, and what they share."""

from __future__ import annotations

import hashlib
from pathlib import Path

from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.functional import relu

from ganzoo.evaluation.extractors import Extractor

SHIPPED = Path(__file__).parent / "shipped"
WIDTHS = (24, 48, 96)


class Block(nn.Module):
    """Two 3x3 convolutions around which the input is added (He et al., 2016)."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(before, after, 3, stride, 1, bias=False)
        self.first_norm = nn.BatchNorm2d(after)
        self.second = nn.Conv2d(after, after, 3, 1, 1, bias=False)
        self.second_norm = nn.BatchNorm2d(after)
        self.shortcut = nn.Identity() if before == after and stride == 1 else nn.Conv2d(before, after, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        inner = self.second_norm(self.second(relu(self.first_norm(self.first(x)))))
        return relu(inner + self.shortcut(x))


class ResidualCNN(nn.Module):
    """Pictures ``(N, channels, H, W)`` in [-1, 1] to 96 features, and these to logits of ten classes."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(channels, WIDTHS[0], 3, 1, 1, bias=False), nn.BatchNorm2d(WIDTHS[0]), nn.ReLU())
        stages = zip((WIDTHS[0], *WIDTHS), WIDTHS, (1, 2, 2), strict=False)
        self.blocks = nn.Sequential(
            *(block for before, after, stride in stages for block in (Block(before, after, stride), Block(after, after, 1)))
        )
        self.head = nn.Linear(WIDTHS[-1], 10)

    def features(self, x: Tensor) -> Tensor:
        """``(N, 96)``, each the mean over a map after its last activation."""
        maps: Tensor = self.blocks(self.stem(x))
        return maps.mean((2, 3))

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.features(x))
        return logits


class ShippedExtractor(Extractor):
    """An extractor that ships; a subclass has its ``name``, which is also its file's, its ``channels``, and more."""

    channels: int

    def __init__(self) -> None:
        super().__init__()
        path = SHIPPED / f"{self.name}.safetensors"
        self.sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        self.network = ResidualCNN(self.channels)
        # Batch norm counts its batches in training, which says nothing and is not in the file.
        self.network.load_state_dict({name: t.float() for name, t in load_file(path).items()}, strict=False)

    def classes(self, features: Tensor) -> Tensor:
        logits: Tensor = self.network.head(features)
        return logits.argmax(1)
