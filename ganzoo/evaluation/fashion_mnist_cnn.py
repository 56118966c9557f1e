"""The judge of 28x28 grey pictures of clothes: a small residual classifier of Fashion-MNIST, trained once and frozen.

``benchmarks/judge.py`` trained it, on the 60,000 training pictures alone.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.functional import relu

from ganzoo.errors import UsageError
from ganzoo.evaluation.extractors import Extractor

WEIGHTS = Path(__file__).parent / "shipped" / "fashion-mnist-cnn.safetensors"
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


class FashionMNISTCNN(nn.Module):
    """Pictures ``(N, 1, 28, 28)`` in [-1, 1] to 96 features, and these to logits of the ten classes."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, WIDTHS[0], 3, 1, 1, bias=False), nn.BatchNorm2d(WIDTHS[0]), nn.ReLU())
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


class FashionMNISTExtractor(Extractor):
    """The judge that ships with ganzoo, as an extractor of 96 features."""

    name = "fashion-mnist-cnn"
    resize = "none"

    def __init__(self) -> None:
        super().__init__()
        self.sha256 = hashlib.sha256(WEIGHTS.read_bytes()).hexdigest()
        self.network = FashionMNISTCNN()
        # Batch norm counts its batches in training, which says nothing and is not in the file.
        self.network.load_state_dict({name: t.float() for name, t in load_file(WEIGHTS).items()}, strict=False)

    def features(self, pictures: Tensor) -> Tensor:
        if tuple(pictures.shape[1:]) != (1, 28, 28):
            shape = "x".join(map(str, pictures.shape[1:]))
            raise UsageError(f"{self.name} judges 1x28x28 pictures, not {shape}", hint="for others: --extractor timm:NAME")
        return self.network.features(pictures)

    def classes(self, features: Tensor) -> Tensor:
        logits: Tensor = self.network.head(features)
        return logits.argmax(1)
