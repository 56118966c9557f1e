"""The extractor for 28x28 grey pictures of clothes: a small residual classifier of Fashion-MNIST, trained once and frozen.

``benchmarks/extractor.py`` trained it, on the 60,000 training pictures alone.
"""

from __future__ import annotations

from torch import Tensor

from ganzoo.errors import UsageError
from ganzoo.evaluation.residual_cnn import ShippedExtractor


class FashionMNISTExtractor(ShippedExtractor):
    """96 features of pictures of clothes."""

    name = "fashion-mnist-cnn"
    resize = "none"
    grey = True
    channels = 1

    def features(self, pictures: Tensor) -> Tensor:
        if tuple(pictures.shape[1:]) != (1, 28, 28):
            shape = "x".join(map(str, pictures.shape[1:]))
            raise UsageError(f"{self.name} judges 1x28x28 pictures, not {shape}", hint="for others: --extractor cifar10-cnn")
        return self.network.features(pictures)
