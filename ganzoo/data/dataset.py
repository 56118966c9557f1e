"""What a data set is to whoever trains on it, whether it is in memory or not."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Self

import torch
from torch import Tensor

from ganzoo.data.reading import Reading
from ganzoo.modalities.asking import asking
from ganzoo.modalities.base import Modality


class Feed(ABC):
    """The batches of a run, in this process: a function of the position, so that a run may go on anywhere."""

    @abstractmethod
    def batch(self, start: int, count: int) -> tuple[Tensor, Tensor | None]:
        """This process's share of the samples at the positions ``start`` to ``start + count`` of the run.

        Returns:
            float32 ``(B, *sample_shape)`` on the data's device, pictures in [-1, 1]; and int64 labels ``(B,)``, or None.
        """


class Dataset(ABC):
    """Samples to train on. There are two: :class:`ganzoo.Store` has them in memory, and a stream in shards.

    Attributes:
        name: A short slug, used in names of run folders.
        modality: What the samples are.
        class_names: Names of the classes in order, or empty.
        reading: What the data was understood to be.
        device: Where batches go.
    """

    name: str
    modality: Modality
    class_names: tuple[str, ...]
    reading: Reading
    device: torch.device

    @abstractmethod
    def __len__(self) -> int:
        """How many samples there are."""

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """Shape of one sample in a batch; pictures ``(C, H, W)``."""
        return self.modality.sample_shape

    @property
    def value_range(self) -> tuple[float, float] | None:
        """Lowest and highest value of a sample in a batch; None if it is unbounded."""
        with asking(self.modality, "value_range"):
            return self.modality.value_range

    @property
    @abstractmethod
    def num_classes(self) -> int:
        """How many classes the labels have, also those without a sample; 0 without labels."""

    @abstractmethod
    def to(self, device: torch.device | str) -> Self:
        """The same data, with batches on ``device``."""

    @abstractmethod
    def feed(self, seed: int, first: int = 0, stride: int = 1) -> Feed:
        """The samples in the order of ``seed``, for process ``first`` of ``stride``."""

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """What it holds, as plain data: enough to tell whether two runs trained on the same samples."""

    def understood(self) -> str:
        """What the data was understood to be, in one line for people."""
        return self.reading.say(self.name, len(self), self.modality, self.num_classes, self.class_names)
