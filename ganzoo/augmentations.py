"""Augmentations for pictures, whichever are the same for real and for generated ones."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from ganzoo.errors import UsageError
from ganzoo.interfaces import Augmentation
from ganzoo.modalities.asking import noun_of
from ganzoo.modalities.base import Modality
from ganzoo.modalities.pictures import Pictures
from ganzoo.noise import Noise


class PictureAugmentation(Augmentation):
    """One for pictures alone."""

    def check(self, modality: Modality) -> None:
        if not isinstance(modality, Pictures):
            raise UsageError(
                f"{type(self).__name__} is for pictures, and these are {noun_of(modality)}", hint="--augment none"
            )


class Mirror(PictureAugmentation):
    """Mirrored, left to right, with a probability of p / 2: at p = 1, either way round is as likely."""

    capturable: ClassVar[bool] = True

    def __call__(self, samples: Tensor, noise: Noise) -> Tensor:
        turned = noise.uniform(len(samples), 1, 1, 1) < self.p / 2
        return torch.where(turned, samples.flip(3), samples)


class Shift(PictureAugmentation):
    """Moved by whole pixels, across and down, with what is pushed out on one side coming back as the edge repeated.

    Args:
        p: The probability with which a picture is moved.
        reach: The farthest that it is moved, as a part of its width and height, in (0, 0.5].
    """

    capturable: ClassVar[bool] = True

    def __init__(self, p: float = 1.0, *, reach: float = 0.125) -> None:
        super().__init__(p)
        if not 0 < reach <= 0.5:
            raise UsageError(f"reach must be in (0, 0.5], got {reach}")
        self.reach = reach

    def __call__(self, samples: Tensor, noise: Noise) -> Tensor:
        count, channels, height, width = samples.shape
        drawn = noise.uniform(count, 3)
        moved = (drawn[:, 0] < self.p).float()
        rows = self._places(drawn[:, 1], moved, height).view(count, 1, height, 1)
        columns = self._places(drawn[:, 2], moved, width).view(count, 1, 1, width)
        down = samples.gather(2, rows.expand(count, channels, height, width))
        return down.gather(3, columns.expand(count, channels, height, width))

    def _places(self, drawn: Tensor, moved: Tensor, size: int) -> Tensor:
        """For each sample, where each of its ``size`` rows or columns comes from, int64 ``(N, size)``."""
        farthest = max(1, round(self.reach * size))
        offsets = ((drawn * (2 * farthest + 1)).floor() - farthest) * moved
        places = torch.arange(size, device=drawn.device) - offsets.long().unsqueeze(1)
        return places.clamp(0, size - 1)
