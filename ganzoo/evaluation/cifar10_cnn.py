"""The extractor for colour pictures that needs no download: a small residual classifier of CIFAR-10, trained once and frozen.

``benchmarks/extractor.py`` trained it, on the 50,000 training pictures alone; of these none is here, as no licence of theirs
is stated.
"""

from __future__ import annotations

from torch import Tensor

from ganzoo.evaluation.extractors import resize_to, resized
from ganzoo.evaluation.residual_cnn import ShippedExtractor

SIZE = (32, 32)


class CIFAR10Extractor(ShippedExtractor):
    """96 features of colour pictures; those of any size are brought to 32x32."""

    name = "cifar10-cnn"
    resize = resize_to(SIZE)
    channels = 3

    def features(self, pictures: Tensor) -> Tensor:
        return self.network.features(resized(pictures, SIZE))
