"""An augmentation: the same amount of noise on real and on generated samples of any kind."""

from __future__ import annotations

from typing import ClassVar

from pydantic import PositiveFloat
from torch import Tensor

from ganzoo import Augmentation, Noise


class Grain(Augmentation):
    """Normal noise of deviation p times ``size`` on every value.

    Args:
        p: Its strength.
        size: The deviation at p = 1.
    """

    capturable: ClassVar[bool] = True

    def __init__(self, p: float = 1.0, *, size: PositiveFloat = 0.1) -> None:
        super().__init__(p)
        self.size = size

    def __call__(self, samples: Tensor, noise: Noise) -> Tensor:
        return samples + self.p * self.size * noise.normal(len(samples), *samples.shape[1:])
